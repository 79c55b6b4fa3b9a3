import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openLake, sql } from 'moraine'
import { type Dirt, generate } from './generate/main.js'

/*
 * npm run demo -- [--scale 0.1]: makes the 24 tables at a scale, or takes those in TPCDS_DATA,
 * builds the lake, and holds what it discarded against what the generator has spoilt.
 */
const { values } = parseArgs({ options: { scale: { type: 'string', default: '0.02' } } })
const here = import.meta.dirname
const made = join(here, 'data', `scale-${values.scale}`)
const data = process.env.TPCDS_DATA ?? made
if (!process.env.TPCDS_DATA && !existsSync(join(data, 'dirt.json'))) {
  console.log(`Making the 24 tables of TPC-DS at scale ${values.scale} …\n`)
  await generate(data, Number(values.scale))
}
process.env.TPCDS_DATA = data
process.env.MORAINE_ROOT ??= join(here, 'lake', `scale-${values.scale}`)

console.log('$ moraine run\n')
const bin = join(
  createRequire(import.meta.url).resolve('moraine/package.json'),
  '../bin/moraine.js',
)
const { status } = spawnSync(process.execPath, [bin, '-C', here, 'run'], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

// The definition reads TPCDS_DATA, so it is loaded when that is set.
const { default: lake } = await import('./lake.js')
const { dailySalesSummary, customerLifetimeValue, productPerformance, monthlyTrends } =
  await import('./datasets/gold.js')
const tpcds = await openLake(lake)
const { tables } = await tpcds.state()
const dirtFile = join(data, 'dirt.json')
const dirt: Record<string, Dirt> = existsSync(dirtFile)
  ? JSON.parse(readFileSync(dirtFile, 'utf8'))
  : {}

const number = (n: number | bigint | string) => Number(n).toLocaleString('en-US')
const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
const show = (title: string, rows: Record<string, unknown>[]) => {
  console.log(`\n${title}`)
  const names = Object.keys(rows[0] ?? {})
  const cells = rows.map((row) => names.map((name) => String(row[name] ?? '')))
  const widths = names.map((name, i) =>
    Math.max(name.length, ...cells.map((c) => c[i]?.length ?? 0)),
  )
  for (const line of [names, ...cells])
    console.log(
      `  ${line.map((c, i) => (i === 0 ? c.padEnd(widths[0] ?? 0) : c.padStart(widths[i] ?? 0))).join('  ')}`,
    )
}

const silver = Object.entries(tables).filter(([name]) => name.startsWith('silver.'))
let wrong = 0
const counted = silver.map(([name, { counts }]) => {
  const { in: read = 0, kept = 0, discarded = 0, superseded = 0 } = counts ?? {}
  const planted = dirt[name.replace('silver.', '')]
  const right =
    read === kept + discarded + superseded &&
    (!planted ||
      (planted.rows === read &&
        planted.superseded === superseded &&
        sum(Object.values(planted.discarded)) === discarded))
  if (!right) wrong++
  return { name, read, kept, discarded, superseded, right, planted }
})
show(
  'Every row in is kept, discarded with a reason, or superseded',
  counted.map((row) => ({
    table: row.name.replace('silver.', ''),
    in: number(row.read),
    kept: number(row.kept),
    discarded: number(row.discarded),
    superseded: number(row.superseded),
    'as planted': row.planted ? (row.right ? 'yes, exactly' : 'NO') : '-',
  })),
)

const days = await tpcds.read(dailySalesSummary, { orderBy: sql`sales desc`, limit: 3 })
show(
  dailySalesSummary.about.description ?? '',
  days.map((d) => ({
    date: d.date,
    channel: d.channel,
    sales: number(d.sales ?? 0),
    customers: d.unique_customers,
  })),
)
const segments =
  await tpcds.query(sql`select segment, count(*) as customers, sum(lifetime_value) as value
  from ${customerLifetimeValue} group by 1 order by 3 desc`)
show(
  customerLifetimeValue.about.description ?? '',
  segments.map((s) => ({ ...s, value: number(String(s.value)) })),
)
const best = await tpcds.read(productPerformance, {
  where: sql`category_rank = 1`,
  orderBy: sql`revenue desc`,
  limit: 3,
})
show(
  productPerformance.about.description ?? '',
  best.map((p) => ({
    item: p.product_name,
    category: p.category,
    year: p.year,
    revenue: number(p.revenue ?? 0),
    share: `${p.category_share} %`,
  })),
)
const months = await tpcds.read(monthlyTrends, {
  where: sql`channel = 'web'`,
  orderBy: sql`year desc, month desc`,
  limit: 3,
})
show(
  monthlyTrends.about.description ?? '',
  months.map((m) => ({
    month: `${m.year}-${String(m.month).padStart(2, '0')}`,
    revenue: number(m.revenue ?? 0),
    growth: `${m.growth} %`,
    'year on year': `${m.year_on_year} %`,
  })),
)

if (wrong > 0) {
  console.error(`\n${wrong} tables do not add up to what the generator has spoilt.`)
  process.exit(1)
}
