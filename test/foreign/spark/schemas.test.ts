import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type StepEngine, spark, workers } from '../../../src/define/index.js'
import { inParts } from '../../../src/run/split/in-parts.js'
import type { RunRecord } from '../../../src/step/events.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { amount, effort, turn } from '../../support/effort.js'
import {
  arriving,
  definitionOf,
  type GeneratedDataset,
  generatedDatasets,
} from '../../support/generated-lakes.js'
import { rowsOfLake } from '../../support/lake-rows.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'
import { withService } from '../../support/services.js'
import { processesFor } from '../../support/workers.js'
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

/** What a run says of each step, beside how long it took. */
const said = ({ steps, error }: RunRecord) => {
  if (error) throw new Error(JSON.stringify(error))
  return steps
    .map(({ seconds: _, bytes: __, files: ___, ...step }) => step)
    .sort((a, b) => (a.dataset < b.dataset ? -1 : 1))
}

/** A lake that was built before by one process goes on elsewhere. */
async function compare(
  project: Project,
  datasets: readonly GeneratedDataset[],
  others: Readonly<Record<string, { instead: StepEngine; parts: number }>>,
  comparedRuns: readonly number[],
): Promise<void> {
  const root = join(project.folder, 'lake')
  const time = new Date()
  for (const run of [0, 1]) {
    await project.write(arriving(datasets, run))
    if (!comparedRuns.includes(run)) {
      await project.run()
      continue
    }
    await project.run({ select: datasets.map((_, i) => `bronze.d${i}`) })
    for (const name of Object.keys(others))
      await cp(root, `${root}-${name}-${run}`, { recursive: true })
    const here = said(await project.run({ now: () => time }))
    const rows = await rowsOfLake(root)
    for (const [name, { instead, parts }] of Object.entries(others)) {
      const copy = `${root}-${name}-${run}`
      await using engines = await processesFor(join(project.folder, 'lake.ts'), copy, { instead })
      const worker = inParts(parts, engines.carryOut, { rows: 1, keys: 5, rangeRows: 4 })
      const { atOnce: stepsAtOnce } = engines
      const record = await project.runOn(new LocalStorage(copy), {
        now: () => time,
        worker,
        stepsAtOnce,
      })
      expect(said(record), name).toEqual(here)
      const there = await rowsOfLake(copy)
      for (const [table, found] of Object.entries(rows)) {
        const code = datasets[Number(/\d+$/.exec(table)?.[0])]?.options
        expect(there[table], `${table} on ${name}, seed ${seed}: ${code}`).toEqual(found)
      }
      expect(Object.keys(there)).toEqual(Object.keys(rows))
    }
  }
}

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
      await compare(project, datasets, others, compared(from))
    })
  })
