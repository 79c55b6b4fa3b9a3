import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Message } from 'esbuild'
import type { Lake } from '../define/lake.js'
import { nearest } from '../define/nearest.js'
import { described } from '../define/problems/described.js'
import { inOrderOfPlace, takeMistakes } from '../define/problems/mistakes.js'
import {
  DefinitionError,
  MoraineError,
  messageOf,
  type Problem,
  type SourceLocation,
} from '../errors.js'
import { codeFolder } from '../home.js'

/*
 * What goes wrong while a definition is loaded, as a sentence, a place in the user's file and a way
 * out: what the bundler refuses, what the code throws, what it does not export.
 */

/** Where Moraine itself lies: its own lines are no place in a user's file. */
const home = codeFolder.pathname

/** What a file exports that exports no lake as its default, and what to change. */
export function noLake(file: string, module: Readonly<Record<string, unknown>>): MoraineError {
  const { default: found, ...others } = module
  const named = Object.entries(others).find(([, value]) => (value as Lake | null)?.kind === 'lake')
  const message =
    'default' in module
      ? `The default export of ${basename(file)} is ${described(found)}, not a lake`
      : `${basename(file)} has no default export`
  const hint = named
    ? `It exports the lake as '${named[0]}': write export default defineLake({ … })`
    : typeof found === 'function'
      ? 'Export its return value: export default defineLake({ … })'
      : "End it with: export default defineLake({ name: '…', datasets: […] })"
  const place = { file, line: 1, column: 1, near: named ? named[0] : 'export default' }
  return new MoraineError('definition', message, { place, hint })
}

/** What to import instead of a part that Moraine does not have. */
export function hintForEntry(path: string, known: readonly string[]): string {
  const similar = nearest(path, known)
  return similar ? `Did you mean '${similar}'?` : `Import from: ${known.join(', ')}`
}

/**
 * What the bundler refuses.
 *
 * @param folder where it worked: its places begin there.
 */
export function asDefinitionError(error: { errors?: Message[] }, folder: string): Error {
  if (!error.errors?.length) return error as Error
  const problems = error.errors.map(({ text, location, detail }): Problem => {
    const hint = typeof detail === 'string' && detail !== '' ? detail : undefined
    if (!location) return { message: text, hint }
    const file = resolve(folder, location.file)
    const place = { file, line: location.line, column: location.column + 1 }
    const missing = /^Could not resolve "(.+)"/.exec(text)
    return missing
      ? { message: `Can't find '${missing[1]}'`, hint: hintForImport(missing[1] as string), place }
      : { message: text, place, hint: hint ?? hintForSyntax(text) }
  })
  return new DefinitionError(problems)
}

function hintForSyntax(text: string): string | undefined {
  if (/^No matching export/.test(text)) return 'Export it there, or check its name.'
  return /^(Expected|Unexpected|Unterminated|Syntax error)/.test(text)
    ? 'The file has a syntax error here: look for a bracket, quote or comma before it.'
    : undefined
}

function hintForImport(name: string): string {
  return name.startsWith('.') ? 'Check the path.' : `Install it: npm install ${name}`
}

/** What a definition threw, with the mistakes that were found before it. */
export function withMistakes(thrown: MoraineError): MoraineError {
  const before = takeMistakes()
  if (before.length === 0) return thrown
  const { message, hint, place } = thrown
  const last = thrown instanceof DefinitionError ? thrown.problems : [{ message, hint, place }]
  return new DefinitionError(inOrderOfPlace([...before, ...last]))
}

/** A name that is imported from Moraine or a package, but that it does not have. */
export function missingExport(
  error: unknown,
  code: string,
  original: (place: SourceLocation) => SourceLocation,
  bundle: string,
): MoraineError | undefined {
  const found = /module '(.+)' does not provide an export named '(.+)'/.exec(messageOf(error))
  if (!found) return undefined
  const [, module = '', name = ''] = found
  const lines = code.split('\n')
  const line = lines.findIndex((text) => text.startsWith('import') && text.includes(name))
  // The bundler keeps a name's first use on a line of its own file.
  const place = original({ file: bundle, line: line + 1, column: 1 })
  const known = module.endsWith('/index.js') || module.endsWith('/index.ts') ? 'moraine' : module
  return new MoraineError('definition', `'${known}' has no export '${name}'`, {
    cause: error,
    ...(place.file === bundle ? {} : { place: { ...place, line: 1, column: 1, near: name } }),
    hint: 'Check the name, and the installed version of the package.',
  })
}

/** An error that the user's own code threw, with the line that threw it. */
export function thrownByUser(
  error: unknown,
  file: string,
  original: (place: SourceLocation) => SourceLocation,
): MoraineError {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const frames = [...stack.matchAll(/(file:\/\/\S+?|\/[^\s():]+):(\d+):(\d+)/g)]
  const frame = frames.find(
    ([, path = '']) =>
      /\.[cm]?[jt]s$/.test(path) && !path.includes('node_modules') && !path.includes(home),
  )
  const path = frame?.[1]?.startsWith('file:') ? fileURLToPath(frame[1]) : frame?.[1]
  const place = frame
    ? original({ file: path as string, line: Number(frame[2]), column: Number(frame[3]) })
    : { file, line: 1, column: 1 }
  const { message, hint } = readable(error)
  return new MoraineError('definition', message, {
    cause: error,
    place,
    ...(hint ? { hint } : {}),
  })
}

/** What an error of the user's own code means, in a sentence, and a way out. */
function readable(error: unknown): { message: string; hint?: string } {
  const message = messageOf(error)
  if (!(error instanceof Error)) return { message: `The definition threw ${described(error)}` }
  const early = /^Cannot access '(.+)' before initialization$/.exec(message)?.[1]
  if (early !== undefined)
    return {
      message: `'${early}' is used before it is defined`,
      hint: 'Move its definition up. If two datasets read each other, break the cycle.',
    }
  const unknown = /^(.+) is not defined$/.exec(message)?.[1]
  if (unknown !== undefined)
    return {
      message: `'${unknown}' is not defined`,
      hint: `Define or import it; Moraine's functions come from 'moraine', sources from 'moraine/sources'.`,
    }
  const uncalled = /^(.+) is not a function$/.exec(message)?.[1]
  if (uncalled !== undefined)
    return { message: `${uncalled} is not a function`, hint: 'Check its name in the guide.' }
  const absent = /^Cannot read properties of (undefined|null) \(reading '(.+)'\)$/.exec(message)
  if (absent)
    return {
      message: `'.${absent[2]}' is read from something that is ${absent[1]}`,
      hint: 'The value before the dot is defined further down, not exported, or misspelled.',
    }
  return { message: `The definition threw: ${message}` }
}
