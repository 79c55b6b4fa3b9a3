import type { ColumnType } from '../define/types/column-type.js'
import { sqlType } from '../define/types/sql-type.js'
import type { Dialect } from '../sql/dialect.js'
import { type AstNode, queryIn } from './ast.js'
import { ctesOf, leavesOf, nameOf, namesGiven, queryOf, type Scope } from './select.js'

/**
 * What a cast from what a query gives to a declared type may do: `exact`: it gives the value, or
 * fails by itself;
 * `checked`: of some values it would give another, which has to be looked for; `rounds`: whatever
 * does not fit is rounded.
 */
export type Fit = 'exact' | 'checked' | 'rounds'

const wholes: Readonly<Record<string, number>> = {
  BOOLEAN: 1,
  TINYINT: 3,
  UTINYINT: 3,
  SMALLINT: 5,
  USMALLINT: 5,
  INTEGER: 10,
  UINTEGER: 10,
  BIGINT: 19,
  UBIGINT: 20,
  HUGEINT: 39,
  UHUGEINT: 39,
}
const texts = ['string', 'json', 'uuid']
const numbers = ['int', 'bigint', 'float', 'double', 'decimal']
/** Digits that a double holds whatever they are. */
const DOUBLE_DIGITS = 15

/**
 * Digits of the longest value of a type of whole numbers, by the engine's name of it; of others
 * none.
 */
export const wholeDigits = (type: string): number | undefined => wholes[type]

/**
 * How what a query gives fits a declared type. @param from the engine's name of the type that the
 * query gives.
 */
export function fitOf(from: string, to: ColumnType): Fit {
  if (from === sqlType(to) || texts.includes(to.kind) || from === '"NULL"') return 'exact'
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(from)
  const [digits, scale] = decimal ? [Number(decimal[1]), Number(decimal[2])] : [wholes[from], 0]
  if (digits !== undefined) {
    if (to.kind === 'double' || to.kind === 'float')
      return digits > (to.kind === 'float' ? 6 : DOUBLE_DIGITS) ? 'checked' : 'exact'
    const kept = to.kind === 'decimal' ? to.scale : 0
    return scale > kept && numbers.includes(to.kind) ? 'rounds' : 'exact'
  }
  if (from === 'DOUBLE' || from === 'FLOAT') {
    // A double is an estimate, and one of fewer digits is asked for.
    if (to.kind === 'double' || to.kind === 'float') return 'exact'
    return numbers.includes(to.kind) ? 'rounds' : 'checked'
  }
  if (from === 'VARCHAR') return [...numbers, 'date'].includes(to.kind) ? 'checked' : 'exact'
  if (from === 'DATE') return 'exact'
  if (from.startsWith('TIMESTAMP')) {
    const finer = from === 'TIMESTAMP_NS' || to.kind === 'date'
    return finer ? 'checked' : 'exact'
  }
  return 'checked'
}

/**
 * SQL for a value of a column as a type, whose `otherwise` is asked for where the type can't hold
 * it.
 */
export function exactCast(
  value: string,
  from: string,
  to: ColumnType,
  otherwise: string,
  { values }: Dialect,
): string {
  const target = values.type(to)
  if (fitOf(from, to) === 'exact') return `CAST(${value} AS ${target})`
  const cast = values.tryCast(value, target)
  // Of a text its number or its time counts, and not how it is written.
  const by = from === 'VARCHAR' ? (to.kind === 'date' ? 'TIMESTAMP' : 'DOUBLE') : from
  const own = from === 'VARCHAR' ? values.tryCast(value, by) : value
  const same = `${values.tryCast(cast, by)} IS NOT DISTINCT FROM ${own}`
  return `CASE WHEN ${value} IS NULL OR (${cast} IS NOT NULL AND ${same}) THEN ${cast} ELSE ${values.fail(otherwise)} END`
}

const rounding = new Set(
  'round round_even roundbankers trunc floor ceil ceiling even sign'.split(' '),
)
const fractions = new Set(
  `/ avg mean favg median quantile_cont stddev stddev_pop stddev_samp variance var_pop var_samp sqrt ln log log2 log10 exp
  pow power corr covar_pop covar_samp sem skewness kurtosis entropy random pi`.split(/\s+/),
)
/** Functions that give one of their arguments, or what has as many digits. */
const passing = new Set(
  '+ - * abs min max least greatest first last any_value sum nullif'.split(' '),
)

/**
 * Whether a column of a parsed query certainly is a fraction that nobody has rounded: a division, a
 * mean. Where it can't be told, it is not.
 */
export function isUnrounded(serialized: string, column: string): boolean {
  const root = queryIn(serialized)
  return root !== undefined && columnUnrounded(root, column, [])
}

function columnUnrounded(node: AstNode, column: string, outer: Scope): boolean {
  const scope = 'cte_map' in node ? [...ctesOf(node), ...outer] : outer
  if (node.type === 'SET_OPERATION_NODE')
    return columnUnrounded(node.left as AstNode, column, scope)
  if (node.type !== 'SELECT_NODE') return false
  const item = (node.select_list as AstNode[]).find((one) => nameOf(one) === column.toLowerCase())
  return item !== undefined && unrounded(item, node, scope)
}

function unrounded(expression: AstNode, node: AstNode, scope: Scope): boolean {
  const { class: kind } = expression
  const some = (children: readonly AstNode[]) =>
    children.some((child) => unrounded(child, node, scope))
  const children = (expression.children as AstNode[] | undefined) ?? []
  if (kind === 'COLUMN_REF') {
    const names = (expression.column_names as string[]).map((name) => name.toLowerCase())
    const leaves = leavesOf(node.from_table as AstNode)
    const leaf =
      names.length > 1
        ? leaves.find(({ alias }) => alias === names.at(-2))
        : leaves.length === 1 && leaves[0]
    const isRenamed = leaf && namesGiven(leaf.node, scope).length > 0
    const inner = leaf && !isRenamed && queryOf(leaf.node, scope)
    return !!inner && columnUnrounded(inner.query, names.at(-1) as string, inner.scope)
  }
  if (kind === 'CASE') {
    const checks = expression.case_checks as { then_expr: AstNode }[]
    return some([...checks.map((check) => check.then_expr), expression.else_expr as AstNode])
  }
  if (kind === 'OPERATOR' && expression.type === 'OPERATOR_COALESCE') return some(children)
  if (kind !== 'FUNCTION' && kind !== 'WINDOW') return false
  const name = String(expression.function_name).toLowerCase()
  if (rounding.has(name)) return false
  return fractions.has(name) || (passing.has(name) && some(children))
}
