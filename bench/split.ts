import { execFileSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEngine } from '../src/engine/open.js'
import { loadLake } from '../src/load/load.js'
import { runLake } from '../src/run/execute.js'
import { executeStep } from '../src/run/execute-step.js'
import { inParts } from '../src/run/split/in-parts.js'
import type { StepWorker } from '../src/step/context.js'
import { LocalStorage } from '../src/storage/local.js'
import type { Contender, Measure } from './main.js'
import { benchFolder } from './tickit.js'

/*
 * A keyed silver step over a million rows in four parts, beside the same step as a whole. Of
 * processor time only that of the run counts, not the start of its process.
 */

const definition = `
import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({
    id: t.bigint(), changed_at: t.timestamp(), customer: t.bigint(), status: z.enum(['NEW', 'PAID', 'SENT']),
    email: z.string().regex(/^[a-z0-9.]+@[a-z0-9.]+$/), country: z.string().length(2), amount: t.decimal(9, 2), tax: t.decimal(9, 2),
  }),
  rules: [rule('tax is below amount', sql\`tax <= amount\`)],
  key: 'id', cursor: 'changed_at',
})
export default defineLake({ name: 'split', datasets: [orders] })
`
const ROWS = 1_000_000
const FILES = 4
const PARTS = 4

const scattered = (n: number) => Math.imul(n, 2_654_435_761) >>> 0
const status = ['NEW', 'PAID', 'SENT']

/** One row in fifty changes an earlier one, and one in a hundred is invalid. */
function line(i: number): string {
  const id = i % 50 === 49 ? scattered(i) % (i + 1) : i
  const amount = i % 100 === 7 ? 'much' : ((scattered(i) % 90_000) / 100 + 100).toFixed(2)
  const time = new Date(1.7e12 + i * 1000).toISOString().slice(0, 19).replace('T', ' ')
  return [
    id,
    time,
    scattered(i + 1) % 100_000,
    status[i % 3],
    `user.${scattered(i + 2) % 100_000}@example.com`,
    ['de', 'fr', 'it', 'pl'][i % 4],
    amount,
    ((scattered(i + 3) % 9_000) / 100).toFixed(2),
  ].join(',')
}

/** A step in four parts, beside the same step as a whole. */
export async function split(scale: number): Promise<[Contender, Contender]> {
  const rows = ROWS * scale
  const folder = await benchFolder()
  const project = join(folder, 'project')
  await mkdir(join(project, 'in'), { recursive: true })
  await writeFile(join(project, 'lake.ts'), definition)
  const header = 'id,changed_at,customer,status,email,country,amount,tax'
  for (let file = 0; file < FILES; file++) {
    const [first, count] = [(file * rows) / FILES, rows / FILES]
    const lines = Array.from({ length: count }, (_, i) => line(first + i))
    await writeFile(join(project, `in/${file}.csv`), `${[header, ...lines].join('\n')}\n`)
  }
  run(project, 'bronze')
  const contender = (name: string, how: string): Contender => ({
    name,
    run: async () => {
      const copy = join(folder, 'copy')
      await rm(copy, { recursive: true, force: true })
      execFileSync('cp', ['-rp', project, copy])
      return run(copy, how)
    },
  })
  return [contender(`in ${PARTS} parts`, 'parts'), contender('as a whole', 'whole')]
}

function run(project: string, how: string): Measure {
  const program = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, program, project, how]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

/** What one process does: takes the files in, or builds silver. */
async function runHere(project: string, how: string): Promise<Measure> {
  const lake = await loadLake(join(project, 'lake.ts'))
  const engine = await openEngine({ threads: 2 })
  const storage = new LocalStorage(join(project, 'lake'))
  const before = process.resourceUsage()
  const start = performance.now()
  const worker: StepWorker | undefined = how === 'parts' ? inParts(PARTS, counted) : undefined
  const record = await runLake(lake, {
    storage,
    engine,
    select: [how === 'bronze' ? 'bronze.orders' : 'silver.orders'],
    ...(worker ? { worker } : {}),
  })
  if (record.outcome !== 'done') throw new Error(JSON.stringify(record))
  if (how === 'parts' && parts < PARTS) throw new Error(`only ${parts} parts`)
  const after = process.resourceUsage()
  const micros = (of: NodeJS.ResourceUsage) => of.userCPUTime + of.systemCPUTime
  await engine.close()
  return {
    seconds: (performance.now() - start) / 1000,
    cpu: (micros(after) - micros(before)) / 1e6,
    mebibytes: after.maxRSS / 1024,
  }
}

let parts = 0
const counted: StepWorker = (resources, dataset, task) => {
  parts += task.part?.by === 'files' ? 1 : 0
  return executeStep(resources, dataset, task)
}

const [, program, project, how] = process.argv
if (program === fileURLToPath(import.meta.url) && project && how)
  process.stdout.write(JSON.stringify(await runHere(project, how)))
