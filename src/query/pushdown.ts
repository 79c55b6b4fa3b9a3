import type { Predicate } from '../iceberg/spec/prune.js'
import { type AstNode, type Constant, constantOf } from '../plan/ast.js'
import type { TableRef } from '../sql/guard.js'

/** A predicate, and how its values are compared; see `Constant`. */
export interface Pushed extends Predicate {
  kind: Constant['kind']
}

/**
 * Conditions of WHERE that all wanted rows of a table meet, so that files without any need not be
 * opened. Only what is certain is taken: a table that is named once and whose columns keep their
 * names, and conditions joined by AND.
 */
export function predicatesFor(table: TableRef, nodes: readonly AstNode[]): Pushed[] {
  const isIt = (node: AstNode) => isTable(node, table)
  if (nodes.filter(isIt).length !== 1) return []
  const select = nodes.find(
    (node) => node.type === 'SELECT_NODE' && fromTables(node.from_table).some(isIt),
  )
  if (!select?.where_clause || select.sample) return []
  const from = fromTables(select.from_table)
  const own = from.find(isIt)
  const renamed = (own?.column_name_alias as unknown[] | undefined) ?? []
  if (renamed.length > 0 || !isMissedAlone(select.from_table as AstNode, isIt)) return []
  const alias = String(own?.alias || table.name).toLowerCase()
  const alone = from.length === 1
  return conjuncts(select.where_clause as AstNode).flatMap((node) =>
    toPredicate(node, alias, alone),
  )
}

/** How often a query names a table. */
export function timesNamed(table: TableRef, nodes: readonly AstNode[]): number {
  return nodes.filter((node) => isTable(node, table)).length
}

function isTable(node: AstNode, { tier, name }: TableRef): boolean {
  return (
    node.type === 'BASE_TABLE' &&
    String(node.schema_name).toLowerCase() === tier &&
    String(node.table_name).toLowerCase() === name.toLowerCase()
  )
}

/** What a query calls a table, in lower case. */
export function aliasesOf(table: TableRef, nodes: readonly AstNode[]): string[] {
  const names = nodes
    .filter((node) => isTable(node, table))
    .map((node) => String(node.alias || table.name).toLowerCase())
  return [...new Set(names)]
}

/** A name as a query has it, in lower case: `day`, `orders.day`, `orders.address.city`. */
export type NamedColumn = readonly string[]

/**
 * The columns that a query names anywhere; `undefined` when it takes all of something, or columns
 * by their places.
 */
export function columnsNamed(nodes: readonly AstNode[]): NamedColumn[] | undefined {
  if (nodes.some(takesUnnamed)) return undefined
  return nodes.flatMap((node) => {
    const names =
      node.class === 'COLUMN_REF'
        ? [node.column_names as string[]]
        : ((node.type === 'JOIN' && (node.using_columns as string[])) || []).map((one) => [one])
    return names.map((parts) => parts.map((part) => part.toLowerCase()))
  })
}

/** Whether a part of a query reads columns that it does not name. */
function takesUnnamed(node: AstNode): boolean {
  const renamed = (node.type === 'BASE_TABLE' && (node.column_name_alias as unknown[])) || []
  return (
    node.class === 'STAR' ||
    node.class === 'POSITIONAL_REFERENCE' ||
    // It groups by what is left.
    node.type === 'PIVOT' ||
    (node.type === 'JOIN' && node.ref_type === 'NATURAL') ||
    renamed.length > 0
  )
}

/**
 * The tables of a FROM, without those of subqueries; a table function or subquery counts as one.
 */
function fromTables(from: unknown): AstNode[] {
  const node = from as AstNode
  return node.type === 'JOIN' ? [...fromTables(node.left), ...fromTables(node.right)] : [node]
}

/**
 * Whether all other rows of FROM stay as they are when one of the table is passed over: those that
 * are joined by their place, or with what comes next to them, do not, nor does a sample.
 */
function isMissedAlone(from: AstNode, isIt: (node: AstNode) => boolean): boolean {
  if (!fromTables(from).some(isIt)) return true
  if (from.sample) return false
  if (from.type !== 'JOIN') return true
  const [left, right] = [from.left, from.right] as [AstNode, AstNode]
  if (from.ref_type === 'POSITIONAL') return false
  if (from.ref_type === 'ASOF' && fromTables(right).some(isIt)) return false
  return isMissedAlone(left, isIt) && isMissedAlone(right, isIt)
}

function conjuncts(node: AstNode): AstNode[] {
  if (node.type !== 'CONJUNCTION_AND') return [node]
  return (node.children as AstNode[]).flatMap(conjuncts)
}

const operators: Record<string, Predicate['op']> = {
  COMPARE_EQUAL: '=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}
const mirrored: Partial<Record<Predicate['op'], Predicate['op']>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

function toPredicate(node: AstNode, alias: string, alone: boolean): Pushed[] {
  const column = (tree: unknown) => columnOf(tree as AstNode, alias, alone)
  if (node.class === 'COMPARISON') {
    const op = operators[node.type ?? '']
    if (!op) return []
    const direct = make(column(node.left), op, [node.right])
    return direct.length > 0 ? direct : make(column(node.right), mirrored[op] ?? op, [node.left])
  }
  if (node.class === 'BETWEEN') {
    const name = column(node.input)
    const [lower, upper] = [make(name, '>=', [node.lower]), make(name, '<=', [node.upper])]
    return [...lower, ...upper]
  }
  const [first, ...rest] = (node.children as AstNode[] | undefined) ?? []
  if (node.type === 'COMPARE_IN') return make(column(first), 'in', rest)
  if (node.type === 'OPERATOR_IS_NOT_NULL') return make(column(first), 'is not null', [])
  // With a join, a row that was passed over could come back as one that has no partner.
  if (node.type === 'OPERATOR_IS_NULL' && alone) return make(column(first), 'is null', [])
  return []
}

function make(
  column: string | undefined,
  op: Predicate['op'],
  constants: readonly unknown[],
): Pushed[] {
  if (column === undefined) return []
  const found = constants.map(constantOf)
  if (found.some((one) => one === undefined)) return []
  const values = found as Constant[]
  return [{ column, op, values: values.map(({ text }) => text), kind: kindOf(values) }]
}

/** How values are compared together. */
function kindOf(values: readonly Constant[]): Constant['kind'] {
  const found = (['unclear', 'double'] as const).find((one) =>
    values.some(({ kind }) => kind === one),
  )
  return found ?? (values.every(({ kind }) => kind === 'text') ? 'text' : 'exact')
}

function columnOf(node: AstNode | undefined, alias: string, alone: boolean): string | undefined {
  if (node?.class !== 'COLUMN_REF') return undefined
  const names = node.column_names as string[]
  if (names.length === 1) return alone ? names[0] : undefined
  return names.length === 2 && names[0]?.toLowerCase() === alias ? names[1] : undefined
}
