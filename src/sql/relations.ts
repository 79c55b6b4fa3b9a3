import type { AstNode } from '../plan/ast.js'

/** Named subqueries that a part of a query can see, the innermost first. */
interface Scope {
  name: string
  outer: Scope | undefined
}

/** A node of a query. */
export interface Visited {
  node: AstNode
  /** Whether it is a table that no `WITH` around it stands for. */
  free: boolean
  /** Whether it is a function that is called in FROM. */
  inFrom: boolean
}

interface Next {
  value: unknown
  scope: Scope | undefined
  inFrom?: boolean
}

/** A name as the engine compares it: letters of ASCII have no case, all others have one. */
export function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/**
 * All nodes of a tree, parents first. Names of `WITH` are seen where the engine's binder sees them:
 * in the rest of the query that they stand before, in what it contains, and in the ones after them;
 * a recursive one in its own second half.
 */
export function* visit(tree: unknown): Generator<Visited> {
  const left: Next[] = [{ value: tree, scope: undefined }]
  for (let next = left.pop(); next; next = left.pop()) {
    const { value, scope, inFrom = false } = next
    if (value === null || typeof value !== 'object') continue
    const node = value as AstNode
    if (typeof node.type === 'string') yield { node, free: isFree(node, scope), inFrom }
    const parts: Next[] = Array.isArray(value)
      ? value.map((item) => ({ value: item, scope }))
      : partsOf(node, scope)
    for (const part of parts.reverse()) left.push(part)
  }
}

function partsOf(node: AstNode, outer: Scope | undefined): Next[] {
  const found: Next[] = []
  let scope = outer
  const { map = [] } = (node.cte_map ?? {}) as { map?: { key: string; value: unknown }[] }
  for (const { key, value } of map) {
    found.push({ value, scope })
    scope = { name: folded(key), outer: scope }
  }
  for (const [name, value] of Object.entries(node)) {
    if (name === 'cte_map') continue
    const isSecond = node.type === 'RECURSIVE_CTE_NODE' && name === 'right'
    found.push({
      value,
      scope: isSecond ? { name: folded(String(node.cte_name)), outer: scope } : scope,
      inFrom: node.type === 'TABLE_FUNCTION' && name === 'function',
    })
  }
  return found
}

function isFree(node: AstNode, scope: Scope | undefined): boolean {
  if (node.type !== 'BASE_TABLE' || node.class !== undefined) return false
  if (node.schema_name || node.catalog_name) return true
  const name = folded(String(node.table_name ?? ''))
  for (let seen = scope; seen; seen = seen.outer) if (seen.name === name) return false
  return true
}
