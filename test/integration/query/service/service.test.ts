import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RowValue } from '../../../../src/engine/engine.js'
import type { Caller, QueryRequest } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { Spool } from '../../../../src/query/service/spool.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
let service: QueryService
let [boss, analyst, clerk]: Caller[] = []
beforeAll(async () => {
  made = await serviceLake()
  service = new QueryService(made)
  boss = await made.as('boss-token-0001')
  analyst = await made.as('analyst-token-01')
  clerk = await made.as('clerk-token-0001')
})
afterAll(async () => {
  await service.close()
  await made.close()
})

const ask = async (
  principal: Caller | undefined,
  sql: string,
  more: Partial<QueryRequest> = {},
): Promise<RowValue[][]> => {
  await using answer = await service.query({ principal: principal as Caller, sql, ...more })
  const rows: RowValue[][] = []
  for await (const batch of answer.rows) rows.push(...batch)
  return rows
}

it('tells of what a query costs whose rows nobody asked for', async () => {
  const priced = new QueryService({ ...made, priceOf: (bytes) => bytes / 1e6 })
  const sql = 'select id from silver.orders'
  const answer = await priced.query({ principal: boss as Caller, sql })
  await answer.close()
  const [last] = priced.history(boss as Caller)
  expect(last?.bytesEstimated).toBeGreaterThan(0)
  expect(last?.price).toBe((last?.bytesEstimated ?? 0) / 1e6)
  await priced.close()
})

describe('a service that answers SQL', () => {
  it('gives rows, the types of their columns, and what they took', async () => {
    const sql = 'select id, amount, day from silver.orders where id < 2 order by id'
    await using answer = await service.query({ principal: boss as Caller, sql })
    expect(answer.columns).toEqual([
      { name: 'id', type: 'INTEGER' },
      { name: 'amount', type: 'DECIMAL(9,2)' },
      { name: 'day', type: 'DATE' },
    ])
    const rows = []
    for await (const batch of answer.rows) rows.push(...batch)
    expect(rows).toEqual([
      [0, '0.50', '2025-01-15'],
      [1, '1.50', '2025-01-15'],
    ])
    expect(answer.statistics).toMatchObject({ rows: 2, reused: false })
    expect(answer.statistics.bytesEstimated).toBeGreaterThan(0)
  })

  it('binds values of ?, $1 and :name, and takes none for SQL', async () => {
    expect(
      await ask(boss, 'select count(*) from silver.orders where id < ?', { parameters: [7] }),
    ).toEqual([[7n]])
    expect(await ask(boss, 'select $2, $1', { parameters: ["'; drop table x; --", null] })).toEqual(
      [[null, "'; drop table x; --"]],
    )
    expect(
      await ask(
        boss,
        "select ':id', :id + 1, [1, 2, 3][1:2], note from silver.orders where id = :id",
        {
          parameters: { id: 3 },
        },
      ),
    ).toEqual([[':id', 4n, [1, 2], 'note 3']])
    expect(
      await ask(boss, 'select id from silver.orders order by id limit ?', { parameters: [1] }),
    ).toEqual([[0]])
    await expect(ask(boss, 'select ?')).rejects.toThrow(/[Pp]arameter/)
  })

  it('describes a query without reading a row', async () => {
    const sql = 'select id, note from silver.orders where id = ? and note = $2'
    const described = await service.describe({
      principal: boss as Caller,
      sql: sql.replace('?', '$1'),
    })
    expect(described).toEqual({
      columns: [
        { name: 'id', type: 'INTEGER' },
        { name: 'note', type: 'VARCHAR' },
      ],
      parameters: [
        { name: '1', type: 'INTEGER' },
        { name: '2', type: 'VARCHAR' },
      ],
    })
  })

  it('shows each principal its own tables, and says of all others that they are not there', async () => {
    const names = async (who: Caller | undefined) =>
      (await service.tables(who as Caller)).map(({ schema, name }) => `${schema}.${name}`)
    expect(await names(clerk)).toEqual(['gold.contacts', 'gold.totals'])
    expect(await names(analyst)).not.toContain('history.customers')
    for (const table of ['silver.orders', 'silver.nothing', 'ml.scores']) {
      const said = await ask(clerk, `select * from ${table}`).catch(String)
      expect(said).toContain(`There is no table ${table} in this lake`)
    }
    const hint = await ask(clerk, 'select * from silver.xyz').catch(({ hint }) => hint)
    expect(hint).toBe('Its tables are: gold.totals, gold.contacts')
    expect(await ask(clerk, 'select count(*) from gold.contacts')).toEqual([[60n]])
  })

  it('runs a query by itself, and gives its result in pages to whoever started it', async () => {
    const request = { principal: boss as Caller, sql: 'select id from silver.orders order by id' }
    const token = { clientToken: 'a-token-of-thirty-two-characters' }
    const { id } = service.start(request, token)
    expect(service.start(request, token).id).toBe(id)
    expect((await service.finished(id, boss as Caller)).state).toBe('succeeded')
    const page = await service.results(id, boss as Caller, { from: 100, most: 50 })
    expect(page.rows.map(([n]) => n)).toEqual(Array.from({ length: 50 }, (_, i) => 100 + i))
    expect(page.next).toBe(150)
    expect(() => service.execution(id, clerk as Caller)).toThrow(`There is no query ${id}`)
    expect(() => service.start({ ...request, sql: 'select 1' }, token)).toThrow('already used')
  })

  it('stops a query whose client has gone before it began', async () => {
    const sql = 'select count(*) from range(1000000000000) a(i) where hash(i) = 0'
    const signal = AbortSignal.abort(new Error('gone'))
    const { id } = service.start({ principal: boss as Caller, sql, signal })
    expect((await service.finished(id, boss as Caller)).state).toBe('cancelled')
  })

  it('stops a query that is cancelled', async () => {
    const sql = 'select count(*) from range(1000000000000) a(i) where hash(i) = 0'
    const { id } = service.start({ principal: boss as Caller, sql })
    service.stop(id, boss as Caller)
    const { state, error } = await service.finished(id, boss as Caller)
    expect([state, error?.message]).toEqual(['cancelled', 'The query was cancelled'])
  })
})

it('a result that cannot be kept for whoever asks again is answered all the same', async () => {
  const full = vi.spyOn(Spool.prototype, 'add').mockRejectedValue(new Error('the disk is full'))
  try {
    const sql = 'select count(*) as kept_by_nobody from silver.orders'
    expect(await ask(boss, sql)).toEqual([[240n]])
    expect(full).toHaveBeenCalled()
  } finally {
    full.mockRestore()
  }
})
