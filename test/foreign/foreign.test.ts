import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { ResultRow } from '../../src/engine/engine.js'
import { loadLake } from '../../src/load/load.js'
import { CommitLog } from '../../src/log/log.js'
import { limitsOf } from '../../src/query/limits.js'
import { queryRows } from '../../src/query/query.js'
import { runLake } from '../../src/run/execute.js'
import { LocalStorage } from '../../src/storage/local.js'
import { withService } from '../support/services.js'
import { comparable, python, readBy, type Seen, sparkJar, type TableToRead } from './readers.js'

/*
 * Tables that Moraine wrote, read by engines that know nothing of it: Apache Spark and PyIceberg.
 */

const definition = `
import { bronze, bucket, day, defineLake, gold, hour, month, silver, sql, t, truncate, year, z } from 'moraine'
import { files } from 'moraine/sources'
const types = silver('types', {
  description: 'All types.',
  owner: 'ada@example.com',
  from: bronze('types', { from: files('in/*.csv') }),
  key: 'id',
  schema: z.object({
    id: t.int().describe('The key.'),
    big: t.bigint().nullable(),
    text: t.string().nullable(),
    number: t.double().nullable(),
    amount: t.decimal(20, 4).nullable(),
    flag: t.boolean().nullable(),
    day: t.date().nullable(),
    local: t.timestamp().nullable(),
    moment: t.timestamptz().nullable(),
    uuid: t.uuid().nullable(),
    doc: t.json().nullable(),
    tags: t.list(t.string()).nullable(),
    place: t.struct({ city: t.string(), zip: t.int() }).nullable(),
  }),
  partitionBy: [truncate('text', 1)],
})
const parted = (name, partitionBy) => gold(name, { query: sql\`select * exclude (tags, place) from \${types}\`, partitionBy })
const empty = gold('empty', { query: sql\`select * from \${types} where false\` })
export default defineLake({
  name: 'foreign',
  datasets: [
    types, empty,
    parted('by_values', ['flag', 'day', 'amount', 'local']),
    parted('by_year', [year('day')]),
    parted('by_month', [month('local')]),
    parted('by_day', [day('moment')]),
    parted('by_hour', [hour('local')]),
    parted('by_buckets', [bucket('id', 4), bucket('text', 3), bucket('day', 2), bucket('amount', 2), bucket('local', 2)]),
    parted('by_truncated', [truncate('id', 10), truncate('text', 2), truncate('amount', 100), truncate('big', 7)]),
  ],
})
`

const header = 'id,big,text,number,amount,flag,day,local,moment,uuid,doc,tags,place'

function row(id: number, version: number): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  if (id % 7 === 0) return `${id}${','.repeat(12)}`
  const date = new Date(Date.UTC(1965 + id * 3, (id * 5) % 12, (id % 28) + 1, id % 24, 59, 58, 123))
  const iso = date.toISOString()
  return [
    id,
    (-1n) ** BigInt(id) * 900719925474099312n + BigInt(id),
    quoted(
      ['ä/b=c', 'plain', '日本', 'x,y', '100% "sure"', ' '][id % 6] +
        (version > 1 ? ` v${version}` : ''),
    ),
    (id - 10) / 3,
    `${id - 10}.${String(id * 37)
      .padStart(4, '0')
      .slice(-4)}`,
    id % 2 === 0,
    iso.slice(0, 10),
    `${iso.slice(0, 19)}.123456`,
    `${iso.slice(0, 19)}+02:00`,
    `0b7e1e7c-7d3a-4a3f-9c55-${String(id).padStart(12, '0')}`,
    quoted(`{"n": ${id}}`),
    quoted(JSON.stringify(['a', `b${id}`])),
    quoted(JSON.stringify({ city: 'Zürich', zip: id })),
  ].join(',')
}

let folder: string
let tables: TableToRead[]
const ours: Record<string, ResultRow[]> = {}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine foreign '))
  await mkdir(join(folder, 'in'))
  await writeFile(join(folder, 'lake.ts'), definition)
  const storage = new LocalStorage(join(folder, 'the lake'))
  const engine = await DuckDB.start({ threads: 2 })
  const write = (name: string, ids: number[], version: number) =>
    writeFile(
      join(folder, 'in', name),
      `${header}\n${ids.map((id) => row(id, version)).join('\n')}\n`,
    )
  const ids = Array.from({ length: 40 }, (_, i) => i)
  // Three rounds: new rows, changed ones, and a rebuild of everything.
  for (const [name, chosen, version] of [
    ['1.csv', ids, 1],
    ['2.csv', [3, 4, 5, 41, 42], 2],
    ['3.csv', [50], 3],
  ] as const) {
    await write(name, [...chosen], version)
    const { steps, error } = await runLake(await loadLake(join(folder, 'lake.ts')), {
      storage,
      engine,
      full: version === 3,
    })
    expect([error, ...steps.map((s) => s.error)].filter(Boolean)).toEqual([])
  }
  await engine.close()
  const state = await new CommitLog(storage).head()
  tables = Object.entries(state.tables).map(([name, table]) => ({
    name,
    metadata: storage.locate(table.metadata),
    filters:
      name === 'gold.empty' || name.startsWith('discarded')
        ? []
        : ['id = 17', "text = 'plain'", 'amount > 5'],
  }))
  for (const { name } of tables)
    ours[name] = await queryRows(storage, state, `from ${name}`, { limits: limitsOf() })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function expectSame(seen: Record<string, Seen>): void {
  for (const { name } of tables) {
    const table = seen[name] as Seen
    expect(comparable(table.rows), name).toEqual(comparable(ours[name] as ResultRow[]))
    const total = table.rows.length
    expect(
      table.files.reduce((a, b) => a + b, 0),
      name,
    ).toBe(total)
    expect(table.snapshots.at(-1)?.[1], name).toBe(total)
    for (const [where, found] of Object.entries(table.filtered)) {
      const expected = (ours[name] as ResultRow[]).filter((r) => wanted[where]?.(r)).length
      expect(typeof found === 'number' ? found : found.rows, `${name} where ${where}`).toBe(
        expected,
      )
    }
  }
}

const wanted: Record<string, (row: ResultRow) => boolean> = {
  'id = 17': (row) => row.id === 17,
  "text = 'plain'": (row) => row.text === 'plain',
  'amount > 5': (row) => row.amount !== null && Number(row.amount) > 5,
}

describe('tables of the lake', () => {
  it('hold rows to compare', () => {
    expect(ours['silver.types']).toHaveLength(43)
    expect(ours['gold.by_buckets']).toHaveLength(43)
  })
})

withService('PyIceberg', [python], () => {
  let seen: Record<string, Seen>
  beforeAll(async () => {
    seen = await readBy('pyiceberg', tables)
  })

  it('reads the same rows, snapshots and files, with filters too', () => expectSame(seen))

  it('sees the columns, their types and the partitions', () => {
    expect(seen['silver.types']?.columns.slice(0, 11)).toEqual([
      ['id', 'int'],
      ['big', 'long'],
      ['text', 'string'],
      ['number', 'double'],
      ['amount', 'decimal(20, 4)'],
      ['flag', 'boolean'],
      ['day', 'date'],
      ['local', 'timestamp'],
      ['moment', 'timestamptz'],
      ['uuid', 'string'],
      ['doc', 'string'],
    ])
    expect(seen['silver.types']?.properties).toMatchObject({
      comment: 'All types.',
      owner: 'ada@example.com',
    })
    expect(seen['silver.types']?.docs).toEqual({ id: 'The key.' })
    expect(seen['gold.by_buckets']?.partitions?.slice(0, 2)).toEqual([
      ['id_bucket', 'bucket[4]'],
      ['text_bucket', 'bucket[3]'],
    ])
    expect(seen['silver.types']?.snapshots.map(([operation]) => operation)).toEqual([
      'append',
      'overwrite',
      'overwrite',
    ])
  })

  it('opens only files whose partition and bounds a filter allows', () => {
    const { files, filtered } = seen['gold.by_buckets'] as Seen
    expect(files.length).toBeGreaterThan(30)
    expect((filtered['id = 17'] as { files: number }).files).toBeLessThan(files.length / 8)
  })
})

withService('Apache Spark', [python, sparkJar], () => {
  it('reads the same rows, snapshots and files, with filters too', async () => {
    expectSame(await readBy('spark', tables))
  })
})
