import { quoteName } from '../../../define/sql/sql.js'
import { sqlType } from '../../../define/types/sql-type.js'
import {
  applyTransform,
  type PartitionField,
  parseTransform,
  resultType,
} from '../../../iceberg/spec/transforms.js'
import { decimalOf, type Schema, sourceType, toColumnType } from '../../../iceberg/spec/types.js'
import { parseValue } from '../../../iceberg/spec/values.js'
import type { JsFunction } from '../../../quality/functions.js'

const floorTo = (value: string, step: string) =>
  `(${value} - ((${value} % ${step}) + ${step}) % ${step})`

/** A partition value in SQL, and the JavaScript function it needs, if any. */
export interface PartitionSql {
  sql: string
  function?: JsFunction
}

/** SQL for a partition field's value (Iceberg spec, Partition Transforms). */
export function partitionSql(field: PartitionField, schema: Schema): PartitionSql {
  const type = sourceType(schema, field['source-id'])
  const name = schema.fields.find((f) => f.id === field['source-id'])?.name ?? ''
  const column = `CAST(${quoteName(name)} AS ${sqlType(toColumnType(type))})`
  const local = type === 'timestamptz' ? `(${column} AT TIME ZONE 'UTC')` : column
  const transform = parseTransform(field.transform)
  switch (transform.name) {
    case 'year':
      return { sql: `CAST(year(${local}) - 1970 AS INTEGER)` }
    case 'month':
      return { sql: `CAST((year(${local}) - 1970) * 12 + month(${local}) - 1 AS INTEGER)` }
    case 'day':
      return { sql: `CAST(${local} AS DATE)` }
    case 'hour': {
      const hours = floorTo(`epoch_us(${local})`, '3600000000')
      return { sql: `CAST(${hours} // 3600000000 AS INTEGER)` }
    }
    case 'truncate':
      return { sql: truncateSql(column, type, transform.width) }
    case 'bucket': {
      const name = `moraine_bucket_${type.replace(/\W/g, '_')}_${transform.width}`
      const call = bucketOf(field.transform, type)
      return {
        sql: `CAST("${name}"(encode(CAST(${column} AS VARCHAR))) AS INTEGER)`,
        function: { name, call },
      }
    }
    default:
      return { sql: column }
  }
}

function bucketOf(transform: string, type: string): JsFunction['call'] {
  return (text) => {
    const value = text === null ? undefined : parseValue(text, type)
    return value === undefined ? null : String(applyTransform(transform, value, type))
  }
}

function truncateSql(column: string, type: string, width: number): string {
  if (type === 'string') return `left(${column}, ${width})`
  const decimal = decimalOf(type)
  if (!decimal)
    return `CAST(${floorTo(column, String(width))} AS ${type === 'int' ? 'INTEGER' : 'BIGINT'})`
  const target = `DECIMAL(${decimal.precision},${decimal.scale})`
  const step = `CAST(${width} * ${`0.${'1'.padStart(decimal.scale, '0')}`} AS ${target})`
  return `CAST(${floorTo(column, decimal.scale === 0 ? `CAST(${width} AS ${target})` : step)} AS ${target})`
}

/** The text type of a partition value in the statistics. */
export function partitionType(field: PartitionField, schema: Schema): string {
  return resultType(field.transform, sourceType(schema, field['source-id']))
}
