import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { format } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RowValue } from '../../../../src/engine/engine.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { Principals } from '../../../../src/serve/principals.js'
import { queryApp } from '../../../../src/serve/query/query-app.js'
import { listen, type RunningServer } from '../../../../src/serve/server.js'
import { until } from '../../../support/until.js'
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
    const said = vi.spyOn(console, 'error').mockReturnValue()
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
    const line = 'An answer broke off: its client did not read it'
    await until('the log says so', async () => said.mock.calls.length > 0)
    expect(said.mock.calls.map((given) => format(...given))).toEqual([line])
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

describe('a query whose rows are read slowly', () => {
  const sql = "select range as n, repeat('x', 100) as x from range(200000)"
  const begin = async (of: QueryService, text = sql) => {
    const principal = await made.as('boss-token-0001')
    const answer = await of.query({ principal, sql: text, workgroup: 'one', fresh: true })
    return { answer, rows: answer.rows[Symbol.asyncIterator]() }
  }

  it('holds no place once it is done, and gives all of its rows in their order', async () => {
    const own = new QueryService({ ...made, slowAfter: 1 })
    const { rows } = await begin(own)
    const found = [...((await rows.next()).value as RowValue[][])]
    // There is room for one at a time in this workgroup.
    const other = await begin(own, 'select 1 as n')
    expect((await other.rows.next()).value).toEqual([[1]])
    await other.answer.close()
    for (let one = await rows.next(); !one.done; one = await rows.next()) found.push(...one.value)
    expect(found.map(([n]) => Number(n))).toEqual(Array.from({ length: 200_000 }, (_, n) => n))
    await own.close()
  })

  it('fails with the rows that it failed with, behind those that were there', async () => {
    const own = new QueryService({ ...made, slowAfter: 1 })
    const failing = `select id, text from (select range as id, cast(case when range = 190000 then 'at its end' else range::varchar end as int) as n,
      repeat('y', 50) || range as text from range(200000)) where n >= 0`
    const { rows } = await begin(own, failing)
    let count = ((await rows.next()).value as RowValue[][]).length
    await (await begin(own, 'select 1 as n')).answer.close()
    const rest = async () => {
      for (let one = await rows.next(); !one.done; one = await rows.next())
        count += one.value.length
    }
    await expect(rest()).rejects.toThrow('at its end')
    expect(count).toBeGreaterThan(0)
    await own.close()
  })

  it('ends when it is closed while its rows are put aside', async () => {
    const own = new QueryService({ ...made, slowAfter: 1 })
    const endless = "select repeat('x', 1000) as x from range(100000000)"
    const before = foldersOf('result')
    const { answer, rows } = await begin(own, endless)
    await rows.next()
    await until('rows are put aside', () => foldersOf('result').length > before.length)
    await answer.close()
    expect((await (await begin(own, 'select 2 as n')).rows.next()).value).toEqual([[2]])
    expect(foldersOf('result')).toEqual(before)
    await own.close()
  })
})

describe('an answer as one object', () => {
  const ask = (app: ReturnType<typeof queryApp>, path: string, body?: object) =>
    app.request(path, {
      headers: { authorization },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    })
  const sql = "select range as n, repeat('x', 1000000) as x from range(30)"

  it('is in a file while nobody reads it, and comes as a whole', async () => {
    const principals = new Principals(undefined, made.lake.access)
    const app = queryApp(service, { principals, patience: 3_600_000 })
    const { id } = (await (await ask(app, '/queries', { sql })).json()) as { id: string }
    await service.finished(id, await made.as('boss-token-0001'))
    const before = bytesHeld()
    const answers: Response[] = []
    for (let i = 0; i < 4; i++) {
      answers.push(await ask(app, '/query', { sql }))
      answers.push(await ask(app, `/queries/${id}/results?from=${i}&most=10000`))
    }
    // They are 180 MB.
    expect(bytesHeld() - before).toBeLessThan(40 * 2 ** 20)
    for (const answer of answers) {
      const length = Number(answer.headers.get('content-length'))
      const { columns, rows } = JSON.parse(await answer.text()) as {
        columns: unknown[]
        rows: [number, string][]
      }
      expect(length).toBeGreaterThan(rows.length * 1_000_000)
      expect([columns.length, rows.every(([, x]) => x.length === 1_000_000)]).toEqual([2, true])
    }
    expect(answersOnDisk()).toEqual([])
  }, 120_000)

  it('is let go of once its client has not read for a while', async () => {
    const body = JSON.stringify({ sql })
    const head = ['host: localhost', `authorization: ${authorization}`]
    const slow = connect(server.port, '127.0.0.1')
    slow.on('error', () => {})
    slow.write(
      `POST /v1/query HTTP/1.1\r\n${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await once(slow, 'readable')
    await until('its file is gone', () => answersOnDisk().length === 0)
    slow.destroy()
  })
})

/** Bytes that this process holds, and would hold if it cleaned up now. */
function bytesHeld(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const answersOnDisk = () => foldersOf('answer')

/** Folders that this process has on the disk now. */
const foldersOf = (what: string) =>
  readdirSync(tmpdir()).filter(
    (name) => name.startsWith(`moraine-${what}-`) && name.includes(`-${process.pid}-`),
  )
