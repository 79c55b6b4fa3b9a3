import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { StepEngine } from '../../src/define/index.js'
import { inParts } from '../../src/run/split/in-parts.js'
import type { RunRecord } from '../../src/step/events.js'
import { LocalStorage } from '../../src/storage/local.js'
import { arriving, type GeneratedDataset } from './generated-lakes.js'
import { progressOfLake, rowsOfLake } from './lake-rows.js'
import type { Project } from './project.js'
import { seed } from './seed.js'
import { processesFor } from './workers.js'

/** What a run says of each step, beside how long it took. */
const said = ({ steps, error }: RunRecord) => {
  if (error) throw new Error(JSON.stringify(error))
  return steps
    .map(({ seconds: _, bytes: __, files: ___, ...step }) => step)
    .sort((a, b) => (a.dataset < b.dataset ? -1 : 1))
}

/** A lake that was built before by one process goes on elsewhere. */
export async function compareGenerated(
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
    const progress = await progressOfLake(root)
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
      expect(await progressOfLake(copy), name).toEqual(progress)
    }
  }
}
