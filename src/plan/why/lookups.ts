import type { AstNode } from '../ast.js'
import { nameOf } from '../select.js'
import { ownNodes } from './nodes.js'
import { Uninvertible } from './uninvertible.js'
import type { Asked } from './windows.js'

/**
 * Refuses values that a query in an expression computes from all rows of other datasets: which of
 * those a value is made of can't be told.
 *
 * @throws Uninvertible
 */
export function refuseLookups(root: AstNode, { column }: Asked): void {
  const asked = column?.toLowerCase()
  const selects = selectsOf(root)
  const first = selects[0] ?? []
  // In a union it is the place of a column that says which it is.
  const hasStar = first.some((item) => item.class === 'STAR')
  const at = hasStar ? -1 : first.findIndex((item) => nameOf(item) === asked)
  for (const items of selects) {
    const found = items.find((item) => {
      if (!ownNodes(item).some((node) => node.class === 'SUBQUERY')) return false
      if (asked === undefined || nameOf(item) === asked) return true
      return items !== first && (at < 0 || items.indexOf(item) === at)
    })
    if (!found) continue
    const name = column ?? (nameOf(found) || 'a column')
    throw new Uninvertible(
      `'${name}' is computed by a query of its own, which may read any row`,
      'Write that query as a join in FROM, or ask for another column with --column',
    )
  }
}

/** What each side of a union selects. */
function selectsOf(node: AstNode): AstNode[][] {
  if (node.type === 'SELECT_NODE') return [node.select_list as AstNode[]]
  if (node.type !== 'SET_OPERATION_NODE') return []
  return [node.left, node.right].flatMap((side) => selectsOf(side as AstNode))
}
