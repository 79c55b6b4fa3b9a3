import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFile } from '../src/iceberg/spec/manifest.js'
import { Table } from '../src/iceberg/table.js'
import type { TableState } from '../src/log/commit.js'
import { CommitLog } from '../src/log/log.js'
import { LocalStorage } from '../src/storage/local.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const columns = Array.from({ length: 20 }, (_, i) => `c${i}`)
const definition = `
import { bronze, defineLake, day, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint(), sold_at: t.timestamp(), ${columns.map((c) => `${c}: t.int()`).join(', ')} }),
  partitionBy: [day('sold_at')],
})
export default defineLake({ name: 'planning', datasets: [sales] })
`
/** The field id of the column `id`. */
const ID = 1
/** Files of each day. */
const DAILY = 100
/** The day whose rows are asked for, in days since 1970-01-01, and what it is called. */
const ASKED = 20_000n
const ASKED_TEXT = '2024-10-04'

/** A query for one day of a table of 100,000 data files, beside the same of a table of one file. */
export async function planning(scale: number): Promise<[Contender, Contender]> {
  const files = scale === 1 ? 100_000 : scale
  return [await tableOf(files), await tableOf(1)]
}

async function tableOf(files: number): Promise<Contender> {
  const folder = await benchFolder()
  await mkdir(join(folder, 'in'))
  await writeFile(join(folder, 'lake.ts'), definition)
  const row = ['1', `${ASKED_TEXT} 10:00:00`, ...columns.map((_, i) => i)].join(',')
  await writeFile(join(folder, 'in/1.csv'), `id,sold_at,${columns.join(',')}\n${row}\n`)
  const command = [join(repository, 'bin/moraine.js'), '-C', folder]
  await measure(process.execPath, [...command, 'run'], {})
  await grow(folder, files - 1)
  const query = `select count(*) from silver.sales where sold_at >= '${ASKED_TEXT}' and sold_at < '${ASKED_TEXT} 12:00:00'`
  return {
    name: `a day out of ${files.toLocaleString('en-US')} files`,
    run: () => measure(process.execPath, [...command, 'query', query], {}),
  }
}

/** Adds files of other days, which are not there: nobody who asks for the one day opens them. */
async function grow(folder: string, count: number): Promise<void> {
  const storage = new LocalStorage(join(folder, 'lake'))
  const log = new CommitLog(storage)
  const state = await log.head()
  const before = state.tables['silver.sales'] as TableState
  const table = await Table.load(storage, before.metadata)
  const [one] = (await table.scan()) as [DataFile]
  const at = table.schema.fields.find(({ name }) => name === 'sold_at')?.id as number
  const added = Array.from({ length: count }, (_, i): DataFile => {
    const day = ASKED + 1n + BigInt(Math.floor(i / DAILY))
    const bound = Buffer.alloc(8)
    bound.writeBigInt64LE(day * 86_400_000_000n)
    const bounds = { ...one.columns.get(at), lower: bound, upper: bound }
    const id = Buffer.alloc(8)
    id.writeBigInt64LE(BigInt(i + 2))
    const ids = { ...one.columns.get(ID), lower: id, upper: id }
    const path = one.path.replace(/[^/]*$/, `${i}-00000000-0000-0000-0000-000000000000.parquet`)
    return {
      ...one,
      path,
      partition: [day],
      columns: new Map(one.columns).set(at, bounds).set(ID, ids),
    }
  })
  const grown = await table.write({ removed: new Set(), added })
  const tables = { 'silver.sales': { ...before, ...grown.totals, metadata: grown.file as string } }
  await log.commit(state, { tables }, { author: 'bench', run: null, message: 'grow' })
}
