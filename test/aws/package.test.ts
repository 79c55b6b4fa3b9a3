import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { integrity } from '../../src/aws/package/integrity.js'
import { packLambda } from '../../src/aws/package/pack-lambda.js'
import { zipOf } from '../../src/aws/package/zip.js'
import { packed } from '../support/function.js'
import { Project, repository, temporaryFolder } from '../support/project.js'
import { filesIn, unzipped } from '../support/unzip.js'

const orders = join(repository, 'examples/orders/lake.ts')

/** The machine of an ELF file: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html */
function machineOf(file: Buffer | undefined): string | undefined {
  if (file?.subarray(0, 4).toString('latin1') !== '\x7fELF') return undefined
  return { 62: 'x86-64', 183: 'aarch64' }[file.readUInt16LE(18)]
}

describe('a zip', () => {
  it('holds any files, and is the same whatever their order', async () => {
    const path = fc.stringMatching(/^[a-zé][a-z0-9_é-]{0,8}(\/[a-z@][a-z@.-]{0,7}){0,3}$/)
    const files = fc.uniqueArray(
      fc.record({ path, content: fc.uint8Array({ maxLength: 5000 }), isExecutable: fc.boolean() }),
      { selector: (file) => file.path, maxLength: 20 },
    )
    await fc.assert(
      fc.asyncProperty(files, async (entries) => {
        const { bytes } = await zipOf(entries)
        expect((await zipOf(entries.toReversed())).bytes.equals(bytes)).toBe(true)
        const found = await filesIn(bytes)
        expect(found.map((one) => one.path)).toEqual(entries.map((one) => one.path).sort())
        const contents = new Map(entries.map((one) => [one.path, Buffer.from(one.content)]))
        for (const { path, bytes } of found) expect(bytes).toEqual(contents.get(path))
      }),
      { numRuns: 50, seed: 108 },
    )
  })
})

describe('the package of functions', () => {
  it('has all that a lake needs, within its limits, and nothing of this machine', async () => {
    const { zip, unpacked, parts } = await packed(orders, 'x64')
    const files = await filesIn(zip)
    expect(files.map(({ path }) => path.replace(/v\d[\d.]+/, 'VERSION'))).toMatchInlineSnapshot(`
      [
        "dist/aws/lambda/handlers.js",
        "dist/duckdb.cjs",
        "dist/index.js",
        "dist/load/thread.js",
        "dist/load/trial-process.js",
        "dist/moraine.js",
        "dist/process/watchdog-thread.cjs",
        "dist/source/decoder.cjs",
        "dist/source/index.js",
        "dist/source/text/look-thread.cjs",
        "dist/storage/hash-thread.cjs",
        "index.mjs",
        "lake.mjs",
        "node_modules/@duckdb/node-bindings-linux-x64/LICENSE",
        "node_modules/@duckdb/node-bindings-linux-x64/duckdb.node",
        "node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so",
        "node_modules/@duckdb/node-bindings-linux-x64/package.json",
        "node_modules/@duckdb/node-bindings/duckdb.js",
        "node_modules/@duckdb/node-bindings/package.json",
        "node_modules/mssql/index.js",
        "node_modules/mssql/package.json",
        "node_modules/mysql2/index.js",
        "node_modules/mysql2/package.json",
        "node_modules/pg-copy-streams/index.js",
        "node_modules/pg-copy-streams/package.json",
        "node_modules/pg/index.js",
        "node_modules/pg/package.json",
        "package.json",
        "project/reference/statuses.csv",
      ]
    `)
    expect(unpacked).toBeLessThan(100 * 2 ** 20)
    expect(zip.length).toBeLessThan(50 * 2 ** 20)
    expect(parts.get('Moraine')?.unpacked).toBeLessThan(7_000_000)
    expect(new Set(files.map(({ modified }) => modified.getFullYear()))).toEqual(new Set([1980]))
    const texts = files.filter(({ path }) => !/\.(node|so|duckdb_extension)$/.test(path))
    for (const { path, bytes } of texts) {
      expect([path, bytes.includes(repository)]).toEqual([path, false])
      expect([path, /"esbuild"/.test(bytes.toString()) && path === 'package.json']).toEqual([
        path,
        false,
      ])
    }
  })

  it('is the same for the same project, wherever that lies', async () => {
    const folder = join(await temporaryFolder(), 'some where')
    await cp(join(repository, 'examples/orders'), folder, {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    })
    const [here, again, there] = [
      await packed(orders),
      await packed(orders),
      await packed(join(folder, 'lake.ts')),
    ]
    expect(again.zip.equals(here.zip)).toBe(true)
    expect(there.content).toBe(here.content)
    expect(there.zip.equals(here.zip)).toBe(true)
  })

  it('holds DuckDB for the processors of the function, whatever those of this machine are', async () => {
    for (const [arch, machine] of [
      ['x64', 'x86-64'],
      ['arm64', 'aarch64'],
    ] as const) {
      const files = await unzipped((await packed(orders, arch)).zip)
      const folder = `node_modules/@duckdb/node-bindings-linux-${arch}`
      expect(machineOf(files.get(`${folder}/duckdb.node`))).toBe(machine)
      expect(machineOf(files.get(`${folder}/libduckdb.so`))).toBe(machine)
      const others = [...files.keys()].filter((path) => /bindings-(linux|darwin|win32)/.test(path))
      expect(others.filter((path) => !path.startsWith(folder))).toEqual([])
    }
  })

  it('is held to the checksums of the lockfile', async () => {
    const lock = JSON.parse(await readFile(join(repository, 'package-lock.json'), 'utf8'))
    for (const [name, sum] of Object.entries(integrity)) {
      const [, path, version] = /^(.+)@(.+)$/.exec(name) ?? []
      expect(lock.packages[`node_modules/${path}`]).toMatchObject({ version, integrity: sum })
    }
  })

  const refused = async (files: Record<string, string>) => {
    const project = await Project.create(files)
    const lake = await project.load()
    return packLambda({ file: join(project.folder, 'lake.ts'), lake }, { arch: 'x64' }).then(
      () => 'packed',
      (error) => `${error.message} | ${error.hint}`,
    )
  }
  const lake = (from: string, more = '') => `
import { bronze, defineLake } from 'moraine'
import { files, postgres } from 'moraine/sources'
${more}
export default defineLake({ name: 'shop', datasets: [bronze('orders', { from: ${from} })] })
`

  it('refuses secrets, and files that a function would not find', async () => {
    expect(
      await refused({
        'lake.ts': lake("postgres({ url: 'postgres://shop:s3cret@db/shop' }).table('orders')"),
      }),
    ).toMatch(/^This looks like a password or a token/)
    expect(await refused({ 'lake.ts': lake("files('.env.csv')"), '.env.csv': 'a\n1\n' })).toMatch(
      /^bronze\.orders reads \.env\.csv, a file of secrets/,
    )
    expect(await refused({ 'lake.ts': lake("files('/data/orders.csv')") })).toMatch(
      /^bronze\.orders reads \/data\/orders\.csv, which a function does not have \| Put the files/,
    )
    expect(await refused({ 'lake.ts': lake("files('none/*.csv')") })).toMatch(
      /^bronze\.orders reads none\/\*\.csv, and no file is there to be packed/,
    )
  })

  it('refuses a definition that reads a file of the project when it is loaded', async () => {
    const more = `
import { readFileSync } from 'node:fs'
readFileSync(new URL('./settings.json', import.meta.url))`
    const files = {
      'lake.ts': lake("files('a.csv')", more),
      'settings.json': '{}',
      'a.csv': 'a\n1\n',
    }
    expect(await refused(files)).toMatch(/settings\.json/)
  })

  it('carries files with SQL and lists that lie in the project', async () => {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, silver, sqlFile, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('lists/*.csv') })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
const count = gold('count', { query: sqlFile(new URL('./count.sql', import.meta.url), { orders }) })
export default defineLake({ name: 'shop', datasets: [count] })
`,
      'count.sql': 'select count(*) as n from ${orders}',
      'lists/a.csv': 'id\n1\n',
      'lists/b.csv': 'id\n2\n',
    })
    const files = await unzipped((await packed(join(project.folder, 'lake.ts'))).zip)
    expect([...files.keys()].filter((path) => path.startsWith('project/'))).toEqual([
      'project/lists/a.csv',
      'project/lists/b.csv',
    ])
    expect(files.get('lake.mjs')?.toString()).toContain('select count(*) as n from')
  })
})
