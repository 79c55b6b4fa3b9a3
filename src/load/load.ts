import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Message, Plugin } from 'esbuild'
import type { Lake } from '../define/lake.js'
import { mapPlaces } from '../define/place.js'
import { DefinitionError, MoraineError, messageOf, type Place, type Problem } from '../errors.js'
import { scratchFolder } from '../storage/scratch.js'

const names = ['lake.ts', 'lake.mts', 'lake.js', 'lake.mjs']

/** The file that defines the lake of a project. */
export function findLakeFile(folder: string): string {
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path))
  if (found) return found
  throw new MoraineError('usage', `There is no lake.ts in ${folder}`, {
    hint: 'Choose the project with -C DIR, or make a new one with: moraine init my-lake',
  })
}

/**
 * Loads a definition written in TypeScript, whatever the project's package says about modules, and
 * with no build step: the user's own files are bundled in memory, packages stay as they are.
 *
 * @throws DefinitionError with all mistakes and their places.
 */
export async function loadLake(file: string): Promise<Lake> {
  const lake = (await loadModule(file)).default as Lake | undefined
  if (lake?.kind === 'lake') return lake
  throw new MoraineError('definition', `${file} does not export a lake`, {
    place: { file, line: 1, column: 1 },
    hint: "End it with: export default defineLake({ name: '…', datasets: […] })",
  })
}

/** What a TypeScript file of a project exports as its default. */
export async function loadModule(file: string): Promise<{ default?: unknown }> {
  const { build } = await import('esbuild')
  const result = await build({
    entryPoints: [file],
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
    plugins: [packagesStayOutside, filesKnowTheirPlace],
  }).catch((error) => {
    throw asDefinitionError(error)
  })
  return evaluate(result.outputFiles[0]?.text ?? '', file)
}

/**
 * Packages are resolved from the file that imports them; Moraine itself is always the one that is
 * running, so that a project works before anything is installed in it.
 */
const packagesStayOutside: Plugin = {
  name: 'packages-stay-outside',
  setup(build) {
    build.onResolve({ filter: /^moraine($|\/)/ }, ({ path }) => ({
      path: own(path.slice('moraine'.length)),
      external: true,
    }))
    build.onResolve({ filter: /^[^./]/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === 'again' || path.startsWith('node:') || kind === 'entry-point')
        return undefined
      const found = await build.resolve(path, { resolveDir, kind, pluginData: 'again' })
      if (found.errors.length > 0 || found.external) return found
      return { path: pathToFileURL(found.path).href, external: true }
    })
  },
}

const entries: Record<string, string> = {
  '': '../index',
  '/sources': '../source/index',
  '/testing': '../testing/index',
}

function own(subpath: string): string {
  const entry = entries[subpath]
  if (entry === undefined) throw new Error(`moraine has no '${subpath.slice(1)}'`)
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`${entry}.${extension}`, import.meta.url).href
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

function asDefinitionError(error: { errors?: Message[] }): Error {
  if (!error.errors?.length) return error as Error
  const problems = error.errors.map(({ text, location }): Problem => {
    if (!location) return { message: text }
    const place = { file: resolve(location.file), line: location.line, column: location.column + 1 }
    const missing = /^Could not resolve "(.+)"/.exec(text)
    return missing
      ? { message: `Can't find '${missing[1]}'`, hint: hintForImport(missing[1] as string), place }
      : { message: text, place }
  })
  return new DefinitionError(problems)
}

function hintForImport(name: string): string {
  return name.startsWith('.') ? 'Check the path.' : `Install it: npm install ${name}`
}

/** Runs the bundle; its source map leads places of datasets and of errors back to the user's files. */
async function evaluate(code: string, file: string): Promise<{ default?: unknown }> {
  const folder = await scratchFolder('lake')
  const bundle = join(folder, 'lake.mjs')
  const map = mapOf(code, dirname(file))
  const original = placesIn(map, bundle)
  const stop = mapPlaces(original)
  const before = process.sourceMapsEnabled
  process.setSourceMapsEnabled(false)
  try {
    await writeFile(bundle, withMap(code, map))
    return await import(pathToFileURL(bundle).href)
  } catch (error) {
    if (error instanceof MoraineError) throw error
    throw missingExport(error, code, original, bundle) ?? thrownByUser(error, file, original)
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
  const sources = map.sources.map((source: string) => resolve(folder, decodeURI(source)))
  return { ...map, sources }
}

function withMap(code: string, map: Payload): string {
  const encoded = Buffer.from(JSON.stringify(map)).toString('base64')
  return map ? `${code.slice(0, code.lastIndexOf(MAP))}${MAP}${encoded}\n` : code
}

/** Leads places in the bundle back to the files it was made from. */
function placesIn(payload: Payload, bundle: string): (place: Place) => Place {
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

/** A name that is imported from Moraine or a package, but that it does not have. */
function missingExport(
  error: unknown,
  code: string,
  original: (place: Place) => Place,
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
    hint: 'Check the name, and the version of the package that is installed.',
  })
}

/** An error that the user's own code threw, with the line that threw it. */
function thrownByUser(
  error: unknown,
  file: string,
  original: (place: Place) => Place,
): MoraineError {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const frames = [...stack.matchAll(/(file:\/\/\S+?|\/[^\s():]+):(\d+):(\d+)/g)]
  const frame = frames.find(
    ([, path]) => path && /\.[cm]?[jt]s$/.test(path) && !path.includes('node_modules'),
  )
  const path = frame?.[1]?.startsWith('file:') ? fileURLToPath(frame[1]) : frame?.[1]
  const place = frame
    ? original({ file: path as string, line: Number(frame[2]), column: Number(frame[3]) })
    : { file, line: 1, column: 1 }
  return new MoraineError('definition', messageOf(error), { cause: error, place })
}
