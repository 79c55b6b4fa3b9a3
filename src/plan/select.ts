import { type AstNode, nodesOf } from './ast.js'

/** A dataset as SQL names it. */
export interface TableName {
  tier: string
  name: string
}

/** Named subqueries that a query can see, innermost first. */
export type Scope = readonly {
  name: string
  node: AstNode
  /** Names of its columns, where they are given beside it: those of the first ones. */
  aliases: readonly string[]
}[]

/** A relation in FROM. */
export interface Leaf {
  node: AstNode
  alias: string
  /** Whether a join may put NULLs in place of its rows. */
  nullable: boolean
}

/** The columns of a dataset in lower case; none where they are not known. */
export type ColumnsOf = (table: TableName) => readonly string[]

/** A query in WITH, which may name its columns anew: `with a(x, y) as (…)`. */
interface Named {
  query: { node: AstNode }
  aliases?: string[]
}

export function ctesOf(node: AstNode): Scope {
  const { map } = node.cte_map as { map: { key: string; value: Named }[] }
  // A later one sees those before it.
  return [...map].reverse().map(({ key, value }) => ({
    name: key.toLowerCase(),
    node: value.query.node,
    aliases: (value.aliases ?? []).map((name) => name.toLowerCase()),
  }))
}

/** The named subquery that a relation in FROM stands for. */
export function cteOf(node: AstNode, scope: Scope): Scope[number] | undefined {
  if (node.type !== 'BASE_TABLE' || node.schema_name) return undefined
  const name = String(node.table_name).toLowerCase()
  return scope.find((cte) => cte.name === name)
}

/** The query behind a relation in FROM, and the named subqueries that it can see. */
export function queryOf(node: AstNode, scope: Scope): { query: AstNode; scope: Scope } | undefined {
  const cte = cteOf(node, scope)
  // A named subquery sees those before it, and not itself.
  if (cte) return { query: cte.node, scope: scope.slice(scope.indexOf(cte) + 1) }
  const query = (node.subquery as { node: AstNode } | undefined)?.node
  return query && { query, scope }
}

const nullableSides: Readonly<Record<string, readonly [left: boolean, right: boolean]>> = {
  INNER: [false, false],
  LEFT: [false, true],
  RIGHT: [true, false],
  OUTER: [true, true],
  FULL: [true, true],
  SEMI: [false, true],
  ANTI: [false, true],
}

/** The relations of a FROM, from left to right. */
export function leavesOf(from: AstNode | undefined, nullable = false): Leaf[] {
  if (!from || from.type === 'EMPTY') return []
  if (from.type === 'JOIN') {
    const [left, right] = nullableSides[String(from.join_type)] ?? [true, true]
    return [
      ...leavesOf(from.left as AstNode, nullable || left),
      ...leavesOf(from.right as AstNode, nullable || right),
    ]
  }
  const alias = String(from.alias || from.table_name || '').toLowerCase()
  return [{ node: from, alias, nullable }]
}

export function nameOf(item: AstNode): string {
  if (item.alias) return String(item.alias).toLowerCase()
  return String((item.column_names as string[] | undefined)?.at(-1) ?? '').toLowerCase()
}

/** The columns of a relation in FROM in lower case; `undefined` where they can't be told. */
export function columnsOfLeaf(
  { node }: Leaf,
  scope: Scope,
  columnsOf: ColumnsOf,
): readonly string[] | undefined {
  const renamed = namesGiven(node, scope)
  const inner = queryOf(node, scope)
  if (!inner && node.type !== 'BASE_TABLE') return renamed.length > 0 ? renamed : undefined
  const found = inner
    ? outputColumns(inner.query, inner.scope, columnsOf)
    : columnsOf({ tier: String(node.schema_name), name: String(node.table_name) })
  if (!found || found.length === 0) return undefined
  return found.map((name, i) => renamed[i] ?? name)
}

/** The names that a relation's columns are given in FROM, or in WITH; those of the first ones. */
export function namesGiven(node: AstNode, scope: Scope): string[] {
  const own = ((node.column_name_alias as string[] | undefined) ?? []).map((n) => n.toLowerCase())
  const others = cteOf(node, scope)?.aliases ?? []
  return [...own, ...others.slice(own.length)]
}

/** The names of a query's columns in lower case; `undefined` where a star can't be resolved. */
function outputColumns(query: AstNode, outer: Scope, columnsOf: ColumnsOf): string[] | undefined {
  const scope = 'cte_map' in query ? [...ctesOf(query), ...outer] : outer
  if (query.type === 'SET_OPERATION_NODE') {
    const left = outputColumns(query.left as AstNode, scope, columnsOf)
    if (query.setop_type !== 'UNION_BY_NAME' || !left) return left
    const right = outputColumns(query.right as AstNode, scope, columnsOf)
    return right && [...left, ...right.filter((name) => !left.includes(name))]
  }
  if (query.type !== 'SELECT_NODE') return undefined
  const leaves = leavesOf(query.from_table as AstNode)
  const names: string[] = []
  for (const item of query.select_list as AstNode[]) {
    const given = item.class === 'STAR' ? starColumns(item, leaves, scope, columnsOf) : undefined
    if (item.class === 'STAR' && !given) return undefined
    names.push(...(given ?? [nameOf(item)]))
  }
  return names
}

/** The columns that a star stands for; `undefined` where they can't be told. */
export function starColumns(
  star: AstNode,
  leaves: readonly Leaf[],
  scope: Scope,
  columnsOf: ColumnsOf,
): string[] | undefined {
  const list = (name: string) => ((star[name] as unknown[] | undefined) ?? []).length
  if (star.columns || star.expr || list('rename_list') || list('qualified_exclude_list'))
    return undefined
  const only = String(star.relation_name ?? '').toLowerCase()
  const left = ((star.exclude_list as string[] | undefined) ?? []).map((n) => n.toLowerCase())
  const names: string[] = []
  for (const leaf of leaves) {
    if (only !== '' && leaf.alias !== only) continue
    const own = columnsOfLeaf(leaf, scope, columnsOf)
    if (!own) return undefined
    names.push(...own.filter((name) => !left.includes(name)))
  }
  return names
}

export function refsIn(expression: AstNode): AstNode[] {
  return nodesOf(expression).filter((node) => node.class === 'COLUMN_REF')
}

/** A copy of an expression that names columns without their table, and has no alias of its own. */
export function unqualified(expression: AstNode): AstNode {
  const copy = JSON.parse(JSON.stringify(expression)) as AstNode
  copy.alias = ''
  for (const node of nodesOf(copy)) {
    if ('query_location' in node) node.query_location = 0
    if (node.class === 'COLUMN_REF')
      node.column_names = [String((node.column_names as string[]).at(-1))]
  }
  return copy
}

/** An expression with others in the place of its columns. */
export function substituted(
  expression: AstNode,
  column: (ref: AstNode) => AstNode | undefined,
): AstNode {
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace)
    if (value === null || typeof value !== 'object') return value
    if ((value as AstNode).class === 'COLUMN_REF') return column(value as AstNode) ?? value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]))
  }
  return replace(expression) as AstNode
}

/**
 * An expression as a text that is the same for the same meaning; names of columns and functions
 * have no case.
 */
export function plain(expression: AstNode): string {
  const copy = unqualified(expression)
  for (const node of nodesOf(copy)) {
    // A column that stands for one of a star has no place.
    delete node.query_location
    if (node.class === 'COLUMN_REF')
      node.column_names = (node.column_names as string[]).map((name) => name.toLowerCase())
    if (node.class === 'FUNCTION') node.function_name = String(node.function_name).toLowerCase()
    if (node.class === 'FUNCTION') node.schema = ''
  }
  return JSON.stringify(copy)
}
