/** A type of PostgreSQL, as clients know it by its number. */
export interface PgType {
  readonly oid: number
  /** What `pg_type` calls it. */
  readonly name: string
  /** What `format_type` and `information_schema` call it. */
  readonly title: string
  /** The number of the type of its arrays. */
  readonly array: number
  /** Bytes of a value; -1 where they vary. */
  readonly size: number
  /** `typcategory` of `pg_type`. */
  readonly category: string
}

type Facts = readonly [
  name: string,
  oid: number,
  array: number,
  size: number,
  category: string,
  title?: string,
]

const type = (...[name, oid, array, size, category, title = name]: Facts): PgType => {
  return { name, oid, array, size, category, title }
}

/**
 * Those that a result can have, and those that catalogs are made of. Numbers are those of
 * `pg_type.dat` of PostgreSQL.
 */
export const pgTypes = {
  bool: type('bool', 16, 1000, 1, 'B', 'boolean'),
  bytea: type('bytea', 17, 1001, -1, 'U'),
  char: type('char', 18, 1002, 1, 'Z', '"char"'),
  name: type('name', 19, 1003, 64, 'S'),
  int8: type('int8', 20, 1016, 8, 'N', 'bigint'),
  int2: type('int2', 21, 1005, 2, 'N', 'smallint'),
  int4: type('int4', 23, 1007, 4, 'N', 'integer'),
  regproc: type('regproc', 24, 1008, 4, 'N'),
  text: type('text', 25, 1009, -1, 'S'),
  oid: type('oid', 26, 1028, 4, 'N'),
  json: type('json', 114, 199, -1, 'U'),
  float4: type('float4', 700, 1021, 4, 'N', 'real'),
  float8: type('float8', 701, 1022, 8, 'N', 'double precision'),
  unknown: type('unknown', 705, 0, -2, 'X'),
  bpchar: type('bpchar', 1042, 1014, -1, 'S', 'character'),
  varchar: type('varchar', 1043, 1015, -1, 'S', 'character varying'),
  date: type('date', 1082, 1182, 4, 'D'),
  time: type('time', 1083, 1183, 8, 'D', 'time without time zone'),
  timestamp: type('timestamp', 1114, 1115, 8, 'D', 'timestamp without time zone'),
  timestamptz: type('timestamptz', 1184, 1185, 8, 'D', 'timestamp with time zone'),
  interval: type('interval', 1186, 1187, 16, 'T'),
  timetz: type('timetz', 1266, 1270, 12, 'D', 'time with time zone'),
  varbit: type('varbit', 1562, 1563, -1, 'V', 'bit varying'),
  numeric: type('numeric', 1700, 1231, -1, 'N'),
  regclass: type('regclass', 2205, 2210, 4, 'N'),
  uuid: type('uuid', 2950, 2951, 16, 'U'),
  jsonb: type('jsonb', 3802, 3807, -1, 'U'),
} satisfies Record<string, PgType>

const byOid = new Map<number, PgType>(Object.values(pgTypes).map((one) => [one.oid, one]))
const byArray = new Map<number, PgType>(Object.values(pgTypes).map((one) => [one.array, one]))

/** A type by its number; of arrays, the type of the elements. */
export function typeOfOid(oid: number): { type: PgType; isArray: boolean } | undefined {
  const type = byOid.get(oid)
  if (type) return { type, isArray: false }
  const element = oid === 0 ? undefined : byArray.get(oid)
  return element && { type: element, isArray: true }
}
