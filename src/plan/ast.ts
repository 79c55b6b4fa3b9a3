/** A node of the tree that DuckDB's parser gives as JSON. */
export interface AstNode {
  class?: string
  type?: string
  [key: string]: unknown
}

/** The query of a text, as the parser gives its tree; `undefined` where there is none. */
export function queryIn(serialized: string): AstNode | undefined {
  const tree = JSON.parse(serialized) as { statements?: { node: AstNode }[] }
  return tree.statements?.[0]?.node
}

/** All nodes of a tree, parents first. */
export function nodesOf(tree: unknown): AstNode[] {
  const found: AstNode[] = []
  const visit = (value: unknown) => {
    if (Array.isArray(value)) value.forEach(visit)
    else if (value !== null && typeof value === 'object') {
      const node = value as AstNode
      if (typeof node.type === 'string') found.push(node)
      for (const name in node) visit(node[name])
    }
  }
  visit(tree)
  return found
}

/** The value of a constant as SQL would print it; `undefined` for anything else. */
export function constantText(tree: unknown): { text: string; isText: boolean } | undefined {
  const node = tree as AstNode | undefined
  // `date '2008-01-01'` is a cast of a text.
  if (node?.class === 'CAST') {
    const inner = constantText(node.child)
    return inner && { text: inner.text, isText: false }
  }
  if (node?.class !== 'CONSTANT') return undefined
  const { type, is_null, value } = node.value as {
    type: { id: string; type_info: { scale?: number } | null }
    is_null: boolean
    value: unknown
  }
  if (is_null || typeof value === 'object') return undefined
  // `1e400`: nothing is chosen by it.
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined
  if (type.id === 'DECIMAL')
    return { text: scaledText(String(value), type.type_info?.scale ?? 0), isText: false }
  const known = [
    'VARCHAR',
    'BOOLEAN',
    'TINYINT',
    'SMALLINT',
    'INTEGER',
    'BIGINT',
    'DOUBLE',
    'FLOAT',
  ]
  return known.includes(type.id)
    ? { text: String(value), isText: type.id === 'VARCHAR' }
    : undefined
}

function scaledText(digits: string, scale: number): string {
  if (scale === 0) return digits
  const negative = digits.startsWith('-')
  const padded = digits.replace('-', '').padStart(scale + 1, '0')
  return `${negative ? '-' : ''}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}
