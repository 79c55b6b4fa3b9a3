import type { AstNode } from './ast.js'

/**
 * Whether a part rises with the one column it is made of, so that bounds of the one bound the
 * other.
 */
export function monotonicColumn(expression: AstNode): string | undefined {
  if (expression.class === 'COLUMN_REF') return (expression.column_names as string[])[0]
  if (expression.class === 'CAST') {
    const target = (expression.cast_type as { id: string }).id
    const rises = ['DATE', 'TIMESTAMP'].includes(target)
    return rises ? monotonicColumn(expression.child as AstNode) : undefined
  }
  if (expression.class !== 'FUNCTION') return undefined
  const children = expression.children as AstNode[]
  const name = String(expression.function_name)
  if (name === 'date_trunc' && children[0]?.class === 'CONSTANT')
    return monotonicColumn(children[1] as AstNode)
  return name === 'year' || name === 'last_day'
    ? monotonicColumn(children[0] as AstNode)
    : undefined
}
