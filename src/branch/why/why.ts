import { fullName } from '../../define/dataset.js'
import type { Gold } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import type { Relation, Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { compareDefinitions } from '../../plan/changes.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { expiredBy } from '../../plan/refused/expired.js'
import { type Traced, traceQuery } from '../../plan/why/trace.js'
import { Uninvertible } from '../../plan/why/uninvertible.js'
import { hash } from '../../step/context.js'
import { type Line, type LineContext, linesOf, NUMBER, silverOf } from './lines.js'
import { type GoldQueries, goldQueries } from './queries.js'
import { differing } from './same-rows.js'
import { defineFound, defineWithIds, FOUND, tracedTable, typesOf, WITH_IDS } from './traced-rows.js'

/** A row as texts, by the names of its columns. */
export type TextRow = Record<string, string | null>

/** What is asked: rows of a gold dataset, of which one column may be meant. */
export interface WhyAsked {
  dataset: Gold
  /** The rows as they are stored. */
  rows: readonly TextRow[]
  column?: string | undefined
  /** Rows of each dataset that are shown, at most. */
  most: number
  /** The lake is not as it is now, but as it was. */
  past?: boolean
}

/** Rows of a dataset that a value was made of. */
export interface Origin {
  dataset: string
  /** Its key, where it has one. */
  key: readonly string[]
  /** How many there are. */
  count: number
  /** Columns of it that the value, or the row, is computed from. */
  columns: string[]
  /** The first of them. */
  rows: { values: TextRow; from: Line | null }[]
}

/** What values of a gold dataset were made of. */
export interface Why {
  dataset: string
  column?: string
  rows: readonly TextRow[]
  origins: Origin[]
  /**
   * Datasets that conditions look into: beside what is told, the values depend on all their rows.
   */
  lookedInto: string[]
  /** Columns that compare rows with others: what is told is not about them. */
  compared: string[]
}

/**
 * Finds the rows that values of gold were made of, by its query turned around, and computes the
 * values anew from those rows alone.
 *
 * @throws MoraineError of kind `usage` that says why, where they can't be told.
 */
export async function explain(
  context: LineContext,
  session: Session,
  asked: WhyAsked,
): Promise<Why> {
  try {
    return await new Explaining(context, session, asked).explain()
  } catch (error) {
    if (!(error instanceof Uninvertible)) throw error
    const what = asked.column
      ? `${fullName(asked.dataset)}.${asked.column}`
      : fullName(asked.dataset)
    throw new MoraineError('usage', `The rows behind ${what} can't be told: ${error.message}`, {
      place: asked.dataset.query.place,
      hint: error.hint,
    })
  }
}

/** A column with the ids of the rows that a row is made of. */
const ROW_IDS = '_why_ids'

class Explaining {
  constructor(
    private readonly context: LineContext,
    private readonly session: Session,
    private readonly asked: WhyAsked,
  ) {}

  async explain(): Promise<Why> {
    const { dataset, column, rows } = this.asked
    const queries = await goldQueries(this.session, this.context.relations, dataset)
    const traced = this.traced(queries, true)
    const { storage, relations } = this.context
    const tables = await Promise.all(
      traced.datasets.map((name) => tracedTable(storage, relations, name)),
    )
    for (const table of tables) await defineWithIds(this.session, table)
    const ids = await this.ids(queries, traced)
    const origins: Origin[] = []
    for (const table of tables) {
      const found = await defineFound(this.session, table, ids)
      const columns = this.columnsOf(queries, traced, table.name)
      origins.push({
        dataset: table.name,
        key: silverOf(this.context.lake, table.name)?.key ?? [],
        count: found.count,
        columns,
        rows: await this.shown(table.name, found.rows, typesOf(table), columns),
      })
    }
    await this.prove(queries)
    return {
      dataset: fullName(dataset),
      ...(column ? { column } : {}),
      ...{ rows, origins, lookedInto: traced.whole, compared: traced.untraced },
    }
  }

  private traced({ trees }: GoldQueries, withIds: boolean): Traced {
    const { dataset, column } = this.asked
    const own = fullName(dataset).toLowerCase()
    return traceQuery({
      serialized: trees.get(own) as string,
      queries: new Map([...trees].filter(([name]) => name !== own)),
      column,
      withIds,
      schema: withIds ? WITH_IDS : FOUND,
    })
  }

  /** SQL for the rows of a traced query, in the types of the dataset. */
  private async computed({ fields }: GoldQueries, { expression, ids, windows }: Traced) {
    const { values } = this.session.dialect
    const typed = fields.map(({ name, type }) => {
      const own = quoteName(name)
      return `CAST(${own} AS ${values.type(type)}) AS ${own}`
    })
    const added = [...(ids ? [`${ids} AS ${ROW_IDS}`] : []), ...windows.flat()]
    const text = await this.session.parser.text(expression)
    return `SELECT ${[...typed, ...added].join(', ')} FROM ${text} AS q`
  }

  /** The ids of all rows that the asked rows are made of. */
  private async ids(queries: GoldQueries, traced: Traced): Promise<Relation> {
    const { session } = this
    const sql = await this.computed(queries, traced)
    const condition = this.condition(queries.fields, traced)
    const mine = await session.materialize(`SELECT * FROM (${sql}) WHERE ${condition}`)
    const [row] = await session.rows(`SELECT count(*) AS n FROM ${mine.sql}`)
    const { rows } = this.asked
    if (Number(row?.n) > rows.length) throw notAlone(rows)
    if (Number(row?.n) < rows.length) throw this.hasMoved(queries, traced)
    const partitions: string[] = []
    for (const names of traced.windows) partitions.push(await this.partition(sql, mine, names))
    const all = [`SELECT ${ROW_IDS} FROM ${mine.sql}`, ...partitions].join(' UNION ALL ')
    return session.materialize(
      `SELECT DISTINCT id.dataset AS dataset, id.file AS file, id.place AS place
       FROM (SELECT ${session.dialect.lists.each(ROW_IDS)} AS id FROM (${all}))`,
    )
  }

  /**
   * SQL for the ids of rows that share a partition with the asked ones. Where these are known as
   * constants, the engine reads no other partition; it can't move a join down so far.
   */
  private async partition(sql: string, mine: Relation, names: readonly string[]): Promise<string> {
    const { session } = this
    const shared = await sharedValues(session, mine, names)
    if (shared) return `SELECT p.${ROW_IDS} FROM (${sql}) AS p WHERE ${shared}`
    const same = names.map((name) => `p.${name} IS NOT DISTINCT FROM m.${name}`)
    const on = { on: same.join(' AND ') }
    return `SELECT p.${ROW_IDS} FROM ${session.dialect.rows.semiJoin(`(${sql}) AS p`, `${mine.sql} AS m`, on)}`
  }

  private hasMoved(queries: GoldQueries, { datasets }: Traced): Uninvertible {
    const { rows, past } = this.asked
    const { tables } = this.context.relations.view
    const changed = past ? this.redefined(queries) : undefined
    if (changed)
      return new Uninvertible(
        `the definition of ${changed} has changed since`,
        'Ask with the lake.ts of that time, or without --at',
      )
    const expired = datasets.filter((name) => expiredBy(tables[name]?.retention).length > 0)
    const other = many(rows, 'that row is another', 'these rows are others')
    if (expired.length > 0)
      return new Uninvertible(
        `computed from what has not expired of ${expired.join(', ')}, ${other}`,
        'Ask about newer rows, or bring it up to date with moraine run',
      )
    return new Uninvertible(
      `computed from its inputs as they are ${past ? 'there' : 'now'}, ${other}`,
      past
        ? 'Its inputs were others when it was built: ask with --at of a commit behind its next build'
        : 'Bring it up to date with moraine run, and ask again',
    )
  }

  /** A gold dataset among those asked about that was built by another definition. */
  private redefined({ trees }: GoldQueries): string | undefined {
    const { tables, views } = this.context.relations.view
    const all = this.context.lake.datasets.filter((one) => trees.has(fullName(one).toLowerCase()))
    const found = all.find((one) => {
      const { definition } = tables[fullName(one)] ?? views?.[fullName(one)] ?? {}
      if (typeof definition !== 'object') return false
      return compareDefinitions(definition, definitionOf(one, hash), ALL) !== undefined
    })
    return found && fullName(found)
  }

  /**
   * A condition that holds for the asked rows, and others that are equal in all that is compared.
   */
  private condition(fields: readonly Field[], { untraced }: Traced): string {
    const { values } = this.session.dialect
    const known = fields.filter(
      ({ name, type }) => isComparable(type.kind) && !untraced.includes(name.toLowerCase()),
    )
    if (known.length === 0)
      throw new Uninvertible('no column tells its rows apart', 'Add a column with a key')
    const rows = this.asked.rows.map((row) =>
      known
        .map(({ name, type }) => {
          const text = row[name] ?? null
          if (text === null) return `${quoteName(name)} IS NULL`
          return `${quoteName(name)} = CAST(${quoteText(text)} AS ${values.type(type)})`
        })
        .join(' AND '),
    )
    return `(${rows.join(') OR (')})`
  }

  /** Computes the asked rows from the rows that were found and from no others. */
  private async prove(queries: GoldQueries): Promise<void> {
    const again = this.traced(queries, false)
    const sql = await this.computed(queries, again)
    const condition = this.condition(queries.fields, again)
    const fields = queries.fields.filter(({ name }) => !again.untraced.includes(name.toLowerCase()))
    const texts = fields.map(
      ({ name }) => `CAST(${quoteName(name)} AS VARCHAR) AS ${quoteName(name)}`,
    )
    const rows = await this.session.rows(
      `SELECT ${texts.join(', ')} FROM (${sql}) WHERE ${condition}`,
    )
    const differs = differing(fields, this.asked.rows, rows as TextRow[])
    if (differs === undefined) return
    throw new Uninvertible(
      `from the rows that were found alone, ${differs}`,
      'Its value depends on more than the rows of its group; ask for another column with --column',
    )
  }

  private columnsOf(queries: GoldQueries, { untraced }: Traced, table: string): string[] {
    const { column } = this.asked
    const names = column
      ? [column]
      : queries.fields.map(({ name }) => name).filter((n) => !untraced.includes(n.toLowerCase()))
    const found = names.flatMap((name) => queries.sourcesOf(name))
    return [...new Set(found.filter((one) => one.table === table).map((one) => one.column))]
  }

  /** The first rows of those that were found, each with its line in bronze. */
  private async shown(
    table: string,
    found: Relation,
    types: ReturnType<typeof typesOf>,
    used: readonly string[],
  ) {
    const { session, context } = this
    const silver = silverOf(context.lake, table)
    const declared = silver ? Object.keys(silver.schema.shape) : [...types.keys()]
    // Beside what a schema declares, rows of silver have lineage, and versions when they held.
    const added = table.startsWith('history.') ? [...used, 'valid_from', 'valid_to'] : used
    const own = [...new Set([...declared, ...added])]
    const order = [
      ...(silver?.key ?? []),
      ...own.filter((name) => isComparable(types.get(name)?.kind)),
    ]
    const names = own.filter((name) => types.has(name))
    const by = [...new Set(order)].map((name) => `t.${quoteName(name)}`).join(', ') || "''"
    const first = await session.materialize(
      `SELECT row_number() OVER (ORDER BY ${by}) AS ${NUMBER}, t.*
       FROM ${found.sql} AS t ORDER BY ${NUMBER} LIMIT ${this.asked.most}`,
    )
    const texts = names.map((name, i) => `CAST(${quoteName(name)} AS VARCHAR) AS v${i}`)
    const rows = await session.rows(
      `SELECT ${[NUMBER, ...texts].join(', ')} FROM ${first.sql} ORDER BY ${NUMBER}`,
    )
    const lines = silver ? await linesOf(context, session, silver, first) : new Map<number, Line>()
    return rows.map((row) => ({
      values: Object.fromEntries(names.map((name, i) => [name, textOf(row[`v${i}`])])),
      from: lines.get(Number(row[NUMBER])) ?? null,
    }))
  }
}

/** Nothing is known of what was there: definitions alone are compared. */
const ALL = { discarded: 0, isNull: () => false }

/** Types whose values are what their texts say. */
const EXACT =
  /^(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(\d+,\d+\)|VARCHAR|DATE|TIMESTAMP)$/

/** A condition on `p` that its columns have values which rows have; `undefined` for some types. */
async function sharedValues(
  session: Session,
  rows: Relation,
  names: readonly string[],
): Promise<string | undefined> {
  const columns = await session.describe(`SELECT ${names.join(', ')} FROM ${rows.sql}`)
  if (!columns.every(({ sqlType }) => EXACT.test(sqlType))) return undefined
  const texts = names.map((name, i) => `CAST(${name} AS VARCHAR) AS v${i}`)
  const found = await session.rows(`SELECT DISTINCT ${texts.join(', ')} FROM ${rows.sql}`)
  const conditions = found.map((row) =>
    names
      .map((name, i) => {
        const text = textOf(row[`v${i}`])
        if (text === null) return `p.${name} IS NULL`
        return `p.${name} = CAST(${quoteText(text)} AS ${columns[i]?.sqlType})`
      })
      .join(' AND '),
  )
  return `((${conditions.join(') OR (')}))`
}

const many = (rows: readonly unknown[], one: string, several: string) =>
  rows.length > 1 ? several : one

const notAlone = (rows: readonly TextRow[]) =>
  new Uninvertible(
    `other rows are equal to ${many(rows, 'it', 'them')} in all that is compared`,
    'Ask about all rows that are equal, with --where; columns that compare rows with others tell no rows apart',
  )

const textOf = (value: unknown) => (value === null || value === undefined ? null : String(value))

/** Whether values of a kind are told apart by their texts. */
function isComparable(kind: string | undefined): boolean {
  return !['float', 'double', 'list', 'struct', 'map', 'binary', undefined].includes(kind)
}
