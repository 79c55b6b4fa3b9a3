import { expect, it } from 'vitest'
import type { ColumnType } from '../../../src/define/types/column-type.js'
import type { RowValue, Session } from '../../../src/engine/engine.js'
import type { Dialect } from '../../../src/sql/dialect.js'
import { examples, standard } from './dialect-examples.js'
import { within } from './session.js'

const types: ColumnType[] = [
  { kind: 'string' },
  { kind: 'int' },
  { kind: 'bigint' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'boolean' },
  { kind: 'decimal', precision: 38, scale: 10 },
  { kind: 'date' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'binary' },
  { kind: 'list', element: { kind: 'decimal', precision: 4, scale: 2 } },
  {
    kind: 'struct',
    fields: [{ name: 'a "b"', type: { kind: 'list', element: { kind: 'date' } } }],
  },
]

/** Whole numbers as bigint, whatever type the engine gives them. */
function plain(value: RowValue): RowValue {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof Uint8Array ? [...value].map(plain) : value
}

export function dialectContract(open: () => Promise<Session>): void {
  it('has an example of each of its functions', () =>
    within(open, async ({ dialect }) => {
      const names = Object.entries(dialect).flatMap(([group, functions]) =>
        Object.keys(functions).map((name) => `${group}.${name}`),
      )
      const others = ['values.type', 'rows.number']
      expect([...Object.keys(examples), ...others].sort()).toEqual(names.sort())
    }))

  it('spells each type as one that a column can have', () =>
    within(open, async (session) => {
      const nulls = types.map((t, i) => `CAST(NULL AS ${session.dialect.values.type(t)}) AS c${i}`)
      const columns = await session.describe(`SELECT ${nulls.join(', ')}`)
      expect(columns.map(({ type }) => type)).toEqual(types)
    }))

  it('numbers the rows of what it keeps, however many there are', () =>
    within(open, async (session) => {
      const ten = '(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))'
      const digits = ['a', 'b', 'c', 'd', 'e'].map((name) => `${ten} AS ${name}(${name}0)`)
      const kept = await session.materialize(`SELECT a0 AS n FROM ${digits.join(' CROSS JOIN ')}`)
      const { number } = session.dialect.rows
      const [row] = await session.rows(
        `SELECT count(*) AS n, count(DISTINCT q.${number}) AS d, min(q.${number}) AS low, max(q.${number}) AS high FROM ${kept.sql} AS q`,
      )
      expect(row).toEqual({ n: 100_000n, d: 100_000n, low: 0n, high: 99_999n })
    }))

  it('fails with what it is told to say, where it is computed', () =>
    within(open, async (session) => {
      const { values } = session.dialect
      const kept = await session.materialize('SELECT 1 AS n UNION ALL SELECT 2 AS n')
      const sql = (bad: number) =>
        `SELECT CASE WHEN n <> ${bad} THEN 'fine' ELSE ${values.fail("'it''s 😀'")} END AS v FROM ${kept.sql}`
      await expect(session.rows(sql(2))).rejects.toThrow("it's 😀")
      expect(await session.rows(sql(3))).toEqual([{ v: 'fine' }, { v: 'fine' }])
    }))

  it.each(Object.entries(examples))('%s', (_, given) =>
    within(open, async (session) => {
      const all = given.map(([sql], i) => `${sql(session.dialect)} AS v${i}`)
      const [row] = await session.rows(`SELECT ${all.join(', ')}`)
      const found = given.map((_, i) => plain(row?.[`v${i}`] ?? null))
      expect(found).toEqual(given.map(([, value]) => plain(value)))
    }),
  )

  it.each(Object.entries(examples))('%s of rows', (name, given) =>
    within(open, async (session) => {
      for (const [sql, value] of given) {
        const { dialect, columns } = withColumns(session.dialect)
        const text = sql(dialect)
        const literals = columns.map((literal, i) => `${literal} AS c${i}`)
        // A row as it is, and for each argument one in which it is NULL.
        const lacking = columns.map((_, gone) =>
          columns.map((literal, i) => `${i === gone ? nullLike(literal) : literal} AS c${i}`),
        )
        const all = [literals, ...lacking].map(
          (row, i) => `SELECT ${[`${i} AS i`, ...row].join(', ')}`,
        )
        const kept = await session.materialize(all.join(' UNION ALL '))
        const rows = await session.rows(`SELECT ${text} AS v FROM ${kept.sql} AS k ORDER BY i`)
        expect(plain(rows[0]?.v ?? null)).toEqual(plain(value))
        if (isStrict(name, text))
          expect(rows.slice(1).map(({ v }) => v)).toEqual(lacking.map(() => null))
      }
    }),
  )

  it.each(Object.entries(standard))('%s', (_, given) =>
    within(open, async (session) => {
      const [row] = await session.rows(
        `SELECT ${given.map(([sql], i) => `${sql(session.dialect)} AS v${i}`).join(', ')}`,
      )
      expect(given.map((_, i) => plain(row?.[`v${i}`] ?? null))).toEqual(
        given.map(([, value]) => plain(value)),
      )
    }),
  )
}

/** What stands for one value in SQL of an example. */
const LITERAL = /^(?:'(?:[^']|'')*'|-?\d+|NULL)$/
const CAST = /^CAST\(('[^']*'|-?\d+|NULL) AS ([A-Z][A-Z0-9 (),]*)\)$/

const nullLike = (literal: string) =>
  /^-?\d/.test(literal) ? 'CAST(NULL AS INTEGER)' : 'CAST(NULL AS VARCHAR)'

/** Arguments that are no SQL, by their places. */
const inJavaScript: Readonly<Record<string, readonly number[]>> = {
  'values.tryCast': [1],
  'texts.before': [1],
  'texts.joinBy': [0],
  'times.parse': [1],
  'lists.present': [1],
  'json.value': [1],
}

/**
 * A dialect that reads values of its arguments from columns of a relation `k`, in the place of
 * constants.
 */
function withColumns(dialect: Dialect) {
  const columns: string[] = []
  const asColumn = (arg: unknown): unknown => {
    if (Array.isArray(arg))
      return arg.every((one) => Array.isArray(one) && one.length === 2)
        ? arg.map(([name, value]) => [name, asColumn(value)])
        : arg.map(asColumn)
    if (typeof arg !== 'string') return arg
    const [, inner, type] = CAST.exec(arg) ?? []
    if (inner) return `CAST(${asColumn(inner)} AS ${type})`
    if (!LITERAL.test(arg)) return arg
    columns.push(arg === 'NULL' ? nullLike(arg) : arg)
    return `k.c${columns.length - 1}`
  }
  const groups = Object.entries(dialect).map(([group, functions]) => {
    const wrapped = Object.entries(functions).map(([name, call]) => {
      if (typeof call !== 'function' || group === 'patterns') return [name, call]
      const plainly = inJavaScript[`${group}.${name}`] ?? []
      const inColumns = (...args: unknown[]) =>
        call(...args.map((arg, i) => (plainly.includes(i) ? arg : asColumn(arg))))
      return [name, inColumns]
    })
    return [group, Object.fromEntries(wrapped)]
  })
  const { patterns } = dialect
  const ofText = Object.entries(patterns).map(([name, call]) => [
    name,
    (text: string, ...others: unknown[]) => call(asColumn(text), ...others),
  ])
  return {
    dialect: { ...Object.fromEntries(groups), patterns: Object.fromEntries(ofText) } as Dialect,
    columns,
  }
}

/** Functions that say themselves what they make of NULL. */
const lenient = [
  'values.attempt',
  'values.hash',
  'values.struct',
  'values.fail',
  'texts.join',
  'texts.joinBy',
]

/** Whether NULL among the arguments has to give NULL: that is so of all functions of values. */
function isStrict(name: string, sql: string): boolean {
  const ofValues = /^(values|texts|patterns|times)\./.test(name)
  return ofValues && !lenient.includes(name) && !/ IS (NOT )?(NULL|DISTINCT)/.test(sql)
}
