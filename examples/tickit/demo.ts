import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { openLake, sql } from 'moraine'
import { commissionByRegion, salesByRegion, topSellers } from './datasets/gold.js'
import type { Dirt } from './generate/dirt.js'
import { generate } from './generate/main.js'
import lake from './lake.js'

const here = import.meta.dirname
/** Where the user typed the command: npm runs scripts in the workspace's folder. */
const from = process.env.INIT_CWD ?? process.cwd()
const data = process.env.TICKIT_DATA ?? join(here, 'data')

/** Runs the command line, as a person would, and shows what it prints. */
function moraine(...args: string[]): void {
  console.log(`$ moraine ${args.join(' ')}\n`)
  const bin = join(
    createRequire(import.meta.url).resolve('moraine/package.json'),
    '../bin/moraine.js',
  )
  const { status } = spawnSync(process.execPath, [bin, '-C', here, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const number = (n: number | bigint) => n.toLocaleString('en-US')
const dollars = (text: string) =>
  `$${Number(text).toLocaleString('en-US', { minimumFractionDigits: 2 })}`
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

function table(rows: Record<string, string>[]): void {
  const names = Object.keys(rows[0] ?? {})
  const widths = names.map((name) =>
    Math.max(name.length, ...rows.map((row) => (row[name] ?? '').length)),
  )
  const isNumber = names.map((name) => rows.every((row) => /^[$\d.,%\s-]*$/.test(row[name] ?? '')))
  const line = (cells: string[]) =>
    `  ${cells.map((c, i) => (isNumber[i] ? c.padStart(widths[i] ?? 0) : c.padEnd(widths[i] ?? 0))).join('  ')}`.trimEnd()
  console.log(
    [
      line(names),
      line(widths.map((w) => '─'.repeat(w))),
      ...rows.map((row) => line(Object.values(row))),
    ].join('\n'),
  )
}

if (!process.env.TICKIT_DATA && !existsSync(join(data, 'dirt.json'))) {
  console.log(`Making the seven TICKIT files in ${relative(from, data)} …\n`)
  await generate(data)
}
moraine('run')

const tickit = await openLake(lake)
const { tables, batches } = await tickit.state()

console.log('\nThe layers')
const bronze = Object.values(batches).flat()
const layer = (tier: string) =>
  Object.entries(tables).filter(([name]) => name.startsWith(`${tier}.`))
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)
table([
  {
    layer: 'bronze',
    tables: String(Object.keys(batches).length),
    rows: number(sum(bronze.map((b) => b.rows))),
    size: mebibytes(sum(bronze.map((b) => b.bytes))),
  },
  ...['silver', 'discarded', 'gold'].map((tier) => ({
    layer: tier,
    tables: String(layer(tier).length),
    rows: number(sum(layer(tier).map(([, t]) => t.rows))),
    size: mebibytes(sum(layer(tier).map(([, t]) => t.bytes))),
  })),
])

console.log('\nEvery row in is kept, discarded with a reason, or superseded')
const dirtFile = join(data, 'dirt.json')
const dirt: Record<string, Dirt> | undefined = existsSync(dirtFile)
  ? JSON.parse(readFileSync(dirtFile, 'utf8'))
  : undefined
let wrong = 0
table(
  layer('silver').map(([name, { counts }]) => {
    const { in: read = 0, kept = 0, discarded = 0, superseded = 0 } = counts ?? {}
    const planted = dirt?.[name.replace('silver.', '')]
    const expected = planted && {
      read: planted.rows,
      discarded: sum(Object.values(planted.discarded)),
      superseded: planted.superseded,
    }
    const exact =
      read === kept + discarded + superseded &&
      (!expected ||
        (expected.read === read &&
          expected.discarded === discarded &&
          expected.superseded === superseded))
    if (!exact) wrong++
    return {
      table: name,
      in: number(read),
      kept: number(kept),
      discarded: number(discarded),
      superseded: number(superseded),
      'as planted': expected ? (exact ? 'yes, exactly' : `no: ${JSON.stringify(expected)}`) : '-',
    }
  }),
)

console.log(`\n${topSellers.about.description}`)
const sellers = await tickit.read(topSellers, { orderBy: sql`rank, sellerid`, limit: 5 })
table(
  sellers.map((s) => ({
    rank: String(s.rank),
    seller: s.name,
    city: s.city,
    tickets: number(s.tickets),
    revenue: dollars(s.revenue),
  })),
)

console.log(`\n${salesByRegion.about.description}`)
const regions = await tickit.read(salesByRegion, { orderBy: sql`sales desc` })
table(
  regions.map((r) => ({
    region: String(r.region),
    sales: number(r.sales as bigint),
    tickets: number(BigInt(r.tickets as string)),
    revenue: dollars(String(r.revenue)),
  })),
)

console.log(`\n${commissionByRegion.about.description}`)
const commissions = await tickit.read(commissionByRegion, { orderBy: sql`commission desc` })
table(
  commissions.map((r) => ({
    region: String(r.region),
    commission: dollars(String(r.commission)),
    share: `${r.percent} %`,
  })),
)

console.log(`
What to try next
  cd ${relative(from, here) || '.'}
  npx moraine status                       what is in the lake, and is it up to date?
  npx moraine discarded sales              which rows were discarded, why, and from which line?
  npx moraine query "select catgroup, sum(tickets) as tickets from gold.sales_by_category group by 1"
  npx moraine run                          a second run has nothing to do, and says why`)

if (wrong > 0) {
  console.error('\nThe rows do not add up to what the generator planted.')
  process.exit(1)
}
