import { execFileSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const definition = `
import { bronze, defineLake, gold, identity, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), seller: t.int(), paid: t.decimal(9, 2), sold_at: t.timestamp() }),
  key: 'id', cursor: 'sold_at', partitionBy: [month('sold_at')],
})
const months = gold('months', {
  query: sql\`select date_trunc('month', sold_at) as month, count(*) as sales, sum(paid) as paid from \${sales} group by 1\`,
  incremental: { by: 'month' },
  partitionBy: ['month'],
})
export default defineLake({ name: 'increment', datasets: [months] })
`
/** The sales of TICKIT, in as many months. */
const SALES_A_MONTH = 14_371
const MONTHS = 12

function line(id: number, month: number): string {
  const [year, m] = [1900 + Math.floor(month / 12), (month % 12) + 1]
  const day = (id % 28) + 1
  const two = (n: number) => String(n).padStart(2, '0')
  return `${id},${id % 997},${id % 500}.25,${year}-${two(m)}-${two(day)} 10:00:00`
}

/**
 * A run that takes in 1,000 sales of one month, where there are 100 times the sales, beside 1 time.
 */
export async function increment(scale: number): Promise<[Contender, Contender]> {
  const large = scale === 1 ? 100 : scale
  return [await lakeOf(large), await lakeOf(1)]
}

async function lakeOf(scale: number): Promise<Contender> {
  const folder = await benchFolder()
  const project = join(folder, 'full')
  await mkdir(join(project, 'in'), { recursive: true })
  await writeFile(join(project, 'lake.ts'), definition)
  const months = MONTHS * scale
  let id = 0
  for (let first = 0; first < months; first += 120) {
    const lines = ['id,seller,paid,sold_at']
    for (let month = first; month < Math.min(first + 120, months); month++)
      for (let n = 0; n < SALES_A_MONTH; n++) lines.push(line(++id, month))
    await writeFile(
      join(project, 'in', `${String(first).padStart(5, '0')}.csv`),
      `${lines.join('\n')}\n`,
    )
  }
  const bin = join(repository, 'bin/moraine.js')
  await measure(process.execPath, [bin, '-C', project, 'run'], {})
  const copy = join(folder, 'copy')
  return {
    name: `1,000 more sales at ${scale} ×`,
    run: async () => {
      await rm(copy, { recursive: true, force: true })
      // With times to the nanosecond: a file that seems touched is read again to see.
      execFileSync('cp', ['-rp', project, copy])
      const fresh = Array.from({ length: 1000 }, (_, i) => line(id + i + 1, months - 1))
      await writeFile(join(copy, 'in/new.csv'), `id,seller,paid,sold_at\n${fresh.join('\n')}\n`)
      return measure(process.execPath, [bin, '-C', copy, 'run'], {})
    },
  }
}
