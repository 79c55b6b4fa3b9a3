import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { differing } from '../../../src/branch/why/same-rows.js'
import type { TextRow, Why } from '../../../src/branch/why/why.js'
import { fullName, gold } from '../../../src/define/dataset.js'
import type { Silver } from '../../../src/define/model.js'
import { renderSql, sqlText } from '../../../src/define/sql/sql.js'
import { amount } from '../../support/effort.js'
import { Explained } from '../../support/explained.js'
import { Project } from '../../support/project.js'

/*
 * Of random queries: the rows that are named for a value are put into another database, alone, and
 * the query gives that value there. Where a group counts its rows, so many are named.
 */

const lines = (rows: readonly (readonly unknown[])[]) =>
  rows.map((row) => `${row.join(',')}\n`).join('')

async function lake(): Promise<Explained> {
  const orders = Array.from({ length: 60 }, (_, i) => [
    i + 1,
    i % 7 === 0 ? '' : (i * 5) % 6,
    ['paid', 'open', 'sent'][(i * 7) % 3],
    i % 11 === 0 ? '' : ((i * 37) % 40) / 4,
    ((i * 13) % 10) / 3,
    `2026-01-0${1 + ((i * 3) % 5)}`,
  ])
  const customers = [0, 1, 2, 3, 4].map((id) => [id, `name ${id}`, id % 2 ? 'Bath' : 'York'])
  const project = await Project.create({
    'lake.ts': `
      import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
      import { files } from 'moraine/sources'
      const customers = silver('customers', {
        from: bronze('customers', { from: files('customers.csv') }),
        schema: z.object({ id: t.int(), name: z.string(), town: z.string() }),
        key: 'id' })
      const orders = silver('orders', {
        from: bronze('orders', { from: files('orders/*.csv') }),
        schema: z.object({ id: t.int(), customer: t.int().nullable(), status: z.string(),
          amount: t.decimal(8, 2).nullable(), ratio: t.double(), day: t.date() }),
        key: 'id',
        rules: [rule('some customers', sql\`exists (select 1 from \${customers})\`)] })
      export default defineLake({ name: 'why', datasets: [orders, customers] })`,
    'orders/1.csv': `id,customer,status,amount,ratio,day\n${lines(orders.slice(0, 40))}`,
    'orders/2.csv': `id,customer,status,amount,ratio,day\n${lines(orders.slice(40))}`,
    'customers.csv': `id,name,town\n${lines(customers)}`,
  })
  await project.run()
  return Explained.open(await project.load(), project.storage)
}

const ORDERS = '${orders}'
const CUSTOMERS = '${customers}'

/** What stands in FROM, and the columns that it gives beside those of orders. */
const sources: readonly { from: string; more?: readonly string[]; isPlain?: boolean }[] = [
  { from: `from ${ORDERS} o`, isPlain: true },
  { from: `from ${ORDERS} as o join ${CUSTOMERS} c on c.id = o.customer`, more: ['c.town'] },
  { from: `from ${ORDERS} o left join ${CUSTOMERS} c on c.id = o.customer`, more: ['c.town'] },
  { from: `from (select * from ${ORDERS} where amount > 3) o`, isPlain: true },
  {
    from: `from (select * from ${ORDERS} union all select * from ${ORDERS} where status = 'paid') o`,
  },
  { from: `from (select distinct status, customer, amount, ratio, day, id from ${ORDERS}) o` },
  {
    from: `from (select *, row_number() over (partition by customer order by id) as nth from ${ORDERS}) o`,
    more: ['nth'],
  },
  {
    from: `from (select * exclude (ratio), 1.5::double as ratio from ${ORDERS} where id in (select max(id) from ${ORDERS} group by customer)) o`,
  },
  {
    from: `from ${ORDERS} o join (select customer, sum(amount) as total from ${ORDERS} group by all) s on s.customer = o.customer`,
    more: ['s.total'],
  },
  { from: `from (from ${ORDERS} semi join ${CUSTOMERS} on customers.id = orders.customer) o` },
  {
    from: `from (select id, customer, status, amount, ratio, day from ${ORDERS} union select id + 0, customer, 'x', amount, ratio, day from ${ORDERS}) o`,
  },
]

const where = [
  '',
  "where o.status <> 'open'",
  'where o.amount is not null',
  `where o.customer in (select id from ${CUSTOMERS} where town = 'York')`,
]
const groups = ['o.status', 'o.day', 'o.customer', 'o.customer, o.status']
const sums = [
  'sum(o.amount) as total',
  'avg(o.ratio) as mean',
  'max(o.id) as latest',
  'count(distinct o.customer) as customers',
  "count(*) filter (o.status = 'paid') as paid",
  'min(o.day) as since',
]
const over = [
  'sum(o.amount) over (partition by o.status) as share',
  'rank() over (partition by o.customer order by o.ratio desc, o.id) as place',
]

const query = fc
  .record({
    source: fc.constantFrom(...sources),
    where: fc.constantFrom(...where),
    kind: fc.constantFrom('group', 'group all', 'all', 'rows', 'distinct', 'cte' as const),
    group: fc.constantFrom(...groups),
    sums: fc.uniqueArray(fc.constantFrom(...sums), { minLength: 1, maxLength: 3 }),
    window: fc.constantFrom(undefined, ...over),
    having: fc.boolean(),
  })
  .map(
    ({
      source: { from, more = [], isPlain },
      where: condition,
      kind,
      group,
      sums: list,
      ...rest
    }) => {
      const selected = [group, ...list, 'count(*) as n'].join(', ')
      const having = rest.having ? ' having count(*) > 1' : ''
      const body = `${from} ${condition}`
      const rows = ['o.id', 'o.status', 'o.amount', ...more].join(', ')
      const window = rest.window ? `, ${rest.window}` : ''
      const texts = {
        group: `select ${selected} ${body} group by ${group}${having}`,
        'group all': `select ${selected} ${body} group by all${having}`,
        all: `select ${list.join(', ')}, count(*) as n ${body}`,
        rows: `select ${rows}${window} ${body}`,
        distinct: `select distinct o.status, o.customer ${body}`,
        cte: `with g as (select ${group.split(', ')[0]} as part, ${list.join(', ')}, count(*) as n ${body} group by 1)
        select part, n, ${list.map((one) => one.split(' as ')[1]).join(', ')} from g where n > 0`,
      }
      return {
        text: texts[kind as keyof typeof texts],
        counts: isPlain && kind !== 'rows' && kind !== 'distinct',
      }
    },
  )

/** What a query gives over the rows that were named, and over all of what conditions look into. */
async function overAlone(explained: Explained, text: string, why: Why): Promise<TextRow[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run('CREATE SCHEMA silver')
    for (const dataset of explained.lake.datasets.filter(
      (one): one is Silver => one.tier === 'silver',
    )) {
      const name = fullName(dataset)
      const columns = await explained.session.describe(
        `SELECT * EXCLUDE (_loaded_at, _batch) FROM ${name}`,
      )
      const origin = why.origins.find((one) => one.dataset === name)
      const all = async () =>
        await explained.texts(`SELECT * EXCLUDE (_loaded_at, _batch) FROM ${name}`)
      const rows = origin ? origin.rows.map(({ values }) => values) : await all()
      const types = columns.map((column) => `${column.name} ${column.sqlType}`)
      await connection.run(`CREATE TABLE ${name} (${types.join(', ')})`)
      for (const row of rows) {
        const values = columns.map((c) => (row[c.name] === null ? 'NULL' : `'${row[c.name]}'`))
        await connection.run(`INSERT INTO ${name} VALUES (${values.join(', ')})`)
      }
    }
    const given = await connection.runAndReadAll(
      `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${text})`,
    )
    return given.getRowObjects() as TextRow[]
  } finally {
    instance.closeSync()
  }
}

it('names rows from which alone a query gives the same value', async () => {
  await using explained = await lake()
  const [customers, orders] = ['customers', 'orders'].map((name) =>
    explained.lake.datasets.find((one) => one.name === name && one.tier === 'silver'),
  ) as [Silver, Silver]
  await explained.context.relations.define(explained.session, [orders, customers])
  let made = 0
  const property = fc.asyncProperty(
    query,
    fc.nat(1000),
    fc.boolean(),
    async ({ text, counts }, pick, whole) => {
      const dataset = gold(`g${made++}`, { query: sqlText(text, { orders, customers }, undefined) })
      const sql = renderSql(dataset.query)
      const rows = await explained.texts(sql)
      const row = rows[pick % rows.length]
      if (!row) return
      const names = Object.keys(row)
      const column = whole ? undefined : names[pick % names.length]
      const asked = { dataset, column, most: 1000 }
      const why = await explained.explain({ ...asked, rows: [row] }).catch((error: Error) => {
        // One of several that are the same: they are asked about together.
        const same = rows.filter(({ id }) => id === row.id)
        if (same.length === 1 || !/other rows are equal to it/.test(error.message)) throw error
        return explained.explain({ ...asked, rows: same })
      })
      for (const { rows: shown, dataset: name, count } of why.origins) {
        expect(shown.length).toBe(count)
        for (const { from, values } of shown) {
          const first =
            name === 'silver.customers'
              ? 'customers.csv'
              : `orders/${Number(values.id) > 40 ? 2 : 1}.csv`
          const line =
            name === 'silver.customers' ? Number(values.id) + 2 : ((Number(values.id) - 1) % 40) + 2
          expect(from).toMatchObject({ file: first, line })
        }
      }
      if (counts) expect(why.origins[0]?.count).toBe(Number(row.n))
      const again = await overAlone(explained, sql, why)
      const fields = names
        .filter((name) => !why.compared.includes(name))
        .map((name) => ({ name, type: { kind: 'double' as const } }))
      const isThere = again.some((other) => differing(fields, [row], [other]) === undefined)
      expect(isThere, `${sql}\n${JSON.stringify(row)}\n${JSON.stringify(again)}`).toBe(true)
    },
  )
  await fc.assert(property, { numRuns: amount(25, 60, 600) })
})
