import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QueryService } from '../../../../src/query/service/service.js'
import { until } from '../../../support/until.js'
import { overHttp } from './lake.js'

let made: Awaited<ReturnType<typeof overHttp>>
let app: Hono
beforeAll(async () => {
  made = await overHttp()
  app = made.app
})
afterAll(() => made.close())

const BOSS = 'Bearer boss-token-0001'
const ask = (path: string, body?: object, headers: Record<string, string> = {}) =>
  app.request(`http://localhost${path}`, {
    headers: { authorization: BOSS, ...headers },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  })

/** What an answer says; tests look at it as clients do. */
const jsonOf = async (answer: Response | Promise<Response>) => (await (await answer).json()) as any

describe('the query service over HTTP', () => {
  it('answers whoever shows a token, or name and password, and nobody else', async () => {
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
    const status = async (authorization: string) =>
      (await ask('/query', { sql: 'select 1' }, { authorization })).status
    expect(await status(BOSS)).toBe(200)
    expect(await status(basic('analyst:analyst-password-01'))).toBe(200)
    for (const wrong of [
      '',
      'Bearer x',
      basic('analyst:wrong'),
      basic('nobody:x'),
      basic('clerk:'),
    ])
      expect([wrong, await status(wrong)]).toEqual([wrong, 401])
  })

  it('gives rows as JSON, as CSV and as lines, each with all digits', async () => {
    const sql = `select id, amount, case when id = 1 then null else '' end as n, 'a,"b"' as q,
      9007199254740993 as big from silver.orders where id < 2 order by id`
    const json = await jsonOf(ask('/query', { sql }))
    expect(json.rows).toEqual([
      [0, '0.50', '', 'a,"b"', '9007199254740993'],
      [1, '1.50', null, 'a,"b"', '9007199254740993'],
    ])
    const csv = await (await ask('/query', { sql }, { accept: 'text/csv' })).text()
    expect(csv).toBe(
      'id,amount,n,q,big\r\n0,0.50,"","a,""b""",9007199254740993\r\n1,1.50,,"a,""b""",9007199254740993\r\n',
    )
    const lines = await (await ask('/query', { sql }, { accept: 'application/x-ndjson' })).text()
    expect(JSON.parse(lines.split('\n')[1] ?? '')).toMatchObject({ id: 1, n: null, amount: '1.50' })
  })

  it('takes numbers as parameters with all their digits, or says that it cannot', async () => {
    // As it is sent: a number of JavaScript's would have lost digits before.
    const sent = (parameters: string) =>
      app.request('http://localhost/query', {
        method: 'POST',
        headers: { authorization: BOSS },
        body: `{"sql": "select ? as x, 9007199254740993 = ? as same", "parameters": ${parameters}}`,
      })
    const { rows } = await jsonOf(sent('[9007199254740993123456, 9007199254740993]'))
    expect(rows).toEqual([['9007199254740993123456', true]])
    const refused = await sent('[1e400, 1]')
    expect([refused.status, (await jsonOf(refused)).error.message]).toEqual([
      400,
      expect.stringContaining('Parameter 1 is a number with more digits'),
    ])
  })

  it('says what is wrong with a request, with a status that programs understand', async () => {
    const told = async (body: object) => {
      const answer = await ask('/query', body)
      return [answer.status, (await jsonOf(answer)).error.message]
    }
    expect(await told({ sql: 'select * from silver.nothing' })).toEqual([
      400,
      'There is no table silver.nothing in this lake',
    ])
    expect(await told({ sql: "copy (select 1) to 'x'" })).toEqual([
      400,
      'Only SELECT statements can be run here',
    ])
    expect(await told({ sql: 1 })).toEqual([400, "'sql' is not a string"])
    expect(await told({ query: 'select 1' })).toEqual([400, "Unknown field 'query'"])
    expect((await told({ sql: 'select 1', parameters: [{}] }))[0]).toBe(400)
    expect((await told({ sql: 'select * from silver.orders', workgroup: 'tiny' }))[0]).toBe(422)
    const long = await told({ sql: `select '${'x'.repeat(270_000)}'` })
    expect(long).toEqual([400, 'The statement is longer than 262144 bytes'])
  })

  it('starts a query, tells of its progress, and gives its pages', async () => {
    const started = await ask('/queries', { sql: 'select id from silver.orders order by id' })
    expect(started.status).toBe(202)
    const { id } = await jsonOf(started)
    const events = await (await ask(`/queries/${id}/events`)).text()
    expect(events).toContain('event: succeeded')
    const page = await jsonOf(ask(`/queries/${id}/results?from=230&most=5`))
    expect([page.rows, page.next]).toEqual([[[230], [231], [232], [233], [234]], 235])
    // A page of nothing would say that the next begins where it did.
    for (const list of [`/queries/${id}/results`, '/queries', '/history']) {
      const none = await ask(`${list}?most=0`)
      expect([none.status, (await jsonOf(none)).error.message]).toEqual([
        400,
        "'most' is not a whole number above 0",
      ])
    }
    const other = await ask(`/queries/${id}`, undefined, {
      authorization: 'Bearer clerk-token-0001',
    })
    expect(other.status).toBe(400)
    const { queries } = await jsonOf(ask('/queries?most=1'))
    expect(queries[0]).toMatchObject({ id, state: 'succeeded' })
  })

  it('answers as one object what fits into memory, and pages of what is larger', async () => {
    const sql = "select range as n, repeat('x', 1000000) as t from range(100)"
    const refused = await ask('/query', { sql })
    expect([refused.status, (await jsonOf(refused)).error.message]).toEqual([
      422,
      'The result has more than 64 MiB',
    ])
    const { id } = await jsonOf(ask('/queries', { sql }))
    await made.service.finished(id, await made.as('boss-token-0001'))
    const found: number[] = []
    let pages = 0
    for (let from: number | null = 0; from !== null; pages++) {
      const page = await jsonOf(ask(`/queries/${id}/results?from=${from}&most=10000`))
      expect(page.rows.length).toBeLessThan(50)
      found.push(...page.rows.map(([n]: [number]) => n))
      from = page.next
    }
    expect(found).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(pages).toBeGreaterThan(2)
  })

  it('has those come again who send more than it reads at a time', async () => {
    const slow = Array.from({ length: 64 }, () => {
      let end = () => {}
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(2 ** 20).fill(32))
          end = () => controller.close()
        },
      })
      const sent = { method: 'POST', headers: { authorization: BOSS }, body, duplex: 'half' }
      return { end, answer: app.request('http://localhost/query', sent as RequestInit) }
    })
    await until('no more is read', async () => {
      const busy = await ask('/query', { sql: 'select 1' })
      return busy.status === 429 && busy.headers.get('retry-after') === '2'
    })
    for (const { end } of slow) end()
    for (const { answer } of slow) expect((await answer).status).toBe(400)
    expect((await ask('/query', { sql: 'select 1' })).status).toBe(200)
  })

  it('starts a query once for a key, which may not be longer than it keeps', async () => {
    const start = (key: string) =>
      ask('/queries', { sql: 'select 42 as once' }, { 'idempotency-key': key })
    const [first, second] = [
      await jsonOf(start('k'.repeat(200))),
      await jsonOf(start('k'.repeat(200))),
    ]
    expect(second.id).toBe(first.id)
    for (const wrong of ['', 'k'.repeat(201)]) {
      const answer = await start(wrong)
      expect([answer.status, (await jsonOf(answer)).error.message]).toEqual([
        400,
        'An Idempotency-Key must have 1 to 200 characters',
      ])
    }
  })

  it('keeps who has asked what, and what it cost, for who asked, and after it was stopped', async () => {
    await ask('/query', { sql: "select 'asked by the boss'" })
    await ask('/query', { sql: 'select * from silver.nothing' })
    const { queries } = await jsonOf(ask('/history?most=2'))
    expect(queries).toMatchObject([
      { principal: 'boss', workgroup: 'bi', error: { kind: 'query' } },
      { sql: "select 'asked by the boss'", rows: 1, reused: false },
    ])
    const clerk = await ask('/history', undefined, { authorization: 'Bearer clerk-token-0001' })
    expect(await clerk.json()).toEqual({ queries: [] })
    const first = new QueryService(made)
    const boss = await made.as('boss-token-0001')
    await using answer = await first.query({ principal: boss, sql: 'select 77' })
    for await (const _ of answer.rows);
    await first.close()
    const second = new QueryService(made)
    await second.resume()
    expect(second.history(boss)).toContainEqual(expect.objectContaining({ sql: 'select 77' }))
    await second.close()
  })

  it('is asked by a thousand at the same time: each is answered, or told to come again', async () => {
    const all = await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const sql = `select count(*) + ${i} from silver.orders`
        const answer = await ask('/query', { sql })
        const body = await jsonOf(answer)
        if (answer.status === 200) expect(body.rows).toEqual([[240 + i]])
        else expect([body.error.kind, answer.headers.get('retry-after')]).toEqual(['limit', '2'])
        return answer.status
      }),
    )
    expect([...new Set(all)].sort()).toEqual([200, 429])
    expect(all.filter((status) => status === 200).length).toBeGreaterThanOrEqual(108)
    expect((await ask('/query', { sql: 'select 1' })).status).toBe(200)
  })
})
