import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { amount } from '../../test/support/effort.js'
import { seed } from '../../test/support/seed.js'
import { quoteText } from '../define/sql/sql.js'
import { DuckDBInstance } from '../engine/duckdb/driver.js'
import { visit } from './relations.js'

type Connection = Awaited<ReturnType<DuckDBInstance['connect']>>

let instance: DuckDBInstance
let connection: Connection
beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:')
  connection = await instance.connect()
  await connection.run('CREATE SCHEMA s')
  for (const name of ['a', 'b', '"é"', '"É"', '"/x.csv"', 's.a'])
    await connection.run(`CREATE TABLE ${name} AS SELECT 1 AS x`)
})
afterAll(() => {
  connection.closeSync()
  instance.closeSync()
})

async function freeTables(sql: string): Promise<string[]> {
  const serialized = await connection.runAndReadAll(
    `SELECT CAST(json_serialize_sql(${quoteText(sql)}) AS VARCHAR)`,
  )
  const tree = JSON.parse(String(serialized.getRows()[0]?.[0]))
  expect(tree.error_message ?? '').toBe('')
  const names = [...visit(tree)].flatMap(({ node, free }) =>
    free ? [[node.schema_name, node.table_name].filter(Boolean).join('.')] : [],
  )
  return [...new Set(names)].sort()
}

/** The tables that the engine's own binder looks for, and finds in no WITH. */
function boundTables(sql: string): string[] {
  const names = [...connection.getTableNames(sql, true)].map((name) =>
    name.replace(/ AS .*$/, '').replaceAll('"', ''),
  )
  return [...new Set(names)].sort()
}

function binds(sql: string): Promise<boolean> {
  return connection.prepare(sql).then(
    (statement) => {
      statement.destroySync()
      return true
    },
    () => false,
  )
}

it.each([
  ['a name of a query within', 'select t2.* from (with q as (select 1) select 1) t, q t2', ['q']],
  ['a later name', 'with a as (select * from b), b as (select 1) select * from a', ['b']],
  ['its own name', 'with a as (select * from a) select * from a', ['a']],
  ['a name of the other side', '(with q as (select 1) from q) union all select * from q', ['q']],
  ['a name with a schema', 'with q as (select 1) select * from main.q', ['main.q']],
  ['an alias', 'select * from (select 1) q, (select * from q)', ['q']],
  ['the first half of a recursion', 'with recursive a as (from a union all from a) from a', ['a']],
  // The engine folds letters of ASCII alone: the first of each is another letter.
  [
    'letters of Unicode',
    'with "É" as (select 1), "\u212A" as (select 2) from "é", "k"',
    ['k', 'é'],
  ],
])('%s is no name that a query sees', async (_, sql, free) => {
  expect(await freeTables(sql)).toEqual(free)
  expect(boundTables(sql)).toEqual(free)
})

it.each([
  ['its case', 'with Q as (select 1) select * from "q"'],
  ['a shadow', 'with q as (select 1) select * from (with q as (select * from q) from q), q'],
  [
    'a lateral join',
    'with q as (select 1 as x) select * from q, lateral (select * from q where x = 1)',
  ],
  ['SUMMARIZE', 'with q as (select 1) select * from (summarize q)'],
  ['PIVOT', 'with q as (select 1 as x, 2 as y) from q pivot (sum(y) for x in (1, 2))'],
  [
    'a materialized one',
    'with q as materialized (select 1), r as not materialized (from q) from r',
  ],
  [
    'a recursion',
    'with recursive a as (select 1 as x union all select x + 1 from a where x < 3) from a',
  ],
])('%s is seen', async (_, sql) => {
  expect(await freeTables(sql)).toEqual([])
  expect(boundTables(sql)).toEqual([])
})

const name = fc.constantFrom('a', 'b', 'A', '"b"', '"é"', '"É"', '"/x.csv"', 's.a')
const plain = fc.constantFrom('a', 'b', 'B', '"é"', '"/x.csv"')

const { query } = fc.letrec<{ query: string; from: string; body: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 5 },
    tie('body'),
    fc
      .tuple(
        fc.constantFrom('with', 'with recursive'),
        fc.uniqueArray(plain, {
          minLength: 1,
          maxLength: 3,
          selector: (one) => one.replaceAll('"', '').toLowerCase(),
        }),
        fc.array(tie('query'), { minLength: 3, maxLength: 3 }),
        fc.array(fc.constantFrom('as', 'as materialized', 'as not materialized'), {
          minLength: 3,
          maxLength: 3,
        }),
        tie('body'),
      )
      .map(([opening, names, queries, kinds, body]) => {
        const ctes = names.map((one, i) => `${one} ${kinds[i]} (${queries[i]})`)
        // One that is not used is not bound.
        const used = names.map((one) => `exists (from ${one})`).join(' and ')
        return `${opening} ${ctes.join(', ')} select 1 as x from (${body}) y where ${used}`
      }),
  ),
  from: fc.oneof(
    { maxDepth: 5 },
    name.map((one) => `${one} t`),
    tie('query').map((inner) => `(${inner}) u`),
    fc.tuple(name, tie('query')).map(([one, inner]) => `${one} t, lateral (${inner}) v`),
    fc.tuple(name, tie('from')).map(([one, other]) => `${one} t join (from ${other}) w on true`),
  ),
  body: fc.oneof(
    { maxDepth: 5 },
    tie('from').map((from) => `select 1 as x from ${from}`),
    tie('from').map((from) => `from ${from}`),
    fc
      .tuple(tie('from'), tie('query'))
      .map(([from, inner]) => `select 1 as x from ${from} where exists (${inner})`),
    fc
      .tuple(tie('from'), tie('query'))
      .map(([from, inner]) => `select (select count(*) from (${inner}) z) as x from ${from}`),
    fc
      .tuple(tie('query'), fc.constantFrom('union all', 'union', 'except'), tie('query'))
      .map(([left, operation, right]) => `(${left}) ${operation} (${right})`),
    fc
      .tuple(tie('body'), tie('body'))
      .map(
        ([left, right]) => `select 1 as x from (${left}) l union all select 1 from (${right}) r`,
      ),
  ),
}))

it('names are seen where the binder of the engine sees them', async () => {
  const numRuns = amount(150, 1500)
  let seen = 0
  await fc.assert(
    fc.asyncProperty(
      query.filter((sql) => sql.length < 500),
      async (sql) => {
        const free = await freeTables(sql)
        // What does not bind for another reason has no names to compare.
        const bound = await binds(sql)
        if (!bound) return
        seen++
        expect(free).toEqual(boundTables(sql))
      },
    ),
    { seed, numRuns },
  )
  expect(seen).toBeGreaterThan(numRuns * 0.4)
})
