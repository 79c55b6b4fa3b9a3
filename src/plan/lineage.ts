import { type AstNode, nodesOf, queryIn } from './ast.js'

/** A column of a dataset. */
export interface ColumnSource {
  /** `silver.orders`. */
  table: string
  column: string
}

/**
 * What values of columns are computed from, by the columns' names in lower case, in their order.
 */
export type ColumnLineage = Map<string, readonly ColumnSource[]>

/** The columns of a dataset, as it spells them; none where they are not known. */
export type ColumnsOf = (table: string) => readonly string[]

/**
 * From which columns of datasets each column of a query's result is computed, by its parsed SQL.
 * Conditions, joins and groups are not part of it: they decide which rows there are, not what is in
 * them.
 *
 * @param serialized what the parser gave for the query.
 */
export function columnLineage(serialized: string, columnsOf: ColumnsOf): ColumnLineage {
  const root = queryIn(serialized)
  return root ? new Tracer(columnsOf).query(root, []) : new Map()
}

interface Leaf {
  alias: string
  columns: ColumnLineage
  /** A dataset whose columns are not known: any name may be one of them. */
  open: string | undefined
}

type Scope = readonly { name: string; columns: ColumnLineage }[]

/** Columns whose first ones are given other names. */
function renamed(columns: ColumnLineage, names: readonly string[] = []): ColumnLineage {
  return new Map(
    [...columns].map(([name, sources], i) => [names[i]?.toLowerCase() ?? name, sources]),
  )
}

class Tracer {
  constructor(private readonly columnsOf: ColumnsOf) {}

  query(node: AstNode, outer: Scope): ColumnLineage {
    const scope = this.named(node, outer)
    if (node.type === 'SET_OPERATION_NODE') return this.sides(node, scope)
    if (node.type === 'RECURSIVE_CTE_NODE') return this.query(node.left as AstNode, scope)
    if (node.type !== 'SELECT_NODE') return new Map()
    const leaves = this.leaves(node.from_table as AstNode, scope)
    const found: ColumnLineage = new Map()
    for (const item of (node.select_list as AstNode[] | undefined) ?? [])
      if (item.class === 'STAR') this.star(item, leaves, found)
      else found.set(nameOf(item), this.sources(item, leaves, scope, found))
    return found
  }

  private named(node: AstNode, outer: Scope): Scope {
    const map = node.cte_map as
      | { map: { key: string; value: { query: { node: AstNode }; aliases?: string[] } }[] }
      | undefined
    let scope = outer
    // A later one sees those before it.
    for (const { key, value } of map?.map ?? []) {
      const columns = renamed(this.query(value.query.node, scope), value.aliases)
      scope = [{ name: key.toLowerCase(), columns }].concat(scope)
    }
    return scope
  }

  private sides(node: AstNode, scope: Scope): ColumnLineage {
    const [left, right] = [node.left, node.right].map((side) => this.query(side as AstNode, scope))
    const byName = node.setop_type === 'UNION_BY_NAME'
    const others = [...(right?.values() ?? [])]
    const merged = [...(left ?? [])].map(
      ([name, sources], i): [string, readonly ColumnSource[]] => {
        const more = byName ? right?.get(name) : others[i]
        return [name, distinct([...sources, ...(more ?? [])])]
      },
    )
    const found = new Map(merged)
    if (byName)
      for (const [name, sources] of right ?? []) if (!found.has(name)) found.set(name, sources)
    return found
  }

  private leaves(from: AstNode | undefined, scope: Scope): Leaf[] {
    if (!from || from.type === 'EMPTY') return []
    if (from.type === 'JOIN')
      return [from.left, from.right].flatMap((side) => this.leaves(side as AstNode, scope))
    const alias = String(from.alias || from.table_name || '').toLowerCase()
    const { columns, open } = this.relation(from, scope)
    const names = from.column_name_alias as string[] | undefined
    return [{ alias, columns: renamed(columns, names), open }]
  }

  private relation(from: AstNode, scope: Scope): Omit<Leaf, 'alias'> {
    const none = { columns: new Map(), open: undefined }
    const inner = (from.subquery as { node: AstNode } | undefined)?.node
    if (inner) return { columns: this.query(inner, scope), open: undefined }
    if (from.type !== 'BASE_TABLE') return none
    const name = String(from.table_name)
    if (!from.schema_name) {
      const cte = scope.find((known) => known.name === name.toLowerCase())
      return cte ? { columns: cte.columns, open: undefined } : none
    }
    const table = `${from.schema_name}.${name}`
    const own = this.columnsOf(table)
    const columns: ColumnLineage = new Map(
      own.map((column) => [column.toLowerCase(), [{ table, column }]]),
    )
    return { columns, open: own.length === 0 ? table : undefined }
  }

  private star(item: AstNode, leaves: readonly Leaf[], found: ColumnLineage): void {
    const only = String(item.relation_name ?? '').toLowerCase()
    const left = new Set(
      ((item.exclude_list as string[] | undefined) ?? []).map((name) => name.toLowerCase()),
    )
    for (const leaf of leaves) {
      if (only !== '' && leaf.alias !== only) continue
      for (const [name, sources] of leaf.columns) if (!left.has(name)) found.set(name, sources)
    }
  }

  private sources(
    expression: AstNode,
    leaves: readonly Leaf[],
    scope: Scope,
    before: ColumnLineage,
  ): ColumnSource[] {
    const inner = nodesOf(expression).flatMap((node) =>
      node.class === 'SUBQUERY' ? [(node.subquery as { node: AstNode }).node] : [],
    )
    // What a subquery gives; the columns that it compares with are not its values.
    const given = inner.flatMap((query) => [...this.query(query, scope).values()].flat())
    const inside = new Set(inner.flatMap((query) => nodesOf(query)))
    const refs = nodesOf(expression).filter(
      (node) => node.class === 'COLUMN_REF' && !inside.has(node),
    )
    return distinct([...refs.flatMap((ref) => this.resolve(ref, leaves, before)), ...given])
  }

  private resolve(
    ref: AstNode,
    leaves: readonly Leaf[],
    before: ColumnLineage,
  ): readonly ColumnSource[] {
    const names = (ref.column_names as string[]).map((name) => name.toLowerCase())
    const column = names.at(-1) as string
    const alias = names.at(-2)
    const leaf =
      leaves.find(
        (known) => (alias === undefined || known.alias === alias) && known.columns.has(column),
      ) ??
      // `row.field` names a part of a column.
      leaves.find((known) => names.length > 1 && known.columns.has(names[0] as string))
    if (leaf) return leaf.columns.get(column) ?? leaf.columns.get(names[0] as string) ?? []
    const own = alias === undefined ? before.get(column) : undefined
    if (own) return own
    const open = leaves.filter(
      (known) => known.open && (alias === undefined || known.alias === alias),
    )
    const [only] = open
    return open.length === 1 && only?.open
      ? [{ table: only.open, column: String((ref.column_names as string[]).at(-1)) }]
      : []
  }
}

function nameOf(item: AstNode): string {
  const own = item.alias || (item.column_names as string[] | undefined)?.at(-1)
  return String(own ?? '').toLowerCase()
}

function distinct(sources: readonly ColumnSource[]): ColumnSource[] {
  const known = new Map(sources.map((source) => [`${source.table} ${source.column}`, source]))
  return [...known.values()]
}
