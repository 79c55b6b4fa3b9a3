import { get, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { bronze } from '../../../../src/define/index.js'
import { IngestBuffer } from '../../../../src/serve/ingest-buffer.js'
import { agentApp } from '../../../../src/serve/mcp/agent-app.js'
import { Principals } from '../../../../src/serve/principals.js'
import { catalog } from '../../../../src/serve/rest/catalog.js'
import {
  application,
  listen,
  type Receiver,
  type RunningServer,
} from '../../../../src/serve/server.js'
import { ingest } from '../../../../src/source/index.js'
import { MemoryStorage } from '../../../../src/storage/memory.js'
import { overHttp } from './lake.js'

type Schema = Parameters<typeof z.fromJSONSchema>[0]
type Content = Record<string, { schema?: Schema }>
interface Operation {
  operationId: string
  parameters?: { name: string; in: string }[]
  requestBody?: { content: Content }
  responses: Record<string, { description: string; content?: Content }>
}

let made: Awaited<ReturnType<typeof overHttp>>
let server: RunningServer
let routes: { method: string; path: string }[]
let document: { openapi: string; paths: Record<string, Record<string, Operation>> }
beforeAll(async () => {
  made = await overHttp()
  const principals = new Principals(undefined, made.lake.access)
  const dataset = bronze('events', { from: ingest() })
  const source = dataset.from as Receiver['source']
  const buffer = new IngestBuffer(new MemoryStorage(), 'events', new Map())
  const options = {
    names: [],
    receivers: [{ dataset, source, buffer }],
    listeners: [{ dataset: 'inbox', token: undefined, notify: () => {} }],
    metrics: { text: async () => 'up 1\n', status: () => ({ lake: 'x' }), token: undefined },
    queries: made.app,
    agents: agentApp({ ...made, entries: async () => [], principals } as never),
    catalog: catalog(made.storage, { access: made.lake.access, principals }),
  }
  routes = application(options).routes
  server = await listen({ ...options, port: 0, host: '127.0.0.1' })
  document = (await (await call('GET', '/openapi.json')).json()) as typeof document
})
afterAll(async () => {
  await server?.close()
  await made?.close()
})

function call(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    headers: { authorization: 'Bearer boss-token-0001' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
}

it('the document has every route of the server, and no other', () => {
  expect(document.openapi).toBe('3.1.0')
  const served = routes
    .filter(({ method, path }) => !(method === 'ALL' && path.endsWith('*')))
    .map(({ method, path }) => {
      const verb = method === 'ALL' ? 'post' : method.toLowerCase()
      return `${verb} ${path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}')}`
    })
  const all = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([verb, one]) => ({ path, verb, one })),
  )
  expect(all.map(({ path, verb }) => `${verb} ${path}`).sort()).toEqual([...new Set(served)].sort())
  expect(new Set(all.map(({ one }) => one.operationId)).size).toBe(all.length)
  for (const { path, one } of all) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = one.parameters?.filter((parameter) => parameter.in === 'path') ?? []
    expect(declared.map(({ name }) => name)).toEqual(named)
    expect(Object.keys(one.responses).length).toBeGreaterThan(0)
  }
})

it('real answers of every route are as it describes them', async () => {
  const seen = new Set<string>()
  const fits = async (method: string, template: string, path: string, body?: unknown) => {
    const answer = await call(method, path, body)
    const one = document.paths[template]?.[method.toLowerCase()]
    const described = one?.responses[answer.status]
    expect([method, path, answer.status, described !== undefined]).toEqual([
      ...[method, path, answer.status, true],
    ])
    const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
    const content = described?.content?.[type]
    expect([path, type, content !== undefined]).toEqual([path, type, true])
    if (answer.ok) seen.add(`${method.toLowerCase()} ${template}`)
    if (!content?.schema) return await answer.text()
    const told = (await answer.json()) as any
    z.fromJSONSchema(content.schema).parse(told)
    return told
  }
  const sql = "select id, note, {'a': 1} as rec from silver.orders where id < ? order by id"
  const query = { sql, parameters: [3], maxRows: 2 }
  for (const path of ['/healthz', '/readyz', '/metrics', '/status', '/openapi.json'])
    await fits('GET', path, path)
  await fits('POST', '/ingest/{dataset}', '/ingest/events', '{"id": 1}')
  await fits('POST', '/ingest/{dataset}', '/ingest/events', 'x')
  await fits('POST', '/ingest/{dataset}', '/ingest/nothing', '{"id": 1}')
  await fits('POST', '/events/{dataset}', '/events/inbox')
  await fits('GET', '/v1/tables', '/v1/tables')
  await fits('POST', '/v1/describe', '/v1/describe', { sql })
  await fits('POST', '/v1/query', '/v1/query', query)
  await fits('POST', '/v1/query', '/v1/query', { sql: 'select no_such' })
  await fits('POST', '/v1/query', '/v1/query', { sql: 'from silver.orders', workgroup: 'tiny' })
  const { id } = await fits('POST', '/v1/queries', '/v1/queries', query)
  await fits('GET', '/v1/queries/{id}/events', `/v1/queries/${id}/events`)
  const { id: wrong } = await fits('POST', '/v1/queries', '/v1/queries', { sql: 'select no_such' })
  await fits('GET', '/v1/queries/{id}/events', `/v1/queries/${wrong}/events`)
  await fits('GET', '/v1/queries', '/v1/queries?most=1')
  for (const one of [id, wrong, 'nothing']) {
    await fits('GET', '/v1/queries/{id}', `/v1/queries/${one}`)
    await fits('GET', '/v1/queries/{id}/results', `/v1/queries/${one}/results?from=0&most=1`)
  }
  await fits('DELETE', '/v1/queries/{id}', `/v1/queries/${id}`)
  await fits('GET', '/v1/history', '/v1/history?most=10')
  await fits('PUT', '/v1/named/{name}', '/v1/named/few', { sql, description: 'Few orders' })
  await fits('GET', '/v1/named', '/v1/named')
  await fits('GET', '/v1/named/{name}', '/v1/named/few')
  await fits('POST', '/v1/query', '/v1/query', { named: 'few', parameters: [1] })
  await fits('DELETE', '/v1/named/{name}', '/v1/named/few')
  const left = Object.entries(document.paths)
    .filter(([path]) => path !== '/mcp' && !path.startsWith('/iceberg/'))
    .flatMap(([path, operations]) => Object.keys(operations).map((verb) => `${verb} ${path}`))
    .filter((route) => !seen.has(route))
  expect(left).toEqual([])
})

it('what the server refuses before it asks the service is described', async () => {
  const refused = async (headers: Record<string, string>) => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      get({ host: '127.0.0.1', port: server.port, path: '/v1/tables', headers }, resolve).on(
        ...['error' as const, reject],
      ),
    )
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    const described = document.paths['/v1/tables']?.get?.responses[answer.statusCode ?? 0]
    const { schema } = described?.content?.['application/json'] ?? {}
    z.fromJSONSchema(schema as Schema).parse(JSON.parse(Buffer.concat(chunks).toString()))
    return answer.statusCode
  }
  expect(await refused({ host: 'evil.example' })).toBe(421)
  expect(await refused({ origin: 'https://evil.example' })).toBe(403)
})

it('requests are refused by what it says of them, and by nothing else', async () => {
  const schema = document.paths['/v1/query']?.post?.requestBody?.content['application/json']?.schema
  const described = z.fromJSONSchema(schema as Schema)
  const bodies: [object, boolean][] = [
    [{ sql: 'select 1' }, true],
    [{ sql: 'select ? as x', parameters: [null] }, true],
    [{ sql: 'select :a as x', parameters: { a: true } }, true],
    [{ sql: 'select 1', maxRows: 1, schema: 'silver', workgroup: 'bi' }, true],
    [{ sql: 1 }, false],
    [{ sql: 'select 1', maxRows: 0 }, false],
    [{ sql: 'select 1', maxRows: 1.5 }, false],
    [{ sql: 'select ?', parameters: [{}] }, false],
    [{ sql: 'select ?', parameters: 'x' }, false],
    [{ sql: 'select 1', schema: null }, false],
    [{ sql: 'select 1', limit: 1 }, false],
    [{ sql: 'select 1', schema: 's'.repeat(129) }, false],
    [{ sql: 'select 1', workgroup: 'w'.repeat(129) }, false],
  ]
  for (const [body, isGood] of bodies) {
    expect([body, described.safeParse(body).success]).toEqual([body, isGood])
    const { status } = await call('POST', '/v1/query', body)
    expect([body, status]).toEqual([body, isGood ? 200 : 400])
  }
})
