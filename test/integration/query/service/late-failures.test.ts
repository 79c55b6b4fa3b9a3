import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type ServedShop, serveShop } from '../../../support/served-shop.js'
import { overHttp } from './lake.js'

let made: Awaited<ReturnType<typeof overHttp>>
let app: Hono
beforeAll(async () => {
  made = await overHttp()
  app = made.app
})
afterAll(() => made.close())

const AUTHORIZATION = { authorization: 'Bearer boss-token-0001' }

/** Fails when most of its rows have been given; the number tells one question from another. */
const late = (number: number, rows = 100_000) =>
  `select id, text from (select range as id, cast(case when range = ${rows - 10_000} then 'late ${number}' else range::varchar end as int) as n,
    repeat('y', 50) || range as text from range(${rows})) where n >= 0`

const post = (path: string, sql: string, headers: Record<string, string> = {}) =>
  app.request(`http://localhost${path}`, {
    method: 'POST',
    headers: { ...AUTHORIZATION, ...headers },
    body: JSON.stringify({ sql }),
  })

/** What the history says of the last query. */
async function lastQuery() {
  const answer = await app.request('http://localhost/history?most=1', { headers: AUTHORIZATION })
  return ((await answer.json()) as { queries: Record<string, unknown>[] }).queries[0]
}

describe('a query that fails after its first rows', () => {
  it.each([
    'text/csv',
    'application/x-ndjson',
    'application/vnd.apache.arrow.stream',
    'application/vnd.apache.parquet',
  ])('breaks off as %s, whoever asks again too, and the history says why', async (accept) => {
    const sql = late(accept.length)
    for (const _ of ['first', 'again']) {
      const answer = await post('/query', sql, { accept })
      // Whoever has seen a status of 200 sees that the body does not end.
      if (answer.status === 200) await expect(answer.arrayBuffer()).rejects.toThrow()
      else expect(await answer.json()).toMatchObject({ error: { kind: 'query' } })
      expect(await lastQuery()).toMatchObject({
        reused: false,
        error: { kind: 'query', message: expect.stringContaining(`late ${accept.length}`) },
      })
    }
  })

  it('is an error as JSON, and as a query that runs by itself', async () => {
    for (const _ of ['first', 'again']) {
      const answer = await post('/query', late(1))
      expect([answer.status, await answer.json()]).toEqual([
        400,
        { error: { kind: 'query', message: expect.stringContaining('late 1') } },
      ])
    }
    const { id } = (await (await post('/queries', late(2))).json()) as { id: string }
    const boss = await made.as('boss-token-0001')
    expect(await made.service.finished(id, boss)).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('late 2') },
    })
    const pages = await app.request(`http://localhost/queries/${id}/results`, {
      headers: AUTHORIZATION,
    })
    expect(pages.status).toBe(400)
  })

  describe('over PostgreSQL’s protocol', () => {
    let shop: ServedShop
    beforeAll(async () => {
      shop = await serveShop()
    })
    afterAll(() => shop?.close())

    it('ends in an error, and its session goes on', async () => {
      const client = await connect(shop.port)
      for (const sql of [late(3), `copy (${late(4)}) to stdout`])
        await expect(client.query(sql)).rejects.toThrow(/late [34]/)
      expect((await client.query('select 1 as x')).rows).toEqual([{ x: 1 }])
      await client.end()
    })
  })
})
