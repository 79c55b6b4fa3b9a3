import type { Refusal, Write } from '../rule.js'
import type { BoundType } from '../tree.js'
import { classOf, nameOf, same } from '../types.js'

/** Digits that a double holds whatever they are. */
const DOUBLE_DIGITS = 15

const plain: Write = ([a], { type, target }) => {
  const name = target.type(type)
  if (name === undefined) throw passedOn
  return `CAST(${a} AS ${name})`
}

/** Digits behind the point are rounded off first: by itself Spark cuts them off. */
const rounded =
  (from: Extract<BoundType, { id: 'decimal' }>): Write =>
  (args, site) => {
    const precision = Math.min(38, from.precision - from.scale + 1)
    const whole: BoundType = { id: 'decimal', precision, scale: 0 }
    return plain([plain(args, { ...site, type: whole })], site)
  }

const reading: Refusal = {
  refused: 'reads texts otherwise',
  hint: 'Give the column its type in the schema of a silver dataset, which reads it exactly',
}
const rounding: Refusal = {
  refused: 'rounds doubles otherwise',
  hint: 'Keep the column as a decimal, and divide with divide(dividend, divisor, scale)',
}
const passedOn: Refusal = { refused: 'can only pass on values of such a type' }
const writing: Refusal = { refused: 'writes it otherwise as a text' }

/** How a value becomes one of another type, where all engines agree. */
export function castRule(from: BoundType, to: BoundType): Write | Refusal {
  const [given, wanted] = [classOf(from), classOf(to)]
  if (same(from, to) || from.id === 'null') return plain
  const pair = `${given} ${wanted}`
  switch (pair) {
    case 'decimal integer':
    case 'decimal hugeint':
      return rounded(from as Extract<BoundType, { id: 'decimal' }>)
    case 'decimal double':
      return from.id === 'decimal' && from.precision <= DOUBLE_DIGITS
        ? plain
        : { refused: `has another double for some of ${nameOf(from)}` }
    case 'integer double':
      return plain
    case 'date text':
    case 'boolean text':
    case 'integer text':
    case 'hugeint text':
      return plain
    case 'decimal text':
      // DuckDB writes no zero before the point where the type has no digit there.
      return from.id === 'decimal' && from.precision > from.scale ? plain : writing
    case 'timestamp text':
    case 'timestamptz text':
    case 'double text':
      return writing
    case 'boolean integer':
    case 'date timestamp':
    case 'timestamp date':
      return plain
  }
  const numbers = ['integer', 'hugeint', 'decimal']
  if (numbers.includes(given) && numbers.includes(wanted)) return plain
  if (given === 'text') return reading
  if (given === 'double' || from.id === 'float') return rounding
  return { refused: 'has no exact counterpart' }
}
