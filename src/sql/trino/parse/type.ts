import type { TrinoType } from '../types.js'
import { arrayOf, decimal, type } from '../types.js'
import type { Cursor } from './cursor.js'

const PLAIN: Readonly<Record<string, string>> = {
  TINYINT: 'tinyint',
  SMALLINT: 'smallint',
  INT: 'integer',
  INTEGER: 'integer',
  BIGINT: 'bigint',
  REAL: 'real',
  FLOAT: 'real',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  VARCHAR: 'varchar',
  STRING: 'varchar',
  VARBINARY: 'varbinary',
  BINARY: 'varbinary',
  DATE: 'date',
  JSON: 'json',
  UUID: 'uuid',
  CHAR: 'char',
  IPADDRESS: 'ipaddress',
}

/** A type, as casts and columns have it. */
export function parseType(cursor: Cursor): TrinoType {
  return cursor.deeper(() => {
    let found = baseType(cursor)
    while (cursor.take('ARRAY')) found = arrayOf(found)
    return found
  })
}

function baseType(cursor: Cursor): TrinoType {
  const { token } = cursor
  const word = token.kind === 'word' ? token.text : ''
  cursor.next()
  if (word === 'ARRAY' || word === 'MAP') {
    const of = within(cursor, () => cursor.list(() => parseType(cursor)))
    if (of.length !== (word === 'ARRAY' ? 1 : 2)) throw cursor.refuse(`${word} has other parts`)
    return { name: word.toLowerCase(), of }
  }
  if (word === 'ROW' || word === 'STRUCT') return rowType(cursor)
  if (word === 'DECIMAL' || word === 'NUMERIC') {
    const [precision = 38, scale = 0] = numbers(cursor)
    if (precision < 1 || precision > 38 || scale > precision)
      throw cursor.refuse(`DECIMAL(${precision}, ${scale}) is not a type`, undefined, token.at)
    return decimal(precision, scale)
  }
  if (word === 'TIMESTAMP' || word === 'TIME') {
    const [precision = 3] = numbers(cursor)
    if (precision > 6)
      throw cursor.refuse('Times have at most 6 digits of a second here', undefined, token.at)
    const zoned = cursor.take('WITH', 'TIME', 'ZONE')
    if (!zoned) cursor.take('WITHOUT', 'TIME', 'ZONE')
    return { name: `${word.toLowerCase()}${zoned ? 'tz' : ''}`, precision }
  }
  const name = PLAIN[word]
  if (word === 'DOUBLE') cursor.take('PRECISION')
  if (name === undefined)
    throw cursor.refuse(`The type ${token.raw} is not translated`, undefined, token.at)
  const [length] = ['varchar', 'varbinary', 'char'].includes(name) ? numbers(cursor) : []
  if (name === 'char') return { name, precision: length ?? 1 }
  return length === undefined ? type(name) : { name, precision: length }
}

/** Types in brackets, or as Hive writes them: `array<int>`. */
function within<T>(cursor: Cursor, item: () => T): T {
  if (!cursor.takeSymbol('<')) return cursor.inBrackets(item)
  const found = item()
  cursor.expectSymbol('>')
  return found
}

function rowType(cursor: Cursor): TrinoType {
  const parts = within(cursor, () =>
    cursor.list(() => {
      const isNamed =
        cursor.isSymbol(':', 1) || (cursor.isName() && !/^[,)(>]$/.test(cursor.ahead().raw))
      // A type of two words begins like a field.
      const isType = cursor.at('DOUBLE', 'PRECISION') || cursor.at('TIMESTAMP', 'WITH')
      const name = isNamed && !isType ? cursor.name() : undefined
      if (name !== undefined) cursor.takeSymbol(':')
      return { name, type: parseType(cursor) }
    }),
  )
  return { name: 'row', of: parts.map((one) => one.type), fields: parts.map(({ name }) => name) }
}

function numbers(cursor: Cursor): number[] {
  if (!cursor.isSymbol('(')) return []
  return cursor.inBrackets(() =>
    cursor.list(() => {
      if (cursor.token.kind !== 'integer') throw cursor.unexpected('a number')
      return Number(cursor.next().text)
    }),
  )
}
