import { type AstNode, nodesOf } from './ast.js'
import {
  bareNames,
  isKnown,
  namedAggregates,
  orderedAggregates,
  orderedWindows,
  rankFunctions,
  setAggregates,
  tableFunctions,
  whyUnstable,
} from './functions.js'

/** What a query contains that may give other rows for the same input, and what to do instead. */
export interface Unrepeatable {
  message: string
  hint: string
}

const expressions = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'FUNCTION',
  'LAMBDA',
  'LAMBDA_REF',
  'OPERATOR',
  'POSITIONAL_REFERENCE',
  'STAR',
  'SUBQUERY',
  'TYPE',
  'WINDOW',
])
const queries = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE'])
const tables = new Set([
  'BASE_TABLE',
  'EMPTY',
  'EXPRESSION_LIST',
  'JOIN',
  'SUBQUERY',
  'TABLE_FUNCTION',
])
const joinKinds = new Set(['REGULAR', 'NATURAL', 'CROSS'])
const joinTypes = new Set(['INNER', 'LEFT', 'RIGHT', 'OUTER', 'FULL', 'SEMI', 'ANTI'])
const setOperations = new Set(['UNION', 'UNION_BY_NAME', 'EXCEPT', 'INTERSECT'])
const modifiers = new Set([
  'DISTINCT_MODIFIER',
  'LIMIT_MODIFIER',
  'LIMIT_PERCENT_MODIFIER',
  'ORDER_MODIFIER',
])

/**
 * Why the rows of a parsed query, or the value of an expression, may differ from run to run over
 * the same input:
 * `undefined` where all that it contains is on the list of what may not. Which of several rows with
 * the same ORDER BY comes first is left open, as it is in SQL.
 */
export function whyUnrepeatable(root: unknown): Unrepeatable | undefined {
  const nodes = nodesOf(root)
  const sorted = sortedIn(nodes)
  for (const node of nodes) {
    const found = whyNode(node, sorted)
    if (found) return found
  }
  return undefined
}

/** Whether nodes of a query, parents and all below them, give the same rows each time. */
export function areRepeatable(nodes: readonly AstNode[]): boolean {
  const sorted = sortedIn(nodes)
  return nodes.every((node) => whyNode(node, sorted) === undefined)
}

/** Lists whose order is known: the parser makes `list_sort(list(x))` of `list(x ORDER BY x)`. */
const sortedIn = (nodes: readonly AstNode[]) =>
  new Set(
    nodes.flatMap((node) =>
      node.class === 'FUNCTION' && callOf(node) === 'list_sort'
        ? (node.children as AstNode[]).slice(0, 1)
        : [],
    ),
  )

function whyNode(node: AstNode, sorted: ReadonlySet<AstNode>): Unrepeatable | undefined {
  const { type = '', class: kind } = node
  if (kind !== undefined) return whyExpression(node, kind, sorted)
  if ('cte_map' in node) return whyQuery(node, type)
  if ('sample' in node && 'alias' in node) return whyTable(node, type)
  return undefined
}

function whyExpression(
  node: AstNode,
  kind: string,
  sorted: ReadonlySet<AstNode>,
): Unrepeatable | undefined {
  if (kind === 'FUNCTION') return whyCall(node, sorted.has(node))
  if (kind === 'WINDOW') return whyWindow(node)
  if (kind === 'COLUMN_REF') {
    const names = node.column_names as string[]
    return names.length === 1 && bareNames.has(String(names[0]).toLowerCase())
      ? unstable(String(names[0]))
      : undefined
  }
  return expressions.has(kind) ? undefined : unknown(kind)
}

/** The name of a function in lower case. */
export function callOf(node: AstNode): string {
  return String(node.function_name ?? '').toLowerCase()
}

function unstable(name: string): Unrepeatable | undefined {
  const why = whyUnstable(name)
  return why === undefined
    ? undefined
    : {
        message: `${name} ${why}, so partitions that are not computed again would differ`,
        hint: `Remove ${name}, or remove incremental`,
      }
}

function unknown(what: string): Unrepeatable {
  return {
    message: `${what} may return different rows in each run`,
    hint: `Move it into a dataset of its own, or remove incremental`,
  }
}

function whyCall(node: AstNode, isSorted: boolean): Unrepeatable | undefined {
  const name = callOf(node)
  const children = (node.children as AstNode[] | undefined) ?? []
  const bad = unstable(name)
  if (bad) return bad
  // Of one time alone it is the age today.
  if (name === 'age' && children.length < 2)
    return {
      message: `age with one argument depends on the day of the run, so partitions that are not computed again would differ`,
      hint: 'Give it both times: age(later, earlier)',
    }
  if (name === 'bitstring_agg' && children.length < 3)
    return {
      message: 'bitstring_agg takes its bounds from all rows that are read',
      hint: 'Give it the minimum and the maximum: bitstring_agg(x, 0, 100)',
    }
  if (namedAggregates.has(name) && !namesKnown(children[1]))
    return {
      message: `${name} calls a function that is unknown or differs from run to run`,
      hint: 'Use the name of an aggregate such as sum or max',
    }
  if (orderedAggregates.has(name) && !isSorted && !hasOrder(node.order_bys))
    return {
      message: `${name} depends on the order of rows, so partitions that are not computed again could differ`,
      hint: `Specify the order: ${name}(x ORDER BY y); or use min or max`,
    }
  return isKnown(name) || tableFunctions.has(name) ? undefined : unknown(name)
}

/** Whether a constant names an aggregate that may be called; over a list the order is given. */
function namesKnown(node: AstNode | undefined): boolean {
  const { value } = (node?.value ?? {}) as { value?: unknown }
  const name = String(value ?? '').toLowerCase()
  return node?.class === 'CONSTANT' && (setAggregates.has(name) || orderedAggregates.has(name))
}

function hasOrder(modifier: unknown): boolean {
  const { orders } = (modifier ?? {}) as { orders?: unknown[] }
  return (orders?.length ?? 0) > 0
}

function whyWindow(node: AstNode): Unrepeatable | undefined {
  const name = callOf(node)
  const bad = unstable(name)
  if (bad) return bad
  if (!isKnown(name)) return unknown(name)
  const ordered =
    ((node.orders as unknown[] | undefined) ?? []).length > 0 ||
    ((node.arg_orders as unknown[] | undefined) ?? []).length > 0
  const byRow = /ROWS|GROUPS/.test(`${node.start} ${node.end}`)
  const needsOrder =
    orderedWindows.has(name) || orderedAggregates.has(name) || (byRow && !rankFunctions.has(name))
  if (!needsOrder || ordered) return undefined
  return {
    message: `the window of ${name} depends on the order of rows`,
    hint: 'Add an ORDER BY: OVER (PARTITION BY … ORDER BY …)',
  }
}

function whyQuery(node: AstNode, type: string): Unrepeatable | undefined {
  if (!queries.has(type)) return unknown(type)
  if (node.sample) return sampled
  if (type === 'SET_OPERATION_NODE' && !setOperations.has(String(node.setop_type)))
    return unknown(String(node.setop_type))
  const own = node.modifiers as AstNode[]
  const other = own.find((modifier) => !modifiers.has(String(modifier.type)))
  if (other) return unknown(String(other.type))
  if (own.some(({ type }) => type === 'ORDER_MODIFIER')) return undefined
  const picks = own.find(
    (modifier) =>
      String(modifier.type).startsWith('LIMIT') ||
      ((modifier.distinct_on_targets as unknown[] | undefined) ?? []).length > 0,
  )
  if (!picks) return undefined
  const what = String(picks.type).startsWith('LIMIT') ? 'LIMIT' : 'DISTINCT ON'
  return {
    message: `${what} without an ORDER BY returns arbitrary rows`,
    hint: 'Add an ORDER BY, or remove incremental',
  }
}

const sampled: Unrepeatable = {
  message: 'a sample differs from run to run',
  hint: 'Remove it, or remove incremental',
}

function whyTable(node: AstNode, type: string): Unrepeatable | undefined {
  if (node.sample) return sampled
  if (!tables.has(type)) return unknown(type)
  if (type === 'TABLE_FUNCTION') {
    const name = callOf(node.function as AstNode)
    return tableFunctions.has(name) ? undefined : unknown(name)
  }
  if (type !== 'JOIN') return undefined
  if (node.ref_type === 'POSITIONAL')
    return { message: 'rows are joined by their position', hint: 'Join them by a condition' }
  // DuckDB 1.5.5 finds a partner for a row without a time or none, depending on how many rows there
  // are.
  if (node.ref_type === 'ASOF')
    return {
      message:
        'an ASOF JOIN depends on rows of other partitions, and treats NULL by the number of rows',
      hint: 'Move it into a dataset of its own, or remove incremental',
    }
  if (!joinKinds.has(String(node.ref_type))) return unknown(`${node.ref_type} JOIN`)
  return joinTypes.has(String(node.join_type)) ? undefined : unknown(`${node.join_type} JOIN`)
}
