import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QueryService } from '../../../../src/query/service/service.js'
import { type ServiceLake, serviceLake } from './lake.js'

/* Orders lie in twelve files, one for each month, of which each has twenty. */

let made: ServiceLake
let service: QueryService
beforeAll(async () => {
  made = await serviceLake()
  service = new QueryService(made)
})
afterAll(async () => {
  await service.close()
  await made.close()
})

async function ask(sql: string) {
  const principal = await made.as('boss-token-0001')
  await using answer = await service.query({ principal, sql })
  const rows: unknown[][] = []
  for await (const batch of answer.rows) rows.push(...batch)
  return { rows, bytes: answer.statistics.bytesEstimated }
}

/** The same, of rows that are all read first. */
const whole = (sql: string) =>
  ask(
    `with everything as materialized (from silver.orders) ${sql.replace('silver.orders', 'everything')}`,
  )

describe('files are passed over by conditions', () => {
  it('of a table whose columns have their own names', async () => {
    const sql = 'select count(*) from silver.orders as o where o.id < 3'
    const named = await ask(sql)
    expect(named.rows).toEqual([[3n]])
    expect(named.bytes).toBeLessThan((await ask('select count(id) from silver.orders')).bytes / 5)
    // The names of the first two columns are exchanged: four orders of each customer.
    const renamed = 'select count(*) from silver.orders as o(customer, id) where id < 3'
    expect((await ask(renamed)).rows).toEqual([[12n]])
  })

  it.each([
    // Rows are joined by where they stand.
    `select count(*), min(o.id) from silver.orders as o positional join silver.customers as c
      where o.id between 100 and 119 and c.id is not null`,
    // The order before the end of the year is one of December, and none of January.
    `select count(*) from (values (date '2025-12-31')) as v(d) asof join silver.orders as o
      on v.d >= o.day where o.day < date '2025-02-01'`,
    `select count(*) from (values (date '2025-12-31')) as v(d) asof left join silver.orders as o
      on v.d >= o.day where o.day < date '2025-02-01'`,
  ])('where no other rows change by it: %s', async (sql) => {
    expect((await ask(sql)).rows).toEqual((await whole(sql)).rows)
  })

  it('that choose the left side of a join by what comes next', async () => {
    const sql = (day: string) => `select count(*) from silver.orders as o
      asof join (values (date '2025-01-01')) as v(d) on o.day >= v.d where o.day < date '${day}'`
    const [some, all] = [await ask(sql('2025-02-01')), await ask(sql('2026-01-01'))]
    expect([some.rows, all.rows]).toEqual([[[20n]], [[240n]]])
    expect(some.bytes).toBeLessThan(all.bytes / 5)
  })

  it('and a sample is one of all rows', async () => {
    const sample = 'reservoir(20 rows) repeatable (7)'
    for (const sql of [
      `select count(*) from silver.orders tablesample ${sample} where day < date '2025-02-01'`,
      `select count(*) from silver.orders where day < date '2025-02-01' using sample ${sample}`,
    ]) {
      const [[count]] = (await ask(sql)).rows as [[bigint]]
      expect([sql, count < 20n]).toEqual([sql, true])
    }
  })
})
