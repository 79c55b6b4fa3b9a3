import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { openStorage } from '../src/load/root.js'
import { CommitLog } from '../src/log/log.js'
import { minioKeys, startMinio } from '../test/support/servers.js'
import type { Contender, Measure } from './main.js'
import { measure, used } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const FILES = 60
const ROWS = 1000

const lake = `
import { bronze, defineLake, month, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ token: 't' }), archive: true })
export default defineLake({ name: 'orders', datasets: [silver('orders', {
  from: raw, key: 'id', cursor: 'at',
  schema: z.object({ id: t.int(), at: t.timestamp(), status: z.enum(['new', 'paid', 'sent']), amount: t.decimal(12, 2).min(0) }),
})] })
`

/** New orders, and some that changed. */
const csv = (file: number) =>
  ['id,at,status,amount']
    .concat(
      Array.from({ length: ROWS }, (_, i) => {
        const id = i < 900 ? file * 900 + i : (file * 7919 + i * 104_729) % ((file + 1) * 900)
        const at = new Date(Date.UTC(2026, 0, 1) + file * 60_000 + i).toISOString()
        return `${id},${at.replace('T', ' ').replace('Z', '')},${['new', 'paid', 'sent'][i % 3]},${(i % 500) + 0.25}`
      }),
    )
    .join('\n')

interface Inbox {
  root: string
  env: NodeJS.ProcessEnv
  drop(name: string, text: string): Promise<void>
  close(): Promise<void>
}

/**
 * Files of 1,000 rows that arrive one after the other at `moraine serve`, from the moment that they
 * are there to the moment that their rows can be queried, beside reading and writing the same files
 * with the engine alone. What each file waits for is told on the error stream, as are the files of
 * the table before and after it is compacted.
 *
 * @param where a folder of this machine, or a bucket of a MinIO server.
 */
export async function arrivals(
  where: 'folder' | 'bucket',
  scale: number,
): Promise<[Contender, Contender]> {
  const folder = await benchFolder()
  await writeFile(join(folder, 'lake.ts'), lake)
  const count = Math.round(FILES * scale)
  const script = `
    import { DuckDBInstance } from '@duckdb/node-api'
    const db = await (await DuckDBInstance.create()).connect()
    for (let i = 0; i < ${count}; i++)
      await db.run("COPY (FROM read_csv('${join(folder, 'one.csv')}')) TO '${join(folder, 'floor')}-" + i + ".parquet'")`
  await writeFile(join(folder, 'one.csv'), csv(0))
  return [
    {
      name: `moraine serve (${where})`,
      run: async () => {
        const inbox = where === 'folder' ? await inFolder(folder) : await inBucket(folder)
        try {
          return await arriving(folder, inbox, count)
        } finally {
          await inbox.close()
        }
      },
    },
    {
      name: 'the engine alone',
      run: () => measure(process.execPath, ['--input-type=module', '-e', script], {}, repository),
    },
  ]
}

async function inFolder(folder: string): Promise<Inbox> {
  const root = join(folder, 'lake')
  const landing = join(root, 'bronze/landing/orders')
  await rm(root, { recursive: true, force: true })
  await mkdir(landing, { recursive: true })
  return {
    root,
    env: {},
    drop: async (name, text) => {
      await writeFile(join(landing, `.${name}`), text)
      await rename(join(landing, `.${name}`), join(landing, name))
    },
    close: async () => {},
  }
}

async function inBucket(folder: string): Promise<Inbox> {
  const port = 40_000 + (process.pid % 10_000)
  const server = await startMinio()
  Object.assign(process.env, minioKeys)
  const client = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: 'lakes' }))
  return {
    root: `s3://lakes/orders?endpoint=${server.url}`,
    env: { MORAINE_CACHE: join(folder, 'cache'), PORT: String(port) },
    drop: async (name, Body) => {
      const Key = `orders/bronze/landing/orders/${name}`
      await client.send(new PutObjectCommand({ Bucket: 'lakes', Key, Body }))
      // What the bucket would say by itself.
      const headers = { authorization: 'Bearer t' }
      await fetch(`http://127.0.0.1:${port}/events/orders`, { method: 'POST', headers })
    },
    close: () => server.stop(),
  }
}

async function arriving(folder: string, inbox: Inbox, count: number): Promise<Measure> {
  const bin = join(repository, 'bin/moraine.js')
  const env = { ...process.env, ...inbox.env, MORAINE_ROOT: inbox.root }
  const args = [bin, '-C', folder, 'serve', '--port', inbox.env.PORT ?? '0']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  await listening(child)
  const log = new CommitLog(openStorage(inbox.root))
  const waits: number[] = []
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const text = csv(i)
    const sent = performance.now()
    await inbox.drop(`${String(i).padStart(6, '0')}.csv`, text)
    while (((await log.head()).tables['silver.orders']?.counts?.in ?? 0) < (i + 1) * ROWS)
      await sleep(5)
    waits.push(performance.now() - sent)
  }
  const seconds = (performance.now() - start) / 1000
  const lag = await evenly(inbox, log, count)
  const { peak, cpu } = used(child)
  const gone = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  await gone
  const before = (await log.head()).tables['silver.orders']?.files
  await measure(process.execPath, [bin, '-C', folder, 'optimize', 'silver.orders'], env)
  const after = (await log.head()).tables['silver.orders']?.files
  const late = waits.slice(-Math.ceil(count / 4)).sort((a, b) => a - b)
  waits.sort((a, b) => a - b)
  const at = (list: number[], share: number) =>
    (list[Math.floor(list.length * share)] ?? 0).toFixed(0)
  console.error(
    `${2 * count} files: visible after ${at(waits, 0.5)} ms (median; ${at(late, 0.5)} in the last quarter), ${at(waits, 0.95)} ms (95 %); ${((count / seconds) * 60).toFixed(0)} files a minute one by one, and ${lag} behind after as many at 200 a minute; ${before} files of the table, ${after} after optimize`,
  )
  return { seconds, cpu, mebibytes: peak / 1024 }
}

/**
 * Drops as many files again, 200 a minute whoever keeps up; returns for how long the last one
 * waits.
 */
async function evenly(inbox: Inbox, log: CommitLog, count: number): Promise<string> {
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    await sleep(Math.max(0, start + i * 300 - performance.now()))
    await inbox.drop(`${String(count + i).padStart(6, '0')}.csv`, csv(count + i))
  }
  const last = performance.now()
  const rows = 2 * count * ROWS
  while (((await log.head()).tables['silver.orders']?.counts?.in ?? 0) < rows) await sleep(5)
  return `${(performance.now() - last).toFixed(0)} ms`
}

async function listening(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
      if (text.includes('"listening"')) resolve()
    })
  })
  child.stdout?.resume()
}
