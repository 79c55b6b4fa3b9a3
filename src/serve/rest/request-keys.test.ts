import { describe, expect, it } from 'vitest'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

function lake() {
  const storage = new MemoryStorage()
  const log = new CommitLog(storage)
  const ask = async (method: string, path: string, key?: string, body?: object) => {
    // A server of its own: what is known of a request is known from the log.
    const answer = await catalog(storage, { token: 'x' }).request(`/v1/${path}`, {
      method,
      headers: { authorization: 'Bearer x', ...(key ? { 'idempotency-key': key } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    return { status: answer.status, json: text ? JSON.parse(text) : undefined }
  }
  return { storage, log, ask }
}

const property = (name: string) => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: { [name]: 'yes' } }],
})

describe('a request with an idempotency key', () => {
  it('is carried out once, and answered the same each time', async () => {
    const { ask, log } = lake()
    const requests = [
      ['POST', 'namespaces', { namespace: ['ml'], properties: { a: 'b' } }],
      ['POST', 'namespaces/ml/tables', { name: 't', schema }],
      ['POST', 'namespaces/ml/tables/t', property('one')],
      ['POST', 'namespaces/ml/properties', { removals: ['a', 'x'], updates: { c: 'd' } }],
      ['POST', 'transactions/commit', { 'table-changes': [change('t', 'two')] }],
      ['POST', 'tables/rename', { source: named('t'), destination: named('u') }],
      ['DELETE', 'namespaces/ml/tables/u?purgeRequested=true', undefined],
      ['DELETE', 'namespaces/ml', undefined],
    ] as const
    for (const [i, [method, path, body]] of requests.entries()) {
      const first = await ask(method, path, `key-${i}`, body)
      expect([path, Math.floor(first.status / 100)]).toEqual([path, 2])
      const { number } = await log.head()
      expect(number).toBe(i + 1)
      expect([path, await ask(method, path, `key-${i}`, body)]).toEqual([path, first])
      expect((await log.head()).number).toBe(number)
    }
    // Also much later than others have gone on.
    const again = await ask('POST', 'namespaces/ml/tables/t', 'key-2', requests[2][2])
    expect(again.json.metadata.properties).toEqual({ one: 'yes' })
    expect((await log.head()).number).toBe(requests.length)
  })

  it('is carried out once by servers that got it at the same time', async () => {
    const { ask, log } = lake()
    await ask('POST', 'namespaces', undefined, { namespace: ['ml'] })
    const body = { name: 't', schema }
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => ask('POST', 'namespaces/ml/tables', 'k', body)),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(new Set(answers.map(({ json }) => json['metadata-location'])).size).toBe(1)
    expect((await log.head()).number).toBe(2)
  })

  it('is refused when the key was of another request, or can’t be kept', async () => {
    const { ask, log } = lake()
    await ask('POST', 'namespaces', 'k', { namespace: ['ml'] })
    const other = await ask('POST', 'namespaces', 'k', { namespace: ['other'] })
    expect(other.json.error).toMatchObject({ code: 422, type: 'UnprocessableEntityException' })
    expect((await ask('POST', 'namespaces', 'a key', { namespace: ['x'] })).status).toBe(400)
    expect((await ask('POST', 'namespaces', '__proto__', { namespace: ['y'] })).status).toBe(200)
    expect((await log.head()).number).toBe(2)
  })

  it('that was refused may succeed with the same key later', async () => {
    const { ask } = lake()
    const body = { name: 't', schema }
    expect((await ask('POST', 'namespaces/ml/tables', 'k', body)).status).toBe(404)
    await ask('POST', 'namespaces', undefined, { namespace: ['ml'] })
    expect((await ask('POST', 'namespaces/ml/tables', 'k', body)).status).toBe(200)
  })

  it('is forgotten after half an hour', async () => {
    const { ask, storage } = lake()
    await ask('POST', 'namespaces', 'k', { namespace: ['ml'] })
    const later = new CommitLog(storage, 'main', {
      now: () => new Date(Date.now() + 31 * 60_000),
      id: () => 'later',
      pause: async () => {},
    })
    const state = await later.head()
    expect(Object.keys(state.requests ?? {})).toEqual(['k'])
    const info = { author: 'ada', run: null, message: 'something else' }
    const next = await later.commit(state, { offsets: { a: { b: 1 } } }, info)
    expect(next.requests).toBeUndefined()
  })
})

const named = (name: string) => ({ namespace: ['ml'], name })
const change = (name: string, set: string) => ({ identifier: named(name), ...property(set) })
