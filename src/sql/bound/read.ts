import { inWords, listOf, offsetOf, type Raw, refuseFields, unknown } from './json.js'
import { comparisons, readAggregate, readExpression } from './read-expression.js'
import { readOrder, readWindow } from './read-window.js'
import { type BoundType, type JoinKind, NotPortable, type Operator } from './tree.js'
import { readType } from './types.js'

const BOOLEAN: BoundType = { id: 'boolean' }
const NONE: BoundType = { id: 'other', name: 'ROWID' }

/**
 * DuckDB's bound plan, as `json_serialize_plan(…, optimize := false)` gives it, in our own words.
 *
 * @param plan its JSON, whose whole numbers are exact.
 * @throws NotPortable for what this version does not know.
 */
export function readPlan(plan: unknown): Operator {
  const { plans } = plan as { plans?: unknown }
  const [root, ...more] = listOf(plans)
  if (!root || more.length > 0) throw unknown('several statements', undefined)
  return readOperator(root)
}

function readOperator(raw: Raw): Operator {
  const read = readers[String(raw.type)]
  if (!read)
    throw unknown(named[String(raw.type)] ?? `an operator '${inWords(raw.type)}'`, placeIn(raw))
  return read(raw)
}

/** What SQL calls operators whose names in a plan nobody knows. */
const named: Readonly<Record<string, string>> = {
  LOGICAL_ASOF_JOIN: 'an ASOF join',
  LOGICAL_DELIM_JOIN: 'a subquery that reads columns of the query around it',
  LOGICAL_DEPENDENT_JOIN: 'a subquery that reads columns of the query around it',
  LOGICAL_POSITIONAL_JOIN: 'a positional join',
  LOGICAL_RECURSIVE_CTE: 'a recursive WITH',
  LOGICAL_SAMPLE: 'a sample',
  LOGICAL_UNNEST: 'unnest',
  LOGICAL_PIVOT: 'a pivot',
  LOGICAL_LIMIT_PERCENT: 'LIMIT with a percentage',
}

/** The first place that anything in an operator has. */
function placeIn(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const own = Array.isArray(value) ? undefined : offsetOf(value as Raw)
  if (own !== undefined) return own
  for (const part of Object.values(value)) {
    const found = placeIn(part)
    if (found !== undefined) return found
  }
  return undefined
}

const inputs = (raw: Raw) => listOf(raw.children).map(readOperator)
const input = (raw: Raw) => inputs(raw)[0] as Operator
const expressions = (raw: Raw) => listOf(raw.expressions).map(readExpression)

const readers: Readonly<Record<string, (raw: Raw) => Operator>> = {
  LOGICAL_GET: table,
  LOGICAL_DUMMY_SCAN: () => ({ is: 'values', rows: [[]], types: [] }),
  LOGICAL_EXPRESSION_GET: (raw) => {
    const rows = (raw.expressions as unknown[]).map((row) => listOf(row).map(readExpression))
    return { is: 'values', rows, types: listOf(raw.expr_types).map(readType) }
  },
  LOGICAL_PROJECTION: (raw) => {
    const all = expressions(raw)
    return { is: 'project', from: input(raw), expressions: all, types: all.map(({ type }) => type) }
  },
  LOGICAL_FILTER: filter,
  LOGICAL_AGGREGATE_AND_GROUP_BY: aggregate,
  LOGICAL_WINDOW: (raw) => {
    const from = input(raw)
    const windows = listOf(raw.expressions).map(readWindow)
    return {
      is: 'window',
      from,
      windows,
      types: [...from.types, ...windows.map(({ type }) => type)],
    }
  },
  LOGICAL_COMPARISON_JOIN: join,
  LOGICAL_ANY_JOIN: join,
  LOGICAL_CROSS_PRODUCT: (raw) => {
    const [left, right] = inputs(raw) as [Operator, Operator]
    return { is: 'cross', left, right, types: [...left.types, ...right.types] }
  },
  LOGICAL_UNION: setOperation('UNION'),
  LOGICAL_EXCEPT: setOperation('EXCEPT'),
  LOGICAL_INTERSECT: setOperation('INTERSECT'),
  LOGICAL_DISTINCT: (raw) => {
    const from = input(raw)
    const targets = listOf(raw.distinct_targets).map(readExpression)
    const all = targets.every((one, i) => one.is === 'column' && one.index === i)
    if (raw.distinct_type !== 'DISTINCT' || !all || targets.length !== from.types.length)
      throw new NotPortable(
        "DISTINCT ON can't be written for other engines",
        'Number the rows with row_number() over (partition by … order by …), and keep the first',
        placeIn(raw.distinct_targets),
      )
    return { is: 'distinct', from, types: from.types }
  },
  // Rows of a table, and of a subquery, have no order.
  LOGICAL_ORDER_BY: input,
  LOGICAL_LIMIT: limit,
  LOGICAL_MATERIALIZED_CTE: (raw) => {
    const [definition, rest] = inputs(raw) as [Operator, Operator]
    return { is: 'with', name: Number(raw.table_index), definition, rest, types: rest.types }
  },
  LOGICAL_CTE_REF: (raw) => {
    if (raw.is_recurring) throw unknown('a recursive WITH', undefined)
    const types = listOf(raw.chunk_types).map(readType)
    return { is: 'named', name: Number(raw.cte_index), types }
  },
}

function table(raw: Raw): Operator {
  const at = placeIn(raw)
  const filters = (raw.table_filters as Raw | undefined)?.filters
  const data = raw.function_data as Raw | undefined
  const extra = (raw.extra_info ?? {}) as Raw
  if (raw.name !== 'seq_scan' || !data || listOf(filters).length > 0)
    throw unknown(`${String(raw.name)}() in FROM`, at)
  refuseFields(extra, { sample_options: 'a sample' })
  refuseFields(raw, { projection_ids: 'a projected scan', projected_input: 'a lateral function' })
  const names = raw.names as string[]
  const types = listOf(raw.returned_types).map(readType)
  const indexes = listOf(raw.column_indexes).map(({ index }) => Number(index))
  return {
    is: 'table',
    schema: String(data.schema),
    name: String(data.table),
    // What is no column of the table is its rows' number, which stands where no column is read.
    columns: indexes.map((index) => names[index]),
    types: indexes.map((index) => types[index] ?? NONE),
  }
}

function filter(raw: Raw): Operator {
  const from = input(raw)
  const map = (raw.projection_map as number[] | undefined) ?? []
  const kept = map.length > 0 ? map.map(Number) : from.types.map((_, i) => i)
  return {
    is: 'filter',
    from,
    conditions: expressions(raw),
    kept,
    types: kept.map((index) => from.types[index] ?? NONE),
  }
}

function aggregate(raw: Raw): Operator {
  const groups = listOf(raw.groups).map(readExpression)
  const aggregates = listOf(raw.expressions).map(readAggregate)
  const sets = (raw.grouping_sets as number[][] | undefined) ?? []
  const whole = sets.length === 0 || (sets.length === 1 && sets[0]?.length === groups.length)
  if (!whole || listOf(raw.grouping_functions).length > 0)
    throw new NotPortable(
      "GROUPING SETS, ROLLUP and CUBE can't be written for other engines",
      'Write one query for each set of groups, with UNION ALL between them',
      placeIn(raw),
    )
  const types = [...groups, ...aggregates].map(({ type }) => type)
  return { is: 'aggregate', from: input(raw), groups, aggregates, types }
}

const kinds: readonly string[] = ['INNER', 'LEFT', 'RIGHT', 'FULL', 'SEMI', 'ANTI', 'MARK']

function join(raw: Raw): Operator {
  const [left, right] = inputs(raw) as [Operator, Operator]
  const kind = raw.join_type === 'OUTER' ? 'FULL' : String(raw.join_type)
  if (!kinds.includes(kind)) throw unknown(`a ${kind} join`, placeIn(raw))
  refuseFields(raw, {
    left_projection_map: 'a projected join',
    right_projection_map: 'a projected join',
    duplicate_eliminated_columns: 'a subquery that reads columns of the query around it',
  })
  const conditions = listOf(raw.conditions).map((condition) => {
    const comparison = comparisons[String(condition.comparison)]
    if (!comparison) throw unknown(`a join by ${inWords(condition.comparison)}`, placeIn(condition))
    const sides = [condition.left, condition.right].map((side) => readExpression(side as Raw))
    const [l, r] = sides as [(typeof sides)[0], (typeof sides)[0]]
    return { comparison, left: l, right: r, at: l.at ?? r.at }
  })
  const also = [raw.condition, raw.predicate].filter(Boolean)
  const predicates = also.map((one) => readExpression(one as Raw))
  const both = [...left.types, ...right.types]
  const types =
    kind === 'MARK'
      ? [...left.types, BOOLEAN]
      : kind === 'SEMI' || kind === 'ANTI'
        ? left.types
        : both
  return { is: 'join', kind: kind as JoinKind, left, right, conditions, predicates, types }
}

function setOperation(kind: 'UNION' | 'EXCEPT' | 'INTERSECT') {
  return (raw: Raw): Operator => {
    const all = inputs(raw)
    const { types } = all[0] as Operator
    return { is: 'set', kind, all: raw.setop_all === true, inputs: all, types }
  }
}

function limit(raw: Raw): Operator {
  const [child] = listOf(raw.children)
  const orders = child?.type === 'LOGICAL_ORDER_BY' ? listOf(child.orders).map(readOrder) : []
  if (orders.length === 0)
    throw new NotPortable(
      'LIMIT without ORDER BY gives other rows on other engines',
      'Add an ORDER BY by which every row has one place',
      placeIn(raw),
    )
  const count = (name: string) => {
    const value = raw[name] as Raw
    if (value.type === 'UNSET') return undefined
    if (value.type !== 'CONSTANT_VALUE') throw unknown('LIMIT with an expression', placeIn(raw))
    return String(value.constant_integer)
  }
  const from = input(raw)
  return {
    is: 'limit',
    from,
    orders,
    limit: count('limit_val'),
    offset: count('offset_val'),
    types: from.types,
  }
}
