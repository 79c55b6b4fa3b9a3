import { type OutgoingHttpHeaders, request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { bronze } from '../define/index.js'
import { ingest } from '../source/index.js'
import { MemoryStorage } from '../storage/memory.js'
import { IngestBuffer } from './ingest-buffer.js'
import { listen, type Receiver } from './server.js'

it('whoever sends before the lake was read once is told to come again, and why', async () => {
  const dataset = bronze('events', { from: ingest() })
  const receiver: Receiver = { dataset, source: dataset.from as Receiver['source'] }
  const server = await listen({ port: 0, host: '127.0.0.1', names: [], receivers: [receiver] })
  const url = `http://127.0.0.1:${server.port}`
  const send = () => fetch(`${url}/ingest/events`, { method: 'POST', body: '{"id":1}' })
  try {
    const early = await send()
    expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await early.json()).toEqual({
      error: 'the server is starting: try again in a second',
    })
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    receiver.buffer = new IngestBuffer(new MemoryStorage(), 'events', new Map())
    expect((await send()).status).toBe(200)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
  } finally {
    await server.close()
  }
})

describe('POST /ingest', () => {
  const withServer = async (
    use: (url: string, storage: MemoryStorage) => Promise<void>,
  ): Promise<void> => {
    const dataset = bronze('events', { from: ingest() })
    const storage = new MemoryStorage()
    const source = dataset.from as Receiver['source']
    const buffer = new IngestBuffer(storage, 'events', new Map())
    const receivers = [{ dataset, source, buffer }]
    const server = await listen({ port: 0, host: '127.0.0.1', names: [], receivers })
    try {
      await use(`http://127.0.0.1:${server.port}`, storage)
    } finally {
      await server.close()
    }
  }

  /** Sends with Node's own client, which changes no header. */
  const send = (
    url: string,
    body: string | Uint8Array,
    headers: OutgoingHttpHeaders = {},
  ): Promise<[number | undefined, { error?: string; rows?: number; duplicate?: boolean }]> =>
    new Promise((resolve, reject) => {
      const sent = request(`${url}/ingest/events`, { method: 'POST', headers }, (answer) => {
        let text = ''
        answer.on('data', (chunk) => {
          text += chunk
        })
        answer.on('end', () => resolve([answer.statusCode, JSON.parse(text)]))
      })
      sent.on('error', reject)
      sent.end(body)
    })

  it('says of a compressed body that it is compressed', () =>
    withServer(async (url, storage) => {
      const packed = gzipSync('{"id":1}')
      expect(await send(url, packed, { 'content-encoding': 'gzip' })).toEqual([
        415,
        { error: 'Content-Encoding gzip is not supported: send the body without compression' },
      ])
      expect(await send(url, packed)).toEqual([
        415,
        { error: 'the body is compressed: send it without compression' },
      ])
      expect(await storage.list('bronze/')).toEqual([])
      expect((await send(url, '{"id":1}', { 'content-encoding': 'identity' }))[0]).toBe(200)
    }))

  it('accepts a byte order mark, as files do', () =>
    withServer(async (url) => {
      expect(await send(url, '\ufeff{"id":1}\n{"id":2}')).toMatchObject([200, { rows: 2 }])
      expect(await send(url, '\ufeff[{"id":1}]')).toMatchObject([200, { rows: 1 }])
    }))

  it.each([
    ['{bad', 'line 1: this is not JSON: {bad'],
    ['{"id":1}\n{"id":2,\nid:3\n{"id":4}', 'line 3: this is not JSON: id:3'],
    ['{"id":[1}', 'line 1: this is not JSON: {"id":[1}'],
    ['{"id":1}\n{"id":"x', 'line 2: the document ends in the middle'],
    ['[{"id":1}', 'line 1: the document ends in the middle'],
    ['{"id":1, \n', 'line 1: the document ends in the middle'],
  ])('says what is wrong with %j', (body, error) =>
    withServer(async (url) => expect(await send(url, body)).toEqual([400, { error }])),
  )

  it.each(['', ' \n', '[]', '\ufeff'])('refuses %j, which has no rows, and uses no key', (body) =>
    withServer(async (url, storage) => {
      const key = { 'idempotency-key': 'once' }
      expect(await send(url, body, key)).toEqual([400, { error: 'there are no rows in the body' }])
      expect(await storage.list('bronze/')).toEqual([])
      expect(await send(url, '{"id":1}', key)).toMatchObject([200, { rows: 1, duplicate: false }])
    }),
  )

  it('refuses two keys, and takes one with a comma', () =>
    withServer(async (url) => {
      const two = { 'idempotency-key': ['a', 'b'] }
      expect(await send(url, '{"id":1}', two)).toEqual([
        400,
        { error: 'the request has more than one Idempotency-Key' },
      ])
      expect((await send(url, '{"id":1}', { 'idempotency-key': 'a, b' }))[0]).toBe(200)
    }))

  it('refuses what pages of other sites send, also without an Origin', () =>
    withServer(async (url, storage) => {
      const refused = [403, { error: 'cross-origin requests are refused' }]
      const page = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }
      expect(await send(url, '{"id":1}', page)).toEqual(refused)
      const form = { ...page, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
      expect(await send(url, '{"id":1}', form)).toEqual(refused)
      expect(await storage.list('bronze/')).toEqual([])
      expect((await send(url, '{"id":1}', { 'sec-fetch-site': 'same-origin' }))[0]).toBe(200)
      expect((await send(url, '{"id":1}', { 'sec-fetch-site': 'none' }))[0]).toBe(200)
    }))
})

it('tells names of datasets to those alone who may send to one of them', async () => {
  const named = ['orders', 'salaries'].map((name) => {
    const dataset = bronze(name, { from: ingest({ token: `token-of-${name}` }) })
    return { dataset, source: dataset.from as Receiver['source'] }
  })
  const listeners = [{ dataset: 'box', token: 'token-of-the-box', notify: () => {} }]
  const own = { names: [], receivers: named, listeners }
  const server = await listen({ port: 0, host: '127.0.0.1', ...own })
  const statusOf = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const url = `http://127.0.0.1:${server.port}${path}`
    return (await fetch(url, { method: 'POST', headers, body: '{"id":1}' })).status
  }
  try {
    for (const name of ['salaries', 'others'])
      expect([await statusOf(`/ingest/${name}`), await statusOf(`/ingest/${name}`, 'x')]).toEqual([
        ...[401, 401],
      ])
    expect(await statusOf('/ingest/others', 'token-of-orders')).toBe(404)
    expect([await statusOf('/events/box'), await statusOf('/events/others')]).toEqual([401, 401])
    expect(await statusOf('/events/others', 'token-of-the-box')).toBe(404)
  } finally {
    await server.close()
  }
})

it('tells a client of what fails inside that it failed, and those who run it why', async () => {
  const failed: unknown[] = []
  const lost = new Error('/srv/lake/_moraine/log is gone')
  const text = async () => Promise.reject(lost)
  const metrics = { text, status: () => ({}), token: undefined }
  const own = { names: [], receivers: [], metrics, onError: (error: unknown) => failed.push(error) }
  const server = await listen({ port: 0, host: '127.0.0.1', ...own })
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`)
    expect([answer.status, await answer.json()]).toEqual([
      500,
      { error: 'the server failed to answer' },
    ])
    expect(failed).toEqual([lost])
  } finally {
    await server.close()
  }
})
