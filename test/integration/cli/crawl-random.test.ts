import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { crawlFolder } from '../../../src/catalog/crawl/folders.js'
import { definitionsText } from '../../../src/catalog/crawl/write.js'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { amount } from '../../support/effort.js'
import { Project, temporaryFolder } from '../../support/project.js'
import { seed } from '../../support/seed.js'

let engine: DuckDB
beforeAll(async () => {
  engine = await DuckDB.start({ threads: 2 })
})
afterAll(() => engine.close())

/** What a crawl writes for the files of a project, and what a run makes of it. */
async function crawlAndRun(project: Project) {
  const session = await engine.open()
  const found = await crawlFolder(join(project.folder, 'data'), project.folder, session)
  session.close()
  const text = definitionsText(found, 'moraine crawl data', 'test')
  await writeFile(join(project.folder, 'lake.ts'), text)
  const record = await project.run()
  const errors = [record.error, ...record.steps.map((step) => step.error)].filter(Boolean)
  const counts = record.steps.flatMap(({ dataset, counts }) =>
    counts ? [{ dataset, in: counts.in, kept: counts.kept }] : [],
  )
  return { found, text, errors, counts }
}

/** Names as people write them above columns. */
const header = fc.oneof(
  fc.constantFrom(
    'id',
    'ID',
    'Amount (EUR)',
    'order date',
    'größe',
    '価格',
    'a/b',
    "d'or",
    'class',
  ),
  fc.constantFrom(
    '_id',
    '',
    'from',
    'x"y',
    'with\\slash',
    '${x}',
    '*/',
    '__proto__',
    '2024',
    'a.b',
  ),
  fc.stringMatching(/^[a-z][a-z_]{0,8}$/),
)

const cells: Record<string, fc.Arbitrary<string>> = {
  whole: fc.integer().map(String),
  long: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
  cents: fc.integer().map((n) => (n / 100).toFixed(2)),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  zip: fc.stringMatching(/^0\d{4}$/),
  day: fc
    .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((day) => day.toISOString().slice(0, 10)),
  german: fc
    .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((day) => day.toISOString().slice(0, 10).split('-').reverse().join('.')),
  moment: fc
    .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((day) => day.toISOString()),
  comma: fc.integer({ min: -99999, max: 99999 }).map((n) => (n / 100).toFixed(2).replace('.', ',')),
  pandas: fc.integer({ min: 0, max: 9999 }).map((n) => `${n}.0`),
  flag: fc.boolean().map(String),
  uuid: fc.uuid(),
  word: fc.constantFrom('open', 'paid', "it's", 'naïve', 'Straße', 'null', 'NA', '-', '\\N', '//'),
  text: fc.string({ maxLength: 12, unit: 'grapheme-ascii' }),
  json: fc.json(),
}

const column = fc.constantFrom(...Object.keys(cells)).chain((kind) =>
  fc.record({
    name: header,
    kind: fc.constant(kind),
    // Dirt, as there is some in each file of the world.
    values: fc.array(
      fc.oneof(
        { weight: 20, arbitrary: cells[kind] as fc.Arbitrary<string> },
        { weight: 1, arbitrary: fc.constantFrom('', 'N/A', 'n.a.', '0', '1e5', '31/12/2024') },
      ),
      { minLength: 12, maxLength: 12 },
    ),
  }),
)

const quoted = (text: string, delimiter: string, always: boolean) =>
  always || text.includes(delimiter) || /["\r\n]|^\s|\s$/.test(text)
    ? `"${text.replaceAll('"', '""')}"`
    : text

const csv = fc.record({
  columns: fc.array(column, { minLength: 2, maxLength: 6 }),
  delimiter: fc.constantFrom(',', ';', '\t', '|', '||'),
  quotes: fc.boolean(),
  encoding: fc.constantFrom('utf8', 'bom', 'utf16le', 'utf16be', 'gzip'),
  lines: fc.constantFrom('\n', '\r\n'),
  ending: fc.constantFrom('.csv', '.txt', ''),
  hive: fc.boolean(),
})

function encoded(text: string, encoding: string): Buffer {
  const wide = () => Buffer.from(`\uFEFF${text}`, 'utf16le')
  if (encoding === 'utf16le') return wide()
  if (encoding === 'utf16be') return wide().swap16()
  if (encoding === 'gzip') return gzipSync(text)
  return Buffer.from(encoding === 'bom' ? `\uFEFF${text}` : text)
}

describe('what a crawl writes loads, runs and discards nothing', () => {
  it('of delimited text with any names, delimiters, quotes and encodings', async () => {
    await fc.assert(
      fc.asyncProperty(csv, async (file) => {
        const { columns, delimiter, quotes, lines } = file
        const rows = [
          columns.map(({ name }) => name),
          ...(columns[0]?.values ?? []).map((_, i) => columns.map(({ values }) => values[i] ?? '')),
        ]
        // A line of nothing is no record, whoever reads it.
        const text = rows
          .map((row) => row.map((cell) => quoted(cell, delimiter, quotes)).join(delimiter))
          .join(lines)
        const folder = file.hive ? 'data/day=2026-01-05' : 'data'
        const name = `orders${file.ending}${file.encoding === 'gzip' ? '.gz' : ''}`
        const project = await Project.create({
          [`${folder}/${name}`]: encoded(`${text}${lines}`, file.encoding),
        })
        const { errors, counts, text: written } = await crawlAndRun(project)
        const about = `${text}\n\n${written}`
        expect([errors, about]).toEqual([[], about])
        expect([counts.map(({ in: all, kept }) => all - kept), about]).toEqual([[0], about])
        // With a header that is one, its rows are no data.
        expect([12, 13]).toContain(counts[0]?.in)
      }),
      { seed, numRuns: amount(8, 60) },
    )
  })

  it('of JSON lines, also where some lack names', async () => {
    const value = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.json().map((text) => JSON.parse(text) as unknown),
    )
    const row = fc.dictionary(
      fc.constantFrom('id', 'Id', 'ID', '_id', 'x_id', 'a b', '', 'c', 'ü', 'constructor'),
      value,
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 2, maxLength: 12 }),
        fc.constantFrom('.jsonl', '.json', ''),
        async (rows, ending) => {
          const all = [{ id: 1 }, ...rows]
          const text = all.map((row) => JSON.stringify(row)).join('\n')
          const project = await Project.create({ [`data/events${ending}`]: `${text}\n` })
          const { errors, counts, text: written } = await crawlAndRun(project)
          const about = `${text}\n\n${written}`
          expect([errors, about]).toEqual([[], about])
          expect([counts.map(({ in: n, kept }) => [n, kept]), about]).toEqual([
            [[all.length, all.length]],
            about,
          ])
        },
      ),
      { seed, numRuns: amount(6, 40) },
    )
  })

  it('of Parquet with columns of any type', async () => {
    const types = ['TINYINT', 'BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE', 'FLOAT', 'DECIMAL(18,3)']
    const others = ['VARCHAR', 'DATE', 'TIMESTAMP', 'TIMESTAMP_NS', 'TIMESTAMPTZ', 'TIME', 'BLOB']
    const nested = ['INTEGER[]', 'STRUCT(a DOUBLE, "b c" VARCHAR)', 'MAP(VARCHAR, INTEGER)', 'UUID']
    const values: Record<string, string> = {
      DOUBLE: "['nan', 'inf', '1e300', '0.1'][1 + (i % 4)::INTEGER]",
      FLOAT: "['nan', '0.1'][1 + (i % 2)::INTEGER]",
      VARCHAR: "['007', '', 'x', NULL][1 + (i % 4)::INTEGER]",
      DATE: "DATE '2000-01-01' + i::INTEGER",
      TIMESTAMP: "TIMESTAMP '2000-01-01 00:00:00.000001' + to_days(i::INTEGER)",
      TIMESTAMP_NS: "'2000-01-01 00:00:00.00000000' || i",
      TIMESTAMPTZ: "TIMESTAMPTZ '2000-01-01 00:00:00+02'",
      TIME: "TIME '10:00:00'",
      BLOB: "'\\xAA'",
      'INTEGER[]': '[i, NULL]',
      'STRUCT(a DOUBLE, "b c" VARCHAR)': `{'a': 'nan'::DOUBLE, 'b c': '"'}`,
      'MAP(VARCHAR, INTEGER)': "map(['k'], [i])",
      UUID: 'uuid()',
    }
    await fc.assert(
      fc.asyncProperty(
        fc.subarray([...types, ...others, ...nested], { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 9 }),
        async (chosen, rows) => {
          const folder = await temporaryFolder()
          const session = await engine.open()
          const list = chosen.map(
            (type, i) =>
              `CAST(${values[type] ?? 'i'} AS ${type}) AS "${i === 0 ? 'id' : `c ${i}`}"`,
          )
          const path = join(folder, 'x.parquet')
          await session.run(
            `COPY (SELECT ${list.join(', ')} FROM range(${rows + 1}) r(i)) TO '${path}' (FORMAT parquet)`,
          )
          session.close()
          const project = await Project.create({ 'data/x.parquet': await readFile(path) })
          const { errors, counts, text } = await crawlAndRun(project)
          expect([errors, text]).toEqual([[], text])
          expect([counts.map(({ in: n, kept }) => [n, kept]), text]).toEqual([
            [[rows + 1, rows + 1]],
            text,
          ])
        },
      ),
      { seed, numRuns: amount(4, 25) },
    )
  })

  it('of folders with files of several kinds, names and columns', async () => {
    const name = fc.constantFrom(
      'orders',
      'class',
      '2025-data',
      'Öl',
      'a b',
      "it's",
      'part-0',
      'x[1]',
    )
    const file = fc.record({
      folder: fc.constantFrom('', 'new/', '2025-data/', 'a=b%2Fc/', 'm[1]/', 'Orders/'),
      name: fc.tuple(name, fc.integer({ min: 1, max: 3 })).map(([text, n]) => `${text}-${n}`),
      kind: fc.constantFrom('.csv', '.jsonl', '.json', '.psv', '.xml', '', '.empty', '.png'),
      columns: fc.subarray(['id', 'ID', 'name', 'at', 'n'], { minLength: 2 }),
    })
    const contents = (kind: string, columns: readonly string[]) => {
      const row = (i: number) =>
        columns.map((column, c) => (c === 1 ? `w${i}` : `${i}${column.length}`))
      const rows = [0, 1, 2].map(row)
      const object = (cells: string[]) =>
        JSON.stringify(Object.fromEntries(columns.map((column, i) => [column, cells[i]])))
      if (kind === '.jsonl' || kind === '') return rows.map(object).join('\n')
      if (kind === '.json') return `[${rows.map(object).join(',')}]`
      if (kind === '.xml')
        return `<all>${rows.map((cells) => `<row ${columns.map((c, i) => `${c}="${cells[i]}"`).join(' ')}/>`).join('')}</all>`
      if (kind === '.empty') return ''
      if (kind === '.png') return Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
      const delimiter = kind === '.psv' ? '|' : ','
      return [columns, ...rows].map((cells) => cells.join(delimiter)).join('\n')
    }
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 8 }), async (files) => {
        const all = new Map(
          files.map(({ folder, name, kind, columns }) => [
            `data/${folder}${name}${kind}`,
            { rows: kind === '.empty' || kind === '.png' ? 0 : 3, body: contents(kind, columns) },
          ]),
        )
        const rows = [...all.values()].reduce((sum, { rows }) => sum + rows, 0)
        fc.pre(rows > 0)
        const project = await Project.create(
          Object.fromEntries([...all].map(([path, { body }]) => [path, body])),
        )
        await mkdir(join(project.folder, 'data/empty'))
        const { errors, counts, text } = await crawlAndRun(project)
        const about = `${[...all.keys()].join('\n')}\n${text}`
        expect([errors, about]).toEqual([[], about])
        const sums = counts.reduce(([all, kept], n) => [all + n.in, kept + n.kept] as const, [
          0, 0,
        ] as readonly [number, number])
        expect([sums, about]).toEqual([[rows, rows], about])
      }),
      { seed, numRuns: amount(4, 30) },
    )
  })
})
