import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const amounts = Array.from({ length: 12 }, (_, i) => `amount${i}`)
const definition = `
import { bronze, defineLake, month, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), sold_at: t.timestamp(), ${amounts.map((name) => `${name}: t.decimal(9, 2)`).join(', ')} }),
  key: 'id', partitionBy: [month('sold_at')],
})
export default defineLake({ name: 'upserts', datasets: [sales] })
`
const MONTHS = 60
const CHANGED = 1000

/** A number that looks like chance, and is the same in every run. */
const scattered = (n: number) => Math.imul(n, 2_654_435_761) >>> 0

function line(id: number, version: number): string {
  const month = id % MONTHS
  const at = `${2000 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}-11 10:00:00`
  const values = amounts.map((_, i) => (scattered(id * 31 + i + version) % 1_000_000) / 100)
  return [id, at, ...values].join(',')
}

const header = ['id', 'sold_at', ...amounts].join(',')

/** A run that changes 1,000 of 3 million rows of 60 months, beside one that adds as many. */
export async function upserts(scale: number): Promise<[Contender, Contender]> {
  const rows = 3_000_000 * scale
  const folder = await benchFolder()
  const project = join(folder, 'full')
  await mkdir(join(project, 'in'), { recursive: true })
  await writeFile(join(project, 'lake.ts'), definition)
  const file = createWriteStream(join(project, 'in/1.csv'))
  file.write(`${header}\n`)
  for (let first = 0; first < rows; first += 10_000) {
    const lines = Array.from({ length: 10_000 }, (_, i) => line(first + i, 0))
    if (!file.write(`${lines.join('\n')}\n`)) await once(file, 'drain')
  }
  await finished(file.end())
  const bin = join(repository, 'bin/moraine.js')
  await measure(process.execPath, [bin, '-C', project, 'run'], {})
  const contender = (what: string, idOf: (i: number) => number): Contender => ({
    name: `1,000 rows ${what}`,
    run: async () => {
      const copy = join(folder, 'copy')
      await rm(copy, { recursive: true, force: true })
      execFileSync('cp', ['-rp', project, copy])
      const lines = Array.from({ length: CHANGED }, (_, i) => line(idOf(i), 1))
      await writeFile(join(copy, 'in/2.csv'), `${[header, ...lines].join('\n')}\n`)
      return measure(process.execPath, [bin, '-C', copy, 'run'], {})
    },
  })
  return [contender('changed', (i) => scattered(i + 1) % rows), contender('more', (i) => rows + i)]
}
