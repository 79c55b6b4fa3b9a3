import type { IcebergType } from '../../iceberg/spec/types.js'

/** Where a type has another name in Glue; the rest is called the same. */
const names: Readonly<Record<string, string>> = {
  long: 'bigint',
  uuid: 'string',
  time: 'string',
  timestamptz: 'timestamp',
}

/**
 * A type of Iceberg as a column of Glue's catalog has it: what Iceberg's own `GlueCatalog` writes
 * (org.apache.iceberg.aws.glue.IcebergToGlueConverter).
 */
export function glueType(type: IcebergType): string {
  if (typeof type === 'string') {
    if (type.startsWith('fixed[')) return 'binary'
    return names[type] ?? type.replaceAll(' ', '')
  }
  if (type.type === 'list') return `array<${glueType(type.element)}>`
  if (type.type === 'map') return `map<${glueType(type.key)},${glueType(type.value)}>`
  return `struct<${type.fields.map((field) => `${field.name}:${glueType(field.type)}`).join(',')}>`
}
