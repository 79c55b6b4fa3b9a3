// The last step of `npm run build`, which TypeScript gives the types: code is put into few files,
// as to load many takes longer than to run them, and types that nobody can import go. What was built
// before stays until all of it is there: lakes that are linked to this folder go on working.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { build, buildSync } from 'esbuild'

const require = createRequire(import.meta.url)
/** As `tsconfig.build.json` has it. */
const out = 'dist.new'

/** Puts a file and what it loads into one. */
function bundle(from, to, options) {
  return build({
    entryPoints: [from],
    outfile: to,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    ...options,
  })
}

/** The driver takes a U+FEFF that a text begins with for a byte order mark, and drops it. */
const wholeTexts = {
  name: 'whole-texts',
  setup({ onLoad }) {
    onLoad({ filter: /node-api\/lib\/vectors\/dataAccessors\.js$/ }, ({ path }) => {
      const [before, after, ...more] = readFileSync(path, 'utf8').split('new TextDecoder()')
      if (after === undefined || more.length > 0)
        throw new Error('@duckdb/node-api decodes texts otherwise than it did: look at bundle.mjs')
      return { contents: `${before}new TextDecoder('utf-8', { ignoreBOM: true })${after}` }
    })
  },
}

const driver = require.resolve('@duckdb/node-api')
const licence = readFileSync(join(dirname(driver), '../LICENSE'), 'utf8')
await bundle(driver, `${out}/duckdb.cjs`, {
  format: 'cjs',
  minify: true,
  external: ['@duckdb/node-bindings'],
  plugins: [wholeTexts],
  banner: { js: `/*! @duckdb/node-api\n\n${licence.trim()}\n*/` },
})
// Processes and threads of ES modules take longer to start.
for (const [from, to = from] of [
  ['query/worker'],
  ['process/watchdog-thread'],
  ['source/text/look-thread'],
  ['source/formats/xml/piece-thread'],
  ['storage/hash-thread'],
  ['source/decoder/process', 'source/decoder'],
])
  await bundle(`src/${from}.ts`, `${out}/${to}.cjs`, {
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
  ...['load/thread', 'load/trial-process'],
  'aws/lambda/handlers',
]
// One copy of each file for all of them: what users import and what commands load is the same.
const shared = {
  entryPoints: [...own, ...started].map((name) => `src/${name}.ts`),
  outdir: out,
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
}
const { inputs } = buildSync({ ...shared, metafile: true, write: false }).metafile
await build({ ...shared, ignoreAnnotations: true, plugins: [together(groups(inputs))] })

/** All that a file loads with itself. */
function loads(inputs, file, found = new Set()) {
  if (found.has(file)) return found
  found.add(file)
  for (const { path, kind } of inputs[file].imports)
    if (kind === 'import-statement' && path in inputs) loads(inputs, path, found)
  return found
}

/**
 * Splitting makes a file of what the same entrances load, and each command is an entrance: hundreds
 * of files of a few lines, each of which takes longer to find than to read. So files go by what
 * these few load, and where one of a group is loaded all are.
 */
function groups(inputs) {
  const commands = ['read/history', 'read/query', 'build/plan', 'build/run']
  const often = ['index', 'cli/main', ...commands.map((name) => `cli/commands/${name}`)]
  const by = new Map()
  const loaded = often.map((name) => loads(inputs, `src/${name}.ts`))
  for (const file of Object.keys(inputs)) {
    const name = loaded.map((files) => (files.has(file) ? '1' : '0')).join('')
    // What is started by its file begins when it is loaded.
    if (name.includes('1') && !shared.entryPoints.includes(file))
      by.set(name, [...(by.get(name) ?? []), file])
  }
  return new Map([...by].flatMap(([name, files]) => files.map((file) => [file, { name, files }])))
}

/**
 * Loads the groups of all that a file imports before it. Within a group order is that of imports.
 */
function together(groupOf) {
  const folder = process.cwd()
  return {
    name: 'together',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace: 'group' }))
      onLoad({ filter: /./, namespace: 'group' }, ({ path }) => ({
        contents: [...groupOf.values()]
          .find(({ name }) => path === `group:${name}`)
          .files.map((file) => `import ${JSON.stringify(join(folder, file))}`)
          .join('\n'),
        resolveDir: folder,
      }))
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = relative(folder, path)
        const others = inputs[file].imports.flatMap(({ path, kind }) =>
          kind === 'import-statement' ? (groupOf.get(path)?.name ?? []) : [],
        )
        const before = new Set(others.filter((name) => name !== groupOf.get(file)?.name))
        const text = readFileSync(path, 'utf8')
        return {
          contents: [...before].map((name) => `import 'group:${name}';`).join(' ') + text,
          loader: 'ts',
        }
      })
    },
  }
}

// What Spark runs is Python.
mkdirSync(`${out}/engine/spark`, { recursive: true })
copyFileSync('src/engine/spark/runner.py', `${out}/engine/spark/runner.py`)

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
for (const types of entrances) reach(join(out, relative('dist', types)))
for (const name of readdirSync(out, { recursive: true })) {
  const file = join(out, name)
  if (file.endsWith('.d.ts') && !reached.has(file)) rmSync(file)
}

const old = 'dist.old'
rmSync(old, { recursive: true, force: true })
if (existsSync('dist')) renameSync('dist', old)
renameSync(out, 'dist')
rmSync(old, { recursive: true, force: true })
