import { type AstNode, nodesOf } from './ast.js'

/** A dataset as SQL names it. */
export interface TableName {
  tier: string
  name: string
}

/** How the part of a row is found, for an input whose rows decide which parts there are. */
export interface Proof {
  driving: TableName
  /** The part of a row of it, as a parsed expression over its columns. */
  expression: AstNode
}

/** Why a query can't be computed part by part, and what to change. */
export class Unprovable extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** What the proof is about. */
export interface ProofInput {
  /** What the parser gave for the query. */
  serialized: string
  /** The column of the result that tells the parts. */
  by: string
  /** Whether windows may look beyond their part, as `affects` declares. */
  reaches: boolean
  /** The columns of a dataset, in lower case. */
  columnsOf: (table: TableName) => readonly string[]
}

/**
 * Proves on the parsed SQL that every row of the result depends on rows of one input that fall in the
 * same part, and on nothing else of that input. Where a UNION or the like puts several inputs together, that
 * holds for each of them.
 *
 * @throws Unprovable otherwise.
 */
export function proveIncremental(input: ProofInput): Proof[] {
  const tree = JSON.parse(input.serialized) as { statements: { node: AstNode }[] }
  const root = tree.statements[0]?.node as AstNode
  refuseVolatile(root)
  const proofs = new Prover(input, root).prove(root, input.by, [])
  for (const { driving } of proofs) {
    const uses = nodesOf(root).filter(
      (node) => node.type === 'BASE_TABLE' && sameTable(node, driving),
    )
    if (uses.length !== 1)
      throw new Unprovable(
        `${driving.tier}.${driving.name} is read more than once, so that rows of one part could look at others`,
        'Read it once, or remove incremental',
      )
  }
  return proofs
}

const VOLATILE =
  /^(random|setseed|uuid|gen_random_uuid|uuidv4|uuidv7|now|today|current_date|current_time|current_timestamp|localtime|localtimestamp|get_current_timestamp|get_current_time|transaction_timestamp|nextval|currval)$/

function refuseVolatile(root: AstNode): void {
  for (const node of nodesOf(root)) {
    const names = node.class === 'COLUMN_REF' ? (node.column_names as string[]) : []
    const name =
      node.class === 'FUNCTION' ? String(node.function_name) : names.length === 1 ? names[0] : ''
    if (VOLATILE.test(String(name).toLowerCase()))
      throw new Unprovable(
        `${name} gives another value at each run, so that parts that are not computed again would differ`,
        `Remove ${name}, or remove incremental`,
      )
  }
}

function sameTable(node: AstNode, { tier, name }: TableName): boolean {
  return (
    String(node.schema_name).toLowerCase() === tier.toLowerCase() &&
    String(node.table_name).toLowerCase() === name.toLowerCase()
  )
}

interface Leaf {
  node: AstNode
  alias: string
  /** Whether a join may put NULLs in place of its rows. */
  nullable: boolean
}

/** Named subqueries that a query can see, innermost first. */
type Scope = readonly { name: string; node: AstNode }[]

class Prover {
  constructor(
    private readonly input: ProofInput,
    private readonly root: AstNode,
  ) {}

  /** Proves that the part of each row of a query is its column `name`. */
  prove(node: AstNode, name: string, outer: Scope): Proof[] {
    if (node.type === 'SET_OPERATION_NODE') return this.proveSides(node, name, outer)
    if (node.type !== 'SELECT_NODE')
      throw new Unprovable(
        `'${name}' can't be followed through a recursive query`,
        'Put it into a dataset of its own, or remove incremental',
      )
    const scope = [...ctesOf(node), ...outer]
    refuseModifiers(node, name)
    const expression = columnNamed(node, name)
    refuseFunctions(expression, name)
    const leaves = leavesOf(node.from_table as AstNode, false)
    const leaf = this.leafOf(expression, leaves, scope, name)
    this.checkGroups(node, expression, name, leaves, scope)
    this.checkWindows(node, expression, name, leaves, scope)
    if (leaf.nullable)
      throw new Unprovable(
        `'${name}' comes from the side of an outer join that may be missing`,
        'Put its input on the left of a LEFT JOIN',
      )
    return this.follow(leaf, expression, name, scope)
  }

  /** Each side of UNION and its kin must give the part, at the same place; only equal rows of both meet. */
  private proveSides(node: AstNode, name: string, outer: Scope): Proof[] {
    const scope = [...ctesOf(node), ...outer]
    refuseModifiers(node, name)
    const sides = [node.left, node.right] as AstNode[]
    if (node.setop_type === 'UNION_BY_NAME')
      return sides.flatMap((side) => this.prove(side, name, scope))
    const position = outputNames(node).indexOf(name.toLowerCase())
    if (position < 0)
      throw new Unprovable(
        `'${name}' is not named by the first side of ${node.setop_type}`,
        'Write its columns out in the SELECT',
      )
    return sides.flatMap((side) => this.prove(naming(side, position, name), name, scope))
  }

  /** Goes on with the input that a part comes from: a dataset, or a query of its own. */
  private follow(leaf: Leaf, expression: AstNode, name: string, scope: Scope): Proof[] {
    const { node } = leaf
    const cte = cteOf(node, scope)
    if (node.type === 'BASE_TABLE' && !cte) {
      const driving = { tier: String(node.schema_name), name: String(node.table_name) }
      return [{ driving, expression: unqualified(expression) }]
    }
    if ((node.column_name_alias as unknown[] | undefined)?.length)
      throw new Unprovable(
        `'${name}' comes from columns that are renamed in FROM`,
        'Name them in the SELECT',
      )
    const columns = new Set(columnsIn(expression).map((column) => column.toLowerCase()))
    const [column] = columns
    if (column === undefined || columns.size > 1)
      throw new Unprovable(
        `'${name}' is made of several columns of a subquery`,
        'Compute it inside of the subquery, and select it from there',
      )
    if (cte && !this.isReadOnce(cte.name))
      throw new Unprovable(
        `${cte.name} is read more than once, so that rows of one part could look at others`,
        'Read it once, or remove incremental',
      )
    const query = cte?.node ?? (node.subquery as { node: AstNode } | undefined)?.node
    if (!query)
      throw new Unprovable(`'${name}' does not come from a dataset`, 'Let it come from an input')
    const rest = cte ? scope.slice(scope.indexOf(cte) + 1) : scope
    return this.prove(query, column, rest).map((inner) => ({
      driving: inner.driving,
      expression: substituted(unqualified(expression), inner.expression),
    }))
  }

  private isReadOnce(cte: string): boolean {
    const reads = nodesOf(this.root).filter(
      (node) =>
        node.type === 'BASE_TABLE' &&
        !node.schema_name &&
        String(node.table_name).toLowerCase() === cte,
    )
    return reads.length === 1
  }

  /** The one input that all columns of an expression come from. */
  private leafOf(expression: AstNode, leaves: readonly Leaf[], scope: Scope, name: string): Leaf {
    const found = new Set(
      refsIn(expression).map((ref) => {
        const names = ref.column_names as string[]
        const column = String(names.at(-1)).toLowerCase()
        const alias = names.length > 1 ? String(names.at(-2)).toLowerCase() : undefined
        if (names.length > 2)
          throw new Unprovable(
            `'${names.join('.')}' names a table with its schema`,
            `Write ${names.slice(-2).join('.')}`,
          )
        return leaves.find((leaf) =>
          alias === undefined ? this.has(leaf, column, leaves, scope) : leaf.alias === alias,
        )
      }),
    )
    const [leaf] = found
    if (found.size !== 1 || !leaf)
      throw new Unprovable(
        found.size > 1
          ? `'${name}' is made of columns of several inputs`
          : `'${name}' does not come from an input`,
        'Let it come from the one input whose new rows are to be followed',
      )
    return leaf
  }

  private has(leaf: Leaf, column: string, leaves: readonly Leaf[], scope: Scope): boolean {
    if (leaves.length === 1) return true
    const { node } = leaf
    const query = cteOf(node, scope)?.node ?? (node.subquery as { node: AstNode } | undefined)?.node
    if (query) return outputNames(query).includes(column)
    if (node.type !== 'BASE_TABLE') return false
    return this.input
      .columnsOf({ tier: String(node.schema_name), name: String(node.table_name) })
      .includes(column)
  }

  private checkGroups(
    node: AstNode,
    expression: AstNode,
    name: string,
    leaves: readonly Leaf[],
    scope: Scope,
  ): void {
    const groups = node.group_expressions as AstNode[]
    if (groups.length === 0) return
    const sets = node.group_sets as number[][]
    const items = node.select_list as AstNode[]
    const position = items.findIndex((item) => nameOf(item) === name.toLowerCase())
    const held = groups.some((group) => {
      const value = (group.value as { value?: unknown } | undefined)?.value
      if (group.class === 'CONSTANT') return value === position + 1
      return this.means(group, expression, name, leaves, scope)
    })
    if (!held || sets.length !== 1)
      throw new Unprovable(
        `'${name}' is not in every GROUP BY, so that rows of several parts are put together`,
        `Add ${name} to the GROUP BY`,
      )
  }

  private checkWindows(
    node: AstNode,
    expression: AstNode,
    name: string,
    leaves: readonly Leaf[],
    scope: Scope,
  ): void {
    if (this.input.reaches) return
    const { select_list, qualify, modifiers } = node
    const windows = nodesOf([select_list, qualify, modifiers]).filter((n) => n.class === 'WINDOW')
    for (const window of windows) {
      const partitions = window.partitions as AstNode[]
      if (partitions.some((p) => this.means(p, expression, name, leaves, scope))) continue
      throw new Unprovable(
        `the window of ${window.function_name} looks at rows of several '${name}'`,
        `Add ${name} to its PARTITION BY; or say how far it looks: affects: { before, after }`,
      )
    }
  }

  /** Whether an expression is the part: the same, or its name where no input has a column of that name. */
  private means(
    other: AstNode,
    expression: AstNode,
    name: string,
    leaves: readonly Leaf[],
    scope: Scope,
  ): boolean {
    if (plain(unqualified(other)) === plain(unqualified(expression))) return true
    const names = (other.column_names as string[] | undefined) ?? []
    const isName = names.length === 1 && names[0]?.toLowerCase() === name.toLowerCase()
    return isName && !leaves.some((leaf) => this.certainly(leaf, name.toLowerCase(), scope))
  }

  private certainly(leaf: Leaf, column: string, scope: Scope): boolean {
    return this.has(leaf, column, [leaf, leaf], scope)
  }
}

function ctesOf(node: AstNode): Scope {
  const map = (node.cte_map as { map: { key: string; value: { query: { node: AstNode } } }[] }).map
  // A later one sees those before it.
  return [...map]
    .reverse()
    .map(({ key, value }) => ({ name: key.toLowerCase(), node: value.query.node }))
}

function cteOf(node: AstNode, scope: Scope): Scope[number] | undefined {
  if (node.type !== 'BASE_TABLE' || node.schema_name) return undefined
  const name = String(node.table_name).toLowerCase()
  const found = scope.find((cte) => cte.name === name)
  if (!found)
    throw new Unprovable(`${name} is not a dataset of the lake`, 'Put datasets in as ${dataset}')
  return found
}

function refuseModifiers(node: AstNode, name: string): void {
  const modifiers = node.modifiers as AstNode[]
  if (modifiers.some(({ type }) => type?.startsWith('LIMIT')))
    throw new Unprovable(
      'LIMIT counts rows of all parts together',
      `Rank within each ${name} with QUALIFY row_number() OVER (PARTITION BY ${name} …), or remove incremental`,
    )
  const on = modifiers.flatMap((m) => (m.distinct_on_targets as AstNode[] | undefined) ?? [])
  if (on.length > 0 && !on.some((target) => nameOf(target) === name.toLowerCase()))
    throw new Unprovable(`DISTINCT ON picks among rows of several '${name}'`, `Add ${name} to it`)
  const from = node.from_table as AstNode | undefined
  const sampled = [node, ...(from ? leavesOf(from, false).map((leaf) => leaf.node) : [])]
  if (sampled.some(({ sample }) => sample))
    throw new Unprovable('a sample differs from run to run', 'Remove it, or remove incremental')
}

/** The expression behind a column of a SELECT's result. */
function columnNamed(node: AstNode, name: string): AstNode {
  const items = node.select_list as AstNode[]
  const found = items.find((item) => nameOf(item) === name.toLowerCase())
  if (found) return found
  const column = { class: 'COLUMN_REF', type: 'COLUMN_REF', alias: '', column_names: [name] }
  if (items.some((item) => item.class === 'STAR')) return column
  const names = items.map(nameOf).filter(Boolean)
  throw new Unprovable(`'${name}' is not a column of the query`, `It gives: ${names.join(', ')}`)
}

function nameOf(item: AstNode): string {
  if (item.alias) return String(item.alias).toLowerCase()
  return String((item.column_names as string[] | undefined)?.at(-1) ?? '').toLowerCase()
}

/** A query whose column at a place has a name. */
function naming(node: AstNode, position: number, name: string): AstNode {
  if (node.type === 'SET_OPERATION_NODE')
    return { ...node, left: naming(node.left as AstNode, position, name) }
  const items = (node.select_list as AstNode[] | undefined) ?? []
  if (items.slice(0, position + 1).some((item) => item.class === 'STAR'))
    throw new Unprovable(
      `which column of * stands for '${name}' can't be told`,
      'Write the columns out in the SELECT',
    )
  return {
    ...node,
    select_list: items.map((item, i) => (i === position ? { ...item, alias: name } : item)),
  }
}

function outputNames(query: AstNode): string[] {
  if (query.type === 'SET_OPERATION_NODE') return outputNames(query.left as AstNode)
  return ((query.select_list as AstNode[] | undefined) ?? []).map(nameOf)
}

/** Functions of a row alone, the same at each run. */
const SCALAR =
  /^(date_trunc|date_part|datepart|year|month|quarter|week|yearweek|isoyear|day|dayofmonth|dayofweek|dayofyear|hour|minute|last_day|make_date|strftime|monthname|dayname|lower|upper|left|right|substr|substring|trim|coalesce|concat|length|abs|floor|ceil|round|div|mod|\|\||[-+*/%]|\/\/)$/

function refuseFunctions(expression: AstNode, name: string): void {
  for (const node of nodesOf(expression)) {
    const kind = node.class
    const call = String(node.function_name ?? '').toLowerCase()
    const bad =
      kind === 'SUBQUERY' || kind === 'WINDOW' || (kind === 'FUNCTION' && !SCALAR.test(call))
    if (bad)
      throw new Unprovable(
        `'${name}' is computed by ${kind === 'FUNCTION' ? call : `a ${kind?.toLowerCase()}`}, which may look beyond its row`,
        'Compute it from columns of the row: date_trunc, cast, year and the like',
      )
  }
}

const nullableSides: Readonly<Record<string, readonly [left: boolean, right: boolean]>> = {
  INNER: [false, false],
  LEFT: [false, true],
  RIGHT: [true, false],
  OUTER: [true, true],
  FULL: [true, true],
  SEMI: [false, true],
  ANTI: [false, true],
}

function leavesOf(from: AstNode, nullable: boolean): Leaf[] {
  if (from.type === 'JOIN') {
    const sides = nullableSides[String(from.join_type)]
    if (!sides || from.ref_type === 'POSITIONAL')
      throw new Unprovable('rows are joined by their position', 'Join them by a condition')
    return [
      ...leavesOf(from.left as AstNode, nullable || sides[0]),
      ...leavesOf(from.right as AstNode, nullable || sides[1]),
    ]
  }
  if (from.type === 'EMPTY') return []
  return [
    { node: from, alias: String(from.alias || from.table_name || '').toLowerCase(), nullable },
  ]
}

function refsIn(expression: AstNode): AstNode[] {
  return nodesOf(expression).filter((node) => node.class === 'COLUMN_REF')
}

function columnsIn(expression: AstNode): string[] {
  return refsIn(expression).map((ref) => String((ref.column_names as string[]).at(-1)))
}

/** A copy of an expression that names columns without their table, and has no alias of its own. */
function unqualified(expression: AstNode): AstNode {
  const copy = JSON.parse(JSON.stringify(expression)) as AstNode
  copy.alias = ''
  for (const node of nodesOf(copy)) {
    if ('query_location' in node) node.query_location = 0
    if (node.class === 'COLUMN_REF')
      node.column_names = [String((node.column_names as string[]).at(-1))]
  }
  return copy
}

/** An expression over one column, with another expression in the column's place. */
function substituted(expression: AstNode, column: AstNode): AstNode {
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace)
    if (value === null || typeof value !== 'object') return value
    if ((value as AstNode).class === 'COLUMN_REF') return column
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]))
  }
  return replace(expression) as AstNode
}

function plain(expression: AstNode): string {
  return JSON.stringify(expression).toLowerCase()
}

/** Whether a part rises with the one column it is made of, so that bounds of the one bound the other. */
export function risingColumn(expression: AstNode): string | undefined {
  if (expression.class === 'COLUMN_REF') return (expression.column_names as string[])[0]
  if (expression.class === 'CAST') {
    const target = (expression.cast_type as { id: string }).id
    const rises = ['DATE', 'TIMESTAMP'].includes(target)
    return rises ? risingColumn(expression.child as AstNode) : undefined
  }
  if (expression.class !== 'FUNCTION') return undefined
  const children = expression.children as AstNode[]
  const name = String(expression.function_name)
  if (name === 'date_trunc' && children[0]?.class === 'CONSTANT')
    return risingColumn(children[1] as AstNode)
  return name === 'year' || name === 'last_day' ? risingColumn(children[0] as AstNode) : undefined
}
