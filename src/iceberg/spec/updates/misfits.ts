import type { IcebergField } from '../types.js'
import { type Applied, applyUpdates } from './apply.js'
import type { Json } from './json.js'
import { type AnyMetadata, fieldsWithin } from './metadata-json.js'
import { invalid } from './refused.js'

/**
 * Applies updates to a table of another engine, and makes sure that its columns, partitions and
 * sort order go together after that: Iceberg's Java library opens no table where they do not. What
 * did not go together before is no fault of whoever changes something else.
 *
 * @throws RefusedUpdate
 */
export function applyFitting(
  before: AnyMetadata | undefined,
  updates: readonly Json[],
  applied: Applied,
): AnyMetadata {
  const after = applyUpdates(before, updates, applied)
  if (before && SHAPE.every((name) => before[name] === after[name])) return after
  const known = before && misfitIn(before)
  const found = misfitIn(after)
  if (found !== undefined && found !== known) throw invalid(found)
  return after
}

const SHAPE = [
  ...(['schemas', 'current-schema-id', 'partition-specs', 'default-spec-id'] as const),
  ...(['sort-orders', 'default-sort-order-id'] as const),
]

function misfitIn(metadata: AnyMetadata): string | undefined {
  const { 'default-spec-id': specId, 'default-sort-order-id': orderId } = metadata
  const schema = metadata.schemas.find((s) => s['schema-id'] === metadata['current-schema-id'])
  if (!schema) return undefined
  const ids = new Set([...fieldsWithin(schema)].map(({ id }) => id))
  const names = new Map(namedFields(schema.fields))
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === specId)
  for (const { 'source-id': source, name, transform } of spec?.fields ?? []) {
    if (transform === 'void') continue
    if (!ids.has(source))
      return `The table is partitioned by column ${source} (${name}), which it would have no more. Change its partitions first`
    const column = names.get(name)
    if (column !== undefined && column !== source)
      return `Partition ${name} would have the name of another column of the table`
  }
  const order = metadata['sort-orders'].find((one) => one['order-id'] === orderId)
  const missing = order?.fields.find((field) => !ids.has(field['source-id']))
  if (missing)
    return `The table is sorted by column ${missing['source-id']}, which it would have no more. Change its sort order first`
  return undefined
}

/** Columns and fields of structs by their full names. */
function* namedFields(
  fields: readonly IcebergField[],
  within = '',
): Generator<readonly [name: string, id: number]> {
  for (const { id, name, type } of fields) {
    yield [within + name, id]
    if (typeof type !== 'string' && type.type === 'struct')
      yield* namedFields(type.fields, `${within}${name}.`)
  }
}
