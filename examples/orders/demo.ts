import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLake } from 'moraine'
import lake from './lake.js'
import { openDatabase } from './shop/database.js'
import { type Order, Shop } from './shop/orders.js'
import { prove } from './shop/proof.js'

/*
 * A day of a shop, in less than a minute: orders come and change, some of them wrong; a partner
 * drops files, twice and out of order; and the process that keeps the lake is killed twice. At the
 * end the lake is held against everything that landed.
 */

const here = import.meta.dirname
const root = process.env.MORAINE_ROOT ?? join(here, 'lake')
const landing = join(root, 'bronze/landing/orders')
const seconds = Number(process.env.ORDERS_SECONDS ?? 40)
const number = (n: number) => n.toLocaleString('en-US')
const from = process.env.INIT_CWD ?? process.cwd()

rmSync(root, { recursive: true, force: true })
mkdirSync(landing, { recursive: true })
const database = await openDatabase()
const env = {
  ...process.env,
  MORAINE_ROOT: root,
  ORDERS_EVERY: '2s',
  ORDERS_LAG: '1s',
  ...(database ? { ORDERS_URL: database.url } : {}),
}
const bin = join(
  createRequire(import.meta.url).resolve('moraine/package.json'),
  '../bin/moraine.js',
)

console.log(
  database
    ? 'The shop has a PostgreSQL database; every 2 seconds (of the demo) what is new lands in bronze/landing/orders.\n'
    : 'PostgreSQL is not found here: the shop drops its orders into bronze/landing/orders as files.\n',
)

/** `moraine serve`, as a process of its own. */
class Server {
  readonly child: ChildProcess
  runs = 0
  private rest = ''

  constructor() {
    this.child = spawn(
      process.execPath,
      [bin, '-C', here, 'serve', '--port', '0', '--every', '1'],
      {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    this.child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (this.rest + chunk).split('\n')
      this.rest = lines.pop() ?? ''
      for (const line of lines) {
        const { event, outcome, level, message } = JSON.parse(line)
        if (event === 'job finished' && outcome === 'done') this.runs++
        if (level === 'error') console.log(`  ! ${message ?? line}`)
      }
    })
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.kill(signal)
    await ended
  }
}

/** A file that appears at once, as programs do it that care. */
function drop(name: string, orders: readonly Order[]): void {
  if (orders.length === 0) return
  const text = orders.map((order) => JSON.stringify(order)).join('\n')
  writeFileSync(join(landing, `.${name}`), `${text}\n`)
  renameSync(join(landing, `.${name}`), join(landing, name))
}

const shop = new Shop(2026)
const partner = new Shop(7, 1_000_000)
const last = new Map<number, Order>()
const held: { name: string; orders: Order[] }[] = []
let server = new Server()
let kills = 0
let twice = 0
const ticks = seconds * 4
for (let tick = 1; tick <= ticks; tick++) {
  const orders = shop.pass(12)
  for (const order of orders) last.set(order.order_id, order)
  if (database) await database.write(orders)
  else drop(`shop-${String(tick).padStart(4, '0')}.jsonl`, orders)
  if (tick % 6 === 0) {
    const file = {
      name: `partner-${String(tick).padStart(4, '0')}.jsonl`,
      orders: partner.pass(25),
    }
    for (const order of file.orders) last.set(order.order_id, order)
    held.push(file)
    // What the partner sends does not come in order, and some of it comes twice.
    if (held.length >= 3)
      for (const { name, orders: sent } of held.splice(0).reverse()) {
        drop(name, sent)
        if (partner.random(3) === 0) {
          twice++
          setTimeout(() => drop(name, sent), 900)
        }
      }
  }
  if (tick === Math.floor(ticks / 3) || tick === Math.floor((ticks * 2) / 3)) {
    await server.end('SIGKILL')
    kills++
    console.log(`  ${Math.round(tick / 4)} s: the process is killed; another one takes over`)
    server = new Server()
  }
  await sleep(250)
}
for (const { name, orders } of held) drop(name, orders)
writeFileSync(join(landing, 'report.jsonl'), Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 0, 1, 2, 3]))
console.log(`  ${seconds} s: the day is over`)

const waiting = () =>
  readdirSync(landing, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes('.feeding'),
  ).length
for (let i = 0; i < 100 && waiting() > 0; i++) await sleep(200)
await sleep(2500)
await server.end('SIGTERM')

/** Runs the command line, as a person would, and shows what it prints. */
async function moraine(...args: string[]): Promise<void> {
  console.log(`\n$ moraine ${args.map((arg) => (/\s/.test(arg) ? `"${arg}"` : arg)).join(' ')}`)
  const child = spawn(process.execPath, [bin, '-C', here, ...args], { env, stdio: 'inherit' })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`moraine ${args[0]} ended with ${code}`)
}

await moraine('run')
await database?.stop()
const opened = await openLake(lake, { root })
const proof = await prove(opened, root, last.values())
await moraine('discarded', 'orders', '-n', '1')
await moraine(
  'query',
  'select order_status, sum(orders) as orders, sum(amount) as amount from gold.orders_by_day group by 1 order by 2 desc',
)
await moraine(
  'query',
  'select from_status, to_status, orders, median_seconds from gold.status_funnel order by orders desc limit 5',
)

const { number: commits } = await opened.state()
console.log(`
${number(proof.versions)} versions of ${number(last.size)} orders landed in ${number(proof.files)} files; ${twice} files came twice, ${kills} processes were killed.
${number(commits)} commits later, held against the archive:`)
if (proof.faults.length > 0) {
  for (const fault of proof.faults.slice(0, 20)) console.error(`  ✖ ${fault}`)
  process.exit(1)
}
console.log(`  ✔ silver has the newest valid version of each of ${number(proof.keys)} orders
  ✔ each of ${number(proof.invalid)} invalid versions is in discarded, and nothing else is
  ✔ rows in = kept + discarded + superseded, and all of them are in the archive
  ✔ landing is empty: ${waiting()} files

What to try next
  cd ${relative(from, here) || '.'}
  npx moraine schedule                             what runs when
  npx moraine discarded orders --trend             what was discarded, run by run
  npx moraine rebuild orders --from archive        all of it anew, from what landed
  npx moraine query "from history.orders where order_id = 1 order by valid_from"`)
