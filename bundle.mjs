// The last step of `npm run build`, which TypeScript gives the types: code is put into few files, as to load many takes longer than to
// run them, and types that nobody can import go.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { buildSync } from 'esbuild'

const require = createRequire(import.meta.url)

/** Puts a file and what it loads into one. */
function bundle(from, to, options) {
  buildSync({
    entryPoints: [from],
    outfile: to,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    ...options,
  })
}

const driver = require.resolve('@duckdb/node-api')
const licence = readFileSync(join(dirname(driver), '../LICENSE'), 'utf8')
bundle(driver, 'dist/duckdb.cjs', {
  format: 'cjs',
  minify: true,
  external: ['@duckdb/node-bindings'],
  banner: { js: `/*! @duckdb/node-api\n\n${licence.trim()}\n*/` },
})
// Processes and threads of ES modules take longer to start.
for (const [from, to = from] of [
  ['query/worker'],
  ['process/watchdog-thread'],
  ['source/decoder/process', 'source/decoder'],
])
  bundle(`src/${from}.ts`, `dist/${to}.cjs`, {
    format: 'cjs',
    packages: 'external',
    minify: true,
    define: { 'import.meta.url': 'url' },
    banner: { js: "const url = require('node:url').pathToFileURL(__filename).href" },
  })

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
const entrances = Object.values(exports).flatMap(({ types }) => types ?? [])
const own = entrances.map((path) => path.replace(/^\.\/dist\/|\.d\.ts$/g, ''))
/** What the command line starts with, and what is started by its file: see `src/home.ts`. */
const started = [
  ...['cli/main', 'cli/save-process', 'query/spawn'],
  ...['load/thread', 'load/trial-process', 'load/step-process', 'source/text/digest-thread'],
]
// One copy of each file for all of them: what users import and what commands load is the same.
buildSync({
  entryPoints: [...own, ...started].map((name) => `src/${name}.ts`),
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  external: ['#duckdb'],
  logLevel: 'warning',
})

/** Types that what users import leads to. */
const reached = new Set()
function reach(file) {
  if (reached.has(file)) return
  reached.add(file)
  for (const [, from] of readFileSync(file, 'utf8').matchAll(
    /(?:from |import\()['"](\.[^'"]+)\.js['"]/g,
  ))
    reach(join(dirname(file), `${from}.d.ts`))
}
for (const types of entrances) reach(join(types))
for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (file.endsWith('.d.ts') && !reached.has(file)) rmSync(file)
}
