import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { parseJson, toJsonText } from '../../iceberg/json.js'
import { Table } from '../../iceberg/table.js'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

const TOKEN = 'a token'
const info = { author: 'ada', run: null, message: 'test' }
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

/** A client of a catalog over a lake in memory. */
function client(storage: MemoryStorage, token: string | undefined = TOKEN) {
  const app = catalog(storage, { token: TOKEN })
  return async (method: string, path: string, body?: object, headers: object = {}) => {
    const answer = await app.request(`/v1/${path}`, {
      method,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      ...(body ? { body: toJsonText(body, 0) } : {}),
    })
    const text = await answer.text()
    const json = (text ? parseJson(text) : undefined) as any
    return { status: answer.status, json, etag: answer.headers.get('etag') }
  }
}

async function lakeWith(...tables: string[]) {
  const storage = new MemoryStorage()
  const ask = client(storage)
  expect((await ask('POST', 'namespaces', { namespace: ['ml'] })).status).toBe(200)
  for (const name of tables)
    expect((await ask('POST', 'namespaces/ml/tables', { name, schema })).status).toBe(200)
  return { storage, ask, log: () => new CommitLog(storage) }
}

/** A table that `lake.ts` defines. */
async function withManaged(storage: MemoryStorage) {
  const table = await Table.create(storage, 'silver/orders')
    .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
    .save()
  const log = new CommitLog(storage)
  const state = { ...table.pointer, definition: {}, rows: 0, bytes: 0, files: 0 }
  await log.commit(await log.head(), { tables: { 'silver.orders': state } }, info)
}

const setProperty = (name: string, value: string, requirements: object[] = []) => ({
  requirements,
  updates: [{ action: 'set-properties', updates: { [name]: value } }],
})

const version = (sql: string) => ({
  'version-id': 1,
  'timestamp-ms': 1,
  'schema-id': 0,
  summary: {},
  representations: [{ type: 'sql', sql, dialect: 'spark' }],
  'default-namespace': ['ml'],
})

const addSnapshot = (id: bigint, location: string, from: bigint | null) => ({
  requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': from }],
  updates: [
    {
      action: 'add-snapshot',
      snapshot: {
        'snapshot-id': id,
        ...(from === null ? {} : { 'parent-snapshot-id': from }),
        'sequence-number': from === null ? 1 : 2,
        'timestamp-ms': Date.now(),
        summary: { operation: 'append' },
        'manifest-list': `${location}/metadata/${id}.avro`,
      },
    },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
  ],
})

describe('another engine', () => {
  it('makes a namespace and a table, which one commit each holds, marked as external', async () => {
    const { ask, log } = await lakeWith('scores')
    expect((await ask('GET', 'namespaces')).json.namespaces).toEqual([['ml']])
    expect((await ask('GET', 'namespaces/ml')).json.properties.location).toBe(
      'memory:///lake/external/ml',
    )
    const { json } = await ask('GET', 'namespaces/ml/tables/scores')
    expect(json.metadata.location).toMatch(/^memory:\/\/\/lake\/external\/ml\/scores-[0-9a-f]{12}$/)
    const { external, number, tables, features } = await log().head()
    expect(number).toBe(2)
    expect(tables).toEqual({})
    expect(external?.relations['ml\u001fscores']).toMatchObject({ kind: 'table' })
    expect(features?.external).toMatchObject({ needed: 'write' })
  })

  it('makes no namespace that others would take for one of the lake', async () => {
    const { ask } = await lakeWith()
    for (const namespace of [
      ['system'],
      ['SYSTEM'],
      ['System', 'more'],
      ['Silver'],
      ['GOLD', 'x'],
    ]) {
      const { status, json } = await ask('POST', 'namespaces', { namespace })
      expect([status, json.error.message]).toEqual([
        400,
        expect.stringContaining('Use another name'),
      ])
    }
    expect((await ask('POST', 'namespaces', { namespace: ['ml', 'system'] })).status).toBe(200)
    expect((await ask('POST', 'namespaces/ml/tables', { name: 'system', schema })).status).toBe(200)
  })

  it('has snapshot ids of 63 bits come back to the last digit, as loaded and as committed', async () => {
    const { ask } = await lakeWith('scores')
    const { json } = await ask('GET', 'namespaces/ml/tables/scores')
    const id = 9_223_372_036_854_775_807n
    const change = addSnapshot(id, json.metadata.location, null)
    const done = await ask('POST', 'namespaces/ml/tables/scores', change)
    expect(done.status).toBe(200)
    expect(done.json.metadata['current-snapshot-id']).toBe(id)
    const again = await ask('GET', 'namespaces/ml/tables/scores?snapshots=refs')
    expect(
      again.json.metadata.snapshots.map((s: { 'snapshot-id': bigint }) => s['snapshot-id']),
    ).toEqual([id])
    // Who begins at a neighbour that a number can't tell from it is refused.
    const wrong = addSnapshot(5n, json.metadata.location, id - 1n)
    expect((await ask('POST', 'namespaces/ml/tables/scores', wrong)).json.error).toMatchObject({
      code: 409,
      type: 'CommitFailedException',
      message: expect.stringContaining('Requirement failed: branch main has changed'),
    })
  })

  it('that sends a commit again, as its answer was lost, is told that it is done', async () => {
    const { ask, log } = await lakeWith('scores', 'others')
    const { location } = (await ask('GET', 'namespaces/ml/tables/scores')).json.metadata
    const first = addSnapshot(7n, location, null)
    const later = addSnapshot(8n, location, 7n)
    for (const change of [first, later])
      expect((await ask('POST', 'namespaces/ml/tables/scores', change)).status).toBe(200)
    const { number } = await log().head()
    const again = await ask('POST', 'namespaces/ml/tables/scores', first)
    expect(again).toMatchObject({ status: 200, json: { metadata: { 'current-snapshot-id': 8 } } })
    const named = (name: string) => ({ identifier: { namespace: ['ml'], name } })
    const changes = [{ ...named('scores'), ...later }]
    const both = { 'table-changes': [...changes, { ...named('others'), ...later }] }
    expect((await ask('POST', 'transactions/commit', { 'table-changes': changes })).status).toBe(
      204,
    )
    expect((await log().head()).number).toBe(number)
    // Half of it was never done.
    expect((await ask('POST', 'transactions/commit', both)).status).toBe(409)
    // What has the same id and is another snapshot is no repetition.
    const other = addSnapshot(8n, `${location}/other`, 7n)
    expect((await ask('POST', 'namespaces/ml/tables/scores', other)).status).toBe(409)
  })

  it('has its metadata where it asks for them in the lake, and nowhere else', async () => {
    const { storage, ask } = await lakeWith()
    const path = 'memory:///lake/external/mine/'
    const properties = { 'write.metadata.path': path }
    const made = await ask('POST', 'namespaces/ml/tables', { name: 'scores', schema, properties })
    const first = made.json['metadata-location']
    expect(first).toMatch(/^memory:\/\/\/lake\/external\/mine\/00000-[^/]+\.metadata\.json$/)
    expect(await storage.stat(first.slice('memory:///lake/'.length))).toBeDefined()
    for (const query of ['', '?snapshots=refs'])
      expect((await ask('GET', `namespaces/ml/tables/scores${query}`)).json).toMatchObject({
        'metadata-location': first,
      })
    const changed = await ask('POST', 'namespaces/ml/tables/scores', setProperty('a', 'b'))
    expect(changed.json.metadata['metadata-log']).toMatchObject([{ 'metadata-file': first }])
    // From now on they lie with the table; those from before stay where they are.
    const updates = [{ action: 'remove-properties', removals: ['write.metadata.path'] }]
    const moved = await ask('POST', 'namespaces/ml/tables/scores', { updates })
    expect(moved.json['metadata-location']).toContain(`${made.json.metadata.location}/metadata/`)
    const elsewhere = { 'write.metadata.path': 'memory:///lake/silver/orders' }
    const view = { name: 'v', schema, properties: elsewhere, 'view-version': version('select 1') }
    for (const answer of [
      await ask('POST', 'namespaces/ml/tables', { name: 't', schema, properties: elsewhere }),
      await ask('POST', 'namespaces/ml/views', view),
    ])
      expect(answer).toMatchObject({ status: 400 })
  })

  it('is tried again on what others made meanwhile, and refused only where a requirement fails', async () => {
    const { storage, log } = await lakeWith('scores')
    // Servers of their own: none knows what the other does.
    const clients = Array.from({ length: 6 }, () => client(storage))
    const answers = await Promise.all(
      clients.map((ask, i) =>
        ask('POST', 'namespaces/ml/tables/scores', setProperty(`p${i}`, 'x')),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    const { json } = await (clients[0] as ReturnType<typeof client>)(
      'GET',
      'namespaces/ml/tables/scores',
    )
    expect(Object.keys(json.metadata.properties).sort()).toEqual([
      'p0',
      'p1',
      'p2',
      'p3',
      'p4',
      'p5',
    ])
    expect((await log().head()).number).toBe(8)
    const created = await Promise.all(
      clients.map((ask) => ask('POST', 'namespaces/ml/tables', { name: 'once', schema })),
    )
    expect(created.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409])
  })

  it('changes several tables in one commit, or none of them', async () => {
    const { ask, log } = await lakeWith('a', 'b')
    const change = (name: string, requirements: object[] = []) => ({
      identifier: { namespace: ['ml'], name },
      ...setProperty('seen', 'yes', requirements),
    })
    const { number } = await log().head()
    const both = { 'table-changes': [change('a'), change('b')] }
    expect((await ask('POST', 'transactions/commit', both)).status).toBe(204)
    expect((await log().head()).number).toBe(number + 1)
    const wrong = [{ type: 'assert-table-uuid', uuid: 'another' }]
    const half = { 'table-changes': [change('a'), change('b', wrong)] }
    expect((await ask('POST', 'transactions/commit', half)).status).toBe(409)
    expect((await log().head()).number).toBe(number + 1)
  })

  it('creates a table in two steps, and is too late where another was faster', async () => {
    const { ask } = await lakeWith()
    const staged = await ask('POST', 'namespaces/ml/tables', {
      name: 't',
      schema,
      'stage-create': true,
    })
    expect(staged.json).not.toHaveProperty('metadata-location')
    expect((await ask('HEAD', 'namespaces/ml/tables/t')).status).toBe(404)
    const { metadata } = staged.json
    const commit = {
      requirements: [{ type: 'assert-create' }],
      updates: [
        { action: 'assign-uuid', uuid: metadata['table-uuid'] },
        { action: 'set-location', location: metadata.location },
        { action: 'add-schema', schema: metadata.schemas[0] },
        { action: 'set-current-schema', 'schema-id': -1 },
        { action: 'add-spec', spec: { fields: [] } },
        { action: 'set-default-spec', 'spec-id': -1 },
        { action: 'add-sort-order', 'sort-order': { fields: [] } },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
      ],
    }
    expect((await ask('POST', 'namespaces/ml/tables/t', commit)).status).toBe(200)
    expect((await ask('POST', 'namespaces/ml/tables/t', commit)).json.error).toMatchObject({
      code: 409,
      message: 'Requirement failed: table already exists',
    })
  })

  it('renames and drops; what was dropped can be registered again', async () => {
    const { ask } = await lakeWith('a')
    const { json } = await ask('GET', 'namespaces/ml/tables/a')
    const names = {
      source: { namespace: ['ml'], name: 'a' },
      destination: { namespace: ['ml'], name: 'b' },
    }
    expect((await ask('POST', 'tables/rename', names)).status).toBe(204)
    expect((await ask('POST', 'tables/rename', names)).status).toBe(404)
    expect((await ask('DELETE', 'namespaces/ml')).json.error.type).toBe(
      'NamespaceNotEmptyException',
    )
    expect((await ask('DELETE', 'namespaces/ml/tables/b?purgeRequested=true')).status).toBe(204)
    const again = { name: 'c', 'metadata-location': json['metadata-location'] }
    expect((await ask('POST', 'namespaces/ml/register', again)).status).toBe(200)
    const found = await ask('GET', 'namespaces/ml/tables/c')
    expect(found.json.metadata['table-uuid']).toBe(json.metadata['table-uuid'])
    expect((await ask('DELETE', 'namespaces/ml/tables/c')).status).toBe(204)
    expect((await ask('DELETE', 'namespaces/ml')).status).toBe(204)
    expect((await ask('GET', 'namespaces/ml')).status).toBe(404)
  })

  it('says of a compressed body that it must not be', async () => {
    const { ask } = await lakeWith()
    const headers = { 'content-encoding': 'gzip' }
    const { status, json } = await ask('POST', 'namespaces', { namespace: ['x'] }, headers)
    expect([status, json.error.message]).toEqual([
      415,
      'Content-Encoding gzip is not supported: send the body without compression',
    ])
    expect((await ask('GET', 'namespaces/x')).status).toBe(404)
  })

  it('asks for pages, and for what has changed', async () => {
    const { ask } = await lakeWith('a', 'b', 'c')
    const seen: string[] = []
    let token = ''
    do {
      const { json } = await ask('GET', `namespaces/ml/tables?pageSize=2&pageToken=${token}`)
      seen.push(...json.identifiers.map(({ name }: { name: string }) => name))
      token = json['next-page-token'] ?? ''
    } while (token)
    expect(seen).toEqual(['a', 'b', 'c'])
    const { etag } = await ask('GET', 'namespaces/ml/tables/a')
    const headers = { 'if-none-match': etag }
    expect((await ask('GET', 'namespaces/ml/tables/a', undefined, headers)).status).toBe(304)
    await ask('POST', 'namespaces/ml/tables/a', setProperty('x', 'y'))
    expect((await ask('GET', 'namespaces/ml/tables/a', undefined, headers)).status).toBe(200)
  })

  it('makes, replaces and drops views; a name is of one thing', async () => {
    const { ask } = await lakeWith('t')
    const body = { name: 'v', schema, properties: {}, 'view-version': version('select 1') }
    expect((await ask('POST', 'namespaces/ml/views', body)).status).toBe(200)
    expect(
      (await ask('POST', 'namespaces/ml/views', { ...body, name: 't' })).json.error,
    ).toMatchObject({
      code: 409,
      message: 'Table with same name already exists: ml.t',
    })
    expect(
      (await ask('POST', 'namespaces/ml/tables', { name: 'v', schema })).json.error.message,
    ).toBe('View with same name already exists: ml.v')
    const replaced = await ask('POST', 'namespaces/ml/views/v', {
      updates: [
        { action: 'add-view-version', 'view-version': version('select 2') },
        { action: 'set-current-view-version', 'view-version-id': -1 },
      ],
    })
    expect(replaced.json.metadata['current-version-id']).toBe(2)
    expect((await ask('GET', 'namespaces/ml/views')).json.identifiers).toHaveLength(1)
    expect((await ask('DELETE', 'namespaces/ml/views/v')).status).toBe(204)
    expect((await ask('HEAD', 'namespaces/ml/views/v')).status).toBe(404)
  })
})

describe('the lake’s own tables', () => {
  it('can be read, and refuse to be written, with the reason and the way out', async () => {
    const { storage, ask, log } = await lakeWith()
    await withManaged(storage)
    const { number } = await log().head()
    expect((await ask('GET', 'namespaces')).json.namespaces).toEqual([['ml'], ['silver']])
    expect((await ask('GET', 'namespaces/silver/tables')).json.identifiers).toEqual([
      { namespace: ['silver'], name: 'orders' },
    ])
    const loaded = await ask('GET', 'namespaces/silver/tables/orders')
    expect(loaded.json.metadata.location).toBe('memory:///lake/silver/orders')
    const named = (name: string, namespace: string) => ({ namespace: [namespace], name })
    const refused = [
      await ask('POST', 'namespaces/silver/tables/orders', setProperty('a', 'b')),
      await ask('DELETE', 'namespaces/silver/tables/orders'),
      await ask('POST', 'namespaces/silver/tables', { name: 'mine', schema }),
      await ask('POST', 'namespaces', { namespace: ['gold'] }),
      await ask('DELETE', 'namespaces/silver'),
      await ask('POST', 'tables/rename', {
        source: named('orders', 'silver'),
        destination: named('orders', 'ml'),
      }),
      await ask('POST', 'transactions/commit', {
        'table-changes': [{ identifier: named('orders', 'silver'), ...setProperty('a', 'b') }],
      }),
    ]
    for (const { json } of refused)
      expect(json.error).toMatchObject({
        // Trino shows the reason of these, and none of others.
        type: expect.stringMatching(/^(IllegalArgument|AlreadyExists)Exception$/),
        message: expect.stringMatching(/defined in lake.ts|lake.ts defines it/),
      })
    expect((await log().head()).number).toBe(number)
  })

  it('are rolled back without what others have written, unless intake is undone as well', async () => {
    const { storage, ask, log } = await lakeWith()
    await withManaged(storage)
    await ask('POST', 'namespaces/ml/tables', { name: 'later', schema })
    await log().rollback(1, info)
    const head = await log().head()
    expect(Object.keys(head.tables)).toEqual([])
    expect(Object.keys(head.external?.relations ?? {})).toEqual(['ml\u001flater'])
    await log().rollback(1, info, true)
    expect((await log().head()).external?.relations).toEqual({})
  })
})

describe('access', () => {
  it('without a token of the server is to read, and with one is to show it', async () => {
    const { storage } = await lakeWith('a')
    const open = catalog(storage)
    const read = await open.request('/v1/namespaces/ml/tables/a')
    expect(read.status).toBe(200)
    const body = JSON.stringify({ namespace: ['x'] })
    const write = await open.request('/v1/namespaces', { method: 'POST', body })
    expect(write.status).toBe(403)
    for (const token of [undefined, 'None', 'another']) {
      const ask = client(storage, token ?? '')
      expect((await ask('GET', 'config')).json.error).toMatchObject({
        code: 401,
        type: 'NotAuthorizedException',
      })
    }
  })

  it('is had for credentials, until it expires', async () => {
    const { storage } = await lakeWith('a')
    const app = catalog(storage, { token: TOKEN })
    const exchange = (secret: string) =>
      app.request('/v1/oauth/tokens', {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: 'spark',
          client_secret: secret,
        }),
      })
    expect((await exchange('wrong')).status).toBe(401)
    const { access_token: given } = (await (await exchange(TOKEN)).json()) as {
      access_token: string
    }
    expect(given).not.toContain(TOKEN)
    expect((await client(storage, given)('GET', 'namespaces')).status).toBe(200)
    const [header, claims = '', signature] = given.split('.')
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString())
    const longer = Buffer.from(JSON.stringify({ ...said, exp: said.exp + 1 })).toString('base64url')
    const forged = [header, longer, signature].join('.')
    expect((await client(storage, forged)('GET', 'namespaces')).status).toBe(401)
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_601_000 })
    expect((await client(storage, given)('GET', 'namespaces')).status).toBe(401)
  })

  it.each([
    'file:///etc',
    'memory:///lake/silver/orders',
    'memory:///lake/external/../silver',
    'memory:///lake/external/%2e%2e/silver',
    'memory:///lakes/external/x',
    's3://bucket/x',
  ])('is not had to what lies outside of its place: %s', async (location) => {
    const { ask } = await lakeWith('a')
    const body = { name: 'x', schema, location }
    expect((await ask('POST', 'namespaces/ml/tables', body)).status).toBe(400)
    const move = { updates: [{ action: 'set-location', location }] }
    expect((await ask('POST', 'namespaces/ml/tables/a', move)).status).toBe(400)
    const data = setProperty('write.data.path', location)
    expect((await ask('POST', 'namespaces/ml/tables/a', data)).status).toBe(400)
    const metadata = { name: 'y', 'metadata-location': location }
    expect((await ask('POST', 'namespaces/ml/register', metadata)).status).toBe(400)
    const list = addSnapshot(1n, location, null)
    expect((await ask('POST', 'namespaces/ml/tables/a', list)).status).toBe(400)
  })
})
