import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommitLog } from '../src/log/log.js'
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

/** `moraine status` on a lake with 10,000 commits, beside one with 10. */
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
  const log = new CommitLog(new LocalStorage(join(folder, 'lake')))
  const info = { author: 'bench', run: null, message: 'one of many' }
  let state = await log.head()
  while (state.number < count) {
    const { 'silver.sales': table } = state.tables
    state = await log.commit(state, table ? { tables: { 'silver.sales': table } } : {}, info)
  }
  return {
    name: `status after ${count.toLocaleString('en-US')} commits`,
    run: () => measure(process.execPath, [...command, 'status'], {}),
  }
}
