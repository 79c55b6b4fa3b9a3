import type { Session } from '../engine/engine.js'
import { proveExpressions } from '../sql/expression.js'
import { proveSelect } from '../sql/guard.js'

/** A query that is proved. */
export type Proven = ReturnType<typeof proveSelect>

/**
 * Proves a query by its tree, and the conditions that are to be put beside it.
 *
 * @throws MoraineError for what is no SELECT, or no expression, or may not be asked.
 */
export async function proved(
  parser: Session['parser'],
  { sql, tree, expressions = [] }: { sql: string; tree: string; expressions?: readonly string[] },
  proof: Parameters<typeof proveSelect>[2],
): Promise<Proven> {
  const found = proveSelect(tree, sql, proof)
  await proveExpressions(parser, expressions)
  return found
}
