import type { SortOrder } from '../metadata.js'
import type { IcebergField, IcebergType, Schema } from '../types.js'
import { type Json, objectIfAny, objectOf, objectsOf, textsOf } from './json.js'
import type { AnyMetadata } from './metadata-json.js'
import { applyFitting } from './misfits.js'
import { invalid } from './refused.js'
import { schemaFrom } from './shape-updates.js'

/** What a table is created with beside what a client says. */
export interface NewTable {
  uuid: string
  location: string
  now: number
}

/** Names that are no properties, but what engines show of other parts of metadata. */
const RESERVED = [
  'format-version',
  'uuid',
  'snapshot-count',
  'current-snapshot-summary',
  'current-snapshot-id',
  'current-snapshot-timestamp-ms',
  'current-schema',
  'default-partition-spec',
  'default-sort-order',
]

/**
 * Metadata of a table that a client asks for (REST specification, CreateTableRequest). Its fields
 * get new ids from 1 up.
 *
 * @throws RefusedUpdate when the request makes no table.
 */
export function createdMetadata(request: Json, { uuid, location, now }: NewTable): AnyMetadata {
  const sent = schemaFrom(objectOf(request, 'schema'))
  const ids = new Map<number, number>()
  const schema = renumbered(sent, ids)
  const all = request.properties === undefined ? {} : textsOf(request, 'properties')
  const version = Number(all['format-version'] ?? 2)
  const properties = Object.fromEntries(
    Object.entries(all).filter(([name]) => !RESERVED.includes(name)),
  )
  return applyFitting(
    undefined,
    [
      { action: 'assign-uuid', uuid },
      { action: 'upgrade-format-version', 'format-version': version },
      { action: 'set-location', location },
      { action: 'add-schema', schema },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { fields: partitionsOf(request, ids) } },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': { fields: orderOf(request, ids) } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
      { action: 'set-properties', updates: properties },
    ],
    { now },
  )
}

/** The schema with ids from 1 up: all fields of a struct come before those within them. */
function renumbered(schema: Schema, ids: Map<number, number>): Schema {
  let last = 0
  const give = (old: number) => {
    ids.set(old, ++last)
    return last
  }
  const fieldsOf = (fields: readonly IcebergField[]): IcebergField[] => {
    const given = fields.map((field) => ({ ...field, id: give(field.id) }))
    return given.map((field) => ({ ...field, type: typeOf(field.type) }))
  }
  const typeOf = (type: IcebergType): IcebergType => {
    if (typeof type === 'string') return type
    if (type.type === 'struct') return { ...type, fields: fieldsOf(type.fields) }
    if (type.type === 'list') {
      const id = give(type['element-id'])
      return { ...type, 'element-id': id, element: typeOf(type.element) }
    }
    const [key, value] = [give(type['key-id']), give(type['value-id'])]
    return {
      ...type,
      'key-id': key,
      'value-id': value,
      key: typeOf(type.key),
      value: typeOf(type.value),
    }
  }
  const fields = fieldsOf(schema.fields)
  const identifiers = schema['identifier-field-ids']
  return {
    type: 'struct',
    'schema-id': 0,
    fields,
    ...(identifiers ? { 'identifier-field-ids': identifiers.map((id) => ids.get(id) ?? id) } : {}),
  }
}

function partitionsOf(request: Json, ids: ReadonlyMap<number, number>): Json[] {
  const spec = objectIfAny(request, 'partition-spec')
  if (!spec) return []
  return objectsOf(spec, 'fields').map((field) => ({
    ...field,
    'source-id': newId(ids, field['source-id']),
    'field-id': undefined,
  }))
}

function orderOf(request: Json, ids: ReadonlyMap<number, number>): SortOrder['fields'] {
  const order = objectIfAny(request, 'write-order')
  if (!order) return []
  const fields = objectsOf(order, 'fields') as unknown as SortOrder['fields']
  return fields.map((field) => ({ ...field, 'source-id': newId(ids, field['source-id']) }))
}

function newId(ids: ReadonlyMap<number, number>, old: unknown): number {
  const id = ids.get(old as number)
  if (id === undefined) throw invalid(`Cannot find source column ${old}`)
  return id
}
