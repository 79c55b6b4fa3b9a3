import { afterAll, beforeAll, it } from 'vitest'
import { spark, workers } from '../../../src/define/index.js'
import { compareGenerated } from '../../support/compare-generated.js'
import { amount, effort, turn } from '../../support/effort.js'
import { definitionOf, generatedDatasets } from '../../support/generated-lakes.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { pythonOfSail, pythonOfSpark35, startSail } from './sparks.js'

/*
 * Generated schemas and hostile rows, value by value: what one process makes of them is what
 * processes make of them, and what Spark does, as whole steps and in parts.
 */

const SCHEMAS = amount(12, 12, 1000)
/** Schemas of one lake: each has a session of Spark, and minutes to pass. */
const TOGETHER = 100

/** What schedules workers, and how many parts steps have at most there. */
const schedulers = [
  { scheduler: 'Spark 4.1', parts: 1, program: python },
  { scheduler: 'Spark 3.5', parts: 2, program: pythonOfSpark35 },
  { scheduler: 'Sail', parts: 7, program: pythonOfSail },
] as const

/** Each lot is another one's, by turns. */
const lots = Array.from({ length: Math.ceil(SCHEMAS / TOGETHER) }, (_, i) => ({
  from: i * TOGETHER,
  count: Math.min(TOGETHER, SCHEMAS - i * TOGETHER),
  /** Parts that steps have in processes. */
  inProcesses: ([2, 1, 7] as const)[(i + turn) % 3] as number,
  ...(schedulers[(i + turn) % schedulers.length] as (typeof schedulers)[number]),
}))
/**
 * The run that meets tables which are there is compared; of one lot in a full run, the first, too.
 */
const compared = (from: number) => (effort === 'all' && from === 0 ? [0, 1] : [1])

for (const { from, count, scheduler, parts, inProcesses, program } of lots)
  withService(scheduler, [program], () => {
    let sail: Awaited<ReturnType<typeof startSail>> | undefined
    beforeAll(async () => {
      if (scheduler === 'Sail') sail = await startSail()
    })
    afterAll(() => sail?.stop())
    it(`${count} schemas from ${from} on give the same rows, reasons and counts in one process, in processes and on ${scheduler}`, async () => {
      const datasets = generatedDatasets(SCHEMAS, seed).slice(from, from + count)
      const project = await Project.create({ 'lake.ts': definitionOf(datasets) })
      const where = sail ? { connect: sail.url, tasks: 2 } : { master: 'local[2]' }
      const others = {
        processes: { instead: workers(2), parts: inProcesses },
        spark: { instead: spark({ ...where, python: program as string }), parts },
      }
      await compareGenerated(project, datasets, others, compared(from))
    })
  })
