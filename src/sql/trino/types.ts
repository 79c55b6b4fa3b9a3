/** A type of Trino. */
export interface TrinoType {
  /** `varchar`, `decimal`, `array`, … `unknown` is that of NULL. */
  name: string
  /** Of decimals; of timestamps: digits of a second; of varchar and char: characters. */
  precision?: number
  scale?: number
  /** Of an array its elements, of a map its keys and values, of a row its fields. */
  of?: readonly TrinoType[]
  /** Of a row. */
  fields?: readonly (string | undefined)[]
  /** Of a moment: the zone that it is seen in, where that is not UTC. */
  zone?: string
}

export const type = (name: string): TrinoType => ({ name })
export const decimal = (precision: number, scale: number): TrinoType => ({
  name: 'decimal',
  precision: Math.min(38, precision),
  scale,
})
export const arrayOf = (of: TrinoType): TrinoType => ({ name: 'array', of: [of] })
export const timestamp = (precision: number): TrinoType => ({ name: 'timestamp', precision })

export const BIGINT = type('bigint')
export const INTEGER = type('integer')
export const DOUBLE = type('double')
export const VARCHAR = type('varchar')
export const BOOLEAN = type('boolean')
export const DATE = type('date')
export const UNKNOWN = type('unknown')
export const VARBINARY = type('varbinary')
export const JSON_TYPE = type('json')
export const TIMESTAMPTZ: TrinoType = { name: 'timestamptz', precision: 3 }
/** Between two moments, two days, and two months. */
const INTERVALS = ['interval', 'interval of days', 'interval of months']

const INTEGERS = ['tinyint', 'smallint', 'integer', 'bigint']
const DIGITS: Readonly<Record<string, number>> = {
  tinyint: 3,
  smallint: 5,
  integer: 10,
  bigint: 19,
}

export const isInteger = ({ name }: TrinoType) => INTEGERS.includes(name)
export const isFloat = ({ name }: TrinoType) => name === 'double' || name === 'real'
export const isText = ({ name }: TrinoType) => name === 'varchar' || name === 'char'
export const isInterval = ({ name }: TrinoType) => INTERVALS.includes(name)
export const isNumber = (one: TrinoType) => isInteger(one) || isFloat(one) || one.name === 'decimal'

/** Whether a type is of a name, or something within it. */
export const has = (one: TrinoType | undefined, name: string): boolean =>
  one?.name === name || (one?.of ?? []).some((part) => has(part, name))

/** The wider of two types of integers. */
export const wider = (a: TrinoType, b: TrinoType) =>
  INTEGERS.indexOf(a.name) >= INTEGERS.indexOf(b.name) ? a : b

/** An integer as Trino sees it beside a decimal. */
export const asDecimal = (one: TrinoType): TrinoType =>
  one.name === 'decimal' ? one : decimal(DIGITS[one.name] ?? 19, 0)

/** Either of two types, where a value may be of both; `undefined` where that is not known. */
export function common(a: TrinoType | undefined, b: TrinoType | undefined): TrinoType | undefined {
  if (!a || !b) return undefined
  if (a.name === 'unknown') return b
  if (b.name === 'unknown') return a
  if (isInteger(a) && isInteger(b)) return wider(a, b)
  if (isFloat(a) && isNumber(b)) return a.name === 'double' || b.name === 'double' ? DOUBLE : a
  if (isFloat(b) && isNumber(a)) return b
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [asDecimal(a), asDecimal(b)] as Required<TrinoType>[]
    const scale = Math.max(x?.scale ?? 0, y?.scale ?? 0)
    const whole = Math.max(
      (x?.precision ?? 38) - (x?.scale ?? 0),
      (y?.precision ?? 38) - (y?.scale ?? 0),
    )
    return decimal(whole + scale, scale)
  }
  if (isText(a) && isText(b)) return commonText(a, b)
  if (a.name === b.name && a.name === 'timestamp')
    return timestamp(Math.max(a.precision ?? 3, b.precision ?? 3))
  if (isInterval(a) && isInterval(b)) return commonInterval(a, b)
  if (a.name === b.name && a.name === 'time')
    return { ...a, precision: Math.max(digits(a), digits(b)) }
  if (a.name === b.name && a.name === 'timestamptz')
    return a.zone === b.zone ? { ...a, precision: Math.max(digits(a), digits(b)) } : undefined
  if (a.name === 'date' && b.name === 'timestamp') return b
  if (b.name === 'date' && a.name === 'timestamp') return a
  if (a.name === b.name && a.of && a.of.length === b.of?.length) {
    // Beside each other the engine takes their fields by name, and Trino by place.
    if (!haveSameNames(a, b)) return undefined
    const of = a.of.map((one, i) => common(one, b.of?.[i]))
    return of.every((one) => one !== undefined) ? { ...a, of } : undefined
  }
  return shown(a) === shown(b) ? a : undefined
}

const commonInterval = (a: TrinoType, b: TrinoType) => {
  if (a.name === b.name) return a
  return shown(a) === shown(b) ? type('interval') : undefined
}

const digits = ({ precision = 3 }: TrinoType) => precision

/** Texts of a length are filled up to it, so that those of several are no texts of one. */
function commonText(a: TrinoType, b: TrinoType): TrinoType | undefined {
  if (a.name !== 'char' && b.name !== 'char') return VARCHAR
  return a.name === b.name && a.precision === b.precision ? a : undefined
}

/** What the engine calls a field of a row. */
export const fieldName = ({ fields }: TrinoType, i: number) => fields?.[i] ?? `field${i}`

/** Whether two rows have fields of the same names in the same places; all else has. */
export const haveSameNames = (a: TrinoType, b: TrinoType) =>
  a.name !== 'row' ||
  (a.of ?? []).every((_, i) => fieldName(a, i).toLowerCase() === fieldName(b, i).toLowerCase())

/** A type with the names of another's fields, in their places. */
export function withNamesOf(like: TrinoType, one: TrinoType): TrinoType {
  const of = one.of?.map((part, i) => withNamesOf(like.of?.[i] ?? part, part))
  const fields = one.name === 'row' && like.name === 'row' ? like.fields : one.fields
  return { ...one, ...(of ? { of } : {}), ...(fields ? { fields } : {}) }
}

/** A type as Trino writes it. */
export function shown({ name, precision, scale, of = [], fields = [] }: TrinoType): string {
  if (name === 'decimal') return `decimal(${precision ?? 38},${scale ?? 0})`
  if (name === 'row') {
    const parts = of.map((one, i) => (fields[i] ? `${fields[i]} ${shown(one)}` : shown(one)))
    return `row(${parts.join(', ')})`
  }
  if (of.length > 0) return `${name}(${of.map(shown).join(', ')})`
  if (name === 'timestamptz') return `timestamp(${precision ?? 3}) with time zone`
  if (name === 'timetz') return `time(${precision ?? 3}) with time zone`
  if (name === 'interval' || name === 'interval of days') return 'interval day to second'
  if (name === 'interval of months') return 'interval year to month'
  return precision === undefined ? name : `${name}(${precision})`
}

const ENGINE: Readonly<Record<string, string>> = {
  tinyint: 'TINYINT',
  smallint: 'SMALLINT',
  integer: 'INTEGER',
  bigint: 'BIGINT',
  double: 'DOUBLE',
  real: 'FLOAT',
  boolean: 'BOOLEAN',
  varchar: 'VARCHAR',
  varbinary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  time: 'TIME',
  timetz: 'TIME WITH TIME ZONE',
  char: 'VARCHAR',
  json: 'JSON',
  uuid: 'UUID',
  ipaddress: 'VARCHAR',
  unknown: 'INTEGER',
}

/** A type as the engine writes it; `undefined` for one that it does not have. */
export function engineType({
  name,
  precision,
  scale,
  of = [],
  fields = [],
}: TrinoType): string | undefined {
  const inner = of.map(engineType)
  if (inner.includes(undefined)) return undefined
  if (name === 'decimal') return `DECIMAL(${precision ?? 38}, ${scale ?? 0})`
  if (name === 'array') return `${inner[0]}[]`
  if (name === 'map') return `MAP(${inner.join(', ')})`
  if (name === 'row')
    return `STRUCT(${inner.map((one, i) => `"${(fields[i] ?? `field${i}`).replaceAll('"', '""')}" ${one}`).join(', ')})`
  return ENGINE[name]
}

/** A type of the engine as Trino has it; `undefined` for one that Trino has not. */
export function typeOfEngine(text: string): TrinoType | undefined {
  const whole = text.trim()
  if (whole.endsWith('[]')) {
    const of = typeOfEngine(whole.slice(0, -2))
    return of && arrayOf(of)
  }
  const [, head = '', inside] = /^([A-Za-z_ ]+?)\s*(?:\((.*)\))?$/s.exec(whole) ?? []
  const name = head.toUpperCase()
  if (name === 'DECIMAL' || name === 'NUMERIC') {
    const [precision = 18, scale = 3] = inside?.split(',').map(Number) ?? []
    return decimal(precision, scale)
  }
  if (name === 'STRUCT' || name === 'ROW') return rowOf(inside ?? '')
  if (name === 'MAP') {
    const of = splitTop(inside ?? '').map(typeOfEngine)
    return of.length === 2 && of.every((one) => one !== undefined) ? { name: 'map', of } : undefined
  }
  if (name === 'LIST' || name === 'ARRAY') {
    const of = typeOfEngine(inside ?? '')
    return of && arrayOf(of)
  }
  return PLAIN[name]
}

const PLAIN: Readonly<Record<string, TrinoType>> = {
  TINYINT: type('tinyint'),
  SMALLINT: type('smallint'),
  INTEGER,
  INT: INTEGER,
  BIGINT,
  LONG: BIGINT,
  // Only sums of integers are so wide, and Trino has them as bigint.
  HUGEINT: BIGINT,
  DOUBLE,
  FLOAT: type('real'),
  REAL: type('real'),
  BOOLEAN,
  VARCHAR,
  STRING: VARCHAR,
  TEXT: VARCHAR,
  BLOB: VARBINARY,
  BINARY: VARBINARY,
  DATE,
  TIMESTAMP: timestamp(6),
  TIMESTAMP_S: timestamp(0),
  TIMESTAMP_MS: timestamp(3),
  'TIMESTAMP WITH TIME ZONE': { name: 'timestamptz', precision: 6 },
  TIMESTAMPTZ: { name: 'timestamptz', precision: 6 },
  TIME: { name: 'time', precision: 6 },
  'TIME WITH TIME ZONE': { name: 'timetz', precision: 6 },
  TIMETZ: { name: 'timetz', precision: 6 },
  JSON: JSON_TYPE,
  UUID: type('uuid'),
}

/** The parts of a list that are divided by commas, whatever stands in brackets and quotes. */
function splitTop(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let isQuoted = false
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '"') isQuoted = !isQuoted
    if (isQuoted) continue
    if (char === '(' || char === '<') depth++
    if (char === ')' || char === '>') depth--
    if (char === ',' && depth === 0) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  parts.push(text.slice(from))
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}

function rowOf(inside: string): TrinoType | undefined {
  const parts = splitTop(inside).map((part) => /^("(?:[^"]|"")*"|\S+)\s+(.*)$/s.exec(part))
  const of = parts.map((part) => typeOfEngine(part?.[2] ?? ''))
  if (!of.every((one) => one !== undefined)) return undefined
  const fields = parts.map((part) => (part?.[1] ?? '').replace(/^"|"$/g, '').replaceAll('""', '"'))
  return { name: 'row', of, fields }
}
