import { rmSync } from 'node:fs'
import { chmod, cp, mkdtemp, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { Landing } from '../../src/bronze/ingest/landing.js'
import { whileReading } from '../../src/bronze/quarantine/reading.js'
import type { Bronze } from '../../src/define/model.js'
import { Heartbeat } from '../../src/log/live.js'
import { CommitLog } from '../../src/log/log.js'
import { vacuum } from '../../src/maintain/vacuum.js'
import { Lease, pause } from '../../src/schedule/leases.js'
import type { RunContext } from '../../src/step/context.js'
import { sha256 } from '../../src/storage/checksum.js'
import { MovedChecksums } from '../../src/storage/moved.js'
import { Project } from './project.js'

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files, inbox, ingest } from 'moraine/sources'
const rawOrders = bronze('orders', { from: files('in'), format: 'raw' })
const orders = silver('orders', {
  from: rawOrders,
  schema: z.object({ id: t.int(), v: t.int(), day: t.date(), amount: t.decimal(10, 2).min(0) }),
  key: 'id', cursor: 'v', partitionBy: [month('day')], deleteWhen: sql\`op = 'D'\`, history: true,
})
const rawVisits = bronze('visits', { from: inbox(), archive: true })
const visits = silver('visits', { from: rawVisits, schema: z.object({ page: z.string(), n: t.int() }) })
const rates = silver('rates', {
  from: bronze('rates', { from: files('rates/*.csv') }),
  schema: z.object({ currency: z.string(), rate: t.double() }), key: 'currency',
})
const daily = gold('daily', { query: sql\`select day, sum(amount) as amount from \${orders} group by day\`, incremental: { by: 'day' } })
const pages = gold('pages', { query: sql\`select page, sum(n) as n from \${visits} group by page\` })
const clicks = silver('clicks', { from: bronze('clicks', { from: ingest() }), schema: z.object({ n: t.int() }) })
export default defineLake({ name: 'shop', datasets: [orders, visits, rates, daily, pages] })
`

/**
 * A lake with everything that a lake can have: also what waits, what others do at this moment, a
 * branch, a crawl and a quarantine.
 */
export async function lakeOfAllKinds(): Promise<Project> {
  const project = await lakeOfAllLayers()
  const { storage } = project
  await project.write({ 'lake.ts': definition.replace('daily, pages]', 'daily, pages, clicks]') })
  const landing = new Landing(storage, 'clicks')
  await landing.write([{ key: 'one', rows: ['{"n":1}', '{"n":2}'] }])
  await project.run({ rewriteUpTo: 0, keepAfter: 0 })
  // What can't be read is set aside, and others wait.
  await landing.write([{ key: 'two', rows: ['{"n":3}'] }])
  const [{ path } = never()] = await landing.list()
  await change(project, path, (bytes) => bytes.fill(0x5a, 20, 40))
  await project.run({ rewriteUpTo: 0, keepAfter: 0 })
  await landing.write([{ key: 'three', rows: ['{"n":4}', '{"n":5}'] }])
  await project.cli('crawl', 'rates', '--name', 'found')
  const log = new CommitLog(storage)
  const head = await log.head()
  const branch = await log.fork('run-x', head)
  await branch.commit(head, { watermarks: { x: 1 } }, { author: 'test', run: null, message: 'x' })
  await new Lease(storage, 'bronze.orders').acquire()
  await pause(storage, 'bronze.rates', 'test')
  const at = { id: 'run-y', author: 'test', started: new Date().toISOString(), commit: 1 }
  await vacuumed(project)
  Heartbeat.ofRun(storage, at)
  const sums = new Map([[path, sha256('')]])
  await MovedChecksums.of(storage).add('recorded-x', sums)
  let note: { path: string; bytes: Uint8Array } | undefined
  const bronze = (await project.load()).datasets.find(({ tier }) => tier === 'bronze') as Bronze
  await whileReading(
    { storage, run: 'z' } as unknown as RunContext,
    bronze,
    ['a', 'b'],
    async () => {
      const [{ path } = never()] = await storage.list('_moraine/reading/')
      note = { path, bytes: await storage.read(path) }
    },
  )
  if (note) await storage.write(note.path, note.bytes)
  return project
}

function never(): never {
  throw new Error('there is none')
}

const orders = (v: number, from: number, to: number, op = '') =>
  `id,v,day,amount,op\n${Array.from({ length: to - from }, (_, i) => `${from + i},${v},2026-0${(i % 3) + 1}-01,${i % 50 === 7 ? '-1' : i},${op}`).join('\n')}\n`

/** Made once in a process: each test has a copy, as if it had lain elsewhere before. */
let made: Promise<string> | undefined

/**
 * A small lake with all layers: raw and packed files, an archive, deleted rows, history, what was
 * discarded, and what was optimized.
 */
export async function lakeOfAllLayers(): Promise<Project> {
  made ??= make()
  const project = await Project.create({})
  await cp(await made, project.folder, { recursive: true, preserveTimestamps: true })
  return project
}

async function make(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-layers-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const rates = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`rates/${i}.csv`, `currency,rate\nC${i},${i}.5\n`]),
  )
  const project = Project.at(folder)
  await project.write({
    'lake.ts': definition,
    'in/a.csv': orders(1, 0, 900),
    ...rates,
    'lake/bronze/landing/visits/1.csv': 'page,n\n/a,1\n/b,2\nbad,x\n',
  })
  const run = async () => {
    const record = await project.run({ rewriteUpTo: 0, keepAfter: 0 })
    if (record.outcome !== 'done') throw new Error(JSON.stringify(record.steps))
  }
  await run()
  await project.write({
    'in/b.csv': orders(2, 10, 40),
    'lake/bronze/landing/visits/2.csv': 'page,n\n/a,4\n/c,1\n',
  })
  await run()
  await project.write({ 'in/c.csv': orders(3, 100, 105, 'D') })
  await run()
  await vacuumed(project)
  return folder
}

/** Files of tables that stayed empty are written, and left. */
async function vacuumed({ storage }: Project): Promise<void> {
  const info = { author: 'test', run: null }
  await vacuum(new CommitLog(storage), storage, { grace: -1, remove: true, info })
}

/** All files of a lake. */
export async function filesOf(project: Project): Promise<string[]> {
  const lake = join(project.folder, 'lake')
  const found = await readdir(lake, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => relative(lake, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

/** Replaces a file's bytes, and returns how to put back those that were there. */
export async function change(
  project: Project,
  path: string,
  by: (bytes: Buffer) => Buffer,
): Promise<() => Promise<void>> {
  const file = join(project.folder, 'lake', path)
  const before = await readFile(file)
  // Beside it first: a file that is protected can't be written to.
  const put = async (bytes: Buffer) => {
    await writeFile(`${file}.new`, bytes)
    await rename(`${file}.new`, file)
    await chmod(file, 0o644)
  }
  await put(by(Buffer.from(before)))
  return () => put(before)
}

/** The bytes with one bit flipped; `at` from 0 to 1 says where. */
export function flipped(bytes: Buffer, at: number): Buffer {
  const bit = Math.floor(at * bytes.length * 8)
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes
}

/** What a file is, so that a few of each kind can be chosen. */
export function kindOf(path: string): string {
  const [top = ''] = path.split('/')
  if (path.endsWith('/fork.json')) return 'fork'
  if (path.startsWith('bronze/landing/')) return 'landed'
  if (path.endsWith('/raw/request.jsonl')) return 'quarantined'
  const run = /^_moraine\/runs\/[^/]+\/(\w+)/.exec(path)?.[1]
  if (run) return `${run} of a run`
  if (path.startsWith('_moraine/')) return path.split('/').slice(0, 2).join('/') + path.slice(-5)
  if (path.endsWith('.metadata.json')) return `${top} metadata`
  if (/\/snap-[^/]*\.avro$/.test(path)) return `${top} manifest list`
  if (path.endsWith('.avro')) return `${top} manifest`
  if (path.endsWith('/manifest.json')) return 'bronze manifest'
  if (path.endsWith('-deletes.parquet')) return `${top} deletes`
  if (path.includes('/raw/')) return 'raw original'
  return `${top} ${path.slice(path.lastIndexOf('.'))}`
}
