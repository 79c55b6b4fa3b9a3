import type { AstNode } from '../ast.js'

/* Nodes of the tree that DuckDB's parser gives, for what is added to a query. */

export function column(...names: readonly string[]): AstNode {
  return {
    class: 'COLUMN_REF',
    type: 'COLUMN_REF',
    alias: '',
    query_location: 0,
    column_names: names,
  }
}

export function call(name: string, children: readonly AstNode[], filter?: AstNode): AstNode {
  return {
    ...{ class: 'FUNCTION', type: 'FUNCTION', alias: '', query_location: 0, function_name: name },
    ...{ schema: '', children, filter: filter ?? null, distinct: false, is_operator: false },
    ...{ order_bys: { type: 'ORDER_MODIFIER', orders: [] }, export_state: false, catalog: '' },
  }
}

export function isNotNull(of: AstNode): AstNode {
  const type = 'OPERATOR_IS_NOT_NULL'
  return { class: 'OPERATOR', type, alias: '', query_location: 0, children: [of] }
}

export function nullValue(): AstNode {
  const value = { type: { id: 'NULL', type_info: null }, is_null: true }
  return { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', query_location: 0, value }
}

/** A function over all rows of a window's partition. */
export function overPartition(name: string, of: AstNode, partitions: readonly AstNode[]): AstNode {
  return {
    ...{ class: 'WINDOW', type: 'WINDOW_AGGREGATE', alias: '', query_location: 0 },
    ...{ function_name: name, schema: '', catalog: '', children: [of], partitions, orders: [] },
    ...{ start: 'UNBOUNDED_PRECEDING', end: 'CURRENT_ROW_RANGE', start_expr: null },
    ...{ end_expr: null, offset_expr: null, default_expr: null, ignore_nulls: false },
    ...{ filter_expr: null, exclude_clause: 'NO_OTHER', distinct: false, arg_orders: [] },
  }
}

/** A query in FROM. */
export function subquery(node: AstNode, alias: string, names: readonly string[] = []): AstNode {
  return {
    ...{ type: 'SUBQUERY', alias, sample: null, query_location: 0 },
    ...{ subquery: { node, named_param_map: [] }, column_name_alias: names },
  }
}

/** A query as an expression, which the parser writes as text. */
export function scalar(node: AstNode): AstNode {
  return {
    ...{ class: 'SUBQUERY', type: 'SUBQUERY', alias: '', query_location: 0 },
    ...{ subquery_type: 'SCALAR', subquery: { node, named_param_map: [] } },
    ...{ child: null, comparison_type: 'INVALID' },
  }
}

/** `SELECT * EXCLUDE (left), more FROM from GROUP BY ALL`. */
export function groupedByAll(from: AstNode, left: string, more: AstNode): AstNode {
  return {
    ...{ type: 'SELECT_NODE', modifiers: [], cte_map: { map: [] }, from_table: from },
    ...{ select_list: [star([left]), more], where_clause: null, group_expressions: [] },
    ...{ group_sets: [], aggregate_handling: 'FORCE_AGGREGATES', having: null, sample: null },
    qualify: null,
  }
}

function star(left: readonly string[]): AstNode {
  return {
    ...{ class: 'STAR', type: 'STAR', alias: '', query_location: 0, relation_name: '' },
    ...{ exclude_list: left, replace_list: [], columns: false, expr: null },
    ...{ qualified_exclude_list: [], rename_list: [] },
  }
}

/** The nodes of an expression that are not within queries of its own. */
export function ownNodes(tree: unknown): AstNode[] {
  const found: AstNode[] = []
  const visit = (value: unknown) => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (value === null || typeof value !== 'object') return
    const node = value as AstNode
    if (typeof node.type === 'string') found.push(node)
    for (const name in node) if (node.class !== 'SUBQUERY' || name !== 'subquery') visit(node[name])
  }
  visit(tree)
  return found
}
