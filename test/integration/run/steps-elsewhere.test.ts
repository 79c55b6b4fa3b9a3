import { spawn } from 'node:child_process'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { makeFiles } from '../../../examples/tickit/generate/files.js'
import { generate } from '../../../examples/tpcds/generate/main.js'
import { openEngine } from '../../../src/engine/open.js'
import { loadLake } from '../../../src/load/load.js'
import { StepProcesses } from '../../../src/load/step-worker.js'
import { CommitLog } from '../../../src/log/log.js'
import { runLake } from '../../../src/run/execute.js'
import type { StepWorker } from '../../../src/step/context.js'
import { decodeReply, encodeStep } from '../../../src/step/task/codec.js'
import { packStep } from '../../../src/step/task/pack.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { rowsOfLake } from '../../support/lake-rows.js'
import { Project, repository, temporaryFolder } from '../../support/project.js'

/*
 * Steps of silver and gold that are carried out by another process, which is told all by JSON: the
 * same rows, reasons and counts as in this one. Bronze is the same in both lakes, as they are one
 * lake before and two after.
 */

const before = { ...process.env }
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
})

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

/** Takes in what there is, and builds it in this process and, in a copy of the lake, by others. */
async function compare(file: string, root: string): Promise<void> {
  await run(file, root, undefined, true)
  const copy = `${root}-elsewhere`
  await rm(copy, { recursive: true, force: true })
  await cp(root, copy, { recursive: true })
  const here = await run(file, root)
  const processes = new StepProcesses({ definedIn: file, root: copy, threads: 2 })
  const asked: string[] = []
  const worker: StepWorker = (resources, dataset, task) => {
    asked.push(task.dataset)
    return processes.carryOut(resources, dataset, task)
  }
  try {
    const elsewhere = await run(file, copy, worker)
    const order = (steps: typeof here) => steps.toSorted((a, b) => (a.dataset < b.dataset ? -1 : 1))
    expect(order(elsewhere)).toEqual(order(here))
  } finally {
    await processes.close()
  }
  const built = here.filter(
    ({ dataset, outcome }) => outcome === 'done' && !dataset.startsWith('bronze.'),
  )
  expect(asked.sort()).toEqual(built.map(({ dataset }) => dataset).sort())
  expect(asked.length).toBeGreaterThan(0)
  expect(await rowsOfLake(copy)).toEqual(await rowsOfLake(root))
}

describe('steps that other processes carry out', { timeout: 600_000 }, () => {
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

  it('are refused where the definition is another one', async () => {
    const lake = (least: number) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int().min(${least}) }),
})
export default defineLake({ name: 'shop', datasets: [orders] })
`
    const project = await Project.create({ 'lake.ts': lake(1), 'in/1.csv': 'id\n1\n2\n' })
    const other = await Project.create({ 'lake.ts': lake(2) })
    const root = project.storage.url
    const processes = new StepProcesses({ definedIn: join(other.folder, 'lake.ts'), root })
    const record = await project.run({ worker: processes.carryOut })
    await processes.close()
    const step = record.steps.find(({ dataset }) => dataset === 'silver.orders')
    expect(step?.error).toMatchObject({
      kind: 'conflict',
      message: 'silver.orders is defined otherwise here than where its step was planned',
    })
    expect((await project.state()).tables).toEqual({})
  })

  it('can be started by whoever has the task as a text', async () => {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
console.log('a definition may write what it likes')
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), amount: t.decimal(38, 9) }),
})
export default defineLake({ name: 'shop', datasets: [orders] })
`,
      'in/1.csv': 'id,amount\n1,12345678901234567890123456789.123456789\nx,2\n',
    })
    const where = { definedIn: join(project.folder, 'lake.ts'), root: project.storage.url }
    const worker: StepWorker = async ({ relations }, dataset, task) => {
      const script = join(repository, 'dist/load/step-process.js')
      const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
      child.stdin.end(encodeStep(await packStep(relations, dataset, task, where)))
      const reply = decodeReply(await textOf(child.stdout))
      if ('error' in reply) throw reply.error
      return reply.output
    }
    const record = await project.run({ worker })
    expect(record.steps.filter(({ error }) => error)).toEqual([])
    expect(await project.query('select id, amount from silver.orders')).toEqual([
      { id: 1, amount: '12345678901234567890123456789.123456789' },
    ])
    const { counts } = (await new CommitLog(project.storage).head()).tables['silver.orders'] ?? {}
    expect(counts).toEqual({ in: 2, kept: 1, discarded: 1, superseded: 0 })
  })
})
