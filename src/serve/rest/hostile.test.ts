import { copyFile, mkdir, readdir, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { junk, placesIn, replaced } from '../../../test/support/junk.js'
import { temporaryFolder } from '../../../test/support/project.js'
import { principal } from '../../define/access/principal.js'
import { CommitLog } from '../../log/log.js'
import { LocalStorage } from '../../storage/local.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'
import { endpoints } from './http/routes.js'

const TOKEN = 'a token'
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
const own = `${new MemoryStorage().url}/external`
const version = {
  'version-id': 1,
  'timestamp-ms': 1,
  'schema-id': 0,
  summary: {},
  'default-namespace': ['ml'],
  representations: [{ type: 'sql', sql: 'SELECT 1 AS id', dialect: 'trino' }],
}
const MiB = 2 ** 20

type Body = string | Uint8Array | ReadableStream

async function lake() {
  const storage = new MemoryStorage()
  const access = ['ml', 'bi'].map((name) =>
    principal(name, { token: `the token of ${name}`, write: [`${name}.*`] }),
  )
  const app = catalog(storage, { token: TOKEN, access })
  const send = (method: string, path: string, body?: Body, token = TOKEN) => {
    const init = { method, body: body ?? null, headers: { authorization: `Bearer ${token}` } }
    return app.request(`/v1/${path}`, { ...init, duplex: 'half' } as RequestInit)
  }
  const post = (path: string, body: unknown) => send('POST', path, JSON.stringify(body))
  await post('namespaces', { namespace: ['ml'] })
  await post('namespaces/ml/tables', { name: 'scores', schema })
  const head = async () => (await new CommitLog(storage).head()).number
  return { storage, app, send, post, head }
}

async function refusal(answer: Response) {
  const { error } = (await answer.json()) as { error: { message: string } }
  return { status: answer.status, message: error.message }
}

const appending = (id: number, parent?: number) => [
  {
    action: 'add-snapshot',
    snapshot: {
      'snapshot-id': id,
      ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
      'sequence-number': id,
      'timestamp-ms': 1000,
      summary: { operation: 'append' },
      'manifest-list': `${own}/ml/${id}.avro`,
      'schema-id': 0,
    },
  },
  { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
]

const setting = { action: 'set-properties', updates: { a: 'b' } }

const commit = (...updates: unknown[]) => ({ requirements: [], updates })

describe('a client that means no good', () => {
  it('is told what is wrong with what it sends, and changes nothing', async () => {
    const { send, head } = await lake()
    const before = await head()
    const deep = `{"namespace":["a"],"x":${'['.repeat(600)}${']'.repeat(600)}}`
    const bad: [path: string, body: Body | object, why: RegExp, status?: number][] = [
      ['namespaces', Buffer.from('{"namespace":["\xff\xfe"]}', 'latin1'), /not valid UTF-8/],
      ['namespaces', deep, /more than 500 levels/],
      ['namespaces', '{"namespace":["\\ud800"]}', /valid text/],
      ['namespaces', { namespace: ['..'] }, /\.\. is not allowed as a name/],
      ['namespaces', { namespace: ['a', '.'] }, /\. is not allowed as a name/],
      ['namespaces', { namespace: ['a'], properties: { x: null } }, /properties.x is not a string/],
      ['namespaces', new Uint8Array(17 * MiB), /exceeds the limit/, 413],
      ['namespaces/ml/properties', { removals: 'x' }, /removals is missing, or is not a list/],
      ['namespaces/ml/properties', { updates: ['x'] }, /updates is missing, or is not an object/],
      ['namespaces/ml/tables', { name: '..', schema }, /not allowed as a name/],
      ['namespaces/ml/tables', { name: 'a', schema, 'partition-spec': 'x' }, /partition-spec/],
      ['namespaces/ml/tables', { name: 'a', schema, 'write-order': { fields: ['x'] } }, /fields/],
      ['namespaces/ml/tables', { name: 'a', schema, 'stage-create': 'yes' }, /stage-create/],
      ['namespaces/ml/tables', { name: 'a', schema, location: 5 }, /location is not a string/],
      ...['namespaces/ml/tables', 'namespaces/ml/views'].map((path): [string, object, RegExp] => [
        path,
        { name: 'a', schema, 'view-version': version, location: `${own}/ml//a` },
        /has an empty part/,
      ]),
      [
        'namespaces/ml/tables',
        { name: 'a', schema, properties: { 'write.metadata.path': `${own}//ml/a` } },
        /has an empty part/,
      ],
      [
        'namespaces',
        { namespace: ['c'], properties: { location: `${own}/c//d` } },
        /has an empty part/,
      ],
      [
        'namespaces/ml/register',
        { name: 'a', 'metadata-location': `${own}/ml//a/metadata/v1.metadata.json` },
        /has an empty part/,
      ],
      ...['banana', 'decimal(99, 98)', 'decimal(5, 6)', 7, null, { type: 'list' }].map(
        (type): [string, object, RegExp] => [
          'namespaces/ml/tables',
          { name: 'a', schema: { ...schema, fields: [{ id: 1, name: 'id', type }] } },
          /Column id.* has the type .*, which Iceberg does not have/,
        ],
      ),
      [
        'namespaces/ml/tables',
        { name: 'a', schema: { ...schema, 'identifier-field-ids': [9] } },
        /identifier-field-ids/,
      ],
      [
        'namespaces/ml/tables/scores',
        commit({ action: 'add-sort-order', 'sort-order': { fields: [{ 'source-id': 1 }] } }),
        /transform is missing/,
      ],
      ['namespaces/ml/tables/scores/metrics', new Uint8Array(2 * MiB), /exceeds the limit/, 413],
    ]
    for (const [path, body, why, status = 400] of bad) {
      const isRaw = typeof body === 'string' || body instanceof Uint8Array
      const answer = await send('POST', path, isRaw ? body : JSON.stringify(body))
      const told = await refusal(answer)
      expect([told.status, told.message], path).toEqual([status, expect.stringMatching(why)])
    }
    expect(await head()).toBe(before)
  })

  it('cannot fill the log with properties of namespaces, which may be removed', async () => {
    const { send, post, head } = await lake()
    const texts = (size: number, of = 'x') => ({ [of]: of.repeat(size) })
    const before = await head()
    for (const [path, body] of [
      ['namespaces', { namespace: ['large'], properties: texts(70_000) }],
      ['namespaces/ml/properties', { updates: texts(70_000) }],
    ] as const) {
      const { status, message } = await refusal(await post(path, body))
      expect([status, message]).toEqual([
        400,
        expect.stringMatching(/^The properties of namespace \w+ would have 69 KiB, more than the/),
      ])
    }
    expect(await head()).toBe(before)
    const set = (body: object) => post('namespaces/ml/properties', body)
    expect((await set({ updates: texts(60_000, 'a') })).status).toBe(200)
    expect((await set({ updates: texts(10_000, 'b') })).status).toBe(400)
    expect((await set({ updates: texts(10_000, 'b'), removals: ['a'] })).status).toBe(200)
    const { properties } = (await (await send('GET', 'namespaces/ml')).json()) as any
    expect(Object.keys(properties)).toEqual(['location', 'b'])
  })

  it('cannot send a large body before it has shown who it is', async () => {
    const { app } = await lake()
    const body = `grant_type=client_credentials&client_secret=${'x'.repeat(20_000)}`
    const answer = await app.request('/v1/oauth/tokens', { method: 'POST', body })
    expect(answer.status).toBe(413)
  })

  it('cannot hold all others up with one commit of very many updates', async () => {
    const { post } = await lake()
    const updates = Array.from({ length: 20_000 }, (_, i) => ({
      action: 'set-properties',
      updates: { [`p${i}`]: 'x' },
    }))
    const answer = await post('namespaces/ml/tables/scores', commit(...updates))
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringContaining('too many updates of one table'),
    ])
    // One update may set as many.
    const all = Object.assign({}, ...updates.map((update) => update.updates))
    const one = commit({ action: 'set-properties', updates: all })
    expect((await post('namespaces/ml/tables/scores', one)).status).toBe(200)
  })

  it('cannot use up the room for requests of others with bodies that never end', async () => {
    const { send } = await lake()
    const open = new Set<ReadableStreamDefaultController>()
    const large = new Uint8Array(15 * MiB).fill(0x20)
    const endless = () => {
      let own: ReadableStreamDefaultController | undefined
      return new ReadableStream({
        start(controller) {
          controller.enqueue(large)
          open.add(controller)
          own = controller
        },
        cancel: () => void (own && open.delete(own)),
      })
    }
    const slow: Promise<Response>[] = []
    // Those for which there is room wait: two of one principal, and three of all.
    for (const [name, count] of [
      ['ml', 3],
      ['bi', 2],
    ] as const) {
      const own = Array.from({ length: count }, async () =>
        send('POST', 'namespaces', endless(), `the token of ${name}`),
      )
      slow.push(...own)
      expect((await Promise.race(own)).status).toBe(503)
    }
    expect(open.size).toBe(3)
    const make = (name: string) =>
      send('POST', 'namespaces', JSON.stringify({ namespace: [name] }), `the token of ${name}`)
    expect((await make('bi')).status).toBe(200)
    for (const body of open) body.close()
    // What was sent is no JSON. Once it is answered there is room again.
    const statuses = (await Promise.all(slow)).map(({ status }) => status)
    expect(statuses.sort()).toEqual([400, 400, 400, 503, 503])
    expect((await send('DELETE', 'namespaces/ml', undefined, 'the token of ml')).status).toBe(409)
  })

  it('has nothing read or written behind links that it puts into its folders', async () => {
    const folder = await temporaryFolder()
    const outside = await temporaryFolder()
    const storage = new LocalStorage(join(folder, 'lake'))
    const options = { token: TOKEN, isLocal: () => true, onCall: () => {} }
    const app = catalog(storage, options)
    const post = async (path: string, body: object) => {
      const headers = { authorization: `Bearer ${TOKEN}` }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      const answer = await app.request(`/v1/${path}`, init)
      return { status: answer.status, json: (await answer.json()) as any }
    }
    await post('namespaces', { namespace: ['ml'] })
    const { json: table } = await post('namespaces/ml/tables', { name: 'scores', schema })
    const home = table.metadata.location.replace('file://', '')
    const metadata = table['metadata-location'].replace('file://', '')
    // Somebody's table, which the server may read and this client may not.
    await copyFile(metadata, join(outside, 'theirs.metadata.json'))
    await mkdir(join(home, 'data'))
    await symlink(join(outside, 'theirs.metadata.json'), join(home, 'data/x.metadata.json'))
    const file = `${table.metadata.location}/data/x.metadata.json`
    const register = { name: 'theirs', 'metadata-location': file }
    const registered = await post('namespaces/ml/register', register)
    expect([registered.status, registered.json.error?.message]).toEqual([
      400,
      expect.stringContaining('x.metadata.json is a link or a device'),
    ])
    await rename(join(home, 'metadata'), join(outside, 'metadata'))
    await symlink(join(outside, 'metadata'), join(home, 'metadata'))
    const changed = await post('namespaces/ml/tables/scores', commit(setting))
    expect([changed.status, changed.json.error?.message]).toEqual([
      400,
      expect.stringContaining('metadata is a link or a device'),
    ])
    expect(await readdir(join(outside, 'metadata'))).toHaveLength(1)
  })

  it.each([
    ['table', 'register', { updates: [setting, ...appending(2, 1)] }],
    ['view', 'register-view', { updates: [setting] }],
  ] as const)(
    'has no file registered as a %s that other requests fail on',
    async (kind, path, change) => {
      const { storage, send, post } = await lake()
      await post('namespaces/ml/tables/scores', { updates: appending(1) })
      const shown = { name: 'shown', schema, properties: {}, 'view-version': version }
      await post('namespaces/ml/views', shown)
      const good = `namespaces/ml/${kind}s/${kind === 'table' ? 'scores' : 'shown'}`
      const { metadata } = (await (await send('GET', good)).json()) as { metadata: object }
      let [number, taken] = [0, 0]
      for (const place of placesIn(metadata))
        for (const value of junk) {
          const name = `r${++number}`
          const file = `external/ml/r/metadata/${number}.metadata.json`
          await storage.write(file, Buffer.from(JSON.stringify(replaced(metadata, place, value))))
          const asked = { name, 'metadata-location': storage.locate(file) }
          const at = `namespaces/ml/${kind}s/${name}`
          const answer = await post(`namespaces/ml/${path}`, asked)
          const statuses = [answer.status]
          if (answer.status === 200) {
            taken++
            statuses.push((await send('GET', `${at}?snapshots=refs`)).status)
            statuses.push((await post(at, change)).status)
            statuses.push((await send('DELETE', at)).status)
          }
          const told = `${place.join('.')} = ${JSON.stringify(value)}: ${statuses}`
          expect(Math.max(...statuses), told).toBeLessThan(500)
        }
      expect(taken).toBeGreaterThan(0)
      expect(taken).toBeLessThan(number)
    },
  )

  it('never makes the server fail, whatever JSON it sends to whatever route', async () => {
    const words = fc.constantFrom(
      ...['ml', 'scores', '', '..', '__proto__', 'silver', 'silver@dev', 'ml\u001fx', '\u0000'],
      ...['add-snapshot', 'set-snapshot-ref', 'add-schema', 'assert-ref-snapshot-id', 'branch'],
    )
    const names = fc.constantFrom(
      ...['name', 'namespace', 'schema', 'fields', 'type', 'updates', 'requirements', 'action'],
      ...['properties', 'snapshot', 'snapshot-id', 'ref-name', 'location', 'source', 'destination'],
      ...['table-changes', 'identifier', 'metadata-location', 'partition-spec', 'stage-create'],
      ...['view-version', 'representations', 'default-namespace', 'schema-id', 'method', 'uri'],
      ...['headers', '__proto__', 'manifest-list', 'summary', 'timestamp-ms', 'removals', 'id'],
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        words,
        fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 53, schema, [schema], ['ml']),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(names, tie('value'), { maxKeys: 6 }),
      ),
    }))
    const path = words.map(encodeURIComponent)
    const { send } = await lake()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...endpoints), path, path, value, async (at, a, b, body) => {
        const [method = '', route = ''] = at.split(' /v1/{prefix}/')
        const address = route.replace('{namespace}', a).replace(/\{(table|view)\}/, b)
        const hasBody = method === 'POST'
        const answer = await send(method, address, hasBody ? JSON.stringify(body) : undefined)
        expect(answer.status, `${method} ${address}: ${await answer.clone().text()}`).toBeLessThan(
          500,
        )
      }),
      { seed: 24, numRuns: 2000 },
    )
  })
})
