import {
  BIGINT,
  BOOLEAN,
  DATE,
  DOUBLE,
  decimal,
  INTEGER,
  JSON_TYPE,
  type TrinoType,
  timestamp,
  type,
  UNKNOWN,
  VARBINARY,
  VARCHAR,
} from '../types.js'
import type { Cursor } from './cursor.js'
import type { Expression } from './tree.js'

/** A constant that is written as it is. */
export function literalOf(cursor: Cursor): Expression | undefined {
  const { kind, text, at } = cursor.token
  const of = (type: TrinoType, value: string): Expression => {
    cursor.next()
    return { kind: 'literal', at, type, value }
  }
  if (kind === 'string') return of(VARCHAR, text)
  if (kind === 'binary') return of(VARBINARY, text)
  // To Athena, unlike Trino, a number with a point is a double (ADR 0148).
  if (kind === 'double' || kind === 'decimal') return of(DOUBLE, text)
  if (kind === 'integer') {
    const value = BigInt(text)
    if (value >= 2n ** 63n) throw cursor.refuse(`Invalid numeric literal: ${text}`)
    return of(value < 2n ** 31n ? INTEGER : BIGINT, text)
  }
  if (cursor.at('NULL')) return of(UNKNOWN, 'NULL')
  if (cursor.at('TRUE') || cursor.at('FALSE')) return of(BOOLEAN, text)
  return undefined
}

/** Types whose constants are casts of a text: `BIGINT '1'`. */
const CAST = [
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'INT',
  'BIGINT',
  'REAL',
  'DOUBLE',
  'BOOLEAN',
  'UUID',
]

const fraction = (value: string) => /\.(\d+)/.exec(value)?.[1]?.length ?? 0

/** A constant with its type before it: `DATE '2026-01-31'`; `undefined` for another word. */
export function typedLiteral(cursor: Cursor): Expression | undefined {
  const { at, text } = cursor.token
  const { text: value } = cursor.ahead()
  const literal = (type: TrinoType): Expression => {
    cursor.next()
    cursor.next()
    return { kind: 'literal', at, type, value }
  }
  if (text === 'DATE') return literal(DATE)
  if (text === 'TIMESTAMP') return literal(timestamp(fraction(value)))
  if (text === 'TIME') return literal({ name: 'time', precision: fraction(value) })
  if (text === 'VARCHAR') return literal(VARCHAR)
  if (text === 'CHAR') return literal({ name: 'char', precision: [...value].length })
  if (text === 'JSON') return literal(JSON_TYPE)
  if (text === 'IPADDRESS') return literal(type('ipaddress'))
  if (text === 'DECIMAL') return decimalLiteral(cursor, literal)
  if (!CAST.includes(text)) return undefined
  const to = type(text === 'INT' ? 'integer' : text.toLowerCase())
  return { kind: 'cast', at, of: literal(VARCHAR), to, isTry: false }
}

function decimalLiteral(cursor: Cursor, literal: (type: TrinoType) => Expression): Expression {
  const { text: value } = cursor.ahead()
  const [, whole = '', part = ''] = /^[+-]?(\d*)(?:\.(\d*))?$/.exec(value.trim()) ?? []
  const digits = whole.length + part.length
  if (digits === 0) throw cursor.refuse(`'${value}' is not a decimal`)
  if (digits > 38) throw cursor.refuse('A decimal has at most 38 digits')
  return literal(decimal(digits, part.length))
}
