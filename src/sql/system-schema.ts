import { SYSTEM, SYSTEM_SCHEMA } from '../define/sql/name.js'
import { MoraineError } from '../errors.js'
import type { AstNode } from '../plan/ast.js'
import type { ProvenSelect } from './guard.js'
import { folded, visit } from './relations.js'

/** The name that a schema of queries has for the engine. */
export const engineSchema = (schema: string): string =>
  folded(schema) === SYSTEM ? SYSTEM_SCHEMA : schema

/** A message of the engine with the names that users write. */
export const inUsersWords = (message: string): string => message.replaceAll(SYSTEM_SCHEMA, SYSTEM)

/** What was proved of a query, and what the parser gave for it. */
interface Proved extends Pick<ProvenSelect, 'nodes' | 'tables' | 'bare'> {
  tree: string
}

/**
 * A query as the engine takes it, in which `system` is a catalog of the engine's own: the name is
 * replaced where it stands for the namespace, and everything else stays in its place. What is given
 * back was parsed again, and differs from what was proved in these names alone.
 *
 * @throws MoraineError of kind `query` where the name is written in a way that is not known.
 */
export async function withEngineSchemas(
  sql: string,
  { tree, nodes, tables, bare }: Proved,
  treeOf: (sql: string) => Promise<string>,
): Promise<string> {
  const names = tables.filter(({ tier }) => tier === SYSTEM).map(({ name }) => folded(name))
  if (names.length === 0) return sql
  const text = Buffer.from(sql)
  const replaced = new Set<number>()
  for (const node of nodes) {
    const first = namespaceIn(node, names)
    const at = Number(node.query_location)
    // The parser repeats what CASE compares, once for each WHEN.
    if (first === undefined || replaced.has(at)) continue
    const found = /^"?(?=system)/i.exec(text.subarray(at, at + SYSTEM.length + 1).toString())
    if (found) {
      text.write(SYSTEM_SCHEMA, at + found[0].length)
      replaced.add(at)
    } else if (!bare.includes(first)) throw unknown(first)
  }
  if (replaced.size === 0) return sql
  const given = text.toString()
  if (renamed(tree, names) !== JSON.stringify(JSON.parse(await treeOf(given))))
    throw unknown(String(names[0]))
  return given
}

/** A tree in which the namespace has the name that the engine knows. */
function renamed(tree: string, names: readonly string[]): string {
  const parsed: unknown = JSON.parse(tree)
  for (const { node } of visit(parsed)) {
    if (namespaceIn(node, names) === undefined) continue
    if (node.type === 'BASE_TABLE') node.schema_name = SYSTEM_SCHEMA
    else (node.column_names as string[])[0] = SYSTEM_SCHEMA
  }
  return JSON.stringify(parsed)
}

/** The table that a node names in this namespace, or of which it names a column so. */
function namespaceIn(node: AstNode, names: readonly string[]): string | undefined {
  if (node.type === 'BASE_TABLE')
    return folded(String(node.schema_name)) === SYSTEM ? String(node.table_name) : undefined
  if (node.class !== 'COLUMN_REF') return undefined
  const [schema = '', table = '', ...column] = node.column_names as string[]
  const isOne = folded(schema) === SYSTEM && column.length > 0 && names.includes(folded(table))
  return isOne ? table : undefined
}

function unknown(name: string): MoraineError {
  return new MoraineError('query', `${SYSTEM}.${name} cannot be named here`, {
    hint: `Name it in FROM alone, with an alias: FROM ${SYSTEM}.${name} AS x`,
  })
}
