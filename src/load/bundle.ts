import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Esbuild from 'esbuild'
import { entrance } from '../home.js'
import { asDefinitionError, hintForEntry } from './load-errors.js'

/**
 * Where the packages that a definition imports are: `outside`, where each is found from the file
 * that imports it; `inside` the bundle, which then can be run where they are not installed.
 */
export type Packages = 'outside' | 'inside'

/**
 * The user's own files as one file of JavaScript, whatever the project's package says about
 * modules.
 *
 * @param own sees each file of the user's that goes into it.
 * @param placed where files of the project say that they are; where they are, by default.
 * @throws DefinitionError with what the bundler refuses.
 */
export async function bundleOf(
  file: string,
  packages: Packages,
  own: (path: string, text: string) => void = () => {},
  placed: (path: string) => string = (path) => path,
): Promise<string> {
  // By `require`: `import` would read its code once more, to find what it exports.
  const { build }: typeof Esbuild = createRequire(import.meta.url)('esbuild')
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
    // What packages of CommonJS require of Node.
    ...(packages === 'inside' ? { banner: { js: REQUIRE } } : {}),
    outfile: join(dirname(file), 'lake.bundle.mjs'),
    // Comments of the bundle name files from there.
    absWorkingDir: dirname(file),
    plugins: [
      entryAt(file),
      moraineIn(packages),
      packagesIn(packages),
      filesKnowTheirPlace(own, placed),
    ],
  }).catch((error) => {
    throw asDefinitionError(error, dirname(file))
  })
  return result.outputFiles[0]?.text ?? ''
}

const REQUIRE =
  "import { createRequire as moraineRequire } from 'node:module'; const require = moraineRequire(import.meta.url);"

/** What is bundled, whatever the user's file is called. */
const ENTRY = 'moraine-entry'

const entryAt = (file: string): Esbuild.Plugin => ({
  name: 'entry-at',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${ENTRY}$`) }, ({ kind }) =>
      kind === 'entry-point' ? { path: file } : undefined,
    )
  },
})

/**
 * Moraine itself is always the one that is running, so that a project works before anything is
 * installed in it.
 */
const moraineIn = (packages: Packages): Esbuild.Plugin => ({
  name: 'moraine-stays-outside',
  setup(build) {
    build.onResolve({ filter: /^moraine($|\/)/ }, ({ path }) => {
      const name = entries[path.slice('moraine'.length)]
      if (name === undefined)
        return { errors: [{ text: `'${path}' does not exist`, detail: hintForEntry(path, parts) }] }
      return {
        path: packages === 'outside' ? entrance(name).href : SOMEWHERE + name,
        external: true,
      }
    })
  },
})

/** Stands for where Moraine is that runs a bundle: it is known there. */
const SOMEWHERE = 'moraine-entrance:'

/** A bundle that was made elsewhere, with the Moraine that runs here. */
export function withMoraine(code: string): string {
  return Object.values(entries).reduce(
    (text, name) => text.replaceAll(`"${SOMEWHERE}${name}"`, JSON.stringify(entrance(name).href)),
    code,
  )
}

/** Packages that stay outside are resolved from the file that imports them. */
const packagesIn = (packages: Packages): Esbuild.Plugin => ({
  name: 'packages-are-found',
  setup(build) {
    if (packages === 'inside') return
    build.onResolve({ filter: /^[^./]/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === 'again' || path.startsWith('node:') || kind === 'entry-point')
        return undefined
      const found = await build.resolve(path, { resolveDir, kind, pluginData: 'again' })
      if (found.errors.length > 0 || found.external) return found
      return { path: pathToFileURL(found.path).href, external: true }
    })
  },
})

const entries: Readonly<Record<string, string>> = {
  '': 'index',
  '/aws': 'aws/index',
  '/sources': 'source/index',
  '/testing': 'testing/index',
}

const parts = Object.keys(entries).map((subpath) => `moraine${subpath}`)

/** Gives each file its own `import.meta.url`, on its first line so that lines stay as they are. */
const filesKnowTheirPlace = (
  own: (path: string, text: string) => void,
  placed: (path: string) => string,
): Esbuild.Plugin => ({
  name: 'files-know-their-place',
  setup(build) {
    build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      if (!path.includes('/node_modules/')) own(path, text)
      const at = placed(path)
      const place = `const __moraine_url = ${JSON.stringify(pathToFileURL(at).href)}, __moraine_file = ${JSON.stringify(at)}, __moraine_folder = ${JSON.stringify(dirname(at))};`
      const used = /import\.meta|__dirname|__filename/.test(text)
      const typescript = /\.[cm]?tsx?$/.test(path)
      return { contents: used ? place + text : text, loader: typescript ? 'ts' : 'js' }
    })
    build.onLoad({ filter: /\.json$/ }, async ({ path }) => {
      const contents = await readFile(path, 'utf8')
      if (!path.includes('/node_modules/')) own(path, contents)
      return { contents, loader: 'json' }
    })
  },
})
