import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { QueryService } from '../../../../src/query/service/service.js'
import { Principals } from '../../../../src/serve/principals.js'
import { queryApp } from '../../../../src/serve/query/query-app.js'
import { listen, type RunningServer } from '../../../../src/serve/server.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
let service: QueryService
let server: RunningServer
beforeAll(async () => {
  made = await serviceLake()
  service = new QueryService(made)
  const principals = new Principals(undefined, made.lake.access)
  const queries = queryApp(service, { principals, patience: 1000 })
  server = await listen({ names: [], receivers: [], queries, port: 0, host: '127.0.0.1' })
})
afterAll(async () => {
  await server.close()
  await service.close()
  await made.close()
})

const authorization = 'Bearer boss-token-0001'

it.each(['application/x-ndjson', 'application/vnd.apache.arrow.stream'])(
  'whoever does not read its rows as %s gives its place to others after a while',
  async (accept) => {
    const sql = "select repeat('x', 1000) as x from range(10000000)"
    const body = JSON.stringify({ sql, workgroup: 'one' })
    const head = ['host: localhost', `authorization: ${authorization}`, `accept: ${accept}`]
    const slow = connect(server.port, '127.0.0.1')
    slow.on('error', () => {})
    slow.write(
      `POST /v1/query HTTP/1.1\r\n${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    // Its answer has begun.
    await once(slow, 'readable')
    const other = await fetch(`http://127.0.0.1:${server.port}/v1/query`, {
      method: 'POST',
      headers: { authorization },
      body: JSON.stringify({ sql: 'select 1 as x', workgroup: 'one' }),
      signal: AbortSignal.timeout(15_000),
    })
    expect(await other.json()).toMatchObject({ rows: [[1]] })
    slow.destroy()
  },
  30_000,
)

it('whoever reads slowly, but does, has all rows', async () => {
  const answer = await fetch(`http://127.0.0.1:${server.port}/v1/query`, {
    method: 'POST',
    headers: { authorization, accept: 'application/x-ndjson' },
    body: JSON.stringify({ sql: "select repeat('x', 1000) as x from range(20000)" }),
  })
  let bytes = 0
  for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes < 2 ** 21) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(bytes).toBe(20_000 * 1009)
})
