import type { ResultRow, Session } from '../../engine/engine.js'
import type { Pair } from './columns.js'
import {
  byKeySql,
  byRowsSql,
  duplicatesSql,
  ordered,
  type SidesSql,
  sumSql,
  sumsOf,
} from './rows-sql.js'

/** Values of a row by column, as texts; `null` is SQL's NULL. */
export type ExampleRow = Readonly<Record<string, string | null>>

/** A row of which some columns have other values. */
export interface ChangedRow {
  key: ExampleRow
  /** Values before and after, of the columns that differ. */
  columns: Readonly<Record<string, readonly [before: string | null, after: string | null]>>
}

/** How a column differs, over the rows that differ: what both sides share cancels out. */
export interface ColumnDiff {
  column: string
  /** Rows of one key that have another value in it; 0 without a key. */
  changed: number
  nulls: Moved<number>
  min: Moved<string | null>
  max: Moved<string | null>
  /** Of numbers. */
  sum?: Moved<string | null>
  /** Values that are there more or less often, the most moved first; of texts and booleans. */
  values?: readonly { value: string | null; before: number; after: number }[]
}

export interface Moved<T> {
  before: T
  after: T
}

/** Which rows two versions of a table do not share, exactly. */
export interface RowsDiff {
  /** The columns by which rows are paired; none where whole rows are counted. */
  key: readonly string[]
  /** Why rows are not paired by the key that was expected. */
  note?: string
  added: number
  removed: number
  changed: number
  columns: readonly ColumnDiff[]
  examples: {
    added: readonly ExampleRow[]
    removed: readonly ExampleRow[]
    changed: readonly ChangedRow[]
  }
}

/** How rows are compared. */
export interface RowsAsked {
  pairs: readonly Pair[]
  /** The key that is expected; none where there may be one among `guesses`. */
  key: readonly string[]
  /** What may be a key; where none of them is, whole rows are compared. */
  guesses: readonly (readonly string[])[]
  /** Whether each side is known to have each key once. */
  isUnique: boolean
  /** Examples of each kind, at most. */
  examples: number
}

/** Compares the rows of two sides; both are read once. */
export async function diffRows(
  session: Session,
  sides: SidesSql,
  asked: RowsAsked,
): Promise<RowsDiff> {
  const { pairs, examples } = asked
  const { key, note } =
    asked.key.length > 0
      ? await usableKey(session, sides, asked)
      : { key: await guessedKey(session, sides, asked), note: undefined }
  const sql =
    key.length > 0
      ? byKeySql(session.dialect, sides, pairs, key)
      : byRowsSql(session.dialect, sides, pairs)
  const differing = await session.materialize(sql)
  try {
    const rows = new Differing(session, differing.sql, pairs, key)
    const totals = await rows.totals()
    return {
      key,
      ...(note ? { note } : {}),
      ...totals,
      columns: await rows.columns(),
      examples: {
        added: await rows.examples('b', examples),
        removed: await rows.examples('a', examples),
        changed: key.length > 0 ? await rows.changedExamples(examples) : [],
      },
    }
  } finally {
    await session.drop([differing])
  }
}

async function usableKey(
  session: Session,
  sides: SidesSql,
  { pairs, key, isUnique }: Pick<RowsAsked, 'pairs' | 'key' | 'isUnique'>,
): Promise<{ key: readonly string[]; note?: string }> {
  const missing = key.find((name) => !pairs.some((pair) => pair.name === name))
  if (missing !== undefined)
    return {
      key: [],
      note: `only one side has the key column '${missing}': whole rows are compared`,
    }
  if (isUnique) return { key }
  const found = await severalRows(session, sides, pairs, key)
  if (!found) return { key }
  const { n, when } = found
  return {
    key: [],
    note: `${n} ${n === 1 ? 'key has' : 'keys have'} several rows ${when}: whole rows are compared`,
  }
}

/** The first of the guesses that is a key of both sides; whoever calls has promised none. */
async function guessedKey(
  session: Session,
  sides: SidesSql,
  { pairs, guesses }: Pick<RowsAsked, 'pairs' | 'guesses'>,
): Promise<readonly string[]> {
  for (const guess of guesses) {
    const key = guess.map(
      (name) => pairs.find((pair) => pair.name.toLowerCase() === name.toLowerCase())?.name,
    )
    if (key.length === 0 || !key.every((name) => name !== undefined)) continue
    if (!(await severalRows(session, sides, pairs, key))) return key
  }
  return []
}

/** How many keys have several rows, and on which side; `undefined` for none on either. */
async function severalRows(
  session: Session,
  sides: SidesSql,
  pairs: readonly Pair[],
  key: readonly string[],
): Promise<{ n: number; when: 'before' | 'after' } | undefined> {
  for (const when of ['before', 'after'] as const) {
    const sql = duplicatesSql(session.dialect, sides, when, { pairs, key })
    const [row] = await session.rows(sql)
    const n = Number(row?.n)
    if (n > 0) return { n, when }
  }
  return undefined
}

/** Rows that differ, as `rows-sql` gives them. */
class Differing {
  constructor(
    private readonly session: Session,
    private readonly from: string,
    private readonly pairs: readonly Pair[],
    private readonly key: readonly string[],
  ) {}

  async totals(): Promise<Pick<RowsDiff, 'added' | 'removed' | 'changed'>> {
    const [row = {}] = await this.session.rows(`SELECT
      coalesce(sum(_wb) FILTER (WHERE _wa = 0), 0) AS added,
      coalesce(sum(_wa) FILTER (WHERE _wb = 0), 0) AS removed,
      count(*) FILTER (WHERE _wa > 0 AND _wb > 0) AS changed FROM ${this.from}`)
    const [added, removed, changed] = [row.added, row.removed, row.changed].map(Number)
    return { added, removed, changed } as Pick<RowsDiff, 'added' | 'removed' | 'changed'>
  }

  /** Columns in which something moved. */
  async columns(): Promise<ColumnDiff[]> {
    const { pairs } = this
    if (pairs.length === 0) return []
    const parts = pairs.flatMap((pair, i) => {
      const both = `_wa > 0 AND _wb > 0 AND a${i} IS DISTINCT FROM b${i}`
      const side = (s: 'a' | 'b') => {
        const [value, there] = [`${s}${i}`, `_w${s} > 0`]
        const sum = sumSql(this.session.dialect, pair, value, `_w${s}`)
        return [
          `coalesce(sum(_w${s}) FILTER (WHERE ${value} IS NULL), 0) AS nulls_${s}${i}`,
          `CAST(min(${ordered(pair, value)}) FILTER (WHERE ${there}) AS VARCHAR) AS min_${s}${i}`,
          `CAST(max(${ordered(pair, value)}) FILTER (WHERE ${there}) AS VARCHAR) AS max_${s}${i}`,
          ...(sum ? [`CAST(${sum} AS VARCHAR) AS sum_${s}${i}`] : []),
        ]
      }
      return [`count(*) FILTER (WHERE ${both}) AS changed${i}`, ...side('a'), ...side('b')]
    })
    const [row = {}] = await this.session.rows(`SELECT ${parts.join(',\n')} FROM ${this.from}`)
    const all = pairs.map((pair, i) => columnOf(pair, i, row))
    const moved = all.filter(hasMoved)
    return Promise.all(
      moved.map(async (column) => ({ ...column, ...(await this.values(column.column)) })),
    )
  }

  private async values(name: string): Promise<Pick<ColumnDiff, 'values'>> {
    const i = this.pairs.findIndex((pair) => pair.name === name)
    const kind = this.pairs[i]?.type.kind
    if (this.key.includes(name) || (kind !== 'string' && kind !== 'boolean')) return {}
    const rows =
      await this.session.rows(`SELECT CAST(v AS VARCHAR) AS v, sum(na) AS na, sum(nb) AS nb FROM (
        SELECT a${i} AS v, _wa AS na, 0 AS nb FROM ${this.from} WHERE _wa > 0
        UNION ALL SELECT b${i}, 0, _wb FROM ${this.from} WHERE _wb > 0)
      GROUP BY v HAVING sum(na) <> sum(nb) ORDER BY abs(sum(nb) - sum(na)) DESC, v LIMIT 5`)
    const values = rows.map(({ v, na, nb }) => {
      return { value: textOf(v), before: Number(na), after: Number(nb) }
    })
    return values.length > 0 ? { values } : {}
  }

  /** Rows that only one side has, in the order of their keys. */
  async examples(side: 'a' | 'b', limit: number): Promise<ExampleRow[]> {
    const { pairs } = this
    const other = side === 'a' ? 'b' : 'a'
    // Under names of their own: rows are in the order of values, not of their texts.
    const values = pairs.map((_, i) => `CAST(${side}${i} AS VARCHAR) AS v${i}`)
    if (values.length === 0) return []
    const rows = await this.session.rows(`SELECT ${values.join(', ')} FROM ${this.from}
      WHERE _w${side} > 0 AND _w${other} = 0 ORDER BY ${this.order(side)} LIMIT ${limit}`)
    return rows.map((row) =>
      Object.fromEntries(pairs.map(({ name }, i) => [name, textOf(row[`v${i}`])])),
    )
  }

  async changedExamples(limit: number): Promise<ChangedRow[]> {
    const { pairs, key } = this
    const values = pairs.flatMap((_, i) => [
      `CAST(a${i} AS VARCHAR) AS v${i}`,
      `CAST(b${i} AS VARCHAR) AS w${i}`,
      `a${i} IS DISTINCT FROM b${i} AS d${i}`,
    ])
    const rows = await this.session.rows(`SELECT ${values.join(', ')} FROM ${this.from}
      WHERE _wa > 0 AND _wb > 0 ORDER BY ${this.order('b')} LIMIT ${limit}`)
    return rows.map((row) => ({
      key: Object.fromEntries(
        pairs.flatMap(({ name }, i) => (key.includes(name) ? [[name, textOf(row[`w${i}`])]] : [])),
      ),
      columns: Object.fromEntries(
        pairs.flatMap(({ name }, i) =>
          row[`d${i}`] === true
            ? [[name, [textOf(row[`v${i}`]), textOf(row[`w${i}`])] as const]]
            : [],
        ),
      ),
    }))
  }

  private order(side: 'a' | 'b'): string {
    const own = this.pairs.flatMap(({ name }, i) =>
      this.key.includes(name) ? [`${side}${i}`] : [],
    )
    return own.length > 0 ? own.join(', ') : this.pairs.map((_, i) => `${side}${i}`).join(', ')
  }
}

const textOf = (value: unknown): string | null =>
  value === null || value === undefined ? null : String(value)

function columnOf(pair: Pair, i: number, row: ResultRow): ColumnDiff {
  const moved = (what: string) => {
    return { before: textOf(row[`${what}_a${i}`]), after: textOf(row[`${what}_b${i}`]) }
  }
  const nulls = { before: Number(row[`nulls_a${i}`]), after: Number(row[`nulls_b${i}`]) }
  return {
    column: pair.name,
    changed: Number(row[`changed${i}`]),
    nulls,
    min: moved('min'),
    max: moved('max'),
    ...(`sum_a${i}` in row
      ? { sum: sumsOf(textOf(row[`sum_a${i}`]), textOf(row[`sum_b${i}`])) }
      : {}),
  }
}

function hasMoved({ changed, nulls, min, max, sum }: ColumnDiff): boolean {
  const moved = [nulls, min, max, ...(sum ? [sum] : [])]
  return changed > 0 || moved.some(({ before, after }) => before !== after)
}
