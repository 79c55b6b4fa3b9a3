import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, buildSync } from 'esbuild'
import { describe, expect, it, onTestFinished } from 'vitest'
import { repository } from './support/project.js'

const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))

/** Runs a script in a process of its own and returns what it prints. */
function node(script: string): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script],
    {
      cwd: repository,
      encoding: 'utf8',
    },
  )
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return stdout.trim()
}

describe('the package', () => {
  it('exports what it says', () => {
    const names = Object.keys(manifest.exports).filter((name) => name !== './package.json')
    const listed = names.map((name) =>
      node(`console.log(Object.keys(await import('moraine${name.slice(1)}')).sort().join(' '))`),
    )
    expect(Object.fromEntries(names.map((name, i) => [name, listed[i]]))).toMatchInlineSnapshot(`
      {
        ".": "DefinitionError MoraineError after alert bronze bucket byHand check cron day defineLake divide duckdb duckdbFile every external folder gold history hour identity lookup manual month openLake principal redshift rule silver spark sql sqlFile t trino truncate warehouse workers workgroup year z",
        "./aws": "aws deployedJobs rightsOf template",
        "./aws/cdk": "lakeCode lakeStacks",
        "./serve": "AuditTrail catalog openRunRoom openStorage",
        "./sources": "files http inbox ingest logs mysql postgres secret sqlserver",
        "./testing": "MemoryStorage datasetTest expectDataset given storageContract",
      }
    `)
  })

  it('loads no engine and no SDK when it is imported', () => {
    const script = `
      import { createRequire, register } from 'node:module'
      const before = Object.keys(process.moduleLoadList)
      await import('moraine')
      const native = process.report.getReport().sharedObjects.filter((path) => path.includes('node_modules'))
      console.log(JSON.stringify({ native, heavy: process.moduleLoadList.filter((m) => /child_process|worker_threads/.test(m)) }))`
    expect(JSON.parse(node(script))).toEqual({ native: [], heavy: [] })
  })

  it('is light: importing it loads Zod, croner and little more', async () => {
    const { metafile } = await build({
      entryPoints: [join(repository, 'dist/index.js')],
      bundle: true,
      metafile: true,
      write: false,
      platform: 'node',
      format: 'esm',
      packages: 'bundle',
      external: ['@duckdb/*', '@aws-sdk/*', 'pg*', 'mysql2', 'mssql', 'esbuild'],
      absWorkingDir: repository,
      logLevel: 'silent',
    })
    const loaded = new Set<string>()
    const load = (path: string) => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const { path: next, kind } of metafile.inputs[path]?.imports ?? [])
        if (kind === 'import-statement') load(next)
    }
    load('dist/index.js')
    const packages = [...loaded].map((path) => /node_modules\/([^/]+)/.exec(path)?.[1] ?? 'moraine')
    expect([...new Set(packages.filter((name) => !name.startsWith('node:')))].sort()).toEqual([
      'croner',
      'moraine',
      'zod',
    ])
    const bytes = (paths: string[]) =>
      paths.reduce((sum, path) => sum + (metafile.inputs[path]?.bytes ?? 0), 0)
    // Most of it is Zod.
    expect(bytes([...loaded])).toBeLessThan(1_100_000)
    expect(bytes([...loaded].filter((path) => path.startsWith('dist/')))).toBeLessThan(171_000)
  })

  it('asks a query without loading what definitions need', async () => {
    const { metafile } = await build({
      entryPoints: [join(repository, 'src/cli/commands/read/query.ts')],
      bundle: true,
      metafile: true,
      write: false,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      absWorkingDir: repository,
      logLevel: 'silent',
    })
    const loaded = new Set(['src/cli/commands/read/query.ts'])
    for (const path of loaded)
      for (const { path: next, kind } of metafile.inputs[path]?.imports ?? [])
        if (kind === 'import-statement') loaded.add(next)
    expect(loaded).toContain('src/query/query.ts')
    // Each command starts anew, and Zod alone takes longer to load than a query to run.
    expect([...loaded]).not.toContain('zod')
  })

  it('finds files by relative paths from the folder of a bundle that it is part of', () => {
    const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const bundle = join(folder, 'program.mjs')
    buildSync({
      stdin: {
        contents: `
import { bronze } from 'moraine'
import { files, inbox } from 'moraine/sources'
const make = () => bronze('orders', { from: files('data/orders.csv') })
console.log(make().from.base)
console.log(inbox({ path: 'drop' }).base)`,
        resolveDir: repository,
      },
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['#duckdb', '@duckdb/*', 'esbuild'],
      logLevel: 'silent',
      banner: {
        js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);",
      },
    })
    expect(node(`await import(${JSON.stringify(bundle)})`)).toBe(`${folder}/\n${folder}/`)
  })

  it('says what to install where an optional package is missing', () => {
    // Nothing is installed there.
    const alone = mkdtempSync(join(tmpdir(), 'moraine-test-'))
    onTestFinished(() => rmSync(alone, { recursive: true }))
    const file = join(alone, 'peers.mjs')
    buildSync({
      entryPoints: [join(repository, 'src/peers.ts')],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    })
    const told = (name: string) =>
      JSON.parse(
        node(`
          const { importPeer } = await import(${JSON.stringify(file)})
          const { kind, message, hint } = await importPeer('${name}').catch((error) => error)
          console.log(JSON.stringify({ kind, message, hint }))`),
      )
    const ranges = Object.entries<string>(manifest.peerDependencies)
    expect(ranges.length).toBeGreaterThan(0)
    for (const [name, range] of ranges) {
      const { kind, message, hint } = told(name)
      expect(kind).toBe('usage')
      expect(message).toMatch(/^.+ needs the package /)
      expect(message.endsWith(` needs the package ${name} (${range})`)).toBe(true)
      expect(hint).toMatch(/^Install it: npm install "/)
      expect(hint).toContain(` "${name}@${range}"`)
      expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true })
    }
    expect(told('pg').hint).toBe(told('pg-copy-streams').hint)
  })

  it('packs the build and the papers, and nothing else', () => {
    const [pack] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
        cwd: repository,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    )
    const paths: string[] = pack.files.map((file: { path: string }) => file.path)
    const folders = new Set(paths.map((path) => (path.includes('/') ? path.split('/')[0] : path)))
    expect([...folders].sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'docs',
      'examples',
      'package.json',
    ])
    // Who reads the README in node_modules can follow its links.
    const readme = readFileSync(join(repository, 'README.md'), 'utf8')
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => link)
    const leadsTo = (link: string) => paths.some((p) => p === link || p.startsWith(link))
    expect(links.filter((link) => !leadsTo(link))).toEqual([])
    expect(paths.filter((path) => path.includes('.test.'))).toEqual([])
    expect(pack.unpackedSize).toBeLessThan(5_750_000)
  })

  it('has a lockfile without download addresses', () => {
    expect(readFileSync(join(repository, 'package-lock.json'), 'utf8')).not.toMatch(
      /"resolved": "http/,
    )
  })
})
