import { describe, expect, it } from 'vitest'
import { type Affects, type Proof, proveIncremental } from '../../../src/plan/incremental.js'
import { monotonicColumn } from '../../../src/plan/monotonic.js'
import { engineSession } from '../../support/engine.js'

const session = engineSession()

const columns: Record<string, string[]> = {
  'silver.orders': ['id', 'placed', 'shop', 'amount', 'kind'],
  'silver.shops': ['shop', 'city', 'opened'],
}

async function prove(sql: string, by: string, affects?: Affects) {
  const serialized = await session().parser.tree(sql)
  const columnsOf = ({ tier, name }: { tier: string; name: string }) =>
    columns[`${tier}.${name}`] ?? []
  return proveIncremental({ serialized, by, affects, columnsOf })
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
      'the newest row of each, chosen from a star',
      'select * exclude (nth) from (select *, row_number() over (partition by shop, kind order by id desc) as nth from silver.orders) where nth = 1',
      'shop',
      'shop',
    ],
    [
      'DISTINCT ON over a star',
      'select distinct on (shop) * from silver.orders order by id',
      'shop',
      'shop',
    ],
    [
      'lists in the order of their values',
      'select shop, list(id order by id) as ids, list(distinct kind order by kind desc) as kinds from silver.orders group by shop',
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
      'a rollup within a part',
      'select shop, kind, count(*) as n from silver.orders group by shop, rollup (kind)',
      'shop',
      'shop',
    ],
    [
      'a local day',
      "select cast(placed at time zone 'Europe/Berlin' as date) as day, count(*) as n from silver.orders group by 1",
      'day',
      undefined,
    ],
    [
      'an alias of an expression before it',
      "select placed::date as day, date_trunc('month', day) as month from silver.orders",
      'month',
      'placed',
    ],
    [
      'SEMI, lateral and list functions',
      "select o.shop, t.x from silver.orders o semi join silver.shops s using (shop), lateral (select unnest(string_split(o.kind, ',')) as x) t",
      'shop',
      'shop',
    ],
    [
      'a star that says of what',
      'select o.* from silver.orders o join silver.shops s on s.city = o.kind',
      'shop',
      'shop',
    ],
    [
      'a replaced column',
      'select * replace (upper(kind) as kind) from silver.orders',
      'shop',
      'shop',
    ],
    [
      'ordered aggregates, FILTER and CASE',
      "select shop, string_agg(kind, ',' order by id) as k, first(kind order by placed, id) as f, count(*) filter (where id > 3) as n, mode(kind order by kind) as m from silver.orders group by all",
      'shop',
      'shop',
    ],
    [
      'the best of other data',
      'select shop, (select city from silver.shops s where s.shop = o.shop order by opened limit 1) as c from silver.orders o',
      'shop',
      'shop',
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
    expect(monotonicColumn(expression)).toBe(rising)
  })

  it('with several inputs that UNION puts together', async () => {
    const sql = `select d, count(*) as n from (
      select 'o' as kind, placed::date as d from silver.orders
      union all select 's', opened from silver.shops) group by d`
    const found = await prove(sql, 'd')
    expect(found.map(({ driving }) => driving.name)).toEqual(['orders', 'shops'])
    expect(found.map(({ expression }) => monotonicColumn(expression))).toEqual(['placed', 'opened'])
    const twice = 'select shop from silver.orders union select shop from silver.orders'
    await expect(prove(twice, 'shop')).rejects.toThrow('is read more than once')
  })

  describe('with a window that reaches over parts, where its frame proves how far', () => {
    const around = (frame: string) =>
      `select day, sum(n) over (order by ${frame}) as s from (select placed::date as day, count(*) as n from silver.orders group by 1)`
    it.each([
      ['day range between interval 6 days preceding and current row', { after: 6 }],
      [
        'day range between interval 3 days preceding and interval 1 day following',
        { before: 1, after: 3 },
      ],
      ['day desc range between interval 3 days preceding and current row', { before: 3 }],
      ['day range between interval 36 hours preceding and current row', { after: 2 }],
    ])('%s', async (frame, affects) => {
      await expect(prove(around(frame), 'day')).rejects.toThrow(
        "reads rows of several values of 'day'",
      )
      expect((await prove(around(frame), 'day', affects))[0]?.driving.name).toBe('orders')
    })

    it.each([
      ['day range between interval 6 days preceding and current row', { after: 5 }, '6 before'],
      [
        'day range between interval 1 day following and interval 2 days following',
        { after: 9 },
        '2 after',
      ],
      ['day', { after: 6 }, 'is unknown'],
      ['n range between 1 preceding and current row', { after: 6 }, 'not ordered by it'],
      ['day rows between 6 preceding and current row', { after: 6 }, 'is unknown'],
    ])('and not %s', async (frame, affects, message) => {
      await expect(prove(around(frame), 'day', affects)).rejects.toThrow(message)
    })

    describe('of queries within each other', () => {
      const over = (frame: string) => `over (order by day range between ${frame})`
      const within = (outer: string, inner: string) =>
        `select day, sum(s) ${over(outer)} as t from (select day, sum(count(*)) ${over(inner)} as s from (select placed::date as day from silver.orders) group by day)`
      const two = 'interval 2 days preceding and current row'
      const next = 'current row and interval 1 day following'

      it.each([
        [two, two, { after: 4 }],
        [next, two, { before: 1, after: 2 }],
        [next, next, { before: 2 }],
      ])('%s, over %s', async (outer, inner, affects) => {
        expect((await prove(within(outer, inner), 'day', affects))[0]?.driving.name).toBe('orders')
      })

      it.each([
        [two, two, { after: 2 }, 'affects: { before: 0, after: 4 }'],
        [next, two, { after: 2 }, 'affects: { before: 1, after: 2 }'],
        [next, next, { before: 1 }, 'affects: { before: 2, after: 0 }'],
      ])('but not %s, over %s, with too little', async (outer, inner, affects, hint) => {
        await expect(prove(within(outer, inner), 'day', affects)).rejects.toMatchObject({
          hint: expect.stringContaining(hint),
        })
      })

      it('not where the part is of another unit than the window', async () => {
        const months = `select date_trunc('month', day) as month, sum(s) as s from (select day, sum(count(*)) ${over(two)} as s from (select placed::date as day from silver.orders) group by day) group by 1`
        await expect(prove(months, 'month', { after: 31 })).rejects.toThrow(
          "which 'month' is computed from, so that affects does not count them",
        )
      })
    })

    it('and not what counts rows', async () => {
      const sql = around('day').replace('sum(n)', 'lag(n)')
      await expect(prove(sql, 'day', { after: 1 })).rejects.toThrow('counts rows')
    })
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
      'select shop, max(kind) as k from silver.orders group by upper(kind), id',
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
      'LIMIT counts rows of all partitions',
    ],
    [
      'LIMIT inside',
      'select shop from (select shop from silver.orders order by id limit 3)',
      'shop',
      'LIMIT counts',
    ],
    [
      'DISTINCT ON',
      'select distinct on (kind) shop, kind from silver.orders order by id',
      'shop',
      'DISTINCT ON chooses',
    ],
    [
      'a union of all columns',
      'select * from silver.orders union all select * from silver.shops',
      'shop',
      'does not appear in the first side',
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
      'a named subquery whose columns have other names',
      'with o(shop, kind) as (select kind, shop from silver.orders) select shop, count(*) as n from o group by shop',
      'shop',
      'renamed in WITH',
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
      "reads rows of several values of 'shop'",
    ],
    [
      'the clock',
      'select shop, count(*) as n from silver.orders where placed > current_date group by 1',
      'shop',
      'current_date returns a different value in each run',
    ],
    [
      'chance',
      'select shop from silver.orders where random() > 0.5',
      'shop',
      'random returns a different value',
    ],
    ['a sample', 'select shop from silver.orders tablesample 10%', 'shop', 'a sample differs'],
    [
      'a sample of other data',
      'select shop from silver.orders join (from silver.shops using sample 2) using (shop)',
      'shop',
      'a sample differs',
    ],
    [
      'the left of an ASOF JOIN',
      'select o.shop, s.city from silver.orders o asof left join silver.shops s on o.placed >= s.opened',
      'shop',
      'an ASOF JOIN depends',
    ],
    [
      'the right of an ASOF JOIN',
      'select s.opened, o.id from silver.orders o asof join silver.shops s on o.placed >= s.opened',
      'opened',
      'an ASOF JOIN depends',
    ],
    [
      'the right of an ASOF JOIN in a subquery',
      'with a as (select s.opened as day, o.id from silver.orders o asof join (select * from silver.shops) s on o.placed >= s.opened) select day from a',
      'day',
      'an ASOF JOIN depends',
    ],
    [
      'a POSITIONAL JOIN',
      'select shop from silver.orders positional join (select city from silver.shops)',
      'shop',
      'by their position',
    ],
    [
      'a PIVOT',
      "select * from silver.orders pivot (sum(amount) for kind in ('a', 'b'))",
      'shop',
      'PIVOT may return different rows',
    ],
    [
      'a recursive query',
      'with recursive r as (select shop, 1 as n from silver.orders union all select shop, n + 1 from r where n < 3) select shop from r',
      'shop',
      'read more than once',
    ],
    [
      'the age today',
      'select shop, max(age(placed)) as a from silver.orders group by 1',
      'shop',
      'age with one argument depends on the day',
    ],
    [
      'the local clock',
      'select shop, current_localtimestamp() as a from silver.orders',
      'shop',
      'current_localtimestamp returns a different value in each run',
    ],
    [
      'the time of the engine',
      'select shop, ago(interval 1 day) as a from silver.orders',
      'shop',
      'ago returns a different value',
    ],
    [
      'a setting',
      "select shop, current_setting('threads') as a from silver.orders",
      'shop',
      'current_setting depends on the session',
    ],
    [
      'an estimate',
      'select shop, approx_quantile(amount, 0.5) as a from silver.orders group by 1',
      'shop',
      'approx_quantile estimates',
    ],
    [
      'chance in a list',
      "select shop, list_aggregate([1, 2], 'reservoir_quantile', 0.5) as a from silver.orders",
      'shop',
      'calls a function',
    ],
    [
      'any value',
      'select shop, any_value(kind) as k from silver.orders group by 1',
      'shop',
      'any_value depends on the order',
    ],
    [
      'a list in any order',
      'select shop, list(kind) as k from silver.orders group by 1',
      'shop',
      'list depends on the order',
    ],
    [
      'rows in any order',
      'select shop, row_number() over (partition by shop) as k from silver.orders',
      'shop',
      'row_number depends on the order',
    ],
    [
      'any three rows of other data',
      'select shop from silver.orders join (from silver.shops limit 3) using (shop)',
      'shop',
      'LIMIT without an ORDER BY',
    ],
    [
      'any row of each',
      'select distinct on (shop) shop, kind from silver.orders',
      'shop',
      'DISTINCT ON without an ORDER BY',
    ],
    [
      'bounds of all rows',
      'select shop, bitstring_agg(id) as b from silver.orders group by 1',
      'shop',
      'takes its bounds',
    ],
    [
      'a table function that nobody looked at',
      'select shop from silver.orders, duckdb_settings()',
      'shop',
      'duckdb_settings may return different rows',
    ],
    [
      'a column of the same name in the window',
      'select o.shop, rank() over (partition by s.shop order by o.id) as r from silver.orders o join silver.shops s on s.city = o.kind',
      'shop',
      "reads rows of several values of 'shop'",
    ],
    [
      'a column behind a star of the same name in the window',
      'select placed::date as kind, rank() over (partition by kind order by id) as r from (select * from silver.orders)',
      'kind',
      "reads rows of several values of 'kind'",
    ],
    [
      'a format in other letters in the window',
      "select strftime(placed, '%m') as m, rank() over (partition by strftime(placed, '%M') order by id) as r from silver.orders",
      'm',
      "reads rows of several values of 'm'",
    ],
    [
      'DISTINCT ON the other side',
      'select distinct on (s.shop) o.shop from silver.orders o join silver.shops s on s.city = o.kind order by o.id',
      'shop',
      'DISTINCT ON chooses',
    ],
    [
      'the star of the other side that looks at it',
      'select s.*, rank() over (partition by o.shop order by o.id) as r from silver.orders o join silver.shops s on s.city = o.kind',
      'shop',
      "reads rows of several values of 'shop'",
    ],
    [
      'a star with a column replaced by what looks further',
      'select * replace (max(id) over () as shop) from silver.orders',
      'shop',
      'computed by a window',
    ],
    [
      'a star with columns renamed',
      'select * rename (kind as part) from silver.orders',
      'part',
      'it is unclear which column',
    ],
    [
      'columns renamed in FROM',
      'select shop from silver.orders as o(shop, id)',
      'shop',
      'renamed in FROM',
    ],
    [
      'a collation',
      'select kind collate nocase as k, count(*) as n from silver.orders group by 1',
      'k',
      'computed by a collate',
    ],
    [
      'types that differ between the sides of a UNION',
      'select d // 2 as part from (select id as d from silver.orders union all select city from silver.shops)',
      'part',
      'whose type may differ between the sides',
    ],
    [
      'what is no SELECT',
      'pivot silver.orders on kind using sum(amount)',
      'shop',
      'not a plain SELECT',
    ],
  ])('but not with %s', async (_, sql, by, message) => {
    await expect(prove(sql, by)).rejects.toThrow(message)
  })
})
