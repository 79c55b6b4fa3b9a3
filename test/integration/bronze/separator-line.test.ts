import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { type Files, Project } from '../../support/project.js'

/*
 * Excel writes `sep=;` above a table, and reads it: the delimiter of the file, which is no header.
 */

const lake = (from: string, fields = 'id: z.string(), name: z.string(), price: z.string()') => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('items', { from: ${from} })
const items = silver('items', { from: raw, schema: z.object({ ${fields} }) })
export default defineLake({ name: 'shop', datasets: [items] })`

const table = 'id;name;price\n1;nuts, mixed;1,50\n2;"a;b";2,00\n'
const rows = [
  { id: '1', name: 'nuts, mixed', price: '1,50', _source_line: 3 },
  { id: '2', name: 'a;b', price: '2,00', _source_line: 4 },
]
const wide = (text: string) =>
  Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])

const written: [string, Files][] = [
  ['by Excel', { 'in/a.csv': `sep=;\r\n${table.replaceAll('\n', '\r\n')}` }],
  ['in capitals, with a byte order mark', { 'in/a.csv': `\uFEFFSEP=;\n${table}` }],
  ['between quotes', { 'in/a.csv': `"sep=;"\n${table}` }],
  ['with tabs', { 'in/a.csv': `sep=\t\n${table.replaceAll(';', '\t').replace('a\tb', 'a;b')}` }],
  ['in UTF-16', { 'in/a.csv': wide(`sep=;\n${table}`) }],
  ['compressed', { 'in/a.csv.gz': gzipSync(`sep=;\n${table}`) }],
]

it.each(written)('a file that names its delimiter is read by that: %s', async (_, files) => {
  const project = await Project.create({ 'lake.ts': lake("files('in/*')"), ...files })
  await project.run()
  const kept = await project.query(
    'SELECT id, name, price, _source_line::int AS _source_line FROM bronze.items ORDER BY id',
  )
  expect(kept).toEqual(rows)
})

it('files with and without that line are read from one folder, many of them together', async () => {
  const inputs: Files = { 'lake.ts': lake("files('in')") }
  for (let n = 0; n < 12; n++)
    inputs[`in/${n}.csv`] =
      n % 2 === 0 ? `sep=;\nid;name;price\n${n};x;1,5\n` : `id,name,price\n${n},x,"1,5"\n`
  const project = await Project.create(inputs)
  await project.run()
  expect(
    await project.query(
      'SELECT count(*)::int AS n, min(price) AS a, max(price) AS b FROM silver.items',
    ),
  ).toEqual([{ n: 12, a: '1,5', b: '1,5' }])
})

it('a dropped file is read by the delimiter that it names', async () => {
  const project = await Project.create({
    'lake.ts': lake("inbox({ path: 'drop' })"),
    'drop/a.csv': `sep=;\n${table}`,
  })
  await project.run()
  expect(await project.query('SELECT id, name, price FROM silver.items ORDER BY id')).toEqual(
    rows.map(({ _source_line, ...row }) => row),
  )
})

it('a crawl passes over that line, and what it writes reads the file', async () => {
  const project = await Project.create({
    'lake.ts':
      "import { defineLake } from 'moraine'\nexport default defineLake({ name: 'shop', datasets: [] })\n",
    'in/items.csv': `sep=;\n${table}`,
    'in/codes.csv': 'sep=;\ncode\nA1\nB2\n',
    'in/bare.csv': 'sep=;\n1;2,5\n2;3,5\n',
  })
  const preview = await project.cli('preview', 'in/items.csv', '--json')
  expect(JSON.parse(preview.stdout)).toMatchObject(rows.map(({ _source_line, ...row }) => row))
  const crawl = await project.cli('crawl', 'in', '--name', 'found')
  expect([crawl.code, crawl.stderr]).toEqual([0, ''])
  await project.write({
    'lake.ts': `
import { defineLake } from 'moraine'
import { datasets } from './found.js'
export default defineLake({ name: 'shop', datasets })`,
  })
  expect((await project.cli('run')).stdout).not.toContain('discarded')
  const of = (sql: string) => project.query(sql)
  expect(await of('SELECT id, name, price::varchar AS price FROM silver.items ORDER BY 1')).toEqual(
    [
      { id: 1, name: 'nuts, mixed', price: '1.50' },
      { id: 2, name: 'a;b', price: '2.00' },
    ],
  )
  expect(await of('SELECT code FROM silver.codes ORDER BY 1')).toEqual([
    { code: 'A1' },
    { code: 'B2' },
  ])
  expect(await of('SELECT count(*)::int AS n FROM silver.bare')).toEqual([{ n: 2 }])
})

it('what was passed over by hand stays so, and lines that only look alike are values', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, z } from 'moraine'
import { files } from 'moraine/sources'
const read = (name, from, schema) => silver(name, { from: bronze(name, { from }), schema: z.object(schema) })
export default defineLake({ name: 'shop', datasets: [
  read('skipped', files('skipped.csv', { skip: 1, delimiter: ';' }), { id: z.string() }),
  read('titled', files('titled.csv', { header: 3 }), { id: z.string(), name: z.string() }),
  read('settings', files('settings.txt', { columns: ['line'], delimiter: '|' }), { line: z.string() }),
  read('named', files('named.csv', {}), { 'sep=': z.string(), id: z.string() }),
] })`,
    'skipped.csv': `sep=;\n${table}`,
    'titled.csv': 'sep=;\nSales of 2026\nid;name\n1;x,y\n',
    'settings.txt': 'sep=;\nquote="\n',
    'named.csv': 'sep=,id\n;,1\n',
  })
  await project.run()
  const of = (sql: string) => project.query(sql)
  expect(await of('SELECT id FROM silver.skipped ORDER BY 1')).toEqual([{ id: '1' }, { id: '2' }])
  expect(await of('SELECT id, name FROM silver.titled')).toEqual([{ id: '1', name: 'x,y' }])
  expect(await of('SELECT line FROM silver.settings ORDER BY 1')).toEqual([
    { line: 'quote="' },
    { line: 'sep=;' },
  ])
  expect(await of('SELECT "sep=" AS sep, id FROM silver.named')).toEqual([{ sep: ';', id: '1' }])
})
