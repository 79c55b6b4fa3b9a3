import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadLake } from '../../../src/load/load.js'
import { CommitLog } from '../../../src/log/log.js'
import { limitsOf } from '../../../src/query/limits.js'
import { queryRows } from '../../../src/query/query.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { turn } from '../../../test/support/effort.js'
import { engineSession } from '../../../test/support/engine.js'
import { Explained } from '../../../test/support/explained.js'
import { moraine, repository, temporaryFolder } from '../../../test/support/project.js'
import { generate } from '../generate/main.js'

const session = engineSession()
const SCALE = 0.01
const limits = limitsOf()

const run = async (lake: string, data: string, root: string) => {
  const { code, stdout, stderr } = await moraine(
    ['-C', join(repository, lake), '--root', root, 'run'],
    {
      TPCDS_DATA: data,
    },
  )
  expect([code, stderr], stdout).toEqual([0, ''])
}

it('keeps what is good of 24 dirty tables, and discards exactly what was spoilt', async () => {
  const folder = await temporaryFolder()
  const root = join(folder, 'lake')
  const dirt = await generate(folder, SCALE)
  await run('examples/tpcds', folder, root)
  const storage = new LocalStorage(root)
  const state = await new CommitLog(storage).head()
  const found = Object.keys(dirt).map((name) => {
    const { in: rows, discarded, superseded } = state.tables[`silver.${name}`]?.counts ?? {}
    return { name, rows, discarded, superseded }
  })
  expect(found).toEqual(
    Object.entries(dirt).map(([name, { rows, discarded, superseded }]) => {
      return {
        name,
        rows,
        superseded,
        discarded: Object.values(discarded).reduce((a, b) => a + b, 0),
      }
    }),
  )
  const reasons = await queryRows(
    storage,
    state,
    'select reasons[1] as reason, count(*) as n from discarded.store_sales group by 1 order by 1',
    { limits },
  )
  expect(reasons.map(({ n }) => Number(n))).toEqual(
    expect.arrayContaining(Object.values(dirt.store_sales?.discarded ?? {})),
  )
  // What the day's reports say adds up to what silver holds, in exact decimals.
  const [sums] = await queryRows(
    storage,
    state,
    `select (select sum(sales) from gold.daily_sales_summary) as daily,
       (select sum(revenue) from gold.monthly_trends) as monthly,
       (select sum(revenue) from gold.product_performance) as products,
       (select sum(ss_net_paid) from silver.store_sales where sold_date is not null)
         + (select sum(cs_net_paid) from silver.catalog_sales where sold_date is not null)
         + (select sum(ws_net_paid) from silver.web_sales where sold_date is not null) as silver`,
    { limits },
  )
  expect([sums?.daily, sums?.monthly, sums?.products]).toEqual([
    sums?.silver,
    sums?.silver,
    sums?.silver,
  ])
  const customers = await queryRows(
    storage,
    state,
    `select lifetime_value as value, orders, average_order as mean, cast(value / orders as decimal(18, 2)) as doubles
     from gold.customer_lifetime_value where value is not null`,
    { limits },
  )
  // To the cent by whole numbers; a division of doubles is off by one now and then.
  const exact = ({ value, orders }: (typeof customers)[number]) => {
    const cents = BigInt(String(value).replace('.', ''))
    const rounded = (2n * cents + BigInt(String(orders))) / (2n * BigInt(String(orders)))
    return `${rounded / 100n}.${String(rounded % 100n).padStart(2, '0')}`
  }
  expect(customers.length).toBeGreaterThan(500)
  expect(customers.filter((row) => row.mean !== exact(row))).toEqual([])
  expect(customers.filter((row) => row.doubles !== exact(row)).length).toBeGreaterThan(0)
  const definition = await loadLake(join(repository, 'examples/tpcds/lake.ts'))
  await using explained = await Explained.open(definition, storage)
  await explained.explainGold(turn)
})

it('gives the reports that a script by hand gives, row for row', async () => {
  const folder = await temporaryFolder()
  const [root, out] = [join(folder, 'lake'), join(folder, 'out')]
  await generate(folder, SCALE, 0)
  await run('bench/tpcds', folder, root)
  execFileSync(process.execPath, [join(repository, 'bench/tpcds/by-hand.mjs')], {
    env: { ...process.env, TPCDS_DATA: folder, OUT: out },
  })
  const storage = new LocalStorage(root)
  const state = await new CommitLog(storage).head()
  const gold = Object.keys(state.tables).filter((name) => name.startsWith('gold.'))
  expect(gold).toHaveLength(4)
  for (const name of gold) {
    const ours = await queryRows(storage, state, `select * from ${name} order by all`, { limits })
    const columns = Object.keys(ours[0] ?? {}).join(', ')
    const theirs = await session().rows(
      `SELECT ${columns} FROM read_parquet('${out}/${name.replace('.', '/')}/**/*.parquet', hive_partitioning = true) ORDER BY ALL`,
    )
    const plain = (rows: typeof ours) =>
      JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value))
        // The script's partitions are texts in folder names, and come back as numbers.
        .replace(/"(-?\d+)"/g, '$1')
    expect(ours.length).toBeGreaterThan(100)
    expect(plain(theirs)).toBe(plain(ours))
  }
})
