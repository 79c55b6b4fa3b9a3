import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'
import { mapLocations } from '../define/call-site.js'
import type { Lake } from '../define/lake.js'
import { takeMistakes } from '../define/problems/mistakes.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import { entrance } from '../home.js'
import { scratchFolder } from '../storage/scratch.js'
import {
  asDefinitionError,
  hintForEntry,
  missingExport,
  noLake,
  thrownByUser,
  withMistakes,
} from './load-errors.js'

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
  const module = await loadModule(file)
  const lake = module.default as Lake | undefined
  if (lake?.kind === 'lake') return lake
  throw withMistakes(noLake(file, module))
}

/** What a module exports, by name. */
type Module = Readonly<Record<string, unknown>>

/** What a TypeScript file of a project exports. */
export async function loadModule(file: string): Promise<Module> {
  const { build } = await import('esbuild')
  const result = await build({
    // Not the path, which would be a pattern where it holds a `*`.
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'silent',
    define: {
      'import.meta.url': '__moraine_url',
      'import.meta.filename': '__moraine_file',
      'import.meta.dirname': '__moraine_folder',
      __filename: '__moraine_file',
      __dirname: '__moraine_folder',
    },
    outfile: join(dirname(file), 'lake.bundle.mjs'),
    plugins: [entryAt(file), packagesStayOutside, filesKnowTheirPlace],
  }).catch((error) => {
    throw asDefinitionError(error)
  })
  return evaluate(result.outputFiles[0]?.text ?? '', file)
}

/** What is bundled, whatever the user's file is called. */
const ENTRY = 'moraine-entry'

const entryAt = (file: string): Plugin => ({
  name: 'entry-at',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${ENTRY}$`) }, ({ kind }) =>
      kind === 'entry-point' ? { path: file } : undefined,
    )
  },
})

/**
 * Packages are resolved from the file that imports them; Moraine itself is always the one that is
 * running, so that a project works before anything is installed in it.
 */
const packagesStayOutside: Plugin = {
  name: 'packages-stay-outside',
  setup(build) {
    build.onResolve({ filter: /^moraine($|\/)/ }, ({ path }) => {
      const found = own(path.slice('moraine'.length))
      return found === undefined
        ? { errors: [{ text: `'${path}' does not exist`, detail: hintForEntry(path, parts) }] }
        : { path: found, external: true }
    })
    build.onResolve({ filter: /^[^./]/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === 'again' || path.startsWith('node:') || kind === 'entry-point')
        return undefined
      const found = await build.resolve(path, { resolveDir, kind, pluginData: 'again' })
      if (found.errors.length > 0 || found.external) return found
      return { path: pathToFileURL(found.path).href, external: true }
    })
  },
}

const entries: Readonly<Record<string, string>> = {
  '': 'index',
  '/sources': 'source/index',
  '/testing': 'testing/index',
}

const parts = Object.keys(entries).map((subpath) => `moraine${subpath}`)

function own(subpath: string): string | undefined {
  const entry = entries[subpath]
  if (entry === undefined) return undefined
  return entrance(entry).href
}

/** Gives each file its own `import.meta.url`, on its first line so that lines stay as they are. */
const filesKnowTheirPlace: Plugin = {
  name: 'files-know-their-place',
  setup(build) {
    build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const place = `const __moraine_url = ${JSON.stringify(pathToFileURL(path).href)}, __moraine_file = ${JSON.stringify(path)}, __moraine_folder = ${JSON.stringify(dirname(path))};`
      const used = /import\.meta|__dirname|__filename/.test(text)
      const typescript = /\.[cm]?tsx?$/.test(path)
      return { contents: used ? place + text : text, loader: typescript ? 'ts' : 'js' }
    })
  },
}

/**
 * Runs the bundle; its source map leads places of datasets and of errors back to the user's files.
 */
async function evaluate(code: string, file: string): Promise<Module> {
  const folder = await scratchFolder('lake')
  const bundle = join(folder, 'lake.mjs')
  const map = mapOf(code, dirname(file))
  const original = placesIn(map, bundle)
  const stop = mapLocations(original)
  const before = process.sourceMapsEnabled
  process.setSourceMapsEnabled(false)
  // Those of a definition that was loaded before and never put together are not this one's.
  takeMistakes()
  try {
    await writeFile(bundle, withMap(code, map))
    return await import(pathToFileURL(bundle).href)
  } catch (error) {
    const thrown =
      error instanceof MoraineError
        ? error
        : (missingExport(error, code, original, bundle) ?? thrownByUser(error, file, original))
    throw withMistakes(thrown)
  } finally {
    stop()
    process.setSourceMapsEnabled(before)
    await rm(folder, { recursive: true, force: true })
  }
}

const MAP = '//# sourceMappingURL=data:application/json;base64,'

type Payload = SourceMapPayload | undefined

/** The bundle's source map, with whole paths: whoever reads it then finds the user's files. */
function mapOf(code: string, folder: string): Payload {
  const at = code.lastIndexOf(MAP)
  if (at < 0) return undefined
  const map = JSON.parse(Buffer.from(code.slice(at + MAP.length).trim(), 'base64').toString())
  const sources = map.sources.map((source: string) => resolve(folder, decodeURIComponent(source)))
  return { ...map, sources }
}

function withMap(code: string, map: Payload): string {
  // Readers decode sources as parts of URLs.
  const sources = map?.sources.map((source) => source.replaceAll('%', '%25'))
  const encoded = Buffer.from(JSON.stringify({ ...map, sources })).toString('base64')
  return map ? `${code.slice(0, code.lastIndexOf(MAP))}${MAP}${encoded}\n` : code
}

/** Leads places in the bundle back to the files it was made from. */
function placesIn(payload: Payload, bundle: string): (place: SourceLocation) => SourceLocation {
  if (!payload) return (place) => place
  const map = new SourceMap(payload)
  return (place) => {
    if (place.file !== bundle) return place
    const found = map.findEntry(place.line - 1, place.column - 1)
    if (!('originalSource' in found)) return place
    const { originalSource: file, originalLine, originalColumn } = found
    return { file, line: originalLine + 1, column: originalColumn + 1 }
  }
}
