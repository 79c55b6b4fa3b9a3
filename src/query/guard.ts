import { MoraineError } from '../errors.js'
import { type AstNode, cteNames, nodesOf } from '../plan/ast.js'

/** A table that a query names. */
export interface TableRef {
  tier: string
  name: string
}

/** A text that is one SELECT. */
export interface ProvenSelect {
  tables: TableRef[]
  /** All nodes of its tree, parents first. */
  nodes: AstNode[]
}

const tiers = ['bronze', 'silver', 'gold', 'discarded', 'deleted', 'history']
const queryNodes = ['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE']
const tableNodes = [
  'BASE_TABLE',
  'SUBQUERY',
  'JOIN',
  'EMPTY',
  'EXPRESSION_LIST',
  'PIVOT',
  'CTE',
  'COLUMN_DATA',
]
const tableFunctions = ['unnest', 'generate_series', 'range', 'repeat', 'json_each', 'json_tree']
/** Functions that tell of the machine or its settings, read files, run other SQL, or write. */
const forbidden =
  /^(getenv|getvariable|current_setting|current_query|write_log|query|query_table|glob|which_secret|sniff_csv|read_\w+|parquet_\w+|duckdb_\w+|pragma_\w+|json_execute_serialized_sql|nextval|currval|force_checkpoint|checkpoint|enable_\w+|disable_\w+|truncate_\w+|set_\w+)$/

function refuse(message: string, hint: string): never {
  throw new MoraineError('query', message, { hint })
}

/**
 * Proves on the parsed tree that a text is one SELECT over tables of the lake, with no function that
 * opens a file.
 *
 * @param serialized what the parser's `json_serialize_sql` gave for the text.
 * @throws MoraineError of kind `query` otherwise.
 */
export function proveSelect(serialized: string, sql: string): ProvenSelect {
  const tree = JSON.parse(serialized) as {
    error: boolean
    error_type?: string
    error_message?: string
    position?: string
    statements?: AstNode[]
  }
  if (tree.error) {
    const other = tree.error_type === 'not implemented'
    if (other)
      refuse(
        'Only a SELECT can be run here',
        'A lake is changed by its definition and `moraine run` alone.',
      )
    const where = tree.position === undefined ? '' : pointAt(sql, Number(tree.position))
    refuse(`${tree.error_message ?? 'The query can not be parsed'}${where}`, 'Check the SQL.')
  }
  const statements = tree.statements ?? []
  if (statements.length === 0) refuse('There is no query', 'Give one SELECT.')
  if (statements.length > 1)
    refuse(`One SELECT is expected, not ${statements.length} statements`, 'Run them one by one.')
  const nodes = nodesOf(statements)
  return { nodes, tables: proveNodes(nodes) }
}

/** The line of a position in a text, with a mark below it, as the engine shows it. */
function pointAt(sql: string, position: number): string {
  const before = Buffer.from(sql).subarray(0, position).toString().split('\n')
  const label = `LINE ${before.length}: `
  const line = sql.split('\n')[before.length - 1] ?? ''
  return `\n\n${label}${line}\n${' '.repeat(label.length + (before.at(-1) ?? '').length)}^`
}

function proveNodes(nodes: readonly AstNode[]): TableRef[] {
  const ctes = new Set(nodes.flatMap(cteNames).map((name) => name.toLowerCase()))
  const found = new Map<string, TableRef>()
  for (const node of nodes) {
    const table = proveNode(node, ctes)
    if (table) found.set(`${table.tier}.${table.name}`.toLowerCase(), table)
  }
  return [...found.values()]
}

function proveNode(node: AstNode, ctes: ReadonlySet<string>): TableRef | undefined {
  const { type = '' } = node
  if (node.class === 'FUNCTION' || node.class === 'WINDOW') proveFunction(node)
  if (node.class === 'PARAMETER')
    refuse('Parameters can not be used here', 'Write the value into the query.')
  if (node.class !== undefined) return undefined
  if (type === 'TABLE_FUNCTION') proveTableFunction(node)
  else if (type === 'BASE_TABLE') return proveTable(node, ctes)
  else if (type === 'SHOW_REF') {
    if (!node.query) refuse('SHOW can not be used here', 'List the tables with: moraine status')
  } else if (
    'cte_map' in node ? !queryNodes.includes(type) : isTableNode(node) && !tableNodes.includes(type)
  )
    refuse(`A query can not contain ${type}`, 'Write it as a plain SELECT.')
  return undefined
}

/** Nodes in FROM carry an alias and a sample; other nodes without a class are parts of them. */
function isTableNode(node: AstNode): boolean {
  return 'sample' in node && 'alias' in node && !('select_list' in node)
}

function proveFunction(node: AstNode): void {
  const name = String(node.function_name ?? '').toLowerCase()
  if (forbidden.test(name))
    refuse(`The function ${name} can not be used in a query`, 'Queries see the lake only.')
}

function proveTableFunction(node: AstNode): void {
  const call = node.function as AstNode
  const name = String(call.function_name ?? '').toLowerCase()
  if (!tableFunctions.includes(name))
    refuse(
      `The function ${name} can not be used in FROM`,
      'Queries read the tables of the lake: bronze.x, silver.x, gold.x, discarded.x.',
    )
}

function proveTable(node: AstNode, ctes: ReadonlySet<string>): TableRef | undefined {
  const tier = String(node.schema_name ?? '').toLowerCase()
  const name = String(node.table_name ?? '')
  if (node.at_clause)
    refuse('AT can not be used in a query', 'Choose the commit or the time with --at.')
  if (node.catalog_name)
    refuse(`There is no catalog '${node.catalog_name}'`, 'Name tables as silver.orders.')
  if (tier === '' && ctes.has(name.toLowerCase())) return undefined
  if (tier === '')
    refuse(
      `The table '${name}' needs its tier in front`,
      `Write bronze.${name}, silver.${name} or gold.${name}.`,
    )
  if (!tiers.includes(tier))
    refuse(`There is no '${tier}.${name}' in this lake`, `The tiers are ${tiers.join(', ')}.`)
  return { tier, name }
}
