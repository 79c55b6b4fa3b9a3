import { randomBytes } from 'node:crypto'
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BatchPointer } from '../src/log/commit.js'
import { CommitLog } from '../src/log/log.js'
import { Batches, type KnownFile } from '../src/step/batches.js'
import { LocalStorage } from '../src/storage/local.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
export default defineLake({ name: 'many', datasets: [sales] })
`

/**
 * `moraine status` on a lake with 10,000 commits, each of which took in a file, beside one with 10.
 */
export async function commits(): Promise<[Contender, Contender]> {
  return Promise.all([lakeWith(10_000), lakeWith(10)])
}

async function lakeWith(count: number): Promise<Contender> {
  const folder = await benchFolder()
  await mkdir(join(folder, 'in'))
  await writeFile(join(folder, 'lake.ts'), definition)
  await writeFile(join(folder, 'in/1.csv'), 'id\n1\n')
  const command = [join(repository, 'bin/moraine.js'), '-C', folder]
  await measure(process.execPath, [...command, 'run'], {})
  await grow(folder, count)
  return {
    name: `status after ${count.toLocaleString('en-US')} commits`,
    run: () => measure(process.execPath, [...command, 'status'], {}),
  }
}

/** Commits as a run for each of many files makes them, without the runs. */
async function grow(folder: string, count: number): Promise<void> {
  const storage = new LocalStorage(join(folder, 'lake'))
  const log = new CommitLog(storage)
  const batches = new Batches(storage)
  const info = { author: 'bench', run: null, message: 'ingest 1 file of bronze.sales' }
  let state = await log.head()
  const known = new Map<string, KnownFile>(
    await batches.knownFiles(state.batches['bronze.sales'] ?? [], undefined),
  )
  let index: { path: string; through: number } | undefined
  while (state.number < count) {
    const [last] = (state.batches['bronze.sales'] ?? []).slice(-1) as [BatchPointer]
    const number = last.number + 1
    const name = `in/${number}.csv`
    await writeFile(join(folder, name), 'id\n1\n')
    await utimes(join(folder, name), 1_700_000_000, 1_700_000_000)
    const { size, mtimeMs } = await stat(join(folder, name))
    const file = {
      name,
      size,
      modified: Math.floor(mtimeMs),
      sha256: randomBytes(32).toString('hex'),
    }
    known.set(name, file)
    const batch = `${String(number).padStart(6, '0')}-${randomBytes(4).toString('hex')}`
    const manifest = `bronze/sales/2026-01-01/${batch}/manifest.json`
    const files = [{ ...file, rows: 1, broken: 0, data: last.manifest, bytes: 500 }]
    const text = JSON.stringify({
      format: 1,
      dataset: 'bronze.sales',
      batch,
      number,
      created: '',
      columns: ['id'],
      files,
    })
    await storage.write(manifest, new TextEncoder().encode(text))
    const place = { path: `bronze/sales/index/${batch}.json`, through: number }
    index = await batches.index(known, place, index)
    const watermark = { modified: file.modified, touched: {}, ...(index ? { index } : {}) }
    state = await log.commit(
      state,
      {
        batches: [{ ...last, number, batch, manifest }],
        watermarks: { 'bronze.sales': watermark },
      },
      info,
    )
  }
}
