import { type AstNode, nodesOf } from '../ast.js'
import { rowFunctions } from '../functions.js'
import { callOf } from '../repeatable.js'
import { cteOf, type Leaf, type Scope } from '../select.js'

/** Why a query can't be computed part by part, and what to change. */
export class Unprovable extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** One SELECT of the query, where the part is followed. */
export interface Level {
  node: AstNode
  name: string
  /** What the part is computed by, over the columns of its leaf. */
  expression: AstNode
  leaf: Leaf
  leaves: readonly Leaf[]
  scope: Scope
}

/** A relation in FROM is a dataset, or a query in the text. */
export function refuseStranger({ node }: Leaf, scope: Scope): void {
  if (node.type !== 'BASE_TABLE' || node.schema_name || cteOf(node, scope)) return
  throw new Unprovable(
    `${String(node.table_name).toLowerCase()} is not a dataset of the lake`,
    'Refer to datasets as ${dataset}',
  )
}

export function refuseSide({ leaf, name }: Level): void {
  if (leaf.nullable)
    throw new Unprovable(
      `'${name}' comes from the side of an outer join that may be missing`,
      'Put its input on the left of a LEFT JOIN',
    )
}

export function refuseLimit(node: AstNode, name: string): void {
  const modifiers = node.modifiers as AstNode[]
  if (modifiers.some(({ type }) => type?.startsWith('LIMIT')))
    throw new Unprovable(
      'LIMIT counts rows of all partitions together',
      `Rank within each ${name} with QUALIFY row_number() OVER (PARTITION BY ${name} …), or remove incremental`,
    )
}

const rowExpressions = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'OPERATOR',
])

/** The part is computed of a row alone, and is the same at each run. */
export function refuseFunctions(expression: AstNode, name: string): void {
  for (const node of nodesOf(expression)) {
    const { class: kind } = node
    if (kind === undefined || rowExpressions.has(kind)) continue
    if (kind === 'FUNCTION' && rowFunctions.has(callOf(node))) continue
    throw new Unprovable(
      `'${name}' is computed by ${kind === 'FUNCTION' ? callOf(node) : `a ${kind.toLowerCase()}`}, which may depend on other rows`,
      'Compute it from columns of the same row: date_trunc, cast, year and so on',
    )
  }
}
