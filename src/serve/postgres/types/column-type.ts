import { type PgType, pgTypes } from './pg-type.js'

/** What a column of a result is for clients. */
export interface PgColumnType {
  /** The type, or that of the elements of an array. */
  type: PgType
  isArray: boolean
  /** `atttypmod`: precision and scale of a numeric; -1 where there is none. */
  modifier: number
  /** The engine must write it as JSON first: PostgreSQL has no type for it. */
  asJson: boolean
}

const scalars: Readonly<Record<string, PgType>> = {
  BOOLEAN: pgTypes.bool,
  TINYINT: pgTypes.int2,
  UTINYINT: pgTypes.int2,
  SMALLINT: pgTypes.int2,
  USMALLINT: pgTypes.int4,
  INTEGER: pgTypes.int4,
  UINTEGER: pgTypes.int8,
  BIGINT: pgTypes.int8,
  UBIGINT: pgTypes.numeric,
  HUGEINT: pgTypes.numeric,
  UHUGEINT: pgTypes.numeric,
  BIGNUM: pgTypes.numeric,
  FLOAT: pgTypes.float4,
  DOUBLE: pgTypes.float8,
  VARCHAR: pgTypes.text,
  JSON: pgTypes.json,
  UUID: pgTypes.uuid,
  DATE: pgTypes.date,
  TIME: pgTypes.time,
  'TIME WITH TIME ZONE': pgTypes.timetz,
  TIMESTAMP: pgTypes.timestamp,
  TIMESTAMP_S: pgTypes.timestamp,
  TIMESTAMP_MS: pgTypes.timestamp,
  TIMESTAMP_NS: pgTypes.timestamp,
  'TIMESTAMP WITH TIME ZONE': pgTypes.timestamptz,
  INTERVAL: pgTypes.interval,
  BLOB: pgTypes.bytea,
  BIT: pgTypes.varbit,
}

/**
 * The type of PostgreSQL for a type of DuckDB, by its name: `DECIMAL(12,2)`, `INTEGER[]`. Lists of
 * plain values are arrays; lists of lists, structs, maps, unions are JSON, as arrays of PostgreSQL
 * cannot be ragged and its rows have no names. What has no counterpart is its text.
 */
export function pgColumnType(sqlType: string): PgColumnType {
  const list = /^(.*)\[(\d*)\]$/s.exec(sqlType)
  if (list) {
    const element = pgColumnType(list[1] as string)
    const isPlain = !element.isArray && !element.asJson && list[2] === ''
    return isPlain ? { ...element, isArray: true } : json
  }
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(sqlType)
  if (decimal) return plain(pgTypes.numeric, modifierOf(Number(decimal[1]), Number(decimal[2])))
  if (/^(STRUCT|MAP|UNION|VARIANT)\b/.test(sqlType)) return json
  return plain(scalars[sqlType] ?? pgTypes.text)
}

/** `atttypmod` of a numeric. */
const modifierOf = (precision: number, scale: number) => precision * 65_536 + scale + 4

function plain(type: PgType, modifier = -1): PgColumnType {
  return { type, isArray: false, modifier, asJson: false }
}

const json: PgColumnType = { ...plain(pgTypes.json), asJson: true }

/** The number by which a client knows the type. */
export function oidOf({ type, isArray }: Pick<PgColumnType, 'type' | 'isArray'>): number {
  return isArray ? type.array : type.oid
}

/** The type as `format_type` writes it: `numeric(12,2)`, `integer[]`. */
export function titleOf({ type, isArray, modifier }: PgColumnType): string {
  const digits = modifier - 4
  const size = modifier < 0 ? '' : `(${Math.floor(digits / 65_536)},${digits % 65_536})`
  return `${type.title}${size}${isArray ? '[]' : ''}`
}
