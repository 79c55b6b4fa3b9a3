import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { type Order, Shop } from '../../examples/orders/shop/orders.js'
import { prove } from '../../examples/orders/shop/proof.js'
import { loadLake } from '../../src/load/load.js'
import { openLake } from '../../src/query/open.js'
import { type Fate, faultyProxy } from '../support/faulty-proxy.js'
import { repository } from '../support/project.js'
import { random, seed } from '../support/seed.js'
import {
  minioKeys,
  minioProgram,
  postgresPrograms,
  startMinio,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'

/*
 * Time of a shop under a storm: two processes keep the lake, and both are killed, stopped and woken
 * at any moment, and so are the servers that they read from and write to; files come twice, out of
 * order, slowly, broken. Once it is over, the lake is what landed.
 */

/** Seconds of the storm; longer in CI. */
const SECONDS = Number(process.env.MORAINE_STORM ?? 15)
const run = promisify(execFile)
const example = join(repository, 'examples/orders')
const bin = join(repository, 'bin/moraine.js')

interface Weather {
  env: NodeJS.ProcessEnv
  /** Lets a file appear in the inbox. */
  drop(name: string, text: string): Promise<void>
  /** What happens to servers, one of which is picked. */
  strikes: (() => Promise<void>)[]
  /** What the shop's database is told, where it has one. */
  write: ((orders: readonly Order[]) => Promise<void>) | undefined
  /** Whether nothing waits to be taken in. */
  quiet(): Promise<boolean>
}

/** `moraine serve`, for as long as it lives. */
class Keeper {
  private child: ChildProcess | undefined
  readonly errors: string[] = []

  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly clock: string,
  ) {}

  start(): void {
    const wrong = join(repository, 'test/faults/clock.cjs')
    const args = ['--require', wrong, bin, '-C', example, 'serve', '--port', '0', '--every', '1']
    this.child = spawn(process.execPath, args, {
      env: { ...this.env, MORAINE_TEST_CLOCK: this.clock },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stderr?.on('data', (chunk) => this.errors.push(String(chunk)))
    this.child.stdout?.resume()
    // One that can't begin, as there is no storage, is started again.
    this.child.once('exit', (code) => {
      if (code === 1) setTimeout(() => this.start(), 500)
    })
  }

  /** Puts its clock forward or back, for a while. */
  async jump(milliseconds: number, during: number): Promise<void> {
    await writeFile(this.clock, String(Math.round(milliseconds)))
    await sleep(during)
    await writeFile(this.clock, '0')
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGCONT')
    child.kill(signal)
    await ended
  }

  /** As a machine that sleeps, and wakes up much later. */
  async freeze(milliseconds: number): Promise<void> {
    this.child?.kill('SIGSTOP')
    await sleep(milliseconds)
    this.child?.kill('SIGCONT')
  }
}

function moraine(
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [bin, '-C', example, ...args], { env })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    child.once('close', (code) => resolve({ code, output }))
  })
}

const textOf = (orders: readonly Order[]) =>
  orders.map((order) => `${JSON.stringify(order)}\n`).join('')

/**
 * Puts files together and removes what nobody needs, beside all that goes on; another one may be
 * quicker, the disk full, or a run go on for longer than the grace, by a clock that is wrong.
 */
async function maintain(env: NodeJS.ProcessEnv): Promise<void> {
  for (const args of [['optimize'], ['vacuum', '--delete', '--grace', '1m', '--history', '2m']]) {
    const { code, output } = await moraine(env, ...args)
    if (code !== 0)
      expect(output).toMatch(/changed|conflict|still running|No space|connection refused|ECONN/i)
  }
}

/** Returns the newest version of each order that the sources have. */
async function storm(weather: Weather): Promise<Map<number, Order>> {
  const chance = random(seed)
  const shop = new Shop(seed)
  const partner = new Shop(seed + 1, 1_000_000)
  const last = new Map<number, Order>()
  const clocks = await mkdtemp(join(tmpdir(), 'moraine-clocks-'))
  onTestFinished(() => rm(clocks, { recursive: true, force: true }))
  const keepers = ['a', 'b'].map((name) => new Keeper(weather.env, join(clocks, name)))
  // Also where something does not hold: whoever goes on keeps the disk from being taken away.
  onTestFinished(() => Promise.all(keepers.map((keeper) => keeper.end('SIGKILL'))).then(() => {}))
  for (const keeper of keepers) keeper.start()
  const held: { name: string; text: string }[] = []
  const later: Promise<unknown>[] = []
  const counts = { files: 0, twice: 0, kills: 0, freezes: 0, jumps: 0, strikes: 0 }
  // A database that is down takes no orders: the shop changes them again later.
  const untold = new Set<number>()
  const tell = async (orders: readonly Order[]) => {
    const all = new Map(orders.map((order) => [order.order_id, order]))
    for (const id of untold) all.set(id, shop.again(id))
    for (const id of all.keys()) untold.add(id)
    const told = await weather.write?.([...all.values()]).then(
      () => true,
      () => false,
    )
    if (!told) return
    untold.clear()
    for (const order of all.values()) last.set(order.order_id, order)
  }
  const end = Date.now() + SECONDS * 1000
  let striking: Promise<void> = Promise.resolve()
  for (let tick = 0; Date.now() < end; tick++) {
    const orders = weather.write ? shop.pass(1 + Math.floor(chance() * 15)) : []
    await tell(orders)
    if (chance() < 0.4) {
      const sent = partner.pass(1 + Math.floor(chance() * 30))
      for (const order of sent) last.set(order.order_id, order)
      held.push({ name: `partner-${tick}.jsonl`, text: textOf(sent) })
    }
    if (held.length > 0 && chance() < 0.5)
      for (const { name, text } of held.splice(0).reverse()) {
        counts.files++
        later.push(weather.drop(name, text))
        if (chance() < 0.3) {
          counts.twice++
          later.push(sleep(chance() * 2000).then(() => weather.drop(name, text)))
        }
      }
    const keeper = keepers[Math.floor(chance() * 2)] as Keeper
    const fate = chance()
    if (fate < 0.05) {
      counts.kills++
      await keeper.end('SIGKILL')
      keeper.start()
    } else if (fate < 0.07) {
      counts.freezes++
      later.push(keeper.freeze(500 + chance() * 3000))
    } else if (fate < 0.08) {
      counts.jumps++
      const hours = chance() * 4 - 2
      later.push(keeper.jump(hours * 3_600_000, 500 + chance() * 3000))
    } else if (fate < 0.1 && weather.strikes.length > 0) {
      counts.strikes++
      const strike = weather.strikes[
        Math.floor(chance() * weather.strikes.length)
      ] as () => Promise<void>
      striking = striking.then(strike)
    }
    await sleep(50 + chance() * 200)
  }
  await striking
  for (const { name, text } of held) later.push(weather.drop(name, text))
  await Promise.all(later)
  if (weather.write) await tell([])
  expect(untold.size).toBe(0)
  console.log(`seed ${seed}, ${SECONDS} s: ${JSON.stringify(counts)}`)
  for (let i = 0; i < 3000 && !(await weather.quiet()); i++) await sleep(200)
  for (const keeper of keepers) await keeper.end('SIGTERM')
  const errors = keepers.flatMap((keeper) => keeper.errors)
  expect(
    errors.filter(
      (text) =>
        !/connection refused|ECONNRE|No space left|RequestTimeTooSkewed|SlowDown|socket hang up/.test(
          text,
        ),
    ),
  ).toEqual([])
  await sleep(1200)
  // Without servers whose leases and claims may still be theirs, one run does what is left.
  const final = await moraine(weather.env, 'run')
  expect(final, final.output).toMatchObject({ code: 0 })
  const verified = await moraine(weather.env, 'verify', '--deep')
  expect(verified, verified.output).toMatchObject({ code: 0 })
  return last
}

async function files(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const seen = found.filter(({ parentPath }) => !parentPath.endsWith('.feeding'))
  return seen.filter((entry) => entry.isFile()).map(({ name }) => name)
}

withService('PostgreSQL', [postgresPrograms], () => {
  it(
    'keeps what landed, and the newest valid version of each order',
    async () => {
      const server = await startPostgres()
      const root = await mkdtemp(join(tmpdir(), 'moraine-storm-'))
      // A disk of its own, where that is allowed, which is full at times.
      const disk = await run('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', root]).then(
        () => true,
        () => false,
      )
      const fill = async () => {
        const filler = join(root, '.filler')
        const mebibyte = Buffer.alloc(1 << 20)
        for (let full = false; !full; )
          full = await appendFile(filler, mebibyte).then(
            () => false,
            () => true,
          )
        await sleep(1500)
        await rm(filler, { force: true })
      }
      const landing = join(root, 'bronze/landing/orders')
      await mkdir(landing, { recursive: true })
      const atOnce = async (name: string, text: string) => {
        await writeFile(join(landing, `.${name}`), text)
        await rename(join(landing, `.${name}`), join(landing, name))
      }
      /**
       * Written under the name that it keeps; by somebody who takes away what could not be
       * completed.
       */
      const slowly = async (name: string, text: string) => {
        const file = await open(join(landing, name), 'w')
        try {
          // Until all of it is written: on a disk that is nearly full one write may take a part.
          await file.appendFile(text.slice(0, text.length / 2))
          await sleep(700)
          await file.appendFile(text.slice(text.length / 2))
        } catch (error) {
          await rm(join(landing, name))
          throw error
        } finally {
          await file.close()
        }
      }
      // Somebody who reads all the time, and never sees half of anything.
      let reading = true
      const read = async () => {
        const opened = openLake(await loadLake(join(example, 'lake.ts')), { root })
        while (reading) {
          await sleep(300)
          if (!(await opened.state()).tables['gold.orders_by_day']) continue
          const [row] = await opened.query(
            `select count(*) as n, count(distinct order_id) as keys, (select sum(orders) from gold.orders_by_day) as gold from silver.orders`,
          )
          expect(row?.n).toBe(row?.keys)
          expect(Number(row?.gold)).toBe(Number(row?.n))
        }
      }
      const reader = read()
      const connect = async () => {
        const client = new pg.Client(server.url)
        client.on('error', () => {})
        await client.connect()
        return client
      }
      let client = await connect()
      await client.query(`create table public.orders (order_id bigint primary key, order_last_updated timestamp not null,
      customer_id int not null, order_status text not null, amount numeric not null)`)
      const columns = [
        'order_id',
        'order_last_updated',
        'customer_id',
        'order_status',
        'amount',
      ] as const
      const types = ['bigint', 'timestamp', 'int', 'text', 'numeric']
      try {
        const last = await storm({
          env: {
            ...process.env,
            MORAINE_ROOT: root,
            ORDERS_URL: server.url,
            ORDERS_EVERY: '1s',
            ORDERS_LAG: '1s',
          },
          // Whoever drops a file tries until it is there.
          drop: async (name, text) => {
            for (let left = 100; ; left--)
              try {
                return await (name.length % 3 === 0 ? slowly(name, text) : atOnce(name, text))
              } catch (error) {
                if (left === 0) throw error
                await sleep(200)
              }
          },
          strikes: [
            async () => {
              await server.kill()
              await sleep(500)
              await server.start()
              client = await connect()
            },
            ...(disk ? [fill] : []),
            () => maintain({ ...process.env, MORAINE_ROOT: root }),
          ],
          write: async (orders) => {
            await client.query(
              `insert into public.orders select * from unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')})
             on conflict (order_id) do update set order_last_updated = excluded.order_last_updated,
               customer_id = excluded.customer_id, order_status = excluded.order_status, amount = excluded.amount
             where excluded.order_last_updated >= orders.order_last_updated`,
              columns.map((column) => orders.map((order) => order[column])),
            )
          },
          quiet: async () => (await files(landing)).length === 0,
        })
        reading = false
        await reader
        const opened = openLake(await loadLake(join(example, 'lake.ts')), { root })
        const proof = await prove(opened, root, last.values())
        expect(proof.faults).toEqual([])
        expect(proof.invalid).toBeGreaterThan(0)
        expect(await files(landing)).toEqual([])
      } finally {
        await client.end().catch(() => {})
        await server.stop()
        if (disk) await run('umount', [root])
        await rm(root, { recursive: true, force: true })
      }
    },
    SECONDS * 1000 + 1_800_000,
  )
})

withService('MinIO', [minioProgram], () => {
  it(
    'keeps what landed in a bucket, whose server is killed as well',
    async () => {
      const server = await startMinio()
      const folder = await mkdtemp(join(tmpdir(), 'moraine-storm-'))
      Object.assign(process.env, minioKeys)
      const client = new S3Client({
        endpoint: server.url,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: {
          accessKeyId: minioKeys.AWS_ACCESS_KEY_ID,
          secretAccessKey: minioKeys.AWS_SECRET_ACCESS_KEY,
        },
      })
      await client.send(new CreateBucketCommand({ Bucket: 'lakes' }))
      let isBusy = false
      const busy: Fate[] = [503, 503, 503, 'lose', 'pass', 'pass']
      const before = await faultyProxy(server.url, () =>
        isBusy ? (busy[Math.floor(Math.random() * busy.length)] as Fate) : 'pass',
      )
      const root = `s3://lakes/orders?endpoint=${before.url}`
      const env: NodeJS.ProcessEnv = {
        ...process.env,
        ...minioKeys,
        MORAINE_ROOT: root,
        MORAINE_CACHE: join(folder, 'cache'),
        ORDERS_EVERY: '1h',
      }
      delete env.ORDERS_URL
      try {
        const last = await storm({
          env,
          drop: async (name, text) => {
            const put = new PutObjectCommand({
              Bucket: 'lakes',
              Key: `orders/bronze/landing/orders/${name}`,
              Body: text,
            })
            for (let attempt = 0; ; attempt++)
              try {
                await client.send(put)
                return
              } catch (error) {
                if (attempt > 100) throw error
                await sleep(200)
              }
          },
          strikes: [
            async () => {
              await server.kill()
              await sleep(500)
              await server.start()
            },
            async () => {
              isBusy = true
              await sleep(3000)
              isBusy = false
            },
            () => maintain(env),
          ],
          write: undefined,
          // Objects stay where they are, as this bucket keeps no versions.
          quiet: () => sleep(3000).then(() => true),
        })
        const copy = join(folder, 'copy')
        const copied = await moraine(env, 'copy', copy)
        expect(copied, copied.output).toMatchObject({ code: 0 })
        const opened = openLake(await loadLake(join(example, 'lake.ts')), { root: copy })
        const proof = await prove(opened, copy, last.values())
        expect(proof.faults).toEqual([])
        expect(proof.invalid).toBeGreaterThan(0)
      } finally {
        before.close()
        await server.stop()
        await rm(folder, { recursive: true, force: true })
      }
    },
    SECONDS * 1000 + 1_800_000,
  )
})
