import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Lake } from '../define/lake.js'
import { MoraineError } from '../errors.js'
import { bundleOf } from './bundle.js'
import { evaluate, type Module } from './evaluate.js'
import { noLake, withMistakes } from './load-errors.js'

const names = ['lake.ts', 'lake.mts', 'lake.js', 'lake.mjs']

/** The file that defines the lake of a project. */
export function findLakeFile(folder: string): string {
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path))
  if (found) return found
  throw new MoraineError('usage', `There is no lake.ts in ${folder}`, {
    hint: 'Choose the project with -C DIR, or create one with: moraine init my-lake',
  })
}

/**
 * Loads a definition written in TypeScript, whatever the project's package says about modules, and
 * with no build step: the user's own files are bundled in memory, packages stay as they are.
 *
 * @throws DefinitionError with all mistakes and their places.
 */
export async function loadLake(file: string): Promise<Lake> {
  return lakeOf(await loadModule(file), file)
}

/** The lake that a module exports. */
export function lakeOf(module: Module, file: string): Lake {
  const lake = module.default as Lake | undefined
  if (lake?.kind === 'lake') return lake
  throw withMistakes(noLake(file, module))
}

/** What a TypeScript file of a project exports. */
export async function loadModule(file: string): Promise<Module> {
  return evaluate(await bundleOf(file, 'outside'), file)
}
