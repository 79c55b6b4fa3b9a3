import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { makeFiles } from '../../examples/tickit/generate/files.js'
import { generate } from '../../examples/tpcds/generate/main.js'
import { openEngine } from '../../src/engine/open.js'
import { loadLake } from '../../src/load/load.js'
import type { StepEngines } from '../../src/load/workers/step-engines.js'
import { runLake } from '../../src/run/execute.js'
import type { StepWorker } from '../../src/step/context.js'
import { LocalStorage } from '../../src/storage/local.js'
import { progressOfLake, rowsOfLake } from './lake-rows.js'
import { repository, temporaryFolder } from './project.js'

/** Runs a lake; its silver and gold steps are carried out by a worker, where one is named. */
async function run(file: string, root: string, worker?: StepWorker, bronzeAlone = false) {
  const lake = await loadLake(file)
  const select = bronzeAlone ? lake.datasets.filter((d) => d.tier === 'bronze') : []
  const engine = await openEngine({ threads: 2 })
  try {
    const record = await runLake(lake, {
      storage: new LocalStorage(root),
      engine,
      ownEngine: true,
      select: select.map(({ name }) => `bronze.${name}`),
      ...(worker ? { worker } : {}),
    })
    expect(record.steps.filter(({ error }) => error)).toEqual([])
    return record.steps.map(({ seconds: _, bytes: __, ...step }) => step)
  } finally {
    await engine.close()
  }
}

/**
 * Takes in what there is, and builds it in this process and, in a copy of the lake, by others.
 *
 * @param openOthers those that carry out the steps of a lake.
 */
async function compareWithOthers(
  file: string,
  root: string,
  openOthers: OpenOthers,
): Promise<void> {
  await run(file, root, undefined, true)
  const copy = `${root}-elsewhere`
  await rm(copy, { recursive: true, force: true })
  await cp(root, copy, { recursive: true })
  const here = await run(file, root)
  const others = await openOthers(file, copy)
  const asked: string[] = []
  const worker: StepWorker = (resources, dataset, task) => {
    asked.push(task.dataset)
    return others.carryOut(resources, dataset, task)
  }
  try {
    const elsewhere = await run(file, copy, worker)
    const order = (steps: typeof here) => steps.toSorted((a, b) => (a.dataset < b.dataset ? -1 : 1))
    expect(order(elsewhere)).toEqual(order(here))
  } finally {
    await others.close()
  }
  const built = here.filter(
    ({ dataset, outcome }) => outcome === 'done' && !dataset.startsWith('bronze.'),
  )
  expect(asked.sort()).toEqual(built.map(({ dataset }) => dataset).sort())
  expect(asked.length).toBeGreaterThan(0)
  expect(await rowsOfLake(copy)).toEqual(await rowsOfLake(root))
  expect(await progressOfLake(copy)).toEqual(await progressOfLake(root))
}

type OpenOthers = (file: string, root: string) => Promise<StepEngines>

/**
 * Tests that the lakes of the examples have the same rows, reasons and counts whoever carries out
 * their steps. Bronze is the same in both lakes, as they are one lake before and two after.
 */
export function sameLakes(openOthers: OpenOthers): void {
  const compare = (file: string, root: string) => compareWithOthers(file, root, openOthers)
  const before = { ...process.env }
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  })

  it('make the same rows of the orders, their versions and what was wrong with them', async () => {
    const root = join(await temporaryFolder(), 'lake')
    const file = join(repository, 'examples/orders/lake.ts')
    const landing = join(root, 'bronze/landing/orders')
    const order = (id: number, at: number, more: object = {}) =>
      JSON.stringify({
        order_id: id,
        order_last_updated: `2026-03-0${1 + (at % 8)} 10:00:00.12345${at % 9}`,
        customer_id: (id % 5) + 1,
        order_status: ['PENDING', 'PROCESSING', 'COMPLETE', 'LOST'][(id + at) % 4],
        amount: `${id}.0${at % 9}`,
        ...more,
      })
    const land = async (batch: number, rows: string[]) => {
      await mkdir(landing, { recursive: true })
      await writeFile(join(landing, `${batch}.jsonl`), `${rows.join('\n')}\n`)
    }
    const numbers = Array.from({ length: 60 }, (_, i) => i)
    await land(1, [...numbers.map((i) => order(i + 1, i)), order(1, 3, { amount: 'much' }), '{'])
    await compare(file, root)
    // What changes next meets tables that are there, which the other process knows by their files.
    await land(2, [...numbers.map((i) => order(2 * i, i + 5)), order(3, 0, { customer_id: -1 })])
    await compare(file, root)
  })

  it('make the same rows of the seven tables of TICKIT', async () => {
    const folder = await temporaryFolder()
    process.env.TICKIT_DATA = join(folder, 'data')
    await mkdir(process.env.TICKIT_DATA)
    for (const { name, text } of makeFiles(2008, 0.01))
      await writeFile(join(process.env.TICKIT_DATA, name), text)
    await compare(join(repository, 'examples/tickit/lake.ts'), join(folder, 'lake'))
  })

  it('make the same rows of the 24 tables of TPC-DS', async () => {
    const folder = await temporaryFolder()
    process.env.TPCDS_DATA = join(folder, 'data')
    await mkdir(process.env.TPCDS_DATA)
    await generate(process.env.TPCDS_DATA, 0.0005)
    await compare(join(repository, 'examples/tpcds/lake.ts'), join(folder, 'lake'))
  })
}
