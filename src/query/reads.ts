import { badRules, type Levels, type Rights, type TableRules } from '../define/access/rights.js'
import { quoteName } from '../define/sql/sql.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import type { TableRef } from '../sql/guard.js'
import type { Reads, RelationFiles, Reply } from './protocol.js'
import type { NamedColumn, Pushed } from './pushdown.js'
import type { Worker } from './query-process.js'
import { levelsOf } from './tables.js'

/** A table that is read, and a view that reads it where the query does not. */
interface Reached extends Reads {
  view?: string
}

interface Proved {
  tables: Reached[]
  views: RelationFiles[]
  functions: readonly string[]
  /** Whether it gives the same rows again, as long as its tables are the same. */
  isRepeatable: boolean
  /** Full names that the query has itself. */
  direct: ReadonlySet<string>
  /** Columns that are named; `undefined` when all of something are taken. */
  named: NamedColumn[] | undefined
}

/** A table that is read, with what is kept of it. */
export interface Found extends Reads {
  levels: Levels
  /** Whether the query names it, rather than a view that it reads. */
  isNamed: boolean
  rules: TableRules | undefined
  /**
   * Conditions that choose partitions alone: which files have rows with other values tells of rows
   * that are not shown.
   */
  ofPartitions?: readonly Pushed[]
}

const nameOf = ({ table: { tier, name } }: Reads) => `${tier}.${name}`.toLowerCase()

/** The tables that a query reads, directly or through views, and the views. */
export async function throughViews(
  worker: Worker,
  state: LakeState,
  asked: Pick<
    Extract<Reply, { type: 'parsed' }>,
    'tables' | 'functions' | 'named' | 'isRepeatable'
  >,
): Promise<Proved> {
  const known = new Map(
    Object.entries(state.views ?? {}).map(([name, view]) => [name.toLowerCase(), view]),
  )
  const tables = new Map<string, Reached>()
  const views: { read: Reads; relation: RelationFiles }[] = []
  const functions = [...asked.functions]
  let { isRepeatable } = asked
  for (const read of asked.tables) {
    const view = known.get(nameOf(read))
    if (!view) tables.set(nameOf(read), read)
    else
      views.push({
        read,
        relation: { ...read.table, schema: null, columns: [], files: [], query: view.sql },
      })
  }
  for (const { read, relation } of views) {
    const inside = await worker.ask({ type: 'tables', sql: relation.query ?? '' }, 'tables')
    functions.push(...inside.functions)
    isRepeatable &&= inside.isRepeatable
    for (const one of inside.tables) {
      const before = tables.get(nameOf(one))?.times ?? 0
      // Conditions of the question are not those of the view.
      tables.set(nameOf(one), {
        table: one.table,
        predicates: [],
        times: before + one.times * read.times,
        // Of what a view reads, no column is looked for.
        aliases: [],
        view: `${relation.tier}.${relation.name}`,
      })
    }
  }
  return {
    tables: [...tables.values()],
    views: views.map(({ relation }) => relation),
    functions,
    isRepeatable,
    direct: new Set(asked.tables.map(nameOf)),
    // What a view takes of a table is not looked into.
    named: views.length > 0 ? undefined : asked.named,
  }
}

/**
 * What is kept of each table from whoever asks. Conditions of the query say nothing of values that
 * it does not see, and files are not chosen by rows that it does not.
 */
export async function ruled(
  worker: Worker,
  state: LakeState,
  { tables, views, functions, named, direct, ...proved }: Proved,
  rights: Rights | undefined,
): Promise<{ tables: Found[]; named: NamedColumn[] | undefined; isRepeatable: boolean }> {
  const found: Found[] = []
  let columns = named
  let { isRepeatable } = proved
  for (const view of views) {
    const rules = rights?.rules(levelsOf(state, view))
    if (rules) isRepeatable &&= (await provedRules(worker, view, rules)).isRepeatable
  }
  for (const { view, ...read } of tables) {
    const levels = levelsOf(state, read.table)
    if (rights?.isClosed(levels)) throw closedView(view ?? nameOf(read))
    const rules = rights?.rules(levels)
    const isNamed = direct.has(nameOf(read))
    if (!rules) {
      found.push({ ...read, levels, isNamed, rules })
      continue
    }
    if (functions.includes('stats')) throw noStatistics()
    const inside = await provedRules(worker, read.table, rules)
    isRepeatable &&= inside.isRepeatable
    if (columns && inside.named) columns = [...columns, ...inside.named]
    else columns = undefined
    const own = unmasked(read.predicates, rules)
    const kept = inside.tables.flatMap(({ predicates }) => predicates)
    const chosen =
      rules.rows === undefined
        ? { predicates: [...own, ...kept] }
        : { predicates: kept, ofPartitions: own }
    found.push({ ...read, ...chosen, levels, isNamed, rules })
  }
  return { tables: found, named: columns, isRepeatable }
}

/** What rules read and call: they are proved as any SQL is. */
async function provedRules(worker: Worker, table: TableRef, rules: TableRules) {
  // What is wrong with a rule is nothing that whoever asks may read.
  const inside = await worker
    .ask({ type: 'tables', ...rulesSql(table, rules) }, 'tables')
    .catch((error) => {
      throw error instanceof MoraineError && error.kind === 'query' ? badRules(table) : error
    })
  if (inside.tables.length !== 1) throw badRules(table)
  return inside
}

/** Conditions of a query on columns that are shown as they are. */
function unmasked(predicates: readonly Pushed[], { masks }: TableRules): Pushed[] {
  const hidden = Object.keys(masks).map((column) => column.toLowerCase())
  return predicates.filter(({ column }) => !hidden.includes(column.toLowerCase()))
}

/** A query with nothing but rules. */
function rulesSql({ tier, name }: TableRef, { masks, rows }: TableRules) {
  const shown = Object.values(masks).map((mask) => `(${mask}\n)`)
  const where = rows === undefined ? '' : ` WHERE (${rows}\n)`
  return {
    sql: `SELECT ${shown.join(', ') || '1'} FROM ${quoteName(tier)}.${quoteName(name)}${where}`,
    expressions: [...Object.values(masks), ...(rows === undefined ? [] : [rows])],
  }
}

export function withViewRules(
  views: readonly RelationFiles[],
  state: LakeState,
  rights: Rights | undefined,
): RelationFiles[] {
  return views.map((view) => {
    const rules = rights?.rules(levelsOf(state, view))
    return rules ? { ...view, rules } : view
  })
}

/** Whoever asks may know of the view, and not of what it reads. */
function closedView(view: string): MoraineError {
  return new MoraineError('query', `${view} reads past rows of a table of which you see a part`, {
    hint: 'Ask for that table itself: what its masks and row filters hide is in its past rows too.',
  })
}

function noStatistics(): MoraineError {
  return new MoraineError('query', 'The function stats cannot be called on a table with rules', {
    hint: 'It would tell of values that are masked, and of rows that are not shown.',
  })
}
