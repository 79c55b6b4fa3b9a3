import { constantOf, foldCast } from './constants.js'
import { inWords, listOf, offsetOf, type Raw, unknown } from './json.js'
import type { Aggregate, BoundType, Call, Expression, Offset } from './tree.js'
import { readType } from './types.js'

const BOOLEAN: BoundType = { id: 'boolean' }

/** Comparisons and operators of the binder, as SQL names them. */
export const comparisons: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '<>',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
  COMPARE_DISTINCT_FROM: 'is distinct from',
  COMPARE_NOT_DISTINCT_FROM: 'is not distinct from',
}

const operators: Readonly<Record<string, string>> = {
  COMPARE_IN: 'in',
  COMPARE_NOT_IN: 'not in',
  OPERATOR_COALESCE: 'coalesce',
  OPERATOR_IS_NULL: 'is null',
  OPERATOR_IS_NOT_NULL: 'is not null',
  OPERATOR_NOT: 'not',
}

const conjunctions: Readonly<Record<string, string>> = {
  CONJUNCTION_AND: 'and',
  CONJUNCTION_OR: 'or',
}

/** An expression of the binder's JSON. @throws NotPortable for kinds that no engine has listed. */
export function readExpression(raw: Raw): Expression {
  const at = offsetOf(raw)
  const all = (children: unknown) => listOf(children).map(readExpression)
  switch (raw.expression_class) {
    case 'BOUND_REF':
      return { is: 'column', index: Number(raw.index), type: readType(raw.return_type), at }
    case 'BOUND_CONSTANT':
      return constantOf(raw.value as Raw, at)
    case 'BOUND_CAST':
      if (raw.try_cast) throw unknown('try_cast', at)
      return foldCast(readExpression(raw.child as Raw), readType(raw.return_type), at)
    case 'BOUND_COMPARISON': {
      const sides = [raw.left, raw.right].map((side) => readExpression(side as Raw))
      return call(named(comparisons, raw), sides, BOOLEAN, at)
    }
    case 'BOUND_CONJUNCTION':
      return call(named(conjunctions, raw), all(raw.children), BOOLEAN, at)
    case 'BOUND_OPERATOR':
      return call(named(operators, raw), all(raw.children), readType(raw.return_type), at)
    case 'BOUND_BETWEEN':
      return between(raw, at)
    case 'BOUND_CASE': {
      const when = listOf(raw.case_checks).map((check) => ({
        condition: readExpression(check.when_expr as Raw),
        value: readExpression(check.then_expr as Raw),
      }))
      const otherwise = readExpression(raw.else_expr as Raw)
      return { is: 'case', when, otherwise, type: readType(raw.return_type), at }
    }
    case 'BOUND_FUNCTION':
      return functionOf(raw, at)
    default:
      throw unknown(`a ${inWords(raw.expression_class)} expression`, at)
  }
}

/** An aggregate function of the binder's JSON. */
export function readAggregate(raw: Raw): Aggregate {
  const at = offsetOf(raw)
  if (raw.expression_class !== 'BOUND_AGGREGATE') throw unknown(inWords(raw.type), at)
  if (raw.order_bys) throw unknown(`${String(raw.name)} with ORDER BY`, at)
  return {
    name: String(raw.name),
    args: listOf(raw.children).map(readExpression),
    distinct: raw.aggregate_type === 'DISTINCT',
    filter: raw.filter ? readExpression(raw.filter as Raw) : undefined,
    type: readType(raw.return_type),
    at,
  }
}

function named(names: Readonly<Record<string, string>>, raw: Raw): string {
  const name = names[String(raw.type)]
  if (name === undefined) throw unknown(inWords(raw.type), offsetOf(raw))
  return name
}

function call(name: string, args: readonly Expression[], type: BoundType, at: Offset): Call {
  return { is: 'call', name, args, type, at }
}

function between(raw: Raw, at: Offset): Expression {
  const [input, lower, upper] = [raw.input, raw.lower, raw.upper].map((one) =>
    readExpression(one as Raw),
  ) as [Expression, Expression, Expression]
  const least = call(raw.lower_inclusive ? '>=' : '>', [input, lower], BOOLEAN, at)
  const most = call(raw.upper_inclusive ? '<=' : '<', [input, upper], BOOLEAN, at)
  return call('and', [least, most], BOOLEAN, at)
}

const units: Readonly<Record<string, readonly [unit: string, times: bigint]>> = {
  to_years: ['month', 12n],
  to_months: ['month', 1n],
  to_weeks: ['day', 7n],
  to_days: ['day', 1n],
  to_hours: ['second', 3600n],
  to_minutes: ['second', 60n],
}

function functionOf(raw: Raw, at: Offset): Expression {
  const name = String(raw.name)
  const args = listOf(raw.children).map(readExpression)
  const type = readType(raw.return_type)
  const unit = units[name]
  const amount = unit && args[0] && wholeIn(args[0])
  if (unit && amount !== undefined)
    return { is: 'interval', unit: unit[0], amount: String(amount * unit[1]), type, at }
  return call(name, args, type, at)
}

/**
 * The whole number in `CAST(trunc(CAST(3 AS DOUBLE)) AS INTEGER)`, which an interval is made of.
 */
function wholeIn(expression: Expression): bigint | undefined {
  if (expression.is === 'cast') return wholeIn(expression.of)
  if (expression.is === 'call' && expression.name === 'trunc')
    return expression.args[0] && wholeIn(expression.args[0])
  const value = expression.is === 'constant' ? expression.value : undefined
  return typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? BigInt(value) : undefined
}
