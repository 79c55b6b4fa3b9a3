import { quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import type { Reading } from '../define/types/reading.js'
import { namedFormats, zeroGrammar } from '../define/types/strptime.js'
import { ownValue } from '../own-value.js'
import type { Dialect } from '../sql/dialect.js'
import { decode, isText, trimmed } from './grammar.js'
import { isNumeric } from './numbers.js'

const ZEROS = '0000-00-00(?:[ T]00:00(?::00(?:[.]0+)?)?)?(?:Z|[+]00(?::?00)?)?'

/**
 * SQL that a text means NULL by what was said of its column; `undefined` where nothing was. Numbers
 * are also compared as such: `-999` means `-999.0` as well.
 */
export function meansNull(
  text: string,
  type: ColumnType,
  reading: Reading,
  dialect: Dialect,
): string | undefined {
  const { nulls = [], zeroDates, formats = ['iso'] } = reading
  const own = isText(type) ? text : trimmed(text, dialect)
  const conditions: string[] = []
  if (nulls.length > 0) conditions.push(`${own} IN (${nulls.map(quoteText).join(', ')})`)
  const numbers = nulls.filter((word) => /^[+-]?\d+([.]\d+)?$/.test(word))
  if (isNumeric(type) && numbers.length > 0) {
    const values = numbers.map((word) =>
      decode(quoteText(word), type, dialect, { zeroFraction: true }),
    )
    const value = decode(text, type, dialect, reading)
    conditions.push(`coalesce(${value} IN (${values.join(', ')}), false)`)
  }
  if (zeroDates !== undefined) {
    const grammars = formats.map((format) => {
      if (format === 'iso') return ZEROS
      return zeroGrammar(ownValue(namedFormats, format) || format)
    })
    for (const grammar of grammars)
      if (grammar) conditions.push(dialect.patterns.matches(own, grammar))
  }
  return conditions.length > 0 ? conditions.join(' OR ') : undefined
}
