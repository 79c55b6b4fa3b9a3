import type { ColumnType } from '../../define/types/column-type.js'
import type { Unfit } from '../dialect.js'

/** A text in SQL, where a backslash at the end of a line joins it to the next one. */
export const text = (value: string) =>
  `N'${value.replaceAll("'", "''").replaceAll(/\\(?=\r?\n)/g, "\\' + N'")}'`

/** Texts are equal there if their characters are, and no others that look or sound like them. */
const TEXT = 'nvarchar(max) COLLATE Latin1_General_100_BIN2'

/** How a value travels: as a type that the client sends without loss, whatever its version. */
export type Carrier =
  | 'int'
  | 'bit'
  | 'real'
  | 'float'
  | 'varbinary(max)'
  | 'nvarchar(max)'
  | `nvarchar(${number})`

interface Held {
  type: string
  carrier: Carrier
  /** SQL for the value, made of what was sent. */
  from: (column: string) => string
}

const as =
  (type: string, style?: number) =>
  (column: string): string =>
    `CONVERT(${type}, ${column}${style === undefined ? '' : `, ${style}`})`

const same = (column: string) => column
const longText: Held = { type: TEXT, carrier: 'nvarchar(max)', from: same }
const asText = (type: string, length: number, style?: number): Held => ({
  type,
  carrier: `nvarchar(${length})`,
  from: as(type, style),
})

/** ODBC's canonical forms of days and moments. */
const DAY = 23
const MOMENT = 121

const types: Readonly<Partial<Record<ColumnType['kind'], Held>>> = {
  string: longText,
  json: longText,
  list: longText,
  struct: longText,
  map: longText,
  uuid: asText('uniqueidentifier', 36),
  int: { type: 'int', carrier: 'int', from: same },
  bigint: asText('bigint', 20),
  float: { type: 'real', carrier: 'real', from: same },
  double: { type: 'float', carrier: 'float', from: same },
  boolean: { type: 'bit', carrier: 'bit', from: same },
  date: asText('date', 10, DAY),
  timestamp: asText('datetime2(6)', 26, MOMENT),
  timestamptz: asText('datetimeoffset(6)', 26, MOMENT),
  binary: { type: 'varbinary(max)', carrier: 'varbinary(max)', from: same },
}

/** A sign, a point and a zero before it are besides the digits. */
const longestNumeral = 38 + 3

function heldAs(type: ColumnType): Held | Unfit {
  if (type.kind === 'decimal')
    return asText(`decimal(${type.precision}, ${type.scale})`, longestNumeral)
  return types[type.kind] ?? { unfit: `${type.kind} has no counterpart in SQL Server` }
}

export function typeOf(type: ColumnType): string | Unfit {
  const held = heldAs(type)
  return 'unfit' in held ? held : held.type
}

/** How a column travels; one that does not fit was refused before. */
export function carried(type: ColumnType): Held {
  const held = heldAs(type)
  return 'unfit' in held ? longText : held
}

/** A field of CSV as the value that the client sends. */
export function sentValue(carrier: Carrier, field: string | null): unknown {
  if (field === null) return null
  if (carrier === 'bit') return field === '1'
  if (carrier === 'int' || carrier === 'real' || carrier === 'float') return Number(field)
  // Bytes come with a mark before their digits, so that none is not taken for NULL.
  return carrier === 'varbinary(max)' ? Buffer.from(field.slice(2), 'hex') : field
}
