import { expect, it } from 'vitest'
import { MoraineError } from '../../errors.js'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

const gone = (what: string) => new MoraineError('storage', `${what} is gone`, { retryable: true })

/** Goes away once it has taken an object of the log, if it is told to. */
class LeavingStorage extends MemoryStorage {
  leaves = false
  isAway = false
  /** Nothing of tables can be read. */
  isTableAway = false

  /** Where clients get credentials for a table: it is away while the storage is there. */
  async vend(): Promise<never> {
    throw gone('the STS')
  }

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    this.refuse()
    const isCreated = await super.createIfAbsent(path, bytes)
    if (this.leaves && path.startsWith('_moraine/log/')) this.isAway = true
    this.refuse()
    return isCreated
  }

  override async readIfPresent(path: string): Promise<Uint8Array | undefined> {
    this.refuse()
    return super.readIfPresent(path)
  }

  override async stat(path: string) {
    if (this.isTableAway && path.startsWith('external/')) throw gone('the network')
    return super.stat(path)
  }

  private refuse(): void {
    if (this.isAway) throw gone('the network')
  }
}

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

/** A client of a catalog over a storage, which asks for credentials. */
function client(storage: LeavingStorage) {
  const app = catalog(storage, { token: 'x' })
  return async (method: string, path: string, body?: object, key?: string) => {
    const answer = await app.request(`/v1/${path}`, {
      method,
      headers: {
        authorization: 'Bearer x',
        'x-iceberg-access-delegation': 'vended-credentials',
        ...(key ? { 'idempotency-key': key } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: answer.status, json: (await answer.json()) as any }
  }
}

it('tells of a table that was made without credentials, where none are given at the moment', async () => {
  const storage = new LeavingStorage()
  const ask = client(storage)
  await ask('POST', 'namespaces', { namespace: ['ml'] })
  const made = await ask('POST', 'namespaces/ml/tables', { name: 'scores', schema })
  expect(made).toMatchObject({ status: 200, json: { config: {} } })
  expect(made.json).not.toHaveProperty('storage-credentials')
  expect((await ask('GET', 'namespaces/ml/tables/scores')).status).toBe(503)
  const at = made.json['metadata-location']
  const register = { name: 'again', 'metadata-location': at }
  const registered = await ask('POST', 'namespaces/ml/register', register)
  expect(registered).toMatchObject({ status: 200, json: { 'metadata-location': at, config: {} } })
  const relations = (await new CommitLog(storage).head()).external?.relations ?? {}
  expect(Object.keys(relations)).toEqual(['ml\u001fscores', 'ml\u001fagain'])
  // Where nothing is done yet, the client may wait and ask again.
  const staged = { name: 'other', schema, 'stage-create': true }
  expect((await ask('POST', 'namespaces/ml/tables', staged)).status).toBe(503)
})

it('does not say of a commit that is there that nothing was done, where its table can not be read', async () => {
  const storage = new LeavingStorage()
  await client(storage)('POST', 'namespaces', { namespace: ['ml'] })
  const body = { name: 'scores', schema }
  const first = await client(storage)('POST', 'namespaces/ml/tables', body, 'key')
  expect(first.status).toBe(200)
  storage.isTableAway = true
  const again = await client(storage)('POST', 'namespaces/ml/tables', body, 'key')
  expect(again).toMatchObject({
    status: 500,
    json: { error: { type: 'CommitStateUnknownException' } },
  })
  storage.isTableAway = false
  expect(await client(storage)('POST', 'namespaces/ml/tables', body, 'key')).toEqual(first)
})

it('does not say that nothing was done, where storage fails while the commit is made', async () => {
  const storage = new LeavingStorage()
  const ask = async (path: string, body: object) => {
    const answer = await catalog(storage, { token: 'x' }).request(`/v1/${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, json: await answer.json() }
  }
  storage.leaves = true
  const unknown = await ask('namespaces', { namespace: ['ml'] })
  expect(unknown).toMatchObject({
    status: 500,
    json: { error: { type: 'CommitStateUnknownException', code: 500 } },
  })
  // Before a commit is made, nothing was done, and what is told is so.
  const none = await ask('namespaces', { namespace: ['other'] })
  expect(none).toMatchObject({ status: 503, json: { error: { code: 503 } } })
  storage.isAway = false
  expect(Object.keys((await new CommitLog(storage).head()).external?.namespaces ?? {})).toEqual([
    'ml',
  ])
})

it('begins no lake where two writers could create the same object', async () => {
  class Careless extends LeavingStorage {
    override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
      this.objects.set(path, bytes)
      return true
    }
  }
  const storage = new Careless()
  const refused = await client(storage)('POST', 'namespaces', { namespace: ['ml'] })
  expect(refused.status).toBeGreaterThanOrEqual(500)
  expect(await storage.list('')).toEqual([])
})
