import { engineSchemas, managedSchemas, SYSTEM } from '../define/sql/name.js'
import { MoraineError } from '../errors.js'
import { type AstNode, readTree } from '../plan/ast.js'
import { similarFunction, whyNotCallable } from './callable.js'
import { keywordAt } from './keyword-columns.js'
import { pointAt } from './pointer.js'
import { folded, type Visited, visit } from './relations.js'

/** A table that a query names. */
export interface TableRef {
  tier: string
  name: string
}

/** A text that is one SELECT. */
export interface ProvenSelect {
  tables: TableRef[]
  /** All nodes of its tree but parameters, parents first. */
  nodes: AstNode[]
  /** Its parameters. */
  parameters: AstNode[]
  /** Tables that it names without a namespace, where it has one of its own. */
  bare: string[]
}

/** How a text is understood. */
interface ProofOptions {
  /** Values may be missing, which are given when it runs. */
  takesParameters?: boolean
  /** The namespace of tables that are named without one. */
  schema?: string | undefined
  /** Tables that tell of the lake itself may be read. */
  readsSystem?: boolean
}

/** What a text has that it may not have. */
export interface Refusal {
  message: string
  hint?: string
  /** Where it stands in the text that was parsed, in bytes. */
  at?: number | undefined
  /** A function, or a table that the text names; what is neither has none. */
  named?: { kind: 'function' | 'table'; name: string }
}

/** Tiers whose tables can be asked for; other schemas are namespaces that engines made. */
export const tiers = ['bronze', 'silver', 'gold', 'discarded', 'deleted', 'history']

/** Whether a table of the lake has a schema that queries may name. */
export const isQueried = (name: string): boolean => tiers.includes(name.slice(0, name.indexOf('.')))

/**
 * All kinds of nodes that DuckDB's parser gives for a SELECT; a new one has to be looked at before
 * it may pass.
 */
const queryNodes = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE'])
const tableNodes = new Set([
  'BASE_TABLE',
  'EMPTY',
  'EXPRESSION_LIST',
  'JOIN',
  'PIVOT',
  'SHOW_REF',
  'SUBQUERY',
  'TABLE_FUNCTION',
])
const expressions = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'FUNCTION',
  'LAMBDA',
  'LAMBDA_REF',
  'OPERATOR',
  'POSITIONAL_REFERENCE',
  'STAR',
  'SUBQUERY',
  'TYPE',
  'WINDOW',
])

/** What the parser gives for a text. */
export interface Tree {
  error: boolean
  error_type?: string
  error_message?: string
  position?: string
  statements?: AstNode[]
}

/**
 * Proves on the parsed tree that a text is one SELECT over tables of the lake, with functions that
 * only compute.
 *
 * @param serialized what the parser's `json_serialize_sql` gave for the text.
 * @throws MoraineError of kind `query` otherwise.
 */
export function proveSelect(
  serialized: string,
  sql: string,
  { takesParameters = false, schema, readsSystem = false }: ProofOptions = {},
): ProvenSelect {
  const tree = parsed(serialized)
  const [refusal] = examineTree(tree, sql)
  const all = [...visit(tree.statements)]
  const visited = takesParameters ? all.filter(({ node }) => node.class !== 'PARAMETER') : all
  const bare = schema === undefined ? [] : placed(visited, schema)
  const [first] = refusal ? [refusal] : examine(visited, (node) => whyNoTable(node, readsSystem))
  if (first) {
    const where = first.at === undefined ? '' : pointAt(sql, charactersIn(sql, first.at))
    throw new MoraineError('query', `${first.message}${where}`, {
      hint: first.hint ?? 'Check the SQL.',
    })
  }
  const found = new Map<string, TableRef>()
  for (const { node, free } of visited) {
    if (!free) continue
    const table = { tier: folded(String(node.schema_name)), name: String(node.table_name) }
    found.set(folded(`${table.tier}.${table.name}`), table)
  }
  const parameters = all.flatMap(({ node }) => (node.class === 'PARAMETER' ? [node] : []))
  return { nodes: visited.map(({ node }) => node), parameters, tables: [...found.values()], bare }
}

/** Gives tables that are named without a namespace that of the query; returns their names. */
function placed(visited: readonly Visited[], schema: string): string[] {
  const names = new Set<string>()
  for (const { node, free } of visited) {
    if (!free || node.schema_name || node.catalog_name) continue
    node.schema_name = schema
    names.add(String(node.table_name))
  }
  return [...names]
}

/** A tree from its serialized form. */
export function parsed(serialized: string): Tree {
  return readTree(serialized) as Tree
}

/** What is wrong with a text as a whole: it does not parse, or is not one SELECT. */
export function examineTree(tree: Tree, sql: string): Refusal[] {
  const { error, error_type, error_message, position, statements = [] } = tree
  if (error && error_type === 'not implemented')
    return [
      notSelect.find(({ begins }) => begins.test(sql)) ?? {
        message: 'Only SELECT statements can be run here',
        hint: 'A lake only changes through its definition and `moraine run`.',
      },
    ]
  if (error) {
    const at = position === undefined ? undefined : Number(position)
    const word = at === undefined ? undefined : keywordAt(sql, charactersIn(sql, at))
    return [
      {
        message: error_message ?? 'The query cannot be parsed',
        at,
        ...(word === undefined
          ? {}
          : { hint: `Check the SQL. If ${word} is a column, put it in quotes: "${word}"` }),
      },
    ]
  }
  if (statements.length === 0) return [{ message: 'The query is empty', hint: 'Give one SELECT.' }]
  if (statements.length > 1)
    return [
      {
        message: `One SELECT is expected, but there are ${statements.length} statements`,
        hint: 'Run them one by one.',
      },
    ]
  return []
}

/** What people write beside SELECT to ask, and not to change anything. */
const notSelect: readonly (Refusal & { begins: RegExp })[] = [
  {
    begins: /^\s*explain\b/i,
    message: 'EXPLAIN cannot be used here',
    hint: 'Run the query itself. moraine query --explain shows how it would run.',
  },
  // The parser makes several statements of it: one to look for the values, and one that has them.
  {
    begins: /^[\s(]*(?=(from|select|with|pivot)\b).*\bpivot/is,
    message: 'PIVOT must list the values that become columns',
    hint: "List them: PIVOT silver.orders ON status IN ('paid', 'open') USING sum(amount)",
  },
]

/**
 * All that the nodes of a SELECT have and may not have; `whyNot` says it of tables that the text
 * does not make itself.
 */
export function examine(
  visited: readonly Visited[],
  whyNot: (table: AstNode) => Omit<Refusal, 'at' | 'named'> | undefined,
): Refusal[] {
  return visited.flatMap(({ node, free, inFrom }) => {
    if (free) {
      const why = whyNot(node)
      const name = String(node.table_name)
      return why ? [{ ...why, ...place(node), named: { kind: 'table', name } as const }] : []
    }
    const why = inFrom ? whyCall(node, 'from') : whyNode(node)
    return why ? [{ ...place(node), ...why }] : []
  })
}

function place({ query_location: at }: AstNode): { at?: number } {
  // The parser's "nowhere" is the greatest number.
  return Number.isSafeInteger(at) ? { at: at as number } : {}
}

function whyNode(node: AstNode): Refusal | undefined {
  const { type = '', class: kind } = node
  if (kind === 'PARAMETER')
    return { message: 'Parameters cannot be used here', hint: 'Write the value into the query.' }
  if (kind === 'FUNCTION' || kind === 'WINDOW') return whyCall(node, 'value')
  if (kind !== undefined) return expressions.has(kind) ? undefined : unknownNode(kind)
  if ('cte_map' in node) return queryNodes.has(type) ? undefined : unknownNode(type)
  if (!isTableNode(node)) return undefined
  if (type === 'SHOW_REF' && !node.query)
    return { message: 'SHOW cannot be used here', hint: 'List the tables with: moraine status' }
  if (node.at_clause) return atClause
  return tableNodes.has(type) ? undefined : unknownNode(type)
}

/** Nodes in FROM carry an alias and a sample; other nodes without a class are parts of them. */
function isTableNode(node: AstNode): boolean {
  return 'sample' in node && 'alias' in node && !('select_list' in node)
}

function unknownNode(type: string): Refusal {
  return { message: `A query cannot contain ${type}`, hint: 'Write it as a plain SELECT.' }
}

const atClause: Refusal = {
  message: 'AT cannot be used in a query',
  hint: 'Choose the commit or time with --at.',
}

function whyCall(node: AstNode, where: 'value' | 'from'): Refusal | undefined {
  const name = folded(String(node.function_name ?? ''))
  const why = whyNotCallable(name, where)
  if (why === undefined) return undefined
  const named = { kind: 'function', name } as const
  if (why !== 'unknown')
    return {
      message: `The function ${name} cannot be called here: ${why}`,
      hint: 'Queries can only read the tables of the lake: bronze.x, silver.x, gold.x, discarded.x.',
      ...place(node),
      named,
    }
  const similar = similarFunction(name, where)
  return {
    message: `Unknown function ${name}${where === 'from' ? ' in FROM' : ''}`,
    hint: similar
      ? `Did you mean ${similar}?`
      : 'See the list of functions: https://duckdb.org/docs/stable/sql/functions/overview',
    ...place(node),
    named,
  }
}

function whyNoTable(
  node: AstNode,
  readsSystem: boolean,
): Omit<Refusal, 'at' | 'named'> | undefined {
  const tier = folded(String(node.schema_name ?? ''))
  const name = String(node.table_name ?? '')
  if (node.at_clause) return atClause
  if (node.catalog_name)
    return {
      message: `There is no catalog '${node.catalog_name}'`,
      hint: `Write table names as silver.orders; a nested namespace in quotes, as one: "${node.catalog_name}.${node.schema_name}".${node.table_name}`,
    }
  if (tiers.includes(tier) || (readsSystem && tier === SYSTEM)) return undefined
  if (tier !== '' && !managedSchemas.includes(tier) && !engineSchemas.includes(tier))
    return undefined
  if (tier !== '')
    return {
      message: `There is no '${tier}.${name}' in this lake`,
      hint: `The layers are ${tiers.join(', ')}.`,
    }
  if (/[./\\*:]/.test(name))
    return {
      message: `'${name}' is not a table of the lake, and queries cannot read files`,
      hint: 'To look into a file: moraine preview FILE',
    }
  return {
    message: `The table name '${name}' needs its layer`,
    hint: `Write bronze.${name}, silver.${name} or gold.${name}.`,
  }
}

/** The table without a layer that a message is about. */
export const withoutLayer = (message: string): string | undefined =>
  /^The table name '(.*)' needs its layer/.exec(message)?.[1]

/** How many characters stand before a position, which the parser counts in bytes. */
export const charactersIn = (sql: string, position: number): number =>
  Buffer.from(sql).subarray(0, position).toString().length
