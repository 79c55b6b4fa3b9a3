import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Partition } from '../../src/define/partition.js'
import { quoteName } from '../../src/define/sql/sql.js'
import type { ColumnType, Field } from '../../src/define/types/column-type.js'
import { sqlType } from '../../src/define/types/sql-type.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { ResultRow, Session } from '../../src/engine/engine.js'
import { pathsOf } from '../../src/iceberg/deletes.js'
import type { DataFile } from '../../src/iceberg/spec/manifest.js'
import { currentSpec } from '../../src/iceberg/spec/metadata.js'
import { naming } from '../../src/iceberg/spec/updates/own-updates.js'
import { Table } from '../../src/iceberg/table.js'
import { tableFiles } from '../../src/step/table-files.js'
import { LocalStorage } from '../../src/storage/local.js'
import { amount } from '../support/effort.js'
import { seed } from '../support/seed.js'
import { withService } from '../support/services.js'
import { comparable, python, readBy, type Seen, sparkJar, type TableToRead } from './readers.js'

/*
 * Any sequence of what Moraine does to tables (rows that come, change and go, also one by one;
 * columns that are added, dropped, renamed, widened, moved, also inside of structs; other
 * partitions; names of snapshots; an order) gives a table that others read with the same rows,
 * columns and history.
 */

type Step =
  | { do: 'append'; rows: number }
  | { do: 'upsert' }
  | { do: 'delete file' }
  | { do: 'delete rows'; third: number }
  | { do: 'replace'; rows: number }
  | { do: 'add'; type: ColumnType }
  | { do: 'drop' }
  | { do: 'rename' }
  | { do: 'widen' }
  | { do: 'reorder' }
  | { do: 'nest' }
  | { do: 'partition'; by: Partition | undefined }
  | { do: 'name'; tag: boolean }
  | { do: 'order' }

const scalar = fc.constantFrom<ColumnType>(
  { kind: 'string' },
  { kind: 'int' },
  { kind: 'bigint' },
  { kind: 'double' },
  { kind: 'float' },
  { kind: 'boolean' },
  { kind: 'date' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'decimal', precision: 9, scale: 2 },
  { kind: 'decimal', precision: 30, scale: 5 },
  { kind: 'list', element: { kind: 'string' } },
)
const partition = fc.constantFrom<Partition | undefined>(
  undefined,
  { kind: 'partition', transform: 'identity', column: 'group' },
  { kind: 'partition', transform: 'bucket', column: 'id', width: 3 },
  { kind: 'partition', transform: 'truncate', column: 'id', width: 10 },
  { kind: 'partition', transform: 'month', column: 'day' },
  { kind: 'partition', transform: 'year', column: 'day' },
)
const rows = fc.integer({ min: 1, max: 25 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), rows }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'upsert' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'delete file' }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('delete rows' as const), third: fc.nat({ max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replace' as const), rows }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), type: scalar }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Step>(
      { do: 'drop' },
      { do: 'rename' },
      { do: 'widen' },
      { do: 'reorder' },
      { do: 'nest' },
    ),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('partition' as const), by: partition }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('name' as const), tag: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'order' }) },
)

const first: Field[] = [
  { name: 'id', type: { kind: 'int' } },
  { name: 'group', type: { kind: 'string' } },
  { name: 'day', type: { kind: 'date' } },
  { name: 'place', type: { kind: 'struct', fields: [{ name: 'city', type: { kind: 'string' } }] } },
]
const fixed = ['id', 'group', 'day']

/** SQL for a value of a type that depends on a number; now and then NULL, negative, or long ago. */
function valueSql(type: ColumnType, i: string): string {
  const sql = (() => {
    switch (type.kind) {
      case 'string':
        return `['a', 'b', 'ä/=', '日本語', '', 'a long text that is cut when it bounds'][${i} % 6 + 1]`
      case 'double':
      case 'float':
        return `CASE WHEN ${i} % 11 = 5 THEN 'nan' ELSE (${i} - 7) / 4 END`
      case 'boolean':
        return `${i} % 3 = 0`
      case 'date':
        return `DATE '1968-12-30' + CAST(${i} * 37 AS INTEGER)`
      case 'timestamp':
      case 'timestamptz':
        return `TIMESTAMP '1969-12-31 23:59:58.123456' + to_hours(CAST(${i} AS BIGINT))`
      case 'decimal':
        return `(${i} - 9) * 12.25`
      case 'list':
        return `['x', CAST(${i} AS VARCHAR)]`
      case 'struct':
        return `{${type.fields.map((f) => `'${f.name}': CAST(${valueSql(f.type, i)} AS ${sqlType(f.type)})`).join(', ')}}`
      default:
        return `${i} - 8`
    }
  })()
  return `CASE WHEN ${i} % 7 <> 3 THEN ${sql} END`
}

/** A table that steps are done to. */
class Trial {
  columns: Field[] = first
  partitions: Partition[] = []
  table: Table
  private made = 0

  constructor(
    private readonly session: Session,
    private readonly storage: LocalStorage,
    readonly name: string,
  ) {
    this.table = Table.create(storage, `silver/${name}`).reshape(this)
  }

  async rows(): Promise<ResultRow[]> {
    const files = tableFiles(this.storage, this.table, await this.table.plan())
    return this.session.rows(this.session.tables.scan(this.table.schema, files))
  }

  async do(step: Step): Promise<void> {
    const others = this.columns.filter((c) => !fixed.includes(c.name))
    const [other] = others
    switch (step.do) {
      case 'append':
        return this.write(this.newRows(step.rows), new Set())
      case 'replace':
        return this.write(this.newRows(step.rows), 'all')
      case 'upsert':
      case 'delete file': {
        const [task] = await this.table.plan()
        if (!task) return
        const old = this.session.tables.scan(
          this.table.schema,
          tableFiles(this.storage, this.table, [task]),
        )
        const changed = `SELECT * REPLACE (concat("group", '!') AS "group") FROM (${old}) WHERE id % 2 = 0`
        const none = `SELECT * FROM (${old}) WHERE false`
        return this.write(step.do === 'upsert' ? changed : none, pathsOf([task]))
      }
      case 'delete rows':
        return this.deleteRows(step.third)
      case 'add':
        return this.reshape([...this.columns, { name: `c${++this.made}`, type: step.type }])
      case 'drop':
        return other && this.reshape(this.columns.filter((c) => c !== other))
      case 'rename': {
        if (!other) return
        const name = `r${++this.made}`
        const columns = this.columns.map((c) => (c === other ? { ...c, name } : c))
        return this.reshape(columns, { [other.name]: name })
      }
      case 'widen':
        return this.reshape(this.columns.map((c) => ({ ...c, type: widened(c) })))
      case 'reorder':
        return this.reshape([...this.columns.slice(1), this.columns[0] as Field])
      case 'nest':
        return this.reshape(
          this.columns.map((c) =>
            c.type.kind === 'struct'
              ? {
                  ...c,
                  type: {
                    ...c.type,
                    fields: [...c.type.fields, { name: `n${++this.made}`, type: { kind: 'int' } }],
                  },
                }
              : c,
          ),
        )
      case 'partition':
        this.partitions = step.by ? [step.by] : []
        return this.reshape(this.columns)
      case 'name': {
        const id = this.table.snapshot?.['snapshot-id']
        if (id === undefined) return
        const ref = { 'snapshot-id': id, type: step.tag ? ('tag' as const) : ('branch' as const) }
        this.table = await this.table.updated([naming(`name${++this.made}`, ref)]).save()
        return
      }
      case 'order': {
        const source = this.table.schema.fields.find((f) => f.name === 'id')?.id as number
        const field = {
          transform: 'identity',
          'source-id': source,
          direction: 'asc' as const,
          'null-order': 'nulls-first' as const,
        }
        this.table = await this.table
          .updated([
            { action: 'add-sort-order', 'sort-order': { fields: [field] } },
            { action: 'set-default-sort-order', 'sort-order-id': -1 },
          ])
          .save()
      }
    }
  }

  private async reshape(columns: Field[], renamed?: Record<string, string>): Promise<void> {
    this.columns = columns
    const { partitions } = this
    this.table = await this.table
      .reshape({ columns, partitions, ...(renamed ? { renamed } : {}) })
      .save()
  }

  private newRows(count: number): string {
    const at = this.made++ * 31
    const values = this.columns.map(
      (c) =>
        `CAST(${valueSql(c.type, `(i + ${at})`)} AS ${sqlType(c.type)}) AS ${quoteName(c.name)}`,
    )
    return `SELECT ${values.join(', ')} FROM range(${count}) AS r(i)`
  }

  /** Lists every third row of the newest file as deleted, with those that are. */
  private async deleteRows(third: number): Promise<void> {
    const { storage, session, table } = this
    const task = (await table.plan()).at(-1)
    if (!task) return
    const rows = session.tables.scanWithFiles(table.schema, tableFiles(storage, table, [task]))
    const places = `SELECT _data_row AS pos FROM (${rows}) WHERE _data_row % 3 = ${third}`
    const location = storage.locate(`${table.dataFolder}/f${++this.made}-deletes.parquet`)
    const before = task.deletes.map(({ path }) => path)
    const file = await session.tables.writeDeletes(places, { location, of: task.file, before })
    const removed = new Set(before)
    this.table = await table.write({ added: [], removed, deletes: [{ file, spec: task.spec }] })
  }

  private async write(sql: string, removed: ReadonlySet<string> | 'all'): Promise<void> {
    const { table, storage } = this
    await storage.prepare(`${table.dataFolder}/x`)
    const added = await this.session.tables.write(sql, {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: storage.locate(table.dataFolder),
      name: `f${++this.made}`,
    })
    if (added.length === 0 && removed !== 'all' && removed.size === 0) return
    this.table = await table.write({ added, removed })
  }
}

function widened({ type }: Field): ColumnType {
  if (type.kind === 'int') return { kind: 'bigint' }
  if (type.kind === 'float') return { kind: 'double' }
  if (type.kind === 'decimal') return { ...type, precision: Math.min(38, type.precision + 3) }
  return type
}

let folder: string
const tables: TableToRead[] = []
const ours: Record<string, ResultRow[]> = {}
const histories: Record<string, [string, number][]> = {}
const trials = amount(12, 12, 40)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-random-'))
  const storage = new LocalStorage(folder)
  const engine = await DuckDB.start({ threads: 2 })
  const session = await engine.open()
  const sequences = fc.sample(fc.array(step, { minLength: 4, maxLength: 14 }), {
    numRuns: trials,
    seed,
  })
  for (const [i, steps] of sequences.entries()) {
    const trial = new Trial(session, storage, `t${i}`)
    for (const next of [{ do: 'append', rows: 20 } as Step, ...steps]) await trial.do(next)
    const { table } = trial
    tables.push({
      name: `t${i}`,
      metadata: storage.locate(table.file as string),
      filters: ['id > 5'],
    })
    ours[`t${i}`] = await trial.rows()
    histories[`t${i}`] = table.metadata.snapshots.map((s) => [
      s.summary.operation,
      Number(s.summary['total-records']),
    ])
  }
  await deleteByValue(new Trial(session, storage, 'by_value'), session, storage)
  session.close()
  await engine.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Deletes by value, as Flink writes them; PyIceberg does not read those. */
async function deleteByValue(trial: Trial, session: Session, storage: LocalStorage): Promise<void> {
  await trial.do({ do: 'append', rows: 20 })
  const { table } = trial
  const field = table.schema.fields.filter(({ name }) => name === 'id')
  const [file] = await session.tables.write('SELECT unnest([1, 2, NULL]) AS id', {
    schema: { ...table.schema, fields: field },
    spec: currentSpec(table.metadata),
    location: storage.locate(table.dataFolder),
    name: 'deletes',
  })
  const deletes: DataFile = {
    ...(file as DataFile),
    content: 'equality deletes',
    equalityIds: field.map(({ id }) => id),
  }
  trial.table = await table.write({ added: [deletes], removed: new Set() })
  // Rows that come later are none of theirs.
  await trial.do({ do: 'append', rows: 20 })
  const metadata = storage.locate(trial.table.file as string)
  byValue = { name: 'by_value', metadata, filters: [] }
  ours.by_value = await trial.rows()
  histories.by_value = trial.table.metadata.snapshots.map((s) => [
    s.summary.operation,
    Number(s.summary['total-records']),
  ])
}

let byValue: TableToRead

function expectSame(seen: Record<string, Seen>, read: readonly TableToRead[] = tables): void {
  for (const { name } of read) {
    const table = seen[name] as Seen
    const mine = ours[name] as ResultRow[]
    expect(comparable(table.rows), name).toEqual(comparable(mine))
    expect(table.snapshots, name).toEqual(histories[name])
    const found = table.filtered['id > 5']
    if (found === undefined) continue
    const rows = typeof found === 'object' ? found.rows : found
    expect(rows, name).toBe(mine.filter((row) => Number(row.id) > 5 && row.id !== null).length)
    if (mine[0])
      expect(
        table.columns.map(([column]) => column),
        name,
      ).toEqual(Object.keys(mine[0]))
  }
}

describe('random sequences', () => {
  it('leave tables with rows to compare', () => {
    expect(Object.values(ours).flat().length).toBeGreaterThan(100)
    const kept = ours.by_value as ResultRow[]
    expect(kept.filter(({ id }) => id === 1 || id === 2 || id === null).length).toBeLessThan(
      kept.length / 2,
    )
    expect(kept.length).toBeLessThan(40)
  })
})

withService('PyIceberg', [python], () => {
  it('reads them as they are', async () => expectSame(await readBy('pyiceberg', tables)))
})

withService('Apache Spark', [python, sparkJar], () => {
  it('reads them as they are', async () => {
    const read = [...tables, byValue]
    expectSame(await readBy('spark', read), read)
  })
})
