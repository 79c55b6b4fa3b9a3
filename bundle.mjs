// The last step of `npm run build`: what is loaded at each start is put into few files, and types that nobody can import go.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { buildSync } from 'esbuild'

const require = createRequire(import.meta.url)

/** Puts a file and what it loads into one: to load many files takes longer than to run them. */
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
  bundle(`dist/${from}.js`, `dist/${to}.cjs`, {
    format: 'cjs',
    packages: 'external',
    minify: true,
    define: { 'import.meta.url': 'url' },
    banner: { js: "const url = require('node:url').pathToFileURL(__filename).href" },
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
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
for (const { types } of Object.values(exports)) if (types) reach(join(types))
for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (file.endsWith('.d.ts') && !reached.has(file)) rmSync(file)
}
