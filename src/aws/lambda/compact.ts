import { fullName } from '../../define/dataset.js'
import { messageOf } from '../../errors.js'
import type { TableState } from '../../log/commit.js'
import { optimizeTable } from '../../maintain/optimize.js'
import { abortController } from '../../signals.js'
import type { RunRecord } from '../../step/events.js'
import type { FunctionLake } from './function-lake.js'
import type { FunctionJob } from './jobs.js'
import { tell } from './log.js'
import type { FunctionContext } from './run-job.js'

/** Each so many files, those of a table are looked at. */
const EVERY = 6
/** Bytes of an average file below which a table has many small ones. */
const SMALL = 2 ** 20
/** Bytes that files should have which are put together: large ones are left to `optimize`. */
const TARGET = 8 * 2 ** 20
/** Milliseconds of an invocation that must be left, and those that are left at the end. */
const LEAST = 60_000
const MARGIN = 30_000

/** Layers that a job's dataset has tables in. */
const LAYERS = ['silver', 'history', 'discarded', 'gold']

/**
 * Puts small files of what a run has built together, every few runs: a function begins with an
 * empty disk, so that each file is a request of each run that reads the table.
 */
export async function compact(
  of: FunctionLake,
  job: FunctionJob,
  { steps }: RunRecord,
  context: FunctionContext,
): Promise<void> {
  const built = steps.filter(({ outcome }) => outcome === 'done').map(({ dataset }) => dataset)
  const names = job.datasets
    .filter((dataset) => built.includes(fullName(dataset)))
    .flatMap(({ name }) => LAYERS.map((layer) => `${layer}.${name}`))
  if (names.length === 0 || context.getRemainingTimeInMillis() < LEAST) return
  try {
    const { tables } = await of.house.log.head()
    const worth = names.filter((name) => tables[name] && hasManySmall(tables[name]))
    if (worth.length > 0) await compactAll(of, job, worth, context)
  } catch (error) {
    // The tables are as they were, and the next run looks again.
    tell('warn', { event: 'not compacted', job: job.name, message: messageOf(error) })
  }
}

const hasManySmall = ({ files, bytes }: TableState) =>
  files > 1 && files % EVERY === 0 && bytes / files < SMALL

async function compactAll(
  { house }: FunctionLake,
  job: FunctionJob,
  names: readonly string[],
  context: FunctionContext,
): Promise<void> {
  const stop = abortController()
  const timer = setTimeout(() => stop.abort(), context.getRemainingTimeInMillis() - MARGIN)
  const engine = await house.startEngine()
  try {
    await engine.confine([house.storage.url])
    const session = await engine.open()
    for (const name of names) {
      const { before, after } = await optimizeTable(house.log, house.storage, session, name, {
        target: TARGET,
        info: { author: 'aws-lambda', run: null },
        signal: stop.signal,
      })
      if (before > 0)
        tell('info', { event: 'compacted', job: job.name, table: name, before, after })
    }
    session.close()
  } finally {
    clearTimeout(timer)
    await engine.close()
  }
}
