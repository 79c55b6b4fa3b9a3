import type { SortOrder } from '../metadata.js'
import type { PartitionField, PartitionSpec } from '../transforms.js'
import type { Schema } from '../types.js'
import { type Apply, change, type Draft } from './draft.js'
import {
  canonical,
  integerOf,
  isObject,
  isSame,
  type Json,
  listOf,
  objectOf,
  objectsOf,
  textOf,
} from './json.js'
import { refuseUnknownTypes } from './known-types.js'
import { fieldsWithin, highestId } from './metadata-json.js'
import { invalid } from './refused.js'

/**
 * What a table looks like: schemas, partition specs, sort orders. One that was there before is used
 * again.
 */

const FIRST_PARTITION = 1000

/** A schema as a client sent it. */
export function schemaFrom(json: Json): Schema {
  if (json.type !== undefined && json.type !== 'struct') throw invalid('A schema must be a struct')
  const schema = json as unknown as Schema
  const seen = new Set<number>()
  for (const { name, type } of objectsOf(json, 'fields')) refuseUnknownTypes(type, String(name))
  for (const { id, field, required } of fieldsWithin(schema)) {
    if (!Number.isSafeInteger(id) || id !== (id | 0))
      throw invalid('A field of the schema has no id of 32 bits')
    if (typeof required !== 'boolean')
      throw invalid(`Field ${field?.name ?? id} does not say whether it is required`)
    if (seen.has(id)) throw invalid(`Multiple fields of the schema have the id ${id}`)
    if (field && typeof field.name !== 'string') throw invalid(`Field ${id} has no name`)
    if (field && typeof (field.doc ?? '') !== 'string')
      throw invalid(`The description of field ${field.name} is not a string`)
    seen.add(id)
  }
  const identifiers = schema['identifier-field-ids'] ?? []
  if (!Array.isArray(identifiers) || !identifiers.every((id) => seen.has(id)))
    throw invalid('identifier-field-ids must be ids of fields of the schema')
  const names = new Set<string>()
  for (const { name } of schema.fields) {
    if (names.has(name)) throw invalid(`Multiple fields are called ${name}`)
    names.add(name)
  }
  return schema
}

/** Schemas with another one, and its id: that of the same one, where it was there before. */
export function withSchema(known: Schema[], schema: Schema): [schemas: Schema[], id: number] {
  const shape = shapeOf(schema)
  const same = known.find((one) => shapeOf(one) === shape)
  if (same) return [known, same['schema-id']]
  const id = next(known.map((one) => one['schema-id']))
  return [[...known, { ...schema, type: 'struct', 'schema-id': id }], id]
}

/** What two schemas have in common that are the same, whatever their ids. */
function shapeOf(schema: Schema): string {
  const known = shapes.get(schema)
  if (known !== undefined) return known
  const { fields, 'identifier-field-ids': ids = [] } = schema
  const shape = canonical({ fields, ids })
  shapes.set(schema, shape)
  return shape
}

const shapes = new WeakMap<Schema, string>()

const addSchema: Apply = (draft, update) => {
  const schema = schemaFrom(objectOf(update, 'schema'))
  const { schemas: before, 'last-column-id': last } = draft.metadata
  const [schemas, id] = withSchema(before, schema)
  draft.last.schema = id
  const highest = Math.max(last, highestId(schema))
  if (schemas === before && highest === last) return
  change(draft, { schemas, 'last-column-id': highest })
}

const next = (ids: readonly number[]) => Math.max(-1, ...ids) + 1

const setCurrentSchema: Apply = (draft, update) => {
  const id = given(integerOf(update, 'schema-id'), draft.last.schema, 'schema')
  if (id === draft.metadata['current-schema-id']) return
  if (!draft.metadata.schemas.some((s) => s['schema-id'] === id))
    throw invalid(`Cannot set current schema to unknown schema: ${id}`)
  change(draft, { 'current-schema-id': id })
}

/** -1 stands for what these updates have added last. */
export function given(id: number, last: number | undefined, what: string): number {
  if (id !== -1) return id
  if (last === undefined) throw invalid(`Cannot set last added ${what}: no ${what} has been added`)
  return last
}

const addSpec: Apply = (draft, update) => {
  const sent = objectOf(update, 'spec')
  const { 'partition-specs': specs, 'last-partition-id': last } = draft.metadata
  const fields = partitionFields(draft, listOf(sent, 'fields'))
  const same = specs.find((known) => isSame(known.fields, fields))
  const id = same?.['spec-id'] ?? next(specs.map((known) => known['spec-id']))
  draft.last.spec = id
  if (same) return
  change(draft, {
    'partition-specs': [...specs, { 'spec-id': id, fields }],
    'last-partition-id': Math.max(last, ...fields.map((field) => field['field-id'])),
  })
}

/**
 * Fields of a spec, with ids where they have none: those that the same field had before, or new
 * ones.
 */
function partitionFields({ metadata }: Draft, sent: readonly unknown[]): PartitionField[] {
  let last = Math.max(FIRST_PARTITION - 1, metadata['last-partition-id'])
  const known = metadata['partition-specs'].flatMap((spec) => spec.fields)
  const columns = new Set(
    metadata.schemas.flatMap((schema) => [...fieldsWithin(schema)].map(({ id }) => id)),
  )
  const names = new Set<string>()
  return sent.map((json) => {
    if (!isObject(json)) throw invalid('A field of the partition spec is not an object')
    const [source, name, transform] = [
      integerOf(json, 'source-id'),
      textOf(json, 'name'),
      textOf(json, 'transform'),
    ]
    if (!columns.has(source))
      throw invalid(`Cannot find source column for partition field: ${name}`)
    if (names.has(name)) throw invalid(`Cannot use partition name more than once: ${name}`)
    names.add(name)
    const old = known.find(
      (field) => field['source-id'] === source && field.transform === transform,
    )
    const id =
      json['field-id'] === undefined || json['field-id'] === null
        ? (old?.['field-id'] ?? ++last)
        : integerOf(json, 'field-id')
    return { 'source-id': source, 'field-id': id, name, transform }
  })
}

const setDefaultSpec: Apply = (draft, update) => {
  const id = given(integerOf(update, 'spec-id'), draft.last.spec, 'spec')
  if (id === draft.metadata['default-spec-id']) return
  if (!draft.metadata['partition-specs'].some((s) => s['spec-id'] === id))
    throw invalid(`Cannot set default partition spec to unknown spec: ${id}`)
  change(draft, { 'default-spec-id': id })
}

const addSortOrder: Apply = (draft, update) => {
  const sent = objectOf(update, 'sort-order')
  const fields = objectsOf(sent, 'fields').map(sortField)
  const orders = draft.metadata['sort-orders']
  const same = orders.find((known) => isSame(known.fields, fields))
  // The order of nothing is number 0 (spec, Sorting).
  const id = fields.length === 0 ? 0 : Math.max(1, next(orders.map((known) => known['order-id'])))
  draft.last.order = same?.['order-id'] ?? id
  if (!same) change(draft, { 'sort-orders': [...orders, { 'order-id': id, fields }] })
}

/** A column by which a table is sorted, as a client sent it. */
export function sortField(json: Json): SortOrder['fields'][number] {
  integerOf(json, 'source-id')
  for (const name of ['transform', 'direction', 'null-order']) textOf(json, name)
  return json as unknown as SortOrder['fields'][number]
}

const setDefaultSortOrder: Apply = (draft, update) => {
  const id = given(orderId(update), draft.last.order, 'sort order')
  if (id === draft.metadata['default-sort-order-id']) return
  if (!draft.metadata['sort-orders'].some((s) => s['order-id'] === id))
    throw invalid(`Cannot set default sort order to unknown sort order: ${id}`)
  change(draft, { 'default-sort-order-id': id })
}

/** The specification calls it `sort-order-id`, older clients `order-id`. */
const orderId = (update: Json) =>
  integerOf(update, update['sort-order-id'] === undefined ? 'order-id' : 'sort-order-id')

const removeSpecs: Apply = (draft, update) => {
  const ids = new Set(listOf(update, 'spec-ids'))
  if (ids.has(draft.metadata['default-spec-id']))
    throw invalid('Cannot remove the default partition spec')
  const kept = draft.metadata['partition-specs'].filter(
    (spec: PartitionSpec) => !ids.has(spec['spec-id']),
  )
  if (kept.length < draft.metadata['partition-specs'].length)
    change(draft, { 'partition-specs': kept })
}

const removeSchemas: Apply = (draft, update) => {
  const ids = new Set(listOf(update, 'schema-ids'))
  if (ids.has(draft.metadata['current-schema-id']))
    throw invalid('Cannot remove the current schema')
  const kept = draft.metadata.schemas.filter((schema) => !ids.has(schema['schema-id']))
  if (kept.length < draft.metadata.schemas.length) change(draft, { schemas: kept })
}

export const shapeUpdates: Readonly<Record<string, Apply>> = {
  'add-schema': addSchema,
  'set-current-schema': setCurrentSchema,
  'add-spec': addSpec,
  'set-default-spec': setDefaultSpec,
  'add-sort-order': addSortOrder,
  'set-default-sort-order': setDefaultSortOrder,
  'remove-partition-specs': removeSpecs,
  'remove-schemas': removeSchemas,
}
