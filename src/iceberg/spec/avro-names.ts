/** Names of fields as Avro's specification has them, and as generated decoders take them. */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * A name of plain letters, digits and `_`. Others are written as Java's Iceberg does, which keeps
 * letters and digits of all languages.
 */
export function plainName(name: string): string {
  const cleaned = name.replace(
    /[^A-Za-z0-9_]/g,
    (unit) => `_x${unit.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return /^[0-9]/.test(cleaned) ? `_${cleaned}` : cleaned
}

interface AvroField {
  name: string
  type: unknown
  'field-id'?: number
  'iceberg-field-name'?: string
}

/** What a field is called in records that are read or written by its schema. */
function keyOf({ name, 'field-id': id }: AvroField): string {
  if (PLAIN.test(name)) return name
  return Number.isSafeInteger(id) ? `_field_${id}` : plainName(name)
}

type Parts = Record<string, unknown>

/** A schema with names of fields that generated code can have; files keep those that they have. */
export function withPlainNames(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withPlainNames)
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = { ...(schema as Parts) }
  for (const inside of ['type', 'items', 'values'])
    if (inside in parts) parts[inside] = withPlainNames(parts[inside])
  if (Array.isArray(parts.fields))
    parts.fields = (parts.fields as AvroField[]).map((field) => {
      const type = withPlainNames(field.type)
      return typeof field.name === 'string'
        ? { ...field, type, name: keyOf(field) }
        : { ...field, type }
    })
  return parts
}

/**
 * What the fields of a partition are called in a manifest's records: their ids tell, whatever its
 * writer made of their names. Writers of version 1 may have left ids out.
 *
 * @param schema that the manifest was written with.
 */
export function partitionKeys(
  schema: unknown,
  fields: readonly { name: string; 'field-id'?: number }[],
): string[] {
  const written = fieldsIn(typeOf(fieldsIn(schema), 'data_file'), 'partition')
  return fields.map(({ name, 'field-id': id }) => {
    const found =
      written.find((one) => id !== undefined && one['field-id'] === id) ??
      written.find((one) => [one.name, one['iceberg-field-name']].includes(name)) ??
      written.find((one) => one.name === plainName(name))
    return found ? keyOf(found) : plainName(name)
  })
}

/** The fields of a record, or of the record that one of its fields is. */
function fieldsIn(record: unknown, name?: string): AvroField[] {
  const { fields } = (record ?? {}) as { fields?: unknown }
  const found = Array.isArray(fields) ? (fields as AvroField[]) : []
  return name === undefined ? found : fieldsIn(typeOf(found, name))
}

const typeOf = (fields: readonly AvroField[], name: string) =>
  fields.find((field) => field.name === name)?.type
