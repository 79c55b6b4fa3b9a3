import { expect, it } from 'vitest'
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
