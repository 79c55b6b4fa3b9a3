import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../../test/support/seed.js'
import { parseJson, toJsonText } from '../../json.js'
import { applyUpdates } from './apply.js'
import { createdMetadata } from './create.js'
import type { Json, Long } from './json.js'
import { type AnyMetadata, completed } from './metadata-json.js'
import { isRepeated } from './repeated.js'
import { checkRequirements, checkViewRequirements } from './requirements.js'
import { applyViewUpdates } from './view-metadata.js'

const schema = (...fields: [id: number, name: string][]) => ({
  type: 'struct',
  'schema-id': 0,
  fields: fields.map(([id, name]) => ({ id, name, required: false, type: 'long' })),
})

const created = (request: Json = {}) =>
  createdMetadata(
    { schema: schema([3, 'id'], [4, 'city']), ...request },
    { uuid: 'u-1', location: 'file:///lake/external/t', now: 1000 },
  )

const apply = (before: AnyMetadata, ...updates: Json[]) =>
  applyUpdates(before, updates, { now: 2000, previousFile: 'file:///lake/external/t/0.json' })

const snapshot = (id: Long, sequence: number, parent?: Long): Json => ({
  'snapshot-id': id,
  ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
  'sequence-number': sequence,
  'timestamp-ms': 3000 + sequence,
  summary: { operation: 'append' },
  'manifest-list': `file:///lake/external/t/metadata/${id}.avro`,
  'schema-id': 0,
})

const add = (id: Long, sequence: number, parent?: Long): [Json, Json] => [
  { action: 'add-snapshot', snapshot: snapshot(id, sequence, parent) },
  { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
]

describe('a table that another engine creates', () => {
  it('gets ids of its own, of a struct before those within it', () => {
    const inner = schema([9, 'x'], [8, 'y'])
    const sent = {
      type: 'struct',
      fields: [
        { id: 7, name: 'a', required: true, type: { type: 'struct', fields: inner.fields } },
        {
          id: 5,
          name: 'b',
          required: false,
          type: { type: 'list', 'element-id': 6, element: 'int', 'element-required': false },
        },
      ],
      'identifier-field-ids': [7],
    }
    const metadata = created({
      schema: sent,
      'partition-spec': {
        fields: [{ 'source-id': 9, name: 'x_bucket', transform: 'bucket[4]' }],
      },
      'write-order': {
        fields: [
          { 'source-id': 8, transform: 'identity', direction: 'asc', 'null-order': 'nulls-last' },
        ],
      },
      properties: { owner: 'ada', uuid: 'x', 'format-version': '2' },
    })
    expect(metadata.schemas[0]).toMatchObject({
      fields: [
        { id: 1, type: { fields: [{ id: 3 }, { id: 4 }] } },
        { id: 2, type: { 'element-id': 5 } },
      ],
      'identifier-field-ids': [1],
    })
    expect(metadata['partition-specs']).toEqual([
      {
        'spec-id': 0,
        fields: [{ 'source-id': 3, 'field-id': 1000, name: 'x_bucket', transform: 'bucket[4]' }],
      },
    ])
    expect(metadata['sort-orders'][0]?.fields[0]?.['source-id']).toBe(4)
    expect(metadata).toMatchObject({
      'last-column-id': 5,
      'last-partition-id': 1000,
      'default-sort-order-id': 1,
      properties: { owner: 'ada' },
    })
  })

  it('of version 1 is readable by who knows no other', () => {
    const metadata = created({ properties: { 'format-version': '1' } })
    expect(metadata).toMatchObject({ 'format-version': 1, 'partition-spec': [] })
    expect(metadata.schema).toEqual(metadata.schemas[0])
    const { schemas: _, 'partition-specs': __, 'sort-orders': ___, refs: ____, ...old } = metadata
    expect(completed(old as unknown as Json).schemas).toEqual(metadata.schemas)
    const second = apply(metadata, { action: 'upgrade-format-version', 'format-version': 2 })
    expect(second).not.toHaveProperty('schema')
    expect(() => apply(second, { action: 'upgrade-format-version', 'format-version': 1 })).toThrow(
      'Cannot downgrade v2 table to v1',
    )
  })
})

describe('updates', () => {
  it('keep snapshot ids of 63 bits, to the last digit', () => {
    const big = 9_223_372_036_854_775_807n
    const body = toJsonText({ updates: add(big, 1) })
    const { updates } = parseJson(body) as { updates: Json[] }
    const metadata = apply(created(), ...updates)
    const again = completed(parseJson(toJsonText(metadata)) as Json)
    expect(again['current-snapshot-id']).toBe(big)
    expect(again.refs.main?.['snapshot-id']).toBe(big)
    // A neighbour that is the same as a number is another.
    const other = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': big - 1n }
    expect(() => checkRequirements([other], again)).toThrow('branch main has changed')
    checkRequirements([{ ...other, 'snapshot-id': big }], again)
  })

  it('use again what is there, and -1 is what was added last', () => {
    const two = schema([1, 'id'], [2, 'city'], [3, 'n'])
    const metadata = apply(
      created(),
      { action: 'add-schema', schema: two },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
    )
    expect(metadata).toMatchObject({ 'current-schema-id': 1, 'last-column-id': 3 })
    expect(metadata['partition-specs']).toHaveLength(1)
    const back = apply(
      metadata,
      { action: 'add-schema', schema: schema([1, 'id'], [2, 'city']) },
      { action: 'set-current-schema', 'schema-id': -1 },
    )
    expect(back['current-schema-id']).toBe(0)
    expect(back.schemas).toHaveLength(2)
    expect(() => apply(back, { action: 'set-default-spec', 'spec-id': -1 })).toThrow(
      'no spec has been added',
    )
  })

  it('that change nothing leave the very same metadata', () => {
    const metadata = created()
    expect(apply(metadata)).toBe(metadata)
    expect(apply(metadata, { action: 'set-location', location: metadata.location })).toBe(metadata)
    expect(apply(metadata, { action: 'remove-snapshot-ref', 'ref-name': 'x' })).toBe(metadata)
  })

  it('of one commit may add three snapshots, of which one was ever current', () => {
    const metadata = apply(created(), ...add(1, 1), ...add(2, 2, 1), ...add(3, 3, 2))
    expect(metadata.snapshots).toHaveLength(3)
    expect(metadata['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([3])
    expect(metadata['last-updated-ms']).toBe(3003)
    expect(metadata['metadata-log']).toEqual([
      { 'timestamp-ms': 1000, 'metadata-file': 'file:///lake/external/t/0.json' },
    ])
  })

  it('remove snapshots with their names and statistics, and the log before the gap', () => {
    const one = apply(created(), ...add(1, 1))
    const two = apply(
      one,
      ...add(2, 2, 1),
      { action: 'set-snapshot-ref', 'ref-name': 'old', type: 'tag', 'snapshot-id': 1 },
      {
        action: 'set-statistics',
        statistics: {
          'snapshot-id': 1,
          'statistics-path': 's.puffin',
          'file-size-in-bytes': 4,
          'file-footer-size-in-bytes': 2,
          'blob-metadata': [],
        },
      },
    )
    const left = apply(two, { action: 'remove-snapshots', 'snapshot-ids': [1] })
    expect(left.snapshots.map((one) => one['snapshot-id'])).toEqual([2])
    expect(Object.keys(left.refs)).toEqual(['main'])
    expect(left.statistics).toEqual([])
    expect(left['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([2])
  })

  it.each([
    ['an update that nobody knows', { action: 'explode' }, 'Unsupported update: explode'],
    ['a name of objects', { action: 'constructor' }, 'Unsupported update: constructor'],
    [
      'a branch at a snapshot that is not there',
      { action: 'set-snapshot-ref', 'ref-name': 'b', type: 'branch', 'snapshot-id': 5 },
      'Cannot set b to unknown snapshot: 5',
    ],
    ...(
      [
        [{ 'min-snapshots-to-keep': 0 }, 'min-snapshots-to-keep is 0, and must be a number from 1'],
        [{ 'max-snapshot-age-ms': -1 }, 'max-snapshot-age-ms is -1, and must be a number from 1'],
        [{ 'max-ref-age-ms': 'x' }, 'max-ref-age-ms is missing, or is not a whole number'],
        [{ type: 'tag', 'max-snapshot-age-ms': 5 }, 'A tag can have no max-snapshot-age-ms'],
      ] as const
    ).map(
      ([options, message]) =>
        [
          `a reference that no engine could read, ${JSON.stringify(options)}`,
          {
            action: 'set-snapshot-ref',
            'ref-name': 'x',
            type: 'branch',
            'snapshot-id': 5,
            ...options,
          },
          message,
        ] as [string, Json, string],
    ),
    [
      'statistics without the size of their file',
      {
        action: 'set-statistics',
        statistics: { 'snapshot-id': 1, 'statistics-path': 's.puffin' },
      },
      'file-size-in-bytes is missing',
    ],
    [
      'a summary that holds more than texts',
      {
        action: 'add-snapshot',
        snapshot: { ...snapshot(1, 1), summary: { operation: 'append', files: [1] } },
      },
      'summary.files is not a string',
    ],
    [
      'a column that does not say whether it is required',
      {
        action: 'add-schema',
        schema: { type: 'struct', fields: [{ id: 1, name: 'a', type: 'long' }] },
      },
      'Field a does not say whether it is required',
    ],
    ['another uuid', { action: 'assign-uuid', uuid: 'u-2' }, 'Cannot reassign uuid'],
    [
      'a snapshot without a list',
      { action: 'add-snapshot', snapshot: { 'snapshot-id': 1, 'timestamp-ms': 1 } },
      'Snapshot 1 has no manifest list',
    ],
    [
      'two fields of one id',
      { action: 'add-schema', schema: schema([1, 'a'], [1, 'b']) },
      'Multiple fields of the schema have the id 1',
    ],
  ])('refuse %s', (_, update, message) => {
    expect(() => apply(created(), update)).toThrow(message)
  })

  it('give the id of a snapshot that they remove to no other', () => {
    const one = apply(created(), ...add(1, 1))
    const remove = { action: 'remove-snapshots', 'snapshot-ids': [1] }
    const other = { ...snapshot(1, 2), 'manifest-list': 'file:///lake/external/hr/secret.avro' }
    expect(() => apply(one, remove, { action: 'add-snapshot', snapshot: other })).toThrow(
      'Snapshot already exists for id: 1',
    )
    const both = apply(one, remove, ...add(2, 2))
    expect(both.snapshots.map((left) => left['snapshot-id'])).toEqual([2])
  })

  it('leave what every engine can read, where a client writes nulls and numbers', () => {
    const [added, shown] = add(1, 1)
    const sent = {
      ...(added.snapshot as Json),
      'parent-snapshot-id': null,
      'first-row-id': null,
      summary: { operation: 'append', 'added-records': 5, 'is-last': true },
    }
    const updates = [
      { ...added, snapshot: sent },
      { ...shown, 'max-ref-age-ms': 9_223_372_036_854_775_807n, 'min-snapshots-to-keep': null },
    ]
    const metadata = apply(created(), ...updates)
    expect(JSON.parse(toJsonText(metadata.snapshots))).toEqual([
      {
        ...snapshot(1, 1),
        summary: { operation: 'append', 'added-records': '5', 'is-last': 'true' },
      },
    ])
    expect(metadata.refs.main).toEqual({
      'snapshot-id': 1,
      type: 'branch',
      'max-ref-age-ms': Number.MAX_SAFE_INTEGER,
    })
    // Whoever heard no answer sends the same again.
    expect(isRepeated(metadata, updates)).toBe(true)
  })

  it('never let the times of a table go back, or far ahead, by the clock of an engine', () => {
    const at = (id: number, made: number) => {
      const [added, shown] = add(id, id, id === 1 ? undefined : id - 1)
      return [{ ...added, snapshot: { ...(added.snapshot as Json), 'timestamp-ms': made } }, shown]
    }
    const day = 86_400_000
    const applyAt = (before: AnyMetadata, now: number, ...updates: Json[]) =>
      applyUpdates(before, updates, { now, previousFile: `file:///lake/${now}.json` })
    const ahead = applyAt(created(), 5000, ...at(1, 5000 + day))
    const behind = applyAt(ahead, 6000, ...at(2, 6000 - day))
    const right = applyAt(behind, 100_000, ...at(3, 99_000))
    expect(right.snapshots.map((one) => one['timestamp-ms'])).toEqual([
      5000 + day,
      6000 - day,
      99_000,
    ])
    expect(right['snapshot-log'].map((one) => one['timestamp-ms'])).toEqual([
      65_000, 65_000, 99_000,
    ])
    expect(right['metadata-log'].map((one) => one['timestamp-ms'])).toEqual([1000, 65_000, 65_000])
    expect(right['last-updated-ms']).toBe(99_000)
  })

  it('of who came second have to be made again', () => {
    const first = apply(created(), ...add(1, 1))
    const late = add(2, 1, 1)[0] as Json
    expect(() => apply(first, late)).toThrow(expect.objectContaining({ reason: 'conflict' }))
  })

  it('in any order leave metadata that are whole', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), ref: fc.constantFrom('main', 'dev') }),
      fc.record({ do: fc.constant('tag' as const), name: fc.constantFrom('a', 'b') }),
      fc.record({ do: fc.constant('expire' as const), nth: fc.nat(5) }),
      fc.record({ do: fc.constant('column' as const), name: fc.constantFrom('x', 'y', 'z') }),
      fc.record({ do: fc.constant('drop' as const), ref: fc.constantFrom('main', 'dev', 'a') }),
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 25 }),
        fc.bigInt({ min: 2n ** 54n, max: 2n ** 62n }),
        (steps, from) => {
          let metadata = created()
          let next = from
          for (const one of steps) {
            const before = metadata
            const [last] = metadata.snapshots.slice(-1)
            if (one.do === 'append') {
              const id = ++next
              const parent = metadata.refs[one.ref]?.['snapshot-id']
              const sequence = Number(metadata['last-sequence-number']) + 1
              metadata = apply(
                metadata,
                { action: 'add-snapshot', snapshot: snapshot(id, sequence, parent) },
                {
                  action: 'set-snapshot-ref',
                  'ref-name': one.ref,
                  type: 'branch',
                  'snapshot-id': id,
                },
              )
            } else if (one.do === 'tag' && last)
              metadata = apply(metadata, {
                action: 'set-snapshot-ref',
                'ref-name': one.name,
                type: 'tag',
                'snapshot-id': last['snapshot-id'],
              })
            else if (one.do === 'expire' && metadata.snapshots[one.nth])
              metadata = apply(metadata, {
                action: 'remove-snapshots',
                'snapshot-ids': [metadata.snapshots[one.nth]?.['snapshot-id']],
              })
            else if (one.do === 'column')
              metadata = apply(
                metadata,
                {
                  action: 'add-schema',
                  schema: schema([1, 'id'], [metadata['last-column-id'] + 1, one.name]),
                },
                { action: 'set-current-schema', 'schema-id': -1 },
              )
            else if (one.do === 'drop')
              metadata = apply(metadata, { action: 'remove-snapshot-ref', 'ref-name': one.ref })
            expectWhole(metadata, before)
          }
        },
      ),
      { seed, numRuns: 200 },
    )
  })
})

/** What holds of metadata at any time, and from one version to the next. */
function expectWhole(metadata: AnyMetadata, before: AnyMetadata): void {
  const ids = metadata.snapshots.map((one) => String(one['snapshot-id']))
  expect(new Set(ids).size).toBe(ids.length)
  for (const ref of Object.values(metadata.refs)) expect(ids).toContain(String(ref['snapshot-id']))
  expect(String(metadata['current-snapshot-id'])).toBe(
    String(metadata.refs.main?.['snapshot-id'] ?? -1),
  )
  for (const entry of metadata['snapshot-log']) expect(ids).toContain(String(entry['snapshot-id']))
  const schemas = metadata.schemas.map((one) => one['schema-id'])
  expect(new Set(schemas).size).toBe(schemas.length)
  expect(schemas).toContain(metadata['current-schema-id'])
  expect(metadata['last-column-id']).toBeGreaterThanOrEqual(before['last-column-id'])
  expect(metadata['last-sequence-number'] >= before['last-sequence-number']).toBe(true)
  expect(completed(parseJson(toJsonText(metadata)) as Json)).toEqual(metadata)
}

describe('requirements', () => {
  const metadata = apply(created(), ...add(7, 1))

  it.each([
    [{ type: 'assert-create' }, 'table already exists'],
    [{ type: 'assert-table-uuid', uuid: 'u-2' }, 'UUID does not match'],
    [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 8 }, 'branch main has changed'],
    [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }, 'created concurrently'],
    [{ type: 'assert-ref-snapshot-id', ref: 'b', 'snapshot-id': 8 }, 'b is missing'],
    [{ type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 1 }, 'last assigned field'],
    [{ type: 'assert-current-schema-id', 'current-schema-id': 9 }, 'current schema changed'],
    [
      { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 1 },
      'last assigned partition id changed',
    ],
    [{ type: 'assert-default-spec-id', 'default-spec-id': 9 }, 'default partition spec changed'],
    [{ type: 'assert-default-sort-order-id', 'default-sort-order-id': 9 }, 'default sort order'],
  ])('refuse what is otherwise: %j', (requirement, message) => {
    expect(() => checkRequirements([requirement], metadata)).toThrow(
      expect.objectContaining({ reason: 'conflict', message: expect.stringContaining(message) }),
    )
  })

  it('hold where it is so', () => {
    checkRequirements([{ type: 'assert-create' }], undefined)
    checkRequirements(
      [
        { type: 'assert-table-uuid', uuid: 'U-1' },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 7 },
        { type: 'assert-ref-snapshot-id', ref: 'b', 'snapshot-id': null },
        { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 2 },
        { type: 'assert-current-schema-id', 'current-schema-id': 0 },
        { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 },
        { type: 'assert-default-spec-id', 'default-spec-id': 0 },
        { type: 'assert-default-sort-order-id', 'default-sort-order-id': 0 },
      ],
      metadata,
    )
    expect(() => checkRequirements([{ type: 'toString' }], metadata)).toThrow('Unsupported')
  })
})

describe('a view', () => {
  const version = (dialects: string[], sql = 'select 1'): Json => ({
    'version-id': 1,
    'timestamp-ms': 10,
    'schema-id': -1,
    summary: {},
    representations: dialects.map((dialect) => ({ type: 'sql', sql, dialect })),
    'default-namespace': ['ml'],
  })
  const replace = (dialects: string[], sql?: string) => [
    { action: 'add-schema', schema: schema([1, 'a']) },
    { action: 'add-view-version', 'view-version': version(dialects, sql) },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ]
  const view = applyViewUpdates(
    undefined,
    [
      { action: 'assign-uuid', uuid: 'v-1' },
      { action: 'set-location', location: 'file:///lake/external/v' },
      ...replace(['spark', 'trino']),
    ],
    1,
  )

  it('is replaced by versions, of which the same one is used again', () => {
    const two = applyViewUpdates(view, replace(['spark', 'trino'], 'select 2'), 20)
    const back = applyViewUpdates(two, replace(['spark', 'trino']), 30)
    expect(two['current-version-id']).toBe(2)
    expect(back['current-version-id']).toBe(1)
    expect(back['version-log'].map((entry) => entry['version-id'])).toEqual([1, 2, 1])
    expect(back.schemas).toHaveLength(1)
    checkViewRequirements([{ type: 'assert-view-uuid', uuid: 'v-1' }], back)
    expect(() => checkViewRequirements([{ type: 'assert-view-uuid', uuid: 'v-2' }], back)).toThrow(
      'view UUID does not match',
    )
  })

  it.each([
    [{ 'timestamp-ms': null }, 'timestamp-ms is missing'],
    [{ representations: [{ type: 'sql', sql: 'select 1' }] }, 'dialect is missing'],
    [{ representations: [{ type: 'sql', dialect: 'spark' }] }, 'sql is missing'],
    [{ representations: [{ sql: 'select 1', dialect: 'spark' }] }, 'type is missing'],
    [{ 'default-catalog': 5 }, 'default-catalog is missing, or is not a string'],
  ])('is refused where not every engine could read it: %j', (other, message) => {
    const added = { ...version(['spark', 'trino'], 'select 2'), 'schema-id': 0, ...other }
    const update = { action: 'add-view-version', 'view-version': added }
    expect(() => applyViewUpdates(view, [update], 20)).toThrow(message)
  })

  it('loses no dialect unless it is allowed to', () => {
    expect(() => applyViewUpdates(view, replace(['spark']), 20)).toThrow('loss of view dialects')
    const allowed = {
      action: 'set-properties',
      updates: { 'replace.drop-dialect.allowed': 'true' },
    }
    expect(applyViewUpdates(view, [allowed, ...replace(['spark'])], 20).versions).toHaveLength(2)
    expect(() => applyViewUpdates(view, replace(['spark', 'Spark', 'trino']), 20)).toThrow(
      'multiple queries for dialect spark',
    )
  })

  it('remembers as many versions as it is told to', () => {
    let now = view
    for (let i = 2; i < 20; i++)
      now = applyViewUpdates(now, replace(['spark', 'trino'], `select ${i}`), i)
    expect(now.versions).toHaveLength(10)
    expect(now.versions.some((v) => v['version-id'] === now['current-version-id'])).toBe(true)
  })
})
