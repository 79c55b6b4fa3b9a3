import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Comparing, diffTables } from '../../../src/branch/diff/table-diff.js'
import { quoteName } from '../../../src/define/sql/sql.js'
import type { Field } from '../../../src/define/types/column-type.js'
import { sqlType } from '../../../src/define/types/sql-type.js'
import type { Session } from '../../../src/engine/engine.js'
import { currentSpec } from '../../../src/iceberg/spec/metadata.js'
import { Table } from '../../../src/iceberg/table.js'
import type { TableState } from '../../../src/log/commit.js'
import { tableFiles } from '../../../src/step/table-files.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { amount } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { temporaryFolder } from '../../support/project.js'

/*
 * Two versions of a table that parted from a third: what the comparison says, which reads no shared
 * files, is what a full outer join of all rows says, computed here row by row in JavaScript.
 */

const session = engineSession()

const base: Field[] = [
  { name: 'id', type: { kind: 'int' } },
  { name: 'town', type: { kind: 'string' } },
  { name: 'ratio', type: { kind: 'double' } },
  { name: 'amount', type: { kind: 'decimal', precision: 9, scale: 2 } },
  { name: 'open', type: { kind: 'boolean' } },
  { name: 'tags', type: { kind: 'list', element: { kind: 'string' } } },
  { name: '_batch', type: { kind: 'string' } },
]

/** SQL of values of each type, by a number that chooses among few: equal ones come often. */
function valueSql({ type }: Field, n: number): string {
  if (n % 7 === 0) return 'NULL'
  const of: Record<string, readonly string[]> = {
    double: ["'NaN'", '0.0', '-0.0', '1.5', "'inf'"],
    decimal: ['0.00', '10.00', '-3.25'],
    boolean: ['true', 'false'],
    list: ["['a', 'b']", '[]', "['a', NULL]", "['ab']"],
    string: ["''", "'NaN'", "'it''s'", "'|'", "'é😀'"],
    bigint: ['1', '9007199254740993'],
  }
  const values = of[type.kind] ?? ['1']
  return `CAST(${values[n % values.length]} AS ${sqlType(type)})`
}

/** What is done to a table. */
const deed = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('append' as const), n: fc.nat(4), seed: fc.nat(50) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), n: fc.nat(2), seed: fc.nat(5) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('rewrite' as const), n: fc.nat(4), seed: fc.nat(50) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('all' as const), n: fc.nat(6), seed: fc.nat(50) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('shape' as const), n: fc.nat(4), seed: fc.nat(9) }),
  },
)
type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never

/** A version of a table, with what is done to it. */
class Version {
  private made = 0

  constructor(
    private readonly storage: LocalStorage,
    private readonly own: string,
    private readonly keyed: boolean,
    public table: Table,
    public columns: readonly Field[] = base,
    /** The next key that no row has. */
    private next = 0,
  ) {}

  parted(own: string): Version {
    const next = this.next + (own === 'b' ? 100 : 0)
    return new Version(this.storage, own, this.keyed, this.table, this.columns, next)
  }

  async do({ kind, n, seed }: Deed): Promise<void> {
    if (kind === 'append') return this.write(this.rows(this.fresh(n), seed), new Set())
    if (kind === 'all') return this.write(this.rows(this.fresh(n), seed), 'all')
    if (kind === 'shape') return this.shape(n, seed)
    const tasks = await this.table.plan()
    const task = tasks[seed % Math.max(1, tasks.length)]
    if (!task) return
    const { storage, table } = this
    const rows = session().tables.scanWithFiles(table.schema, tableFiles(storage, table, [task]))
    if (kind === 'delete') {
      const places = `SELECT _data_row AS pos FROM (${rows}) WHERE _data_row % 3 = ${n}`
      const location = storage.locate(`${table.dataFolder}/${this.own}${++this.made}-d.parquet`)
      const before = task.deletes.map(({ path }) => path)
      const file = await session().tables.writeDeletes(places, { location, of: task.file, before })
      const deletes = [{ file, spec: task.spec }]
      this.table = await table.write({ added: [], removed: new Set(before), deletes })
      return
    }
    const town = this.columns.find(({ name }) => name === 'town')
    const values = this.columns.map((c) => {
      const name = quoteName(c.name)
      return c === town
        ? `CASE WHEN _data_row % 2 = ${n % 2} THEN ${valueSql(c, seed)} ELSE ${name} END AS ${name}`
        : name
    })
    const gone = [task.file.path, ...task.deletes.map(({ path }) => path)]
    await this.write(`SELECT ${values.join(', ')} FROM (${rows})`, new Set(gone))
  }

  private fresh(n: number): number[] {
    if (!this.keyed) return Array.from({ length: n }, (_, i) => i % 3)
    return Array.from({ length: n }, () => ++this.next)
  }

  private rows(ids: readonly number[], seed: number): string {
    const all = ids.map((id, i) => {
      const values = this.columns.map((c) => {
        const value = c.name === 'id' ? String(id) : valueSql(c, seed + 3 * i)
        return `CAST(${value} AS ${sqlType(c.type)}) AS ${quoteName(c.name)}`
      })
      return `SELECT ${values.join(', ')}`
    })
    const none = this.columns.map((c) => `CAST(NULL AS ${sqlType(c.type)}) AS ${quoteName(c.name)}`)
    return all.length > 0 ? all.join(' UNION ALL ') : `SELECT ${none.join(', ')} WHERE false`
  }

  private async write(sql: string, removed: ReadonlySet<string> | 'all'): Promise<void> {
    const { table, storage } = this
    await storage.prepare(`${table.dataFolder}/x`)
    const added = await session().tables.write(sql, {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: storage.locate(table.dataFolder),
      name: `${this.own}${++this.made}`,
    })
    this.table = await table.write({ added, removed })
  }

  private async shape(n: number, seed: number): Promise<void> {
    const { columns, own } = this
    const others = columns.filter(({ name }) => name !== 'id')
    const one = others[seed % others.length] as Field
    const deeds: (() => [Field[], Record<string, string>?])[] = [
      () => [[...columns, { name: `more_${own}${++this.made}`, type: { kind: 'string' } }]],
      // Both sides may add the same name, under other ids.
      () => [
        [
          ...columns.filter(({ name }) => name !== 'both'),
          { name: 'both', type: { kind: own === 'a' ? 'string' : 'bigint' } },
        ],
      ],
      () => [columns.filter((c) => c !== one)],
      () => [
        columns.map((c) => (c === one ? { ...c, name: `was_${c.name}` } : c)),
        { [one.name]: `was_${one.name}` },
      ],
      () => [
        columns.map((c) =>
          c.name === 'id'
            ? { ...c, type: { kind: 'bigint' } }
            : c.type.kind === 'decimal'
              ? { ...c, type: { ...c.type, precision: 14 } }
              : c,
        ),
      ],
    ]
    const [shaped, renamed] = (deeds[n % deeds.length] as (typeof deeds)[0])()
    this.columns = shaped
    const shape = { columns: shaped, partitions: [], ...(renamed ? { renamed } : {}) }
    this.table = await (this.table.reshape(shape) as Table).write({ added: [], removed: new Set() })
  }

  get state(): TableState {
    return { metadata: this.table.file as string, definition: {}, rows: 0, bytes: 0, files: 0 }
  }
}

type Row = Record<string, string | null>

/** All rows of a version as texts that are equal where values are. */
async function rowsOf(
  sql: Session,
  storage: LocalStorage,
  { table, columns }: Version,
): Promise<Row[]> {
  const own = columns.filter(({ name }) => !name.startsWith('_'))
  const values = own.map(({ name, type }) => {
    const value = quoteName(name)
    const zero =
      type.kind === 'double' ? `CASE WHEN ${value} = 0 THEN 0.0 ELSE ${value} END` : value
    return `CAST(${zero} AS VARCHAR) AS ${value}`
  })
  const files = tableFiles(storage, table, await table.plan())
  return (await sql.rows(
    `SELECT ${values.join(', ')} FROM (${sql.tables.scan(table.schema, files)})`,
  )) as Row[]
}

interface Expected {
  added: number
  removed: number
  changed: number
  columns: Record<string, number>
}

/** What a full outer join says, row by row. */
function joined(before: Row[], after: Row[], names: [string, string][], keyed: boolean): Expected {
  const text = (row: Row, side: 0 | 1) =>
    JSON.stringify(names.map((pair) => row[pair[side]] ?? null))
  const found: Expected = { added: 0, removed: 0, changed: 0, columns: {} }
  if (!keyed) {
    const counts = new Map<string, number>()
    for (const row of before) counts.set(text(row, 0), (counts.get(text(row, 0)) ?? 0) - 1)
    for (const row of after) counts.set(text(row, 1), (counts.get(text(row, 1)) ?? 0) + 1)
    for (const n of counts.values()) {
      found.added += Math.max(0, n)
      found.removed += Math.max(0, -n)
    }
    return found
  }
  const old = new Map(before.map((row) => [row.id, row]))
  for (const row of after) {
    const then = old.get(row.id as string)
    old.delete(row.id as string)
    if (!then) found.added++
    else {
      const differ = names.filter(([a, b]) => (then[a] ?? null) !== (row[b] ?? null))
      if (differ.length > 0) found.changed++
      for (const [, name] of differ) found.columns[name] = (found.columns[name] ?? 0) + 1
    }
  }
  found.removed = old.size
  return found
}

it('says what a full outer join of all rows says, of any two versions of a table', async () => {
  const deeds = (most: number) => fc.array(deed, { maxLength: most })
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        first: deeds(3),
        a: deeds(2),
        b: deeds(4),
        keyed: fc.boolean(),
        asked: fc.boolean(),
      }),
      async ({ first, a, b, keyed, asked }) => {
        const storage = new LocalStorage(await temporaryFolder())
        const shape = { columns: base, partitions: [] }
        const created = Table.create(storage, 'silver/t').reshape(shape)
        const root = new Version(storage, 'r', keyed, created)
        await root.do({ kind: 'append', n: 4, seed: 1 })
        for (const one of first) await root.do(one)
        const [before, after] = [root.parted('a'), root.parted('b')]
        for (const one of a) await before.do(one)
        for (const one of b) await after.do(one)
        let [old, fresh] = await Promise.all([
          rowsOf(session(), storage, before),
          rowsOf(session(), storage, after),
        ])
        const comparing: Comparing = { storage, session: session(), examples: 100 }
        // A key that somebody asks for may have several rows, be it in files that both sides have.
        const key = { columns: keyed || asked ? ['id'] : [], isUnique: keyed && !asked }
        const { rows, columns } = await diffTables(comparing, before.state, after.state, key)
        // Which columns are the same: by their names, or by what was renamed on either side.
        const renamed = new Map(
          columns
            .filter((c) => c.change === 'renamed')
            .map((c) => [c.after as string, c.before as string]),
        )
        const had = new Set(before.columns.map(({ name }) => name))
        const names = after.columns
          .filter(({ name }) => !name.startsWith('_') && (had.has(name) || renamed.has(name)))
          .map(({ name }): [string, string] => [
            had.has(name) ? name : (renamed.get(name) as string),
            name,
          ])
        for (const [was, now] of renamed) expect(plainName(now)).toBe(plainName(was))
        const isPaired = rows.key.length > 0
        const several = [old, fresh].map(severalIds)
        if (keyed) expect(isPaired).toBe(true)
        else if (asked && several.every((ids) => ids.size === 0)) expect(isPaired).toBe(true)
        if (isPaired) {
          // Rows of such keys are not paired with any: both sides have the same of them.
          const has = ({ id }: Row) => several.some((ids) => ids.has(id as string))
          const common = joined(old.filter(has), fresh.filter(has), names, false)
          expect([common.added, common.removed]).toEqual([0, 0])
          old = old.filter((row) => !has(row))
          fresh = fresh.filter((row) => !has(row))
        }
        const expected = joined(old, fresh, names, isPaired)
        const { added, removed, changed } = rows
        expect({ added, removed, changed }).toEqual({
          added: expected.added,
          removed: expected.removed,
          changed: expected.changed,
        })
        const byColumn = rows.columns.filter((c) => c.changed > 0).map((c) => [c.column, c.changed])
        expect(Object.fromEntries(byColumn)).toEqual(expected.columns)
        expect(rows.examples.changed).toHaveLength(changed)
        const keys = rows.examples.changed.map((row) => Number(row.key.id))
        expect(keys).toEqual([...keys].sort((x, y) => x - y))
        // Values of one side and the other cancel out but for those that differ.
        for (const { column, nulls } of rows.columns) {
          const [was, now] = names.find((pair) => pair[1] === column) as [string, string]
          const count = (all: Row[], name: string) => all.filter((row) => row[name] === null).length
          expect(nulls.after - nulls.before).toBe(count(fresh, now) - count(old, was))
        }
      },
    ),
    { numRuns: amount(25, 60, 1000) },
  )
})

/** Keys of which there are several rows. */
function severalIds(rows: readonly Row[]): Set<string> {
  const ids = rows.map(({ id }) => id as string)
  return new Set(ids.filter((id, i) => ids.indexOf(id) !== i))
}

const plainName = (name: string) => name.replace(/^(was_)+/, '')

it('pairs rows by no key of which a file that both sides have holds another row', async () => {
  const storage = new LocalStorage(await temporaryFolder())
  const created = Table.create(storage, 'silver/t').reshape({ columns: base, partitions: [] })
  const root = new Version(storage, 'r', false, created)
  // Rows 0, 1 and 2 in a file that both have; then row 0 once more on each side, with other values.
  await root.do({ kind: 'append', n: 3, seed: 1 })
  const [before, after] = [root.parted('a'), root.parted('b')]
  await before.do({ kind: 'append', n: 1, seed: 2 })
  await after.do({ kind: 'append', n: 1, seed: 3 })
  const comparing: Comparing = { storage, session: session(), examples: 100 }
  const ask = (guesses: string[][] = []) => {
    const key = { columns: guesses.length > 0 ? [] : ['id'], isUnique: false, guesses }
    return diffTables(comparing, before.state, after.state, key)
  }
  const { rows, files } = await ask()
  expect(rows).toMatchObject({ key: [], added: 1, removed: 1, changed: 0 })
  expect(rows.note).toBe('1 key has several rows before: whole rows are compared')
  expect(files.shared).toBe(1)
  expect((await ask([['id']])).rows.key).toEqual([])
  // Once that row is deleted from the file on both sides, each has the key once.
  for (const side of [before, after]) await side.do({ kind: 'delete', n: 0, seed: 0 })
  expect((await ask()).rows).toMatchObject({ key: ['id'], added: 0, removed: 0, changed: 1 })
})
