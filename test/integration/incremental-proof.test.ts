import { describe, expect, it } from 'vitest'
import { parseTree } from '../../src/engine/parse.js'
import { type Proof, proveIncremental, risingColumn } from '../../src/plan/incremental.js'
import { engineSession } from '../support/engine.js'

const session = engineSession()

const columns: Record<string, string[]> = {
  'silver.orders': ['id', 'placed', 'shop', 'amount', 'kind'],
  'silver.shops': ['shop', 'city', 'opened'],
}

async function prove(sql: string, by: string, reaches = false) {
  const serialized = await parseTree(session(), sql)
  const columnsOf = ({ tier, name }: { tier: string; name: string }) =>
    columns[`${tier}.${name}`] ?? []
  return proveIncremental({ serialized, by, reaches, columnsOf })
}

describe('a query is computed part by part', () => {
  it.each([
    ['a column', 'select shop, count(*) as n from silver.orders group by shop', 'shop', 'shop'],
    [
      'a position',
      'select cast(placed as date) as day, count(*) as n from silver.orders group by 1',
      'day',
      'placed',
    ],
    [
      'GROUP BY ALL',
      "select date_trunc('month', placed) as month, shop, sum(amount) as a from silver.orders group by all",
      'month',
      'placed',
    ],
    [
      'the name of an expression',
      'select year(placed) as y, count(*) as n from silver.orders group by y having n > 2 order by n',
      'y',
      'placed',
    ],
    [
      'rows without a GROUP BY',
      'select *, amount * 2 as double from silver.orders',
      'shop',
      'shop',
    ],
    [
      'a left join',
      'select o.shop, s.city, count(*) as n from silver.orders o left join silver.shops s using (shop) group by 1, 2',
      'shop',
      'shop',
    ],
    [
      'a column that only one input has',
      'select placed::date as day, city from silver.orders join silver.shops using (shop)',
      'day',
      'placed',
    ],
    [
      'a named subquery',
      "with d as (select placed::date as day, shop from silver.orders) select date_trunc('month', day) as m, count(*) as n from d group by 1",
      'm',
      'placed',
    ],
    [
      'a subquery',
      'select day, n from (select placed::date as day, count(*) as n from silver.orders group by 1) where n > 1',
      'day',
      'placed',
    ],
    [
      'a window within a part',
      'select placed::date as day, rank() over (partition by placed::date order by amount) as r from silver.orders qualify r < 4',
      'day',
      'placed',
    ],
    [
      'a look at other data',
      'select shop, count(*) as n from silver.orders where shop in (select shop from silver.shops) group by 1',
      'shop',
      'shop',
    ],
  ])('with %s', async (_, sql, by, rising) => {
    const [{ driving, expression }] = (await prove(sql, by)) as [Proof]
    expect(`${driving.tier}.${driving.name}`).toBe('silver.orders')
    expect(risingColumn(expression)).toBe(rising)
  })

  it('with several inputs that UNION puts together', async () => {
    const sql = `select d, count(*) as n from (
      select 'o' as kind, placed::date as d from silver.orders
      union all select 's', opened from silver.shops) group by d`
    const found = await prove(sql, 'd')
    expect(found.map(({ driving }) => driving.name)).toEqual(['orders', 'shops'])
    expect(found.map(({ expression }) => risingColumn(expression))).toEqual(['placed', 'opened'])
    const twice = 'select shop from silver.orders union select shop from silver.orders'
    await expect(prove(twice, 'shop')).rejects.toThrow('is read more than once')
  })

  it('with a window that reaches over parts, where it is said how far', async () => {
    const sql =
      'select day, sum(n) over (order by day) as s from (select placed::date as day, count(*) as n from silver.orders group by 1)'
    await expect(prove(sql, 'day')).rejects.toThrow("looks at rows of several 'day'")
    expect((await prove(sql, 'day', true))[0]?.driving.name).toBe('orders')
  })

  it.each([
    [
      'no such column',
      'select shop from silver.orders',
      'day',
      "'day' is not a column of the query",
    ],
    [
      'not in the GROUP BY',
      'select max(shop) as shop, kind from silver.orders group by kind',
      'shop',
      'computed by max',
    ],
    [
      'missing in the GROUP BY',
      'select shop, any_value(kind) as k from silver.orders group by upper(kind), id',
      'shop',
      'is not in every GROUP BY',
    ],
    [
      'grouping sets',
      'select shop, kind, count(*) as n from silver.orders group by rollup (shop, kind)',
      'shop',
      'is not in every GROUP BY',
    ],
    [
      'a name that is a column too',
      'select placed::date as kind, count(*) as n from silver.orders group by kind',
      'kind',
      'is not in every GROUP BY',
    ],
    [
      'LIMIT',
      'select shop, count(*) as n from silver.orders group by 1 order by n limit 3',
      'shop',
      'LIMIT counts rows of all parts',
    ],
    [
      'LIMIT inside',
      'select shop from (select shop from silver.orders limit 3)',
      'shop',
      'LIMIT counts',
    ],
    [
      'DISTINCT ON',
      'select distinct on (kind) shop, kind from silver.orders',
      'shop',
      'DISTINCT ON picks',
    ],
    [
      'a union of all columns',
      'select * from silver.orders union all select * from silver.shops',
      'shop',
      'not named by the first side',
    ],
    [
      'the other side of an outer join',
      'select s.city, o.shop from silver.shops s left join silver.orders o using (shop)',
      'shop',
      'may be missing',
    ],
    [
      'a full join',
      'select o.shop as shop from silver.orders o full join silver.shops s using (shop)',
      'shop',
      'may be missing',
    ],
    [
      'itself',
      'select a.shop from silver.orders a join silver.orders b on a.id = b.id + 1',
      'shop',
      'read more than once',
    ],
    [
      'itself, as a named subquery',
      'with o as (select shop, id from silver.orders) select a.shop from o a join o b on a.id = b.id + 1',
      'shop',
      'read more than once',
    ],
    [
      'itself, inside of an expression',
      'select shop, (select max(id) from silver.orders) as m from silver.orders',
      'shop',
      'read more than once',
    ],
    [
      'columns of two inputs',
      'select kind || city as k from silver.orders join silver.shops using (shop)',
      'k',
      'columns of several inputs',
    ],
    [
      'a window over everything',
      'select shop, row_number() over (order by id) as r from silver.orders',
      'shop',
      "looks at rows of several 'shop'",
    ],
    [
      'the clock',
      'select shop, count(*) as n from silver.orders where placed > current_date group by 1',
      'shop',
      'current_date gives another value at each run',
    ],
    [
      'chance',
      'select shop from silver.orders where random() > 0.5',
      'shop',
      'random gives another value',
    ],
    ['a sample', 'select shop from silver.orders tablesample 10%', 'shop', 'a sample differs'],
  ])('but not with %s', async (_, sql, by, message) => {
    await expect(prove(sql, by)).rejects.toThrow(message)
  })
})
