import { expect, it } from 'vitest'
import { junk, placesIn, replaced } from '../../../../test/support/junk.js'
import { parseJson, toJsonText } from '../../json.js'
import { applyUpdates } from './apply.js'
import { createdMetadata } from './create.js'
import type { Json } from './json.js'
import { RefusedUpdate } from './refused.js'
import { registeredTable, registeredView } from './registered.js'
import { applyViewUpdates } from './view-metadata.js'

/*
 * Whatever stands in the place of any part of what a client sends, it is refused, or leaves a table
 * that others can read.
 */

const field = (id: number, name: string, type: unknown = 'long') => ({
  ...{ id, name, type, required: false },
})
const list = { type: 'list', 'element-id': 4, element: 'string', 'element-required': false }
const map = {
  ...{ type: 'map', 'key-id': 6, key: 'string', 'value-id': 7, value: 'long' },
  'value-required': true,
}
const within = { type: 'struct', fields: [field(9, 'inner', 'timestamp')] }
const schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    field(1, 'id'),
    field(2, 'city', 'string'),
    field(3, 'tags', list),
    field(5, 'counts', map),
    field(8, 'more', within),
  ],
  'identifier-field-ids': [],
}
const spec = {
  'spec-id': 0,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'id_bucket', transform: 'bucket[4]' }],
}
const order = {
  'order-id': 1,
  fields: [
    { 'source-id': 1, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' },
  ],
}
const snapshot = (id: number, parent?: number) => ({
  'snapshot-id': id,
  ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
  'sequence-number': id,
  'timestamp-ms': 1000 + id,
  summary: { operation: 'append', 'added-records': '5' },
  'manifest-list': `file:///lake/external/t/metadata/${id}.avro`,
  'schema-id': 0,
})
const refOf = (name: string, type: string, id: number) => ({
  ...{ action: 'set-snapshot-ref', 'ref-name': name, type, 'snapshot-id': id },
  'max-ref-age-ms': 5,
})
const blob = {
  ...{ type: 'apache-datasketches-theta-v1', 'snapshot-id': 1, 'sequence-number': 1, fields: [1] },
  properties: { ndv: '3' },
}
const statistics = {
  'snapshot-id': 1,
  'statistics-path': 'file:///lake/external/t/metadata/1.stats',
  'file-size-in-bytes': 4,
  'file-footer-size-in-bytes': 2,
  'blob-metadata': [blob],
}

/** Each of them could follow the others. */
const updates: readonly Json[] = [
  { action: 'upgrade-format-version', 'format-version': 3 },
  { action: 'set-location', location: 'file:///lake/external/u' },
  { action: 'set-properties', updates: { a: 'b' } },
  { action: 'remove-properties', removals: ['a'] },
  { action: 'add-schema', schema: { ...schema, fields: [...schema.fields, field(10, 'x')] } },
  { action: 'set-current-schema', 'schema-id': 0 },
  { action: 'add-spec', spec },
  { action: 'set-default-spec', 'spec-id': 0 },
  { action: 'add-sort-order', 'sort-order': order },
  { action: 'set-default-sort-order', 'sort-order-id': 0 },
  { action: 'add-snapshot', snapshot: { ...snapshot(2, 1), 'first-row-id': 0, 'added-rows': 3 } },
  { ...refOf('dev', 'branch', 1), 'min-snapshots-to-keep': 3, 'max-snapshot-age-ms': 9 },
  refOf('old', 'tag', 1),
  { action: 'remove-snapshot-ref', 'ref-name': 'old' },
  { action: 'remove-snapshots', 'snapshot-ids': [1] },
  { action: 'set-statistics', statistics },
  { action: 'remove-statistics', 'snapshot-id': 1 },
  { action: 'set-partition-statistics', 'partition-statistics': statistics },
  { action: 'remove-partition-statistics', 'snapshot-id': 1 },
  { action: 'remove-partition-specs', 'spec-ids': [7] },
  { action: 'remove-schemas', 'schema-ids': [7] },
]

const table = applyUpdates(
  createdMetadata({ schema }, { uuid: 'u-1', location: 'file:///lake/external/t', now: 1 }),
  [
    { action: 'add-snapshot', snapshot: snapshot(1) },
    refOf('main', 'branch', 1),
    refOf('old', 'tag', 1),
  ],
  { now: 1000, previousFile: 'file:///lake/external/t/0.json' },
)

const version = {
  ...{ 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0, summary: { 'engine-name': 'x' } },
  representations: [{ type: 'sql', sql: 'SELECT 1 AS id', dialect: 'spark' }],
  ...{ 'default-namespace': ['ml'], 'default-catalog': 'lake' },
}
const viewUpdates: readonly Json[] = [
  { action: 'assign-uuid', uuid: 'v-1' },
  { action: 'set-location', location: 'file:///lake/external/v' },
  { action: 'set-properties', updates: { a: 'b' } },
  { action: 'add-schema', schema },
  { action: 'add-view-version', 'view-version': version },
  { action: 'set-current-view-version', 'view-version-id': 1 },
]

/** What is left by updates; `undefined` where they are refused. */
function left(apply: () => unknown): Json | undefined {
  try {
    return parseJson(toJsonText(apply())) as Json
  } catch (error) {
    if (error instanceof RefusedUpdate) return undefined
    throw error
  }
}

it('leaves a table that could be registered', () => {
  let [refused, taken] = [0, 0]
  for (const update of updates)
    for (const place of placesIn(update))
      for (const value of junk) {
        const sent = parseJson(toJsonText(replaced(update, place, value))) as Json
        const found = left(() =>
          applyUpdates(table, [sent], { now: 2000, previousFile: 'file:/0' }),
        )
        if (found) taken++
        else refused++
        const told = `${update.action}: ${place.join('.')} = ${JSON.stringify(value)}`
        if (found) expect(() => registeredTable(found), told).not.toThrow()
      }
  expect([refused > 0, taken > 0]).toEqual([true, true])
})

it('leaves a view that could be registered', () => {
  // What is no object at all is refused before.
  for (const place of placesIn(viewUpdates).filter(({ length }) => length > 1))
    for (const value of junk) {
      const sent = parseJson(toJsonText(replaced(viewUpdates, place, value))) as Json[]
      const found = left(() => applyViewUpdates(undefined, sent, 2000))
      const told = `${place.join('.')} = ${JSON.stringify(value)}`
      if (found) expect(() => registeredView(found), told).not.toThrow()
    }
})
