import type { AstNode } from '../ast.js'
import { nameOf } from '../select.js'
import { nullValue, ownNodes } from './nodes.js'
import { Uninvertible } from './uninvertible.js'

/** Which column is asked about; all of a row's without. */
export interface Asked {
  column?: string | undefined
}

/**
 * Makes a query ready for what is asked. A window compares a row with others: where the column that
 * is asked about has one, the rows of its partition are told apart by added columns; other columns
 * with one are not traced.
 */
export function rootColumns(node: AstNode, { column }: Asked) {
  const none = { node, untraced: [] as string[], windows: [] as string[][] }
  if (node.type !== 'SELECT_NODE') return none
  const items = node.select_list as AstNode[]
  const compared = comparing(items)
  if (compared.size === 0) return none
  const asked = column?.toLowerCase()
  const own = [...compared].filter((item) => nameOf(item) === asked)
  const windows = own.flatMap((item) => windowsBehind(item, items))
  const added = partitionsOf(windows, asked ?? '')
  const modifiers = node.modifiers as AstNode[]
  if (windows.length > 0 && modifiers.some(({ type }) => type === 'DISTINCT_MODIFIER'))
    throw new Uninvertible(
      `'${column}' is compared before rows are made distinct`,
      'Leave DISTINCT out',
    )
  const isFiltered = node.qualify || modifiers.some(({ type }) => type !== 'ORDER_MODIFIER')
  const others = [...compared].filter((item) => !own.includes(item))
  const untraced = others.map(nameOf)
  const list = items.map((item) =>
    isFiltered || windows.length > 0 || !others.includes(item) || !item.alias
      ? item
      : { ...nullValue(), alias: item.alias },
  )
  const extra = added.flat().map(({ name, expression }) => ({ ...expression, alias: name }))
  return {
    node: {
      ...node,
      select_list: [...list, ...extra],
      modifiers: isFiltered ? modifiers : [],
    },
    untraced,
    windows: added.map((one) => one.map(({ name }) => name)),
  }
}

/** Items with a window, and those that name one of them. */
function comparing(items: readonly AstNode[]): Set<AstNode> {
  const found = new Set<AstNode>()
  for (const item of items) {
    const names = new Set([...found].map(nameOf).filter((name) => name !== ''))
    const isOne = ownNodes(item).some(
      (node) => node.class === 'WINDOW' || (node !== item && names.has(soleName(node))),
    )
    if (isOne) found.add(item)
  }
  return found
}

const soleName = ({ class: kind, column_names: names }: AstNode) =>
  kind === 'COLUMN_REF' && (names as string[]).length === 1
    ? String((names as string[])[0]).toLowerCase()
    : ''

/** The windows of an item, and of the items that it names. */
function windowsBehind(item: AstNode, items: readonly AstNode[]): AstNode[] {
  const before = items.slice(0, items.indexOf(item))
  return ownNodes(item).flatMap((node) => {
    if (node.class === 'WINDOW') return [node]
    const named = before.find((one) => one.alias && nameOf(one) === soleName(node))
    return named ? windowsBehind(named, items) : []
  })
}

function partitionsOf(windows: readonly AstNode[], column: string) {
  const distinct = new Map(windows.map((one) => [JSON.stringify(one.partitions), one]))
  return [...distinct.values()].map((window, i) => {
    const partitions = window.partitions as AstNode[]
    if (partitions.length === 0)
      throw new Uninvertible(
        `the window of ${window.function_name} has no PARTITION BY: '${column}' compares a row with all others`,
        'Ask for another column with --column',
      )
    return partitions.map((expression, j) => ({ name: `_why_part_${i}_${j}`, expression }))
  })
}
