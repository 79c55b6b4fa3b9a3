import { type AstNode, nodesOf, queryIn } from '../../plan/ast.js'
import { isAggregate } from '../../plan/functions.js'
import { ctesOf, leavesOf, nameOf, namesGiven, queryOf, type Scope } from '../../plan/select.js'

/**
 * The columns of a query's result that it is grouped by, in lower case; none where it isn't, or
 * where that can't be told. It is read off the tree that the parser gives, and proves nothing.
 */
export function groupedBy(serialized: string): string[] {
  const root = queryIn(serialized)
  return (root && groupsOf(root, [])) ?? []
}

function groupsOf(query: AstNode, outer: Scope): string[] | undefined {
  if (query.type !== 'SELECT_NODE') return undefined
  const scope = 'cte_map' in query ? [...ctesOf(query), ...outer] : outer
  const items = query.select_list as AstNode[]
  const groups = query.group_expressions as AstNode[]
  if (query.aggregate_handling === 'FORCE_AGGREGATES')
    return items.some(({ class: kind }) => kind === 'STAR')
      ? undefined
      : items.filter((item) => !hasAggregate(item)).map(nameOf)
  if (groups.length === 0) return ofOnlyInput(query, scope)
  if ((query.group_sets as unknown[]).length !== 1) return undefined
  const found = groups.map((group) => itemOf(group, items))
  return found.every((item) => item !== undefined) ? found.map(nameOf) : undefined
}

/** The item of the result that it is grouped by: told by its place, its name, or itself. */
function itemOf(group: AstNode, items: readonly AstNode[]): AstNode | undefined {
  if (group.class === 'CONSTANT')
    return items[Number((group.value as { value: unknown }).value) - 1]
  const text = bare(group)
  const name = group.class === 'COLUMN_REF' ? nameOf({ ...group, alias: '' }) : undefined
  return items.find((item) => bare(item) === text) ?? items.find((item) => nameOf(item) === name)
}

/** A query that passes on the rows of one other has that one's groups, where it passes them on. */
function ofOnlyInput(query: AstNode, scope: Scope): string[] | undefined {
  const [leaf, ...others] = leavesOf(query.from_table as AstNode)
  if (!leaf || others.length > 0 || namesGiven(leaf.node, scope).length > 0) return undefined
  const inner = queryOf(leaf.node, scope)
  const groups = inner && groupsOf(inner.query, inner.scope)
  const items = query.select_list as AstNode[]
  const isPassedOn = (name: string) =>
    items.some((item) => item.class === 'STAR' || nameOf(item) === name)
  return groups?.every(isPassedOn) ? groups : undefined
}

const hasAggregate = (item: AstNode) =>
  nodesOf(item).some(
    ({ class: kind, function_name: name }) => kind === 'FUNCTION' && isAggregate(String(name)),
  )

/** A node as a text, without its place and its name. */
function bare(node: AstNode): string {
  return JSON.stringify({ ...node, alias: '' }, (key, value) =>
    key === 'query_location' ? undefined : value,
  )
}
