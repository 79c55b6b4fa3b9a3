import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isLosslessNumber, parse as parseLossless } from 'lossless-json'
import { describe, expect, it } from 'vitest'
import { sample } from '../support/effort.js'
import { Project, repository } from '../support/project.js'
import { gaps, wider } from './known.js'

type Kind = keyof typeof types

/** What a case's program says of its file: see make/corpus.py. */
interface Case {
  by: string
  reads: string
  names: boolean
  columns: Record<string, Kind>
  rows: unknown[][]
}

interface Crawled {
  name: string
  at: string
  columns: { name: string }[]
}

/** The types of silver that are as narrow as a value's kind. */
const types = {
  text: /^VARCHAR$/,
  int: /^(INTEGER|BIGINT|DECIMAL\(\d+,0\))$/,
  decimal: /^(DECIMAL\(\d+,\d+\)|INTEGER|BIGINT)$/,
  double: /^(DOUBLE|DECIMAL\(\d+,\d+\)|INTEGER|BIGINT)$/,
  float: /^(DOUBLE|FLOAT)$/,
  nothing: /./,
  boolean: /^BOOLEAN$/,
  date: /^DATE$/,
  timestamp: /^TIMESTAMP$/,
  timestamptz: /^TIMESTAMP WITH TIME ZONE$/,
  time: /^VARCHAR$/,
  binary: /^VARCHAR$/,
  json: /^(VARCHAR|JSON|STRUCT.*|.*\[\]|MAP.*)$/,
}

const corpus = join(repository, 'test/corpus')
const groups = (await readdir(corpus, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && entry.name !== 'make')
  .map(({ name }) => name)

describe.each(sample(groups, 3))('files that %s wrote', async (group) => {
  const text = await readFile(join(corpus, group, 'expected.json'), 'utf8')
  const cases = parseLossless(text) as Record<string, Case>

  it(`${Object.keys(cases).length} of them are crawled, run, and every value is as it was meant`, async () => {
    const project = await Project.create({})
    await cp(join(corpus, group), join(project.folder, 'in'), {
      recursive: true,
      filter: (path) => !path.endsWith('/expected.json'),
    })
    const crawled = await project.cli('--json', 'crawl', 'in')
    expect([crawled.code, crawled.stderr]).toEqual([0, ''])
    const { tables } = JSON.parse(crawled.stdout) as { tables: Crawled[] }
    const record = await project.run()
    const wrong: Record<string, unknown> = {}
    await project.reading(async (rows) => {
      for (const [name, about] of Object.entries(cases)) {
        const id = `${group}/${name}`
        const own = tables.filter(({ at }) => at.startsWith(`in/${name}/`) || at === `in/${name}`)
        const steps = record.steps.filter(({ dataset }) =>
          own.some((table) => dataset.endsWith(`.${table.name}`)),
        )
        const failures = steps.flatMap(({ dataset, error, counts }: any) => [
          ...(error ? [`${dataset}: ${error.message}`] : []),
          ...(counts?.discarded ? [`${dataset}: ${counts.discarded} discarded`] : []),
        ])
        const problems =
          failures.length > 0
            ? failures
            : own.length === 1
              ? await differences(id, about, own[0] as Crawled, rows)
              : [`there are ${own.length} tables`]
        if (problems.length > 0 !== id in gaps) wrong[id] = problems
      }
    })
    expect(wrong).toEqual({})
  })
})

type Rows = (sql: string) => Promise<Record<string, unknown>[]>

/** What of a table in silver is not as its writer meant it. */
async function differences(id: string, about: Case, table: Crawled, rows: Rows): Promise<string[]> {
  const silver = `silver."${table.name}"`
  const described = (await rows(`DESCRIBE ${silver}`)) as {
    column_name: string
    column_type: string
  }[]
  const own = described.filter(({ column_name }) => !column_name.startsWith('_'))
  const kinds = Object.entries(about.columns)
  if (own.length !== kinds.length)
    return [
      `columns ${own.map((c) => c.column_name).join(', ')}, not ${kinds.map(([n]) => n).join(', ')}`,
    ]
  const problems: string[] = []
  const unnamed = own.filter(({ column_name }) => !(column_name in about.columns))
  const order = kinds.map(([name], i) => {
    if (!about.names) return own[i]
    const found = name === '' ? unnamed[0] : own.find((column) => column.column_name === name)
    if (!found)
      problems.push(`there is no ${name}, but ${own.map((c) => c.column_name).join(', ')}`)
    return found
  })
  if (problems.length > 0) return problems
  for (const [i, [name, kind]] of kinds.entries()) {
    const column = order[i] as { column_name: string; column_type: string }
    const key = `${id}.${name || column.column_name}`
    const isNarrow = types[kind].test(column.column_type)
    if (!isNarrow && !(key in wider)) problems.push(`${name} is ${column.column_type}, not ${kind}`)
    if (isNarrow && key in wider) problems.push(`${name} is ${kind}: it is not wider any more`)
  }
  const shown = order.map((c, i) => textOf(c as never, i)).join(', ')
  const actual = (await rows(`SELECT ${shown} FROM ${silver}`)).map((row) =>
    kinds.map(([, kind], i) => canonical(kind, row[`c${i}`])),
  )
  const meant = about.rows.map((row) => kinds.map(([, kind], i) => canonical(kind, row[i])))
  const [a, b] = [actual, meant].map((all) => all.map((row) => JSON.stringify(row)).sort()) as [
    string[],
    string[],
  ]
  for (const row of b.filter((row) => !a.includes(row))) problems.push(`not there: ${row}`)
  for (const row of a.filter((row) => !b.includes(row))) problems.push(`not meant: ${row}`)
  if (a.length !== b.length) problems.push(`${a.length} rows, not ${b.length}`)
  return problems
}

/** A column as text; what is nested as JSON. */
function textOf(
  { column_name, column_type }: { column_name: string; column_type: string },
  i: number,
) {
  const name = `"${column_name.replaceAll('"', '""')}"`
  const text = /STRUCT|MAP|\[\]/.test(column_type) ? `to_json(${name})` : name
  const utc = column_type === 'TIMESTAMP WITH TIME ZONE' ? `timezone('UTC', ${name})` : text
  return `CAST(${utc} AS VARCHAR) AS c${i}`
}

/** A value in the one way that its kind is written here, whoever wrote it. */
function canonical(kind: Kind, value: unknown): unknown {
  if (value === null || value === undefined) return null
  const text = typeof value === 'string' ? value : JSON.stringify(plain(value))
  switch (kind) {
    case 'int':
    case 'decimal':
      return text
        .replace(/^\+/, '')
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '')
    case 'double':
      return text === '' ? text : String(Number(text.replace(/inf$/, 'Infinity')))
    case 'float':
      return String(Math.fround(Number(text)))
    case 'binary':
      return text.replace(/^\\x/, '')
    case 'boolean':
      return { t: 'true', f: 'false', 1: 'true', 0: 'false' }[text] ?? text.toLowerCase()
    case 'date':
      return text.replace(/[T ]00:00:00(\.0+)?Z?$/, '')
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return text
        .replace(/^(\d{4}-\d\d-\d\d)$/, '$1T00:00:00')
        .replace(' ', 'T')
        .replace(/(\.\d*?)0+(?=$|Z)/, '$1')
        .replace(/\.(?=$|Z)/, '')
        .replace(/Z$/, '')
    case 'json':
      return sorted(plain(typeof value === 'string' ? parsed(value) : value))
    default:
      return text
  }
}

/** What is no JSON is compared as the text that it is. */
function parsed(text: string): unknown {
  try {
    return parseLossless(text)
  } catch {
    return text
  }
}

/** Numbers that JSON.parse would round stay as they are written. */
function plain(value: unknown): unknown {
  if (isLosslessNumber(value)) {
    const near = Number(value.value)
    return Number.isInteger(near) && !Number.isSafeInteger(near) ? value.value : near
  }
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, plain(inside)]))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inside]) => [key, sorted(inside)]))
}
