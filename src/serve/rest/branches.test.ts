import { describe, expect, it } from 'vitest'
import { toJsonText } from '../../iceberg/json.js'
import { Table } from '../../iceberg/table.js'
import { createBranch, deleteBranch } from '../../log/branch/named.js'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

const author = { author: 'ada', run: null }
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

/** A client of a server of its own. */
function client(storage: MemoryStorage) {
  const app = catalog(storage, { token: 'x' })
  return async (method: string, path: string, body?: object, key?: string) => {
    const known = key === undefined ? {} : { 'idempotency-key': key }
    const init = { method, headers: { authorization: 'Bearer x', ...known } }
    const answer = await app.request(
      `/v1/${path}`,
      body ? { ...init, body: toJsonText(body, 0) } : init,
    )
    const text = await answer.text()
    return { status: answer.status, json: (text ? JSON.parse(text) : undefined) as any }
  }
}

/** A lake with one table of its own, one of another engine, and a branch. */
async function branched() {
  const storage = new MemoryStorage()
  const ask = client(storage)
  const table = await Table.create(storage, 'silver/orders')
    .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
    .save()
  const main = new CommitLog(storage)
  const orders = { ...table.pointer, definition: {}, rows: 0, bytes: 0, files: 0 }
  const info = { ...author, message: 'build silver.orders' }
  await main.commit(await main.head(), { tables: { 'silver.orders': orders } }, info)
  await ask('POST', 'namespaces', { namespace: ['ml'] })
  await ask('POST', 'namespaces/ml/tables', { name: 'both', schema })
  await createBranch(main, 'dev', await main.head(), author)
  return { storage, ask, main }
}

const names = ({ json }: { json: any }) =>
  json.identifiers.map(({ namespace, name }: { namespace: string[]; name: string }) =>
    [...namespace, name].join('.'),
  )

describe('a branch of the lake', () => {
  it('is an address of its own: what is written there is seen there alone', async () => {
    const { ask } = await branched()
    expect((await ask('GET', 'config?warehouse=lake@dev')).json.overrides).toEqual({
      prefix: 'dev',
    })
    expect((await ask('GET', 'config?warehouse=lake')).json.overrides).toEqual({})
    expect((await ask('POST', 'dev/namespaces/ml/tables', { name: 'mine', schema })).status).toBe(
      200,
    )
    expect((await ask('DELETE', 'dev/namespaces/ml/tables/both')).status).toBe(204)
    expect(names(await ask('GET', 'dev/namespaces/ml/tables'))).toEqual(['ml.mine'])
    expect(names(await ask('GET', 'namespaces/ml/tables'))).toEqual(['ml.both'])
    expect((await ask('GET', 'dev/namespaces')).json.namespaces).toEqual([['ml'], ['silver']])
    expect((await ask('GET', 'dev/namespaces/silver/tables/orders')).status).toBe(200)
  })

  it('is a namespace, too, for engines whose catalogs are configured once', async () => {
    const { ask, main } = await branched()
    const { number } = await main.head()
    expect((await ask('GET', 'namespaces')).json.namespaces).toEqual([
      ['ml'],
      ['ml@dev'],
      ['silver'],
      ['silver@dev'],
    ])
    expect((await ask('POST', 'namespaces/ml@dev/tables', { name: 'mine', schema })).status).toBe(
      200,
    )
    expect(names(await ask('GET', 'namespaces/ml@dev/tables'))).toEqual([
      'ml@dev.both',
      'ml@dev.mine',
    ])
    expect((await ask('GET', 'namespaces/ml@dev')).json.namespace).toEqual(['ml@dev'])
    const named = (namespace: string, name: string) => ({ namespace: [namespace], name })
    const moved = { source: named('ml@dev', 'mine'), destination: named('ml@dev', 'yours') }
    expect((await ask('POST', 'tables/rename', moved)).status).toBe(204)
    expect((await ask('GET', 'namespaces/ml@dev/tables/yours')).status).toBe(200)
    expect((await ask('POST', 'namespaces', { namespace: ['new@dev'] })).json.namespace).toEqual([
      'new@dev',
    ])
    expect((await ask('DELETE', 'namespaces/new@dev')).status).toBe(204)
    expect((await main.head()).number).toBe(number)
  })

  it('is one for a request: nothing moves between branches', async () => {
    const { ask } = await branched()
    const named = (namespace: string, name: string) => ({ namespace: [namespace], name })
    const across = { source: named('ml@dev', 'both'), destination: named('ml', 'other') }
    expect((await ask('POST', 'tables/rename', across)).json.error).toMatchObject({
      code: 400,
      message: 'A request must not name tables of several branches',
    })
    const property = { updates: [{ action: 'set-properties', updates: { a: 'b' } }] }
    const both = ['ml', 'ml@dev'].map((one) => ({ identifier: named(one, 'both'), ...property }))
    expect((await ask('POST', 'transactions/commit', { 'table-changes': both })).status).toBe(400)
    expect((await ask('GET', 'dev/namespaces/ml@other')).status).toBe(400)
  })

  it('is not there once it is deleted, nor under a name that was never one', async () => {
    const { storage, ask, main } = await branched()
    await ask('POST', 'dev/namespaces/ml/tables', { name: 'mine', schema })
    await deleteBranch(main, 'dev', author)
    for (const path of [
      'dev/namespaces',
      'namespaces/ml@dev',
      'namespaces/ml@x',
      'namespaces/a@b@c',
    ])
      expect([path, (await ask('GET', path)).json.error.code]).toEqual([path, 404])
    expect((await ask('GET', 'config?warehouse=lake@dev')).json.error).toMatchObject({
      code: 404,
      message: 'There is no branch dev',
    })
    // Another branch of that name has nothing of it.
    await createBranch(main, 'dev', await main.head(), author)
    expect(names(await ask('GET', 'dev/namespaces/ml/tables'))).toEqual(['ml.both'])
    expect((await new CommitLog(storage).head()).branches).toHaveProperty('dev')
  })

  it.each([undefined, 'a-key'])(
    'that is deleted while a commit is made has it refused, key: %s',
    async (key) => {
      const { storage, ask, main } = await branched()
      const create = storage.createIfAbsent.bind(storage)
      let made = 0
      storage.createIfAbsent = async (path, bytes) => {
        if (path.startsWith('_moraine/log/dev.') && made++ === 0)
          await deleteBranch(main, 'dev', author)
        return create(path, bytes)
      }
      const table = { name: 'mine', schema }
      expect((await ask('POST', 'dev/namespaces/ml/tables', table, key)).json.error).toMatchObject({
        code: 409,
        message: expect.stringMatching(/^Branch dev\.\w+ was deleted meanwhile/),
      })
      expect(made).toBe(1)
      expect((await ask('POST', 'dev/namespaces/ml/tables', table, key)).status).toBe(404)
    },
  )

  it('that is deleted while main is listed, or is damaged, takes nothing from the list', async () => {
    const { storage, ask, main } = await branched()
    const own = [['ml'], ['silver']]
    await createBranch(main, 'lost', await main.head(), author)
    const { branches } = await main.head()
    const fork = (name: string) => `_moraine/log/${branches?.[name]}/fork.json`
    const read = storage.readIfPresent.bind(storage)
    // It is deleted once the list of branches is made.
    const deleting = { done: false }
    storage.readIfPresent = async (path) => {
      if (path === fork('lost') && !deleting.done) {
        deleting.done = true
        await deleteBranch(new CommitLog(storage), 'lost', author)
        await storage.remove(path)
      }
      return read(path)
    }
    const all = [...own, ['ml@dev'], ['silver@dev']].sort()
    expect((await ask('GET', 'namespaces')).json.namespaces).toEqual(all)
    expect(deleting.done).toBe(true)
    // Servers that have not opened it yet.
    await storage.remove(fork('dev'))
    const missing = client(storage)
    expect((await missing('GET', 'namespaces')).json.namespaces).toEqual(own)
    expect((await missing('GET', 'dev/namespaces')).status).toBe(404)
    await storage.write(fork('dev'), Buffer.from('{}'))
    const damaged = client(storage)
    expect((await damaged('GET', 'namespaces')).json.namespaces).toEqual(own)
    expect((await damaged('GET', 'dev/namespaces')).status).toBe(500)
  })

  it('is one of hundreds: a list of main looks at each once, and for what is new', async () => {
    const { storage, main } = await branched()
    const MANY = 250
    for (let n = 0; n < MANY; n++) await createBranch(main, `b${n}`, await main.head(), author)
    const ask = client(storage)
    const counted = { reads: 0, checkpoints: 0, atOnce: 0, most: 0 }
    for (const name of ['read', 'readIfPresent', 'stat', 'list'] as const) {
      const call = storage[name].bind(storage) as (path: string) => Promise<never>
      storage[name] = async (path: string) => {
        counted.reads++
        if (/checkpoints.*json$/.test(path)) counted.checkpoints++
        counted.most = Math.max(counted.most, ++counted.atOnce)
        await new Promise((resolve) => setImmediate(resolve))
        return call(path).finally(() => counted.atOnce--)
      }
    }
    const first = (await ask('GET', 'namespaces')).json.namespaces
    expect(first).toHaveLength(2 * (MANY + 2))
    // They share what they left, and a few are looked at together.
    expect(counted.checkpoints).toBeLessThan(10)
    expect(counted.most).toBeLessThanOrEqual(100)
    counted.reads = 0
    expect((await ask('GET', 'namespaces')).json.namespaces).toEqual(first)
    expect(counted.reads).toBeLessThan(MANY + 20)
    // What others write to one is seen, and so is what is written here.
    const other = client(storage)
    const made = await other('POST', 'b7/namespaces', { namespace: ['new'] })
    expect(made.status).toBe(200)
    expect((await ask('GET', 'namespaces')).json.namespaces).toContainEqual(['new@b7'])
    expect((await ask('DELETE', 'b7/namespaces/new')).status).toBe(204)
    expect((await ask('GET', 'namespaces')).json.namespaces).toEqual(first)
    await deleteBranch(main, 'b7', author)
    await createBranch(main, 'b7', await main.head(), author)
    await other('POST', 'b7/namespaces', { namespace: ['newer'] })
    expect((await ask('GET', 'namespaces')).json.namespaces).toContainEqual(['newer@b7'])
  })

  it('shows what a run did not publish, to be read alone', async () => {
    const { ask, main } = await branched()
    await main.fork('run-20260101T000000000Z-abc', await main.head())
    const run = 'run-20260101T000000000Z-abc/namespaces'
    expect((await ask('GET', `${run}/silver/tables/orders`)).status).toBe(200)
    expect((await ask('POST', run, { namespace: ['mine'] })).json.error).toMatchObject({
      code: 403,
      message: expect.stringContaining('can only be read'),
    })
    expect((await ask('GET', 'namespaces')).json.namespaces).toHaveLength(4)
    // One that somebody calls so is a branch like others.
    await createBranch(main, 'run-mine', await main.head(), author)
    expect((await ask('POST', 'run-mine/namespaces', { namespace: ['x'] })).status).toBe(200)
  })
})
