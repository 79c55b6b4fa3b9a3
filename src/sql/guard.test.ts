import fc from 'fast-check'
import { expect, it } from 'vitest'
import { engineSession } from '../../test/support/engine.js'
import { seed } from '../../test/support/seed.js'
import { proveSelect } from './guard.js'

const session = engineSession()
const prove = async (sql: string) => proveSelect(await session().parser.tree(sql), sql)

/** Places where a query may have another one. */
const places: ((query: string) => string)[] = [
  (query) => `SELECT * FROM (${query}) AS s`,
  (query) => `WITH w AS (${query}) SELECT * FROM w`,
  (query) => `WITH RECURSIVE w AS ((${query}) UNION ALL SELECT * FROM w) SELECT * FROM w`,
  (query) => `(${query}) UNION ALL (FROM gold.days)`,
  (query) => `(FROM gold.days) EXCEPT (${query})`,
  (query) => `SELECT (SELECT count(*) FROM (${query}) AS s) AS n`,
  (query) => `SELECT 1 AS x WHERE EXISTS (${query})`,
  (query) => `SELECT CASE WHEN 1 IN (SELECT 1 FROM (${query}) AS s) THEN 1 END AS x`,
  (query) => `SELECT d.* FROM gold.days AS d, LATERAL (${query}) AS s`,
  (query) => `SELECT d.* FROM gold.days AS d LEFT JOIN (${query}) AS s ON (d.x = s.x)`,
  (query) => `FROM gold.days ORDER BY (SELECT count(*) FROM (${query}) AS s)`,
  (query) => `FROM gold.days QUALIFY row_number() OVER () IN (SELECT 1 FROM (${query}) AS s)`,
  (query) => `FROM gold.days LIMIT (SELECT count(*) FROM (${query}) AS s)`,
  (query) =>
    `SELECT list_transform([1], lambda e: e + (SELECT count(*) FROM (${query}) AS s)) AS l`,
]
const nested = fc.array(fc.constantFrom(...places), { maxLength: 4 })
const inside = (around: typeof places, query: string) =>
  around.reduce((text, place) => place(text), query)

it('finds the tables of a query wherever they stand in it', async () => {
  await fc.assert(
    fc.asyncProperty(nested, async (around) => {
      const { tables } = await prove(inside(around, 'FROM silver.Orders'))
      const names = tables.map(({ tier, name }) => `${tier}.${name}`)
      expect(names).toContain('silver.Orders')
      expect(names.filter((name) => name !== 'gold.days')).toEqual(['silver.Orders'])
    }),
    { seed },
  )
})

/** What reads outside the lake, or tells of the machine. */
const hostile = [
  `FROM read_text('/etc/passwd')`,
  `FROM read_csv('/etc/passwd')`,
  `FROM read_parquet(['/tmp/x.parquet'])`,
  `FROM '/etc/passwd'`,
  `FROM "data/orders.csv"`,
  `FROM 's3://bucket/x.parquet'`,
  `FROM glob('/**')`,
  `FROM duckdb_secrets()`,
  `FROM information_schema.tables`,
  `FROM other.silver.orders`,
  `FROM orders`,
  `SELECT getenv('HOME') AS x`,
  `SELECT current_setting('secret_directory') AS x`,
  `SELECT content AS x FROM read_blob('/etc/passwd')`,
]

it('refuses what reads outside the lake wherever it stands in a query', async () => {
  await fc.assert(
    fc.asyncProperty(nested, fc.constantFrom(...hostile), async (around, query) => {
      await expect(prove(inside(around, query))).rejects.toMatchObject({ kind: 'query' })
    }),
    { seed, numRuns: 300 },
  )
})

it.each([
  'DELETE FROM silver.orders',
  'DROP TABLE silver.orders',
  `COPY silver.orders TO '/tmp/x'`,
  `ATTACH '/tmp/x'`,
  'INSTALL httpfs',
  'SET threads = 1',
  'PRAGMA database_list',
  'EXPLAIN FROM silver.orders',
  'FROM silver.orders; FROM silver.orders',
  'FROM silver.orders; DROP TABLE silver.orders',
  '',
  '-- nothing',
  'SELECT ?',
])('refuses %j, which is not one SELECT', async (sql) => {
  await expect(prove(sql)).rejects.toMatchObject({ kind: 'query' })
})

it.each([
  ['select at, level from silver.levels', 'at'],
  ["select cast(at at time zone 'Europe/Berlin' as date) from silver.levels", 'at'],
  ['select max(at) from silver.levels', 'at'],
  ['select count(*) from silver.levels group by at', 'at'],
  ["select 'ö', order from silver.levels", 'order'],
  ['select End from silver.levels', 'End'],
  ['select level from silver.levels order by at desc', 'at'],
  ['select count(*) from silver.levels group by at order by 1', 'at'],
  ['select level from silver.levels order by at limit 1', 'at'],
  ['select case when order > 1 then 2 end from silver.levels', 'order'],
])('says of a keyword that is not understood how it names a column: %s', async (sql, word) => {
  await expect(prove(sql)).rejects.toMatchObject({
    hint: `Check the SQL. If ${word} is a column, put it in quotes: "${word}"`,
  })
  await prove(sql.replace(new RegExp(`\\b${word}\\b`), `"${word}"`))
})

it.each(['select a form x where b', 'selct 1', 'select a from x where', 'select "at" "b" "c"'])(
  'says nothing of quotes where no keyword can be meant as a column: %s',
  async (sql) => {
    await expect(prove(sql)).rejects.toMatchObject({ hint: 'Check the SQL.' })
  },
)
