import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MoraineError } from '../../errors.js'
import { builtFile } from '../../home.js'
import { program } from '../../log/program.js'
import type { NeededPeers } from './needed-peers.js'

/** Files of JavaScript by their paths in the zip. */
export type Code = ReadonlyMap<string, string>

/** What begins by itself where it is loaded, in a thread or process of its own. */
const STARTED = ['load/thread', 'load/trial-process']
/** The same as CommonJS. */
const STARTED_COMMON = [
  'process/watchdog-thread',
  'source/decoder',
  'source/text/look-thread',
  'storage/hash-thread',
]
const HANDLERS = 'aws/lambda/handlers'
/** What a function never loads: definitions were bundled before. */
const LEFT_OUT = ['esbuild', '#duckdb', '@duckdb/*']

const REQUIRE =
  "import { createRequire as moraineRequire } from 'node:module'; const require = moraineRequire(import.meta.url);"

/**
 * Moraine's build and the packages that it loads as one file, since many take longer to load than
 * to run, and small files that lead to what is in it.
 *
 * @param entrances what the definition imports of Moraine, such as `source/index`.
 * @param peers optional packages that functions have.
 */
export async function codeOf(entrances: readonly string[], peers: NeededPeers): Promise<Code> {
  if (!existsSync(builtFile(`${HANDLERS}.js`)))
    throw new MoraineError('usage', 'Moraine is not built here', { hint: 'Run: npm run build' })
  const loaded = [...new Set([HANDLERS, ...entrances, ...STARTED])]
  const files = new Map<string, string>()
  const lines = loaded.map(
    (name) => `${JSON.stringify(name)}: () => import(${JSON.stringify(pathOf(`${name}.js`))}),`,
  )
  const all = ['export const load = {', ...lines, '}'].join('\n')
  const outside = [...peers.beside.keys(), ...peers.without]
  files.set('dist/moraine.js', await bundled({ text: all, format: 'esm', outside }))
  for (const name of loaded) files.set(`dist/${name}.js`, await leading(name))
  for (const name of STARTED_COMMON) {
    const text = `require(${JSON.stringify(pathOf(`${name}.cjs`))})`
    files.set(`dist/${name}.cjs`, await bundled({ text, format: 'cjs', outside }))
  }
  for (const [name, names] of peers.beside) {
    files.set(`node_modules/${name}/index.js`, await peerFile(name, names))
    files.set(`node_modules/${name}/package.json`, '{"type":"module","exports":"./index.js"}')
  }
  files.set('dist/duckdb.cjs', await readFile(pathOf('duckdb.cjs'), 'utf8'))
  files.set('index.mjs', `export * from './dist/${HANDLERS}.js'\n`)
  files.set(
    'package.json',
    JSON.stringify({
      version: program,
      type: 'module',
      imports: { '#duckdb': './dist/duckdb.cjs' },
    }),
  )
  return files
}

const pathOf = (name: string) => fileURLToPath(builtFile(name))

/** A file that stands where another was, and has what it exports. */
async function leading(name: string): Promise<string> {
  const up = '../'.repeat(name.split('/').length - 1) || './'
  const load = `import { load } from '${up}moraine.js'\n`
  const called = `await load[${JSON.stringify(name)}]()\n`
  if (STARTED.includes(name)) return load + called
  const names = await exportedBy(`${name}.js`)
  return `${load}export const { ${names.join(', ')} } = ${called}`
}

/** What a file of the build exports; to run it here is not needed for that. */
async function exportedBy(name: string): Promise<string[]> {
  const { build } = await import('esbuild')
  const { metafile } = await build({
    entryPoints: [pathOf(name)],
    outdir: 'unused',
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  return Object.values(metafile.outputs).flatMap(({ exports }) => exports)
}

/** A package as one file that exports what it did: of CommonJS only whoever runs it knows that. */
function peerFile(name: string, names: readonly string[]): Promise<string> {
  const listed = names.filter((one) => one !== 'default' && /^[\w$]+$/.test(one))
  const text = [
    `import * as all from ${JSON.stringify(name)}`,
    // `module.exports` is exported under a name that is no identifier.
    `export const { ${listed.join(', ')} } = all`,
    ...(names.includes('default') ? ['export default all.default'] : []),
  ].join('\n')
  return bundled({ text, format: 'esm', outside: OPTIONAL_THERE })
}

/** What clients of databases look for and do without. */
const OPTIONAL_THERE = ['pg-native', 'cloudflare:sockets', 'msnodesqlv8', 'msnodesqlv8/*']

interface Bundled {
  text: string
  format: 'esm' | 'cjs'
  /** Packages that are left out. */
  outside: readonly string[]
}

async function bundled({ text, format, outside }: Bundled): Promise<string> {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    stdin: { contents: text, resolveDir: dirname(pathOf('.')), loader: 'js' },
    bundle: true,
    write: false,
    minify: true,
    platform: 'node',
    target: 'node20',
    format,
    external: [...LEFT_OUT, ...outside],
    // Files of the build are loaded for what they do.
    ignoreAnnotations: true,
    legalComments: 'none',
    logLevel: 'silent',
    ...(format === 'esm' ? { banner: { js: REQUIRE } } : {}),
  })
  return outputFiles[0]?.text ?? ''
}
