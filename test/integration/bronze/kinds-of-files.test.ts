import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { type Files, Project, step, temporaryFolder } from '../../support/project.js'

const lake = (from: string, schema = 'a: z.string(), b: z.string().nullable()') => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('x', { from: ${from} })
export const x = silver('x', { from: raw, schema: z.object({ ${schema} }) })
export default defineLake({ name: 'kinds', datasets: [x] })
`

const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')

async function parquet(sql: string): Promise<Uint8Array> {
  const { readFile } = await import('node:fs/promises')
  const folder = await temporaryFolder()
  const engine = await DuckDB.start({ threads: 1 })
  try {
    const session = await engine.open()
    await session.run(`COPY (${sql}) TO '${folder}/x' (FORMAT parquet)`)
    return await readFile(`${folder}/x`)
  } finally {
    await engine.close()
  }
}

const rows = 'SELECT a, b FROM silver.x ORDER BY a'
const discarded =
  'SELECT _source_file AS file, _source_line AS line, reasons[1] AS why FROM discarded.x ORDER BY 1, 2'

describe('what a file is, its ending, its first bytes and the definition say together', () => {
  const some = async (): Promise<Files> => ({
    'in/1.csv': 'a,b\n1,one\n',
    'in/2.jsonl': '{"a":"2","b":"two"}\n',
    'in/3.parquet': await parquet("SELECT '3' AS a, 'three' AS b"),
    'in/4.json': '[{"a":"4","b":"four"}]',
    'in/5.tsv': 'a\tb\n5\tfive\n',
    'in/6.xml': '<rows><row><a>6</a><b>six</b></row></rows>',
    'in/part-7': await parquet("SELECT '7' AS a, 'seven' AS b"),
    'in/part-8': '{"a":"8","b":"eight"}\n',
    'in/part-9': 'a,b\n9,nine\n',
  })

  it.each(["files('in')", "files('in/*')", "files(['in/*.csv', 'in/[2-6].*', 'in/part-*'])"])(
    'a folder of several kinds is read by each: %s',
    async (from) => {
      const project = await Project.create({ 'lake.ts': lake(from), ...(await some()) })
      expect((await project.run()).outcome).toBe('done')
      expect((await project.query(rows)).map(({ a, b }) => `${a} ${b}`)).toEqual([
        '1 one',
        '2 two',
        '3 three',
        '4 four',
        '5 five',
        '6 six',
        '7 seven',
        '8 eight',
        '9 nine',
      ])
    },
  )

  const html = '<!DOCTYPE html>\n<html><head><title>502, sorry</title></head></html>\n'
  const utf16 = Buffer.from('a,b\n1,Zoë\n2,ß\n', 'utf16le')
  it.each<[string, string | Uint8Array, string]>([
    ['x.csv', png, 'x.csv is a PNG image, but its extension .csv means delimited text'],
    ['x.csv', html, 'x.csv is an HTML page, but its extension .csv means delimited text'],
    [
      'x.csv',
      '<?xml version="1.0"?>\n<r><a>1</a></r>',
      'x.csv is XML, but its extension .csv means',
    ],
    [
      'x.csv',
      '{"a":1}\n{"a":2}\n',
      'x.csv is JSON lines, but its extension .csv means delimited text',
    ],
    ['x.csv', '[\n  { "a": 1 }\n]\n', 'x.csv is JSON, but its extension .csv means delimited text'],
    [
      'x.csv',
      '%PDF-1.7\n%\xe2\n',
      'x.csv is a PDF document, but its extension .csv means delimited',
    ],
    ['x.csv', utf16, 'x.csv is UTF-16LE without a byte order mark'],
    ['x.csv', Buffer.from(utf16).swap16(), 'x.csv is UTF-16BE without a byte order mark'],
    [
      'x.jsonl',
      'a,b\n1,2\n',
      'x.jsonl does not start like JSON lines, but its extension .jsonl means',
    ],
    ['x.jsonl', '[{"a":1}]', 'x.jsonl is JSON, but its extension .jsonl means JSON lines'],
    ['x.json', html, 'x.json is an HTML page, but its extension .json means JSON'],
    ['x.parquet', 'a,b\n1,2\n', 'x.parquet does not start like Parquet, but its extension'],
    ['x.avro', png, 'x.avro is a PNG image, but its extension .avro means Avro'],
    ['x.xml', png, 'x.xml is a PNG image, but its extension .xml means XML'],
  ])('%s: what contradicts is an error that names both', async (name, content, message) => {
    const project = await Project.create({ 'lake.ts': lake(`files('${name}')`), [name]: content })
    const { error } = step(await project.run(), 'bronze.x')
    expect(error?.message).toContain(message)
    expect(error?.hint).toBeDefined()
    expect((await project.state()).number).toBe(0)
  })

  it('what is said by the definition is read so, be its first line JSON or a tag', async () => {
    const project = await Project.create({
      'lake.ts': lake(
        "files('x.csv', { format: 'delimited', delimiter: '\\t', quote: null, columns: ['a', 'b'] })",
      ),
      'x.csv': '{"a":1}\t<b>\n<c>\t[1]\n',
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(rows)).toEqual([
      { a: '<c>', b: '[1]' },
      { a: '{"a":1}', b: '<b>' },
    ])
  })

  it.each([70_000, 300_000])(
    'JSON lines are so however long their lines are (%i bytes)',
    async (long) => {
      const line = (a: string) => `{"a":"${a}","b":"${'x'.repeat(long)}"}\n`
      for (const name of ['in/1.jsonl', 'in/1.ndjson', 'in/events']) {
        const options = name === 'in/events' ? ", { format: 'jsonl' }" : ''
        const project = await Project.create({
          'lake.ts': lake(`files('in/*'${options})`),
          [name]: line('1') + line('2'),
        })
        expect((await project.run()).steps.map(({ error }) => error)).toEqual([
          undefined,
          undefined,
        ])
        expect(await project.query('SELECT a, length(b) AS n FROM silver.x ORDER BY a')).toEqual([
          { a: '1', n: BigInt(long) },
          { a: '2', n: BigInt(long) },
        ])
      }
    },
  )

  it('text that looks like something else at first is text', async () => {
    const project = await Project.create({
      'lake.ts': lake("files('in/*.csv', { columns: ['a', 'b'] })"),
      'in/1.csv': 'PAR1,1\n',
      'in/2.csv': '{"a":1},2\n',
      'in/3.csv': '[2024-01-01],3\n',
      'in/4.csv': '<ann@example.com>,4\n',
      'in/5.csv': 'BZh,5\nORC,6\nMZ,7\nGIF8,8\n',
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT count(*) AS n FROM silver.x')).toEqual([{ n: 8n }])
    expect(await project.query(discarded)).toEqual([])
  })
})

describe('a file that can not be read', () => {
  const csv = (n: number) => `a,b\n${n},good\n`

  it('is discarded as a whole where others can be, and holds none of them up', async () => {
    const project = await Project.create({
      'lake.ts': lake("files('in')"),
      'in/1.csv': csv(1),
      'in/2.csv': png,
      'in/3.json': '{ "a": ',
      'in/4.zip': 'PK\x03\x04 cut off',
    })
    const first = await project.run()
    expect(first.outcome).toBe('done')
    expect(step(first, 'bronze.x').notes).toContainEqual(
      "in/2.csv can't be read and is discarded completely: is a PNG image, but its extension .csv means delimited text",
    )
    expect(await project.query(rows)).toEqual([{ a: '1', b: 'good' }])
    expect(await project.query(discarded)).toEqual([
      {
        file: 'in/2.csv',
        line: 0n,
        why: 'file: is a PNG image, but its extension .csv means delimited text',
      },
      { file: 'in/3.json', line: 0n, why: expect.stringContaining('file: line 1') },
      { file: 'in/4.zip', line: 0n, why: expect.stringContaining("file: can't be unpacked") },
    ])
    expect(step(first, 'silver.x').counts).toMatchObject({ in: 4, kept: 1, discarded: 3 })
    // It is not tried again until it, or what is said of it, changes.
    expect(step(await project.run(), 'bronze.x').outcome).toBe('unchanged')
    await project.write({ 'in/2.csv': csv(2) })
    expect((await project.run()).outcome).toBe('done')
    expect((await project.query(rows)).map(({ a }) => a)).toEqual(['1', '2'])
    expect((await project.query(discarded)).map(({ file }) => file)).toEqual([
      'in/3.json',
      'in/4.zip',
    ])
  })

  it('is tried again once the definition says something else of it', async () => {
    const project = await Project.create({
      'lake.ts': lake("files('in/*.csv')"),
      'in/1.csv': csv(1),
    })
    await project.run()
    await project.write({ 'in/2.csv': Buffer.from('a,b\n2,good\n', 'utf16le') })
    const second = await project.run()
    expect(second.outcome).toBe('done')
    expect(step(second, 'bronze.x').notes?.join()).toContain('UTF-16LE without a byte order mark')
    await project.write({
      'lake.ts': lake("files('in/*.csv', { encoding: 'utf-16le' })"),
      'in/3.csv': Buffer.from('a,b\n3,good\n', 'utf16le'),
    })
    expect((await project.run()).outcome).toBe('done')
    expect((await project.query(rows)).map(({ a }) => a)).toEqual(['1', '2', '3'])
    expect(await project.query(discarded)).toEqual([])
  })

  it('is an error where there is no other, and never was', async () => {
    const project = await Project.create({ 'lake.ts': lake("files('in')"), 'in/1.csv': png })
    const record = await project.run()
    expect(record.outcome).toBe('failed')
    expect((await project.state()).number).toBe(0)
    await project.write({ 'in/0.csv': csv(0) })
    expect((await project.run()).outcome).toBe('done')
  })

  it('among many small ones costs itself alone', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`in/${String(i).padStart(2, '0')}.csv`, csv(i)]),
    )
    const project = await Project.create({
      'lake.ts': lake("files('in/*')"),
      ...many,
      'in/07.csv': 'a,b\n"7,never closed\n',
      'in/11.csv': png,
      'in/13.jsonl': '{"a":"13","b":"json"}\n',
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT count(*) AS n FROM silver.x')).toEqual([{ n: 29n }])
    expect((await project.query(discarded)).map(({ file }) => file)).toEqual([
      'in/07.csv',
      'in/11.csv',
    ])
  })
})

describe('a path that leads to no file any more', () => {
  it('is told by what is there instead', async () => {
    const { rm } = await import('node:fs/promises')
    const project = await Project.create({
      'lake.ts': lake("files('in/*.csv')"),
      'in/1.csv': 'a,b\n1,2\n',
    })
    expect(step(await project.run(), 'bronze.x').notes ?? []).toEqual([])
    await rm(`${project.folder}/in/1.csv`)
    const emptied = step(await project.run(), 'bronze.x')
    expect(emptied).toMatchObject({
      outcome: 'unchanged',
      reason: 'no new files; 1 file already ingested',
      notes: ['there is no file at in/*.csv any more'],
    })
    await project.write({ 'in/1.cvs': 'a,b\n1,2\n' })
    const other = step(await project.run(), 'bronze.x')
    expect(other.error?.message).toBe(`There is no file at ${project.folder}/in/*.csv any more`)
    await rm(`${project.folder}/in`, { recursive: true })
    expect(step(await project.run(), 'bronze.x').outcome).toBe('failed')
    expect(await project.query('SELECT a FROM silver.x')).toEqual([{ a: '1' }])
  })
})

it.each([
  ['XML', 'xml', '<r><e><a>1</a><more/></e></r>'],
  ['JSON', 'json', '[{"a":"1","more":""}]'],
  ['JSON lines', 'jsonl', '{"a":"1","more":""}'],
])('%s with declared columns, found or not, holds up no other dataset', async (_, ending, text) => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('x', { from: files('in/*.${ending}', { columns: ['a', 'b'] }) })
const other = bronze('y', { from: files('in/*.csv') })
const x = silver('x', { from: raw, schema: z.object({ a: z.string(), b: z.string().nullable() }) })
const y = silver('y', { from: other, schema: z.object({ a: z.string() }) })
export default defineLake({ name: 'kinds', datasets: [x, y] })
`,
    [`in/1.${ending}`]: text,
    'in/1.csv': 'a\n2\n',
  })
  const all =
    'SELECT (SELECT list((a, b)) FROM silver.x)::text AS x, (SELECT list(a ORDER BY a) FROM silver.y)::text AS y'
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query(all)).toEqual([{ x: '[(1, NULL)]', y: '[2]' }])
  // What can't be read is that file's matter alone.
  await project.write({ [`in/2.${ending}`]: '<r>{"a":', 'in/2.csv': 'a\n3\n' })
  await project.run()
  expect(await project.query(all)).toEqual([{ x: '[(1, NULL)]', y: '[2, 3]' }])
})
