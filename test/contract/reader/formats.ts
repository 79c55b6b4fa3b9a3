import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import avro from 'avsc'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import type { FileFormat } from '../../../src/source/declare/format-options.js'
import { type Project, temporaryFolder } from '../../support/project.js'
import { zip } from '../../support/zip.js'
import type { Filled, Reader, Row } from './suite.js'

type Write = (rows: readonly Row[]) => string | Uint8Array | Promise<Uint8Array>

const columns = ['id', 'amount', 'name', 'day', 'score'] as const

const namesOf = (rows: readonly Row[]) => [
  ...columns,
  ...(rows.some(({ more }) => more !== undefined) ? (['more'] as const) : []),
]

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`

const delimited =
  (delimiter: string): Write =>
  (rows) => {
    const names = namesOf(rows)
    const line = (values: readonly unknown[]) =>
      `${values.map((value) => (typeof value === 'string' ? quoted(value) : (value ?? ''))).join(delimiter)}\n`
    return [names, ...rows.map((row) => names.map((name) => row[name]))].map(line).join('')
  }

export const csv = delimited(',') as (rows: readonly Row[]) => string

export const jsonLines = (rows: readonly Row[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('')

const escaped = (text: unknown) =>
  String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

export const xml = (rows: readonly Row[]): string => {
  const element = ([name, value]: [string, unknown]) =>
    value === null ? '' : `<${name}>${escaped(value)}</${name}>`
  const order = (row: Row) => `<order>${Object.entries(row).map(element).join('')}</order>`
  return `<orders>${rows.map(order).join('')}</orders>`
}

const WIDTHS = [8, 16, 16, 10, 12, 8]

const fixed: Write = (rows) =>
  rows
    .map((row) =>
      [...columns, 'more' as const]
        .map((name, i) => {
          const text = String(row[name] ?? '')
          return text + ' '.repeat((WIDTHS[i] as number) - [...text].length)
        })
        .join(''),
    )
    .map((line) => `${line}\n`)
    .join('')

const parquet: Write = async (rows) => {
  const path = join(await temporaryFolder(), 'rows.parquet')
  const names = namesOf(rows)
  const isAmount = (text: string) => /^-?\d+\.\d\d$/.test(text)
  const types = {
    id: 'INTEGER',
    amount: rows.every(({ amount }) => isAmount(amount)) ? 'DECIMAL(12, 2)' : 'VARCHAR',
    name: 'VARCHAR',
    day: 'DATE',
    score: 'INTEGER',
    more: 'VARCHAR',
  }
  const literal = (value: unknown) =>
    value == null ? 'NULL' : `'${String(value).replaceAll("'", "''")}'`
  const selects = rows.map(
    (row) =>
      `SELECT ${names.map((name) => `CAST(${literal(row[name])} AS ${types[name]}) AS ${name}`)}`,
  )
  const engine = await DuckDB.start({ threads: 1 })
  try {
    const session = await engine.open()
    await session.run(`COPY (${selects.join(' UNION ALL ')}) TO '${path}' (FORMAT parquet)`)
  } finally {
    await engine.close()
  }
  return readFile(path)
}

const avroFile: Write = async (rows) => {
  const fields = namesOf(rows).map((name) => ({
    name,
    type: name === 'id' ? 'int' : name === 'score' ? ['null', 'int'] : 'string',
  }))
  const schema = { type: 'record', name: 'row', fields }
  const encoder = new avro.streams.BlockEncoder(schema as never, { codec: 'deflate' } as never)
  for (const row of rows) encoder.write(row)
  encoder.end()
  const blocks: Buffer[] = []
  for await (const block of encoder) blocks.push(block as Buffer)
  return Buffer.concat(blocks)
}

const relationship = (id: number, type: string, target: string) =>
  `<Relationships><Relationship Id="${id}" Type="x/${type}" Target="${target}"/></Relationships>`

const excel: Write = (rows) => {
  const names = namesOf(rows)
  const cell = (value: unknown) =>
    typeof value === 'number'
      ? `<c><v>${value}</v></c>`
      : value == null
        ? '<c/>'
        : `<c t="inlineStr"><is><t xml:space="preserve">${escaped(value)}</t></is></c>`
  const line = (values: readonly unknown[]) => `<row>${values.map(cell).join('')}</row>`
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))].map(line)
  return zip({
    '[Content_Types].xml': '<Types/>',
    '_rels/.rels': relationship(1, 'officeDocument', '/xl/workbook.xml'),
    'xl/workbook.xml': '<workbook><sheets><sheet name="S" r:id="2"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels': relationship(2, 'worksheet', '/xl/sheet.xml'),
    'xl/sheet.xml': `<worksheet><sheetData>${lines.join('')}</sheetData></worksheet>`,
  })
}

const cut = async (write: Write, rows: readonly Row[]) => {
  const bytes = Buffer.from((await write(rows)) as Uint8Array)
  return bytes.subarray(0, Math.floor(bytes.length * 0.7))
}

const damaged: Row[] = Array.from({ length: 5 }, (_, i) => ({
  id: 9000 + i,
  amount: '1.00',
  name: 'broken',
  day: '2026-01-05',
  score: i,
}))

/** Puts a file somewhere as programs do: under its name once it is all there. */
export async function place(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.part`, content)
  await rename(`${path}.part`, path)
}

interface Files {
  ending: string
  from: string
  imports?: string
  write: Write
  /** What stands in place of a file that can't be read: one that ends too early. */
  broken?: Write
  /** Each file has all rows there are. */
  isFull?: boolean
}

/** A source of files, each of which holds the rows that are added. */
export function ofFiles({ ending, from, imports = 'files', write, broken, isFull }: Files): Filled {
  let n = 0
  const all: Row[] = []
  const next = (project: Project) =>
    join(project.folder, 'in', `${String(++n).padStart(3, '0')}.${ending}`)
  return {
    from,
    imports,
    put: async (project, rows) => {
      all.push(...rows)
      await place(next(project), await write(isFull ? all : rows))
    },
    damage: async (project) => {
      const path = next(project)
      await place(path, await (broken ?? ((rows) => cut(write, rows)))(damaged))
      return () => rm(path)
    },
  }
}

interface Format extends Omit<Reader, 'fill'>, Omit<Files, 'from'> {
  from?: string
}

/** One or more for each format: a format without one does not compile. */
const formats: Record<FileFormat, readonly Format[]> = {
  delimited: [
    {
      name: 'CSV',
      ending: 'csv',
      write: csv,
      holds: 'text',
      unreadable: 'discarded',
      broken: (rows) => `${csv([]).trimEnd()}\n${rows[0]?.id},1,2,3,4,5,6,7,8,9\n`,
    },
    {
      name: 'CSV in gzip',
      ending: 'csv.gz',
      write: (rows) => gzipSync(csv(rows)),
      holds: 'text',
      unreadable: 'discarded',
    },
    {
      name: 'text between tabs',
      ending: 'tsv',
      write: delimited('\t'),
      holds: 'text',
      unreadable: 'discarded',
      broken: (rows) => `${String(delimited('\t')([])).trimEnd()}\n${rows[0]?.id}\t1\n`,
    },
    {
      name: 'full exports',
      ending: 'csv',
      from: "files('in/*.csv', { full: true, maxShrink: 1 })",
      write: csv,
      holds: 'text',
      unreadable: 'refused',
      broken: () => Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x00]),
      givesAll: true,
      isFull: true,
    },
  ],
  json: [
    {
      name: 'JSON',
      ending: 'json',
      write: (rows) => JSON.stringify(rows),
      holds: 'text',
      unreadable: 'discarded',
    },
  ],
  jsonl: [
    {
      name: 'JSON lines',
      ending: 'jsonl',
      write: jsonLines,
      holds: 'text',
      unreadable: 'discarded',
      broken: () => '{"id": 9000\n',
    },
    {
      name: 'JSON lines in a zip',
      ending: 'zip',
      from: "files('in/*.zip', { format: 'jsonl' })",
      write: (rows) => zip({ 'rows.jsonl': jsonLines(rows) }),
      holds: 'text',
      unreadable: 'discarded',
    },
  ],
  xml: [{ name: 'XML', ending: 'xml', write: xml, holds: 'text', unreadable: 'discarded' }],
  fixed: [
    {
      name: 'fixed widths',
      ending: 'dat',
      from: `files('in/*.dat', { widths: [${WIDTHS}], columns: ['${[...columns, 'more'].join("', '")}'] })`,
      write: fixed,
      holds: 'line',
      unreadable: 'discarded',
      broken: () => `${'9'.repeat(200)}\n`,
    },
  ],
  parquet: [
    { name: 'Parquet', ending: 'parquet', write: parquet, holds: 'text', unreadable: 'set aside' },
  ],
  avro: [{ name: 'Avro', ending: 'avro', write: avroFile, holds: 'text', unreadable: 'discarded' }],
  excel: [{ name: 'Excel', ending: 'xlsx', write: excel, holds: 'text', unreadable: 'discarded' }],
}

/** Lines of logs: an object each, pairs, and what a pattern finds. */
const pattern = String.raw`/(?<id>\d+) (?<amount>\S+) (?<day>\S+) (?<score>-?\d*) (?<name>.+)/`

const patternLine: Write = (rows) =>
  rows
    .map(({ id, amount, day, score, name }) => `${id} ${amount} ${day} ${score ?? ''} ${name}\n`)
    .join('')

const pairs: Write = (rows) =>
  rows
    .map((row) => {
      const pair = ([name, value]: [string, unknown]) =>
        typeof value === 'string' ? `${name}=${JSON.stringify(value)}` : `${name}=${value}`
      const given = Object.entries(row).filter(([, value]) => value !== null)
      return `${given.map(pair).join(' ')}\n`
    })
    .join('')

const logs: readonly Format[] = [
  {
    name: 'logs with a pattern',
    ending: 'log',
    from: `logs('in/*.log', { format: ${pattern} })`,
    write: patternLine,
    holds: 'line',
    isFixed: true,
    unreadable: 'discarded',
    broken: () => 'nothing that matches\n',
  },
  {
    name: 'logs of JSON',
    ending: 'log',
    from: "logs('in/*.log', { format: 'json' })",
    write: jsonLines,
    holds: 'text',
    unreadable: 'discarded',
    broken: () => '{"id": 9000\n',
  },
  {
    name: 'logs of pairs',
    ending: 'log',
    from: "logs('in/*.log', { format: 'pairs' })",
    write: pairs,
    holds: 'line',
    unreadable: 'discarded',
    broken: () => '=\n',
  },
  {
    name: 'logs that are followed',
    ending: 'log',
    from: `logs('in/*.log', { format: ${pattern}, follow: true })`,
    write: patternLine,
    holds: 'line',
    isFixed: true,
    unreadable: 'discarded',
    broken: () => 'nothing that matches\n',
  },
]

const readerOf = (format: Format): Reader => {
  const { ending, write, broken, isFull, from = `files('in/*.${ending}')`, ...reader } = format
  const imports = from.startsWith('logs') ? 'logs' : 'files'
  return {
    ...reader,
    fill: async () =>
      ofFiles({
        ending,
        from,
        imports,
        write,
        ...(broken ? { broken } : {}),
        ...(isFull ? { isFull } : {}),
      }),
  }
}

export const fileReaders: readonly Reader[] = [...Object.values(formats).flat(), ...logs].map(
  readerOf,
)
