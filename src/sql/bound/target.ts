import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { BoundType, SimpleType } from './tree.js'

/** Engines that gold's SQL is written for. */
export const targetNames = ['trino', 'spark'] as const

export type TargetName = (typeof targetNames)[number]

/** How an engine spells names, types and values; what its functions do is in the lists. */
export interface Target {
  readonly name: TargetName
  /** As people call it. */
  readonly title: string
  quote(name: string): string
  text(value: string): string
  /** `undefined` for types whose values can only be passed on. */
  type(type: BoundType): string | undefined
  /** A value that is not NULL: its digits, or a date as SQL writes it. */
  constant(value: string | boolean, type: BoundType): string
  /** A value of a type that ends the query where it is asked for, and tells SQL of a text. */
  fail(told: string, type: BoundType): string
  /**
   * How many digits behind the point are left by arithmetic whose exact result has so many, of so
   * many in all.
   */
  scaleOf(precision: number, scale: number): number
}

const common: Partial<Record<SimpleType, string>> = {
  boolean: 'boolean',
  tinyint: 'tinyint',
  smallint: 'smallint',
  bigint: 'bigint',
  hugeint: 'decimal(38,0)',
  double: 'double',
  date: 'date',
}

function typeBy(names: Partial<Record<SimpleType, string>>) {
  return (type: BoundType) => {
    if (type.id === 'decimal') return `decimal(${type.precision},${type.scale})`
    return type.id === 'other' ? undefined : (names[type.id] ?? common[type.id])
  }
}

/** A point in time as DuckDB writes it, with the zone by its name. */
const inUtc = (value: string | boolean) => String(value).replace(/\+00(:00)?$/, ' UTC')

const bool = (value: string | boolean) => (value ? 'TRUE' : 'FALSE')

const trino: Target = {
  name: 'trino',
  title: 'Trino',
  quote: quoteName,
  text: quoteText,
  type: typeBy({
    integer: 'integer',
    float: 'real',
    varchar: 'varchar',
    timestamp: 'timestamp(6)',
    timestamptz: 'timestamp(6) with time zone',
    blob: 'varbinary',
  }),
  constant(value, type) {
    const name = this.type(type)
    switch (type.id) {
      case 'boolean':
        return bool(value)
      case 'date':
        return `DATE ${quoteText(String(value))}`
      case 'timestamp':
        return `CAST(TIMESTAMP ${quoteText(String(value))} AS ${name})`
      case 'timestamptz':
        return `CAST(TIMESTAMP ${quoteText(inUtc(value))} AS ${name})`
      case 'varchar':
        return `CAST(${quoteText(String(value))} AS ${name})`
      case 'double':
        return `DOUBLE ${quoteText(String(value))}`
      case 'tinyint':
      case 'smallint':
      case 'integer':
      case 'bigint':
        return `${name?.toUpperCase()} ${quoteText(String(value))}`
      default:
        return `CAST(DECIMAL ${quoteText(String(value))} AS ${name})`
    }
  },
  // The text is no value of the type, which is what the error says.
  fail(told, type) {
    return `CAST(${told} AS ${this.type(type)})`
  },
  scaleOf: (_, scale) => scale,
}

/** In texts of Spark, `\` has a meaning, and `${…}` is replaced before anything is parsed. */
const sparkText = (value: string) =>
  `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('$', '\\u0024')}'`

const spark: Target = {
  name: 'spark',
  title: 'Spark SQL',
  quote: (name) => `\`${name.replaceAll('`', '``')}\``,
  text: sparkText,
  type: typeBy({
    integer: 'int',
    float: 'float',
    varchar: 'string',
    timestamp: 'timestamp_ntz',
    timestamptz: 'timestamp',
    blob: 'binary',
  }),
  constant(value, type) {
    const text = sparkText(String(value))
    switch (type.id) {
      case 'boolean':
        return bool(value)
      case 'date':
        return `DATE ${text}`
      case 'timestamp':
        return `TIMESTAMP_NTZ ${text}`
      case 'timestamptz':
        return `TIMESTAMP ${sparkText(inUtc(value))}`
      case 'varchar':
        return text
      default:
        return `CAST(${text} AS ${this.type(type)})`
    }
  },
  fail(told, type) {
    return `CAST(raise_error(${told}) AS ${this.type(type)})`
  },
  // DecimalType.adjustPrecisionScale: what does not fit loses digits behind the point, down to six.
  scaleOf: (precision, scale) =>
    precision <= 38 ? scale : Math.max(38 - (precision - scale), Math.min(scale, 6)),
}

export const targets: Readonly<Record<TargetName, Target>> = { trino, spark }
