import { type AstNode, nodesOf, queryIn } from '../ast.js'
import { isAggregate } from '../functions.js'
import { refuseLookups } from './lookups.js'
import {
  call,
  column,
  groupedByAll,
  isNotNull,
  nullValue,
  overPartition,
  ownNodes,
  scalar,
  subquery,
} from './nodes.js'
import { Uninvertible } from './uninvertible.js'
import { type Asked, rootColumns } from './windows.js'

/** The column of a base relation that says which row it is, as a list of one. */
export const IDS = '_why'

/** What a query is traced with. */
export interface Tracing extends Asked {
  /** What the parser gave for the query. */
  serialized: string
  /**
   * The queries of gold datasets that it reads, by their full names: they are put in their place.
   */
  queries: ReadonlyMap<string, string>
  /** The schema that has the rows of datasets, by their full names. */
  schema: string
  /** Whether those relations have {@link IDS}, which the result is to have too. */
  withIds: boolean
}

/** A query over other relations, whose rows say which rows of datasets they are made of. */
export interface Traced {
  /** The query in parentheses, to be written as text. */
  expression: AstNode
  /** The column with the rows that a row is made of, where they are asked for. */
  ids: string | undefined
  /** Datasets whose rows are traced. */
  datasets: string[]
  /** Datasets that conditions and queries in expressions look into: all their rows are. */
  whole: string[]
  /** Columns of the result that compare rows with others: not traced. */
  untraced: string[]
  /** For each window that is traced, added columns that the rows of a partition share. */
  windows: string[][]
}

/**
 * Turns a query into one whose rows say which rows of datasets they are made of: each relation
 * hands its rows' ids on, groups collect those of their rows. What can't be followed so is refused.
 *
 * @throws Uninvertible
 */
export function traceQuery(tracing: Tracing): Traced {
  const root = rootOf(tracing.serialized)
  refuseLookups(root, tracing)
  const { node, untraced, windows } = rootColumns(root, tracing)
  const tracer = new Tracer(tracing)
  const { node: query, ids } = tracer.query(node, [], true)
  if (tracer.datasets.size === 0)
    throw new Uninvertible(
      'it is made of no dataset’s rows',
      'Ask it of a dataset that reads others',
    )
  return {
    expression: scalar(query),
    ids,
    datasets: [...tracer.datasets],
    whole: [...tracer.whole],
    untraced,
    windows,
  }
}

function rootOf(serialized: string): AstNode {
  // A tree is made text again: digits that JavaScript can't hold would be others.
  if (/"(?:value|upper|lower)":-?\d{16,}/.test(serialized))
    throw new Uninvertible(
      'its query has a number with more than 15 digits',
      'Write it as a text that is cast',
    )
  const root = queryIn(serialized)
  if (!root) throw new Uninvertible('its query is not a plain SELECT', 'Write it as a plain SELECT')
  const nodes = [...nodesOf(root)]
  const tables = new Set(
    nodes.filter(({ type }) => type === 'BASE_TABLE').map((one) => tableName(one).toLowerCase()),
  )
  for (const node of nodes) {
    if ('query_location' in node) node.query_location = 0
    const names = node.class === 'COLUMN_REF' ? (node.column_names as string[]) : []
    // What is no table of the query is an alias, with a field of a struct.
    if (names.length > 2 && tables.has(names.slice(0, 2).join('.').toLowerCase()))
      node.column_names = names.slice(1)
  }
  return root
}

const tableName = ({ schema_name: schema, table_name: name }: AstNode) => `${schema}.${name}`

/** A relation with the column of its rows' ids, if it is traced. */
interface Known {
  name: string
  ids: string | undefined
}

/**
 * A query in WITH. FROM reads a copy of it that is traced; it stays itself for conditions, which
 * look into all of its rows.
 */
interface Cte {
  name: string
  query: AstNode
  /** What stands before it. */
  scope: readonly Cte[]
  /** The copy, which is made when FROM names it first. */
  traced?: Known
  entry: CteEntry
  copy?: CteEntry
}

interface CteEntry {
  key: string
  value: Record<string, unknown>
}

class Tracer {
  readonly datasets = new Set<string>()
  readonly whole = new Set<string>()
  private made = 0

  constructor(private readonly tracing: Tracing) {}

  private name(): string {
    return `${IDS}_${++this.made}`
  }

  query(node: AstNode, outer: readonly Cte[], isRoot = false): { node: AstNode; ids?: string } {
    const { map } = node.cte_map as { map: CteEntry[] }
    let scope = outer
    const own = map.map((entry): Cte => {
      const { node: query } = entry.value.query as { node: AstNode }
      const cte = { name: entry.key.toLowerCase(), query, scope, entry }
      scope = [cte, ...scope]
      return cte
    })
    const traced = this.body({ ...node, cte_map: { map: [] } }, scope, isRoot)
    const entries = own.flatMap(({ entry, copy }) => (copy ? [entry, copy] : [entry]))
    return { ...traced, node: { ...traced.node, cte_map: { map: entries } } }
  }

  private body(node: AstNode, scope: readonly Cte[], isRoot: boolean) {
    if (node.type === 'SET_OPERATION_NODE') return this.union(node, scope)
    if (node.type !== 'SELECT_NODE')
      throw new Uninvertible(
        'its query is recursive, or none that is followed',
        'Move that part into a dataset of its own',
      )
    return this.select(node, scope, isRoot)
  }

  /** The copy of a query in WITH whose rows are traced. */
  private tracedCte(cte: Cte): Known {
    if (cte.traced) return cte.traced
    const { node, ids } = this.query(cte.query, cte.scope)
    const { value } = cte.entry
    const aliases = value.aliases as string[]
    const named = ids && aliases.length > 0 ? [...aliases, ids] : aliases
    const traced = { name: this.name(), ids }
    const query = { node, named_param_map: [] }
    cte.copy = { key: traced.name, value: { ...value, aliases: named, query } }
    cte.traced = traced
    return traced
  }

  private union(node: AstNode, scope: readonly Cte[]): { node: AstNode; ids?: string } {
    const kind = String(node.setop_type)
    if (kind !== 'UNION' && kind !== 'UNION_BY_NAME')
      throw new Uninvertible(
        `${kind} keeps rows because of others that are not there`,
        'Write it as a join',
      )
    const sides = [node.left, node.right].map((side) => this.query(side as AstNode, scope))
    const modifiers = node.modifiers as AstNode[]
    if (!this.tracing.withIds || sides.every(({ ids }) => ids === undefined))
      return { node: { ...node, left: sides[0]?.node, right: sides[1]?.node } }
    const ids = this.name()
    const [left, right] = sides.map((side) => this.renamed(side, ids))
    const whole = { ...node, left, right }
    if (node.setop_all) return { node: whole, ids }
    refuseLimit(modifiers)
    return this.collected({ ...whole, setop_all: true, modifiers: [] }, ids)
  }

  /** A query whose last column has the ids, under another name. */
  private renamed({ node, ids }: { node: AstNode; ids?: string }, name: string): AstNode {
    if (node.type === 'SELECT_NODE') {
      const items = node.select_list as AstNode[]
      const own = { ...(ids ? items.at(-1) : nullValue()), alias: name }
      return { ...node, select_list: [...(ids ? items.slice(0, -1) : items), own] }
    }
    const sides = [node.left, node.right] as AstNode[]
    const [left, right] = sides.map((side) =>
      this.renamed({ node: side, ...(ids && { ids }) }, name),
    )
    return { ...node, left, right }
  }

  /** The distinct rows of a query, each with the ids of all that are the same. */
  private collected(node: AstNode, ids: string): { node: AstNode; ids: string } {
    const name = this.name()
    const all = { ...gathered(column(ids)), alias: name }
    return { node: groupedByAll(subquery(node, 'q'), ids, all), ids: name }
  }

  private select(node: AstNode, scope: readonly Cte[], isRoot: boolean) {
    if (node.sample)
      throw new Uninvertible('its query takes a sample of rows', 'Leave the sample out')
    const known: Known[] = []
    const from = this.relation(node.from_table as AstNode, scope, known)
    const parts = [node.select_list, node.where_clause, node.having, node.qualify, from]
    for (const expression of ownNodes(parts).filter(({ class: kind }) => kind === 'SUBQUERY'))
      this.lookInto(expression, scope)
    const traced = known.filter((one) => one.ids !== undefined)
    const list = hiding(node.select_list as AstNode[], traced)
    const plain = { ...node, from_table: from, select_list: list }
    if (!this.tracing.withIds || traced.length === 0) return { node: plain }
    const name = this.name()
    const own = together(traced.map(({ name: of, ids }) => column(of, ids as string)))
    const grouped = isGrouped(node) ? gathered(own) : own
    const all = isRoot ? grouped : this.withPartitions(node, grouped)
    const selected = { ...plain, select_list: [...list, { ...all, alias: name }] }
    const modifiers = node.modifiers as AstNode[]
    const isDistinct = modifiers.some(
      ({ type, distinct_on_targets: on }) =>
        type === 'DISTINCT_MODIFIER' && (on as unknown[]).length === 0,
    )
    if (!isDistinct) return { node: selected, ids: name }
    refuseLimit(modifiers)
    return this.collected({ ...selected, modifiers: [] }, name)
  }

  /** Where windows look at other rows of their partition, those are part of each row. */
  private withPartitions({ select_list }: AstNode, own: AstNode): AstNode {
    const windows = ownNodes(select_list).filter(({ class: kind }) => kind === 'WINDOW')
    const distinct = new Map(windows.map((one) => [JSON.stringify(one.partitions), one]))
    const others = [...distinct.values()].map((window) => {
      const partitions = window.partitions as AstNode[]
      if (partitions.length === 0)
        throw new Uninvertible(
          `the window of ${window.function_name} has no PARTITION BY: each of its rows is compared with all others`,
          'Give it a PARTITION BY, or move it into a dataset of its own',
        )
      return call('flatten', [overPartition('list', own, partitions)])
    })
    return together([own, ...others])
  }

  private relation(from: AstNode, scope: readonly Cte[], known: Known[]): AstNode {
    if (from.type === 'JOIN') return this.join(from, scope, known)
    if (from.sample)
      throw new Uninvertible('its query takes a sample of rows', 'Leave the sample out')
    const alias = String(from.alias || from.table_name || '')
    if (from.type === 'SUBQUERY') {
      const { node } = from.subquery as { node: AstNode }
      return this.inPlace(from, alias || `q${++this.made}`, this.query(node, scope), known)
    }
    if (from.type !== 'BASE_TABLE') {
      if (['EMPTY', 'TABLE_FUNCTION', 'EXPRESSION_LIST'].includes(String(from.type))) return from
      throw new Uninvertible(`it is not known how to follow rows through ${from.type}`, PLAIN)
    }
    const name = String(from.table_name)
    if (!from.schema_name) {
      const cte = scope.find((one) => one.name === name.toLowerCase())
      if (!cte) return from
      const { name: copy, ids } = this.tracedCte(cte)
      known.push({ name: alias, ids })
      return { ...from, alias, table_name: copy }
    }
    const full = `${from.schema_name}.${name}`
    const inner = this.tracing.queries.get(full.toLowerCase())
    if (inner !== undefined) return this.inPlace(from, alias, this.query(rootOf(inner), []), known)
    this.datasets.add(full)
    known.push({ name: alias, ids: this.tracing.withIds ? IDS : undefined })
    return { ...from, alias, schema_name: this.tracing.schema, table_name: full }
  }

  private inPlace(
    from: AstNode,
    alias: string,
    { node, ids }: { node: AstNode; ids?: string },
    known: Known[],
  ): AstNode {
    known.push({ name: alias, ids })
    return subquery(node, alias, (from.column_name_alias as string[] | undefined) ?? [])
  }

  private join(from: AstNode, scope: readonly Cte[], known: Known[]): AstNode {
    if (from.ref_type === 'NATURAL' || from.ref_type === 'POSITIONAL')
      throw new Uninvertible(
        `it is not known how to follow rows through a ${from.ref_type} join`,
        PLAIN,
      )
    const left = this.relation(from.left as AstNode, scope, known)
    if (from.join_type !== 'SEMI' && from.join_type !== 'ANTI')
      return { ...from, left, right: this.relation(from.right as AstNode, scope, known) }
    this.lookInto(from.right, scope)
    return { ...from, left }
  }

  private lookInto(tree: unknown, scope: readonly Cte[]): void {
    for (const node of nodesOf(tree)) {
      if (node.type !== 'BASE_TABLE') continue
      const name = String(node.table_name).toLowerCase()
      const cte = node.schema_name ? undefined : scope.find((one) => one.name === name)
      if (node.schema_name) this.whole.add(tableName(node))
      else if (cte) this.lookInto(cte.query, cte.scope)
    }
  }
}

const PLAIN = 'Write it with inner, left, right or full joins, UNION and GROUP BY'

/** Stars do not stand for the columns of ids. */
function hiding(items: readonly AstNode[], traced: readonly Known[]): AstNode[] {
  return items.map((item) => {
    if (item.class !== 'STAR') return item
    if (item.columns || item.expr)
      throw new Uninvertible('it is not known which columns COLUMNS stands for', 'List them')
    const only = String(item.relation_name ?? '').toLowerCase()
    const of = traced.filter(({ name }) => only === '' || name.toLowerCase() === only)
    const left = [...new Set(of.map(({ ids }) => ids as string))]
    return { ...item, exclude_list: [...(item.exclude_list as string[]), ...left] }
  })
}

/** Lists one behind the other; those that an outer join made NULL are left out. */
function together(lists: readonly AstNode[]): AstNode {
  return lists.reduce((one, other) => call('list_concat', [one, other]))
}

/** The lists of all rows of a group as one. */
const gathered = (ids: AstNode) => call('flatten', [call('list', [ids], isNotNull(ids))])

function isGrouped({ group_expressions, aggregate_handling, select_list, having }: AstNode) {
  if ((group_expressions as unknown[]).length > 0) return true
  if (aggregate_handling === 'FORCE_AGGREGATES') return true
  return ownNodes([select_list, having]).some(
    ({ class: kind, function_name: name }) => kind === 'FUNCTION' && isAggregate(String(name)),
  )
}

function refuseLimit(modifiers: readonly AstNode[]): void {
  if (modifiers.some(({ type }) => String(type).startsWith('LIMIT')))
    throw new Uninvertible('its query takes some of distinct rows', 'Leave LIMIT or DISTINCT out')
}
