import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { RunRecord } from '../../src/step/events.js'
import { amount } from '../support/effort.js'
import { rowsOfLake } from '../support/lake-rows.js'
import { ended, isRunning } from '../support/processes.js'
import { Project, repository, step } from '../support/project.js'
import { seed } from '../support/seed.js'
import { smallDisk } from '../support/small-disk.js'
import { type Fate, Unreliable } from '../support/workers.js'

/*
 * Whatever becomes of workers, or of the run that they work for, the lake is as it was before or as
 * it is after; the next run goes on, and `verify` finds nothing.
 */

/**
 * Checks of names wait while a file is there, and say who waits; another file ends their worker.
 */
const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const { appendFileSync, existsSync } = process.getBuiltinModule('node:fs')
const at = (name: string) => import.meta.dirname + '/' + name
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
const waits = (text: string) => {
  if (existsSync(at('poison'))) process.kill(process.pid, 'SIGKILL')
  if (text !== 'wait' || !existsSync(at('gate'))) return true
  appendFileSync(at('waiting'), process.pid + '\\n')
  while (existsSync(at('gate'))) pause(20)
  return true
}
let slow = 0
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', cursor: 'at',
  schema: z.object({ id: t.int(), name: z.string().refine(waits), at: t.date(), amount: t.decimal(9, 2) }),
})
const others = silver('others', {
  from: raw,
  schema: z.object({ id: t.int(), name: z.string().refine(() => { if (slow++ < 1) pause(700); return true }) }),
})
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as amount from \${orders}\` })
const count = gold('count', { query: sql\`select count(*) as n from \${others}\` })
export default defineLake({ name: 'faults', datasets: [total, count] })
`

const file = (batch: number) =>
  [
    'id,name,at,amount',
    ...Array.from(
      { length: 40 },
      (_, i) => `${i + batch * 20},${i === 7 ? 'wait' : 'n'},2026-01-${10 + batch},${batch}.25`,
    ),
    'x,n,2026-01-01,1',
    '',
  ].join('\n')

const shop = () => Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })

/** A run on processes, and what comes of it. */
function begin(project: Project): {
  child: ChildProcess
  done: Promise<RunRecord | undefined>
  stderr: Promise<string>
} {
  const program = join(repository, 'bin/moraine.js')
  const args = [program, '-C', project.folder, '--json', 'run', '--engine', 'workers:2']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const stderr = textOf(child.stderr)
  const gone = new Promise((resolve) => child.once('close', resolve))
  const done = textOf(child.stdout).then(async (text) => {
    await gone
    if (text === '' && child.signalCode === null) throw new Error(await stderr)
    return text === '' ? undefined : (JSON.parse(text) as RunRecord)
  })
  return { child, done, stderr }
}

/** The processes that wait in a check, once there are as many. */
async function waiting({ folder }: Project, least = 1): Promise<number[]> {
  for (;;) {
    const text = await readFile(join(folder, 'waiting'), 'utf8').catch(() => '')
    const pids = text.split('\n').filter(Boolean).map(Number)
    if (pids.length >= least) return pids
    await sleep(20)
  }
}

const close = (project: Project) => project.write({ gate: '' })
const open = (project: Project) => rm(join(project.folder, 'gate'))

async function isWhole(project: Project): Promise<void> {
  const verify = JSON.parse((await project.cli('--json', 'verify')).stdout)
  expect(verify.problems).toEqual([])
}

/** The rows of a lake that never met a fault. */
async function rowsOf(files: number): Promise<unknown> {
  const project = await Project.create({ 'lake.ts': definition })
  for (let i = 0; i < files; i++) {
    await project.write({ [`in/${i}.csv`]: file(i) })
    await project.run()
  }
  return withoutBatches(await rowsOfLake(join(project.folder, 'lake')))
}

/** When rows came, and in which batch, differs from lake to lake. */
function withoutBatches(rows: Awaited<ReturnType<typeof rowsOfLake>>): unknown {
  const text = JSON.stringify(rows)
  return JSON.parse(
    text
      .replace(/\d{8}T\d{6,9}Z-[0-9a-f]+/g, 'run')
      .replace(/\d{6}-[0-9a-f]{8}/g, 'batch')
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00/g, 'time')
      .replace(/[^'"\s,]*\/in\//g, 'in/'),
  )
}

const found = async (project: Project) =>
  withoutBatches(await rowsOfLake(join(project.folder, 'lake')))

describe('workers that are killed', () => {
  it('are replaced, and their step is tried again with files of other names', async () => {
    const project = await shop()
    await close(project)
    const { child, done, stderr } = begin(project)
    const [first] = await waiting(project)
    process.kill(first as number, 'SIGKILL')
    const both = await waiting(project, 2)
    await open(project)
    const record = await done
    expect(new Set(both).size).toBe(2)
    expect(record?.outcome).toBe('done')
    expect(child.exitCode).toBe(0)
    expect(await stderr).toMatch(
      new RegExp(`! silver.orders: attempt 1 has no result: pid ${first} on .* ended: SIGKILL`),
    )
    expect(await found(project)).toEqual(await rowsOf(1))
    await isWhole(project)
    for (const pid of both) await ended(pid)
  })

  it('again and again fail their step alone; the next run goes on', async () => {
    const project = await shop()
    await project.write({ poison: '' })
    const record = await begin(project).done
    if (!record) throw new Error('no record')
    expect(step(record, 'silver.orders')).toMatchObject({
      outcome: 'failed',
      error: {
        kind: 'engine',
        message: expect.stringMatching(/No worker has finished silver\.orders: pid \d+.* SIGKILL/),
        hint: expect.stringContaining('Its table is unchanged'),
      },
    })
    expect(step(record, 'gold.total').outcome).toBe('blocked')
    expect(step(record, 'gold.count').outcome).toBe('done')
    expect(Object.keys((await project.state()).tables)).not.toContain('silver.orders')
    await isWhole(project)
    await rm(join(project.folder, 'poison'))
    expect((await begin(project).done)?.outcome).toBe('done')
    expect(await found(project)).toEqual(await rowsOf(1))
  })
})

describe('a run on workers', () => {
  it('that is killed leaves no process; the next one goes on from its journal', async () => {
    const project = await shop()
    await close(project)
    const { child, done } = begin(project)
    const pids = await waiting(project)
    // What has ended meanwhile is kept.
    const kept = () => project.storage.list('_moraine/runs/')
    while (!(await kept()).some(({ path }) => path.includes('silver.others'))) await sleep(50)
    child.kill('SIGKILL')
    await done
    for (const pid of pids) await ended(pid)
    expect((await project.state()).tables).toEqual({})
    await isWhole(project)
    await open(project)
    const record = await begin(project).done
    if (!record) throw new Error('no record')
    expect(record.outcome).toBe('done')
    expect(step(record, 'silver.others').notes?.join()).toMatch(/kept from run/)
    expect(await found(project)).toEqual(await rowsOf(1))
    await isWhole(project)
  })

  it('is cancelled at once by Ctrl-C, and leaves no process', async () => {
    const project = await shop()
    await close(project)
    const { child, done } = begin(project)
    const pids = await waiting(project)
    child.kill('SIGINT')
    const record = await done
    expect(record?.outcome).toBe('cancelled')
    expect(pids.filter(isRunning)).toEqual([])
    expect((await project.state()).tables).toEqual({})
    await isWhole(project)
    await open(project)
    expect((await begin(project).done)?.outcome).toBe('done')
    expect(await found(project)).toEqual(await rowsOf(1))
  })
})

describe('a step that takes too long', () => {
  it('fails alone, its worker is ended, and the next run goes on', async () => {
    const project = await shop()
    await close(project)
    const limited = definition.replace(
      "name: 'faults',",
      "name: 'faults', steps: { timeout: '6s' },",
    )
    await project.write({ 'lake.ts': limited })
    const { done } = begin(project)
    const pids = await waiting(project)
    const record = await done
    if (!record) throw new Error('no record')
    expect(step(record, 'silver.orders')).toMatchObject({
      outcome: 'failed',
      error: { message: expect.stringContaining('6 s') },
    })
    expect(step(record, 'gold.count').outcome).toBe('done')
    for (const pid of pids) await ended(pid)
    await isWhole(project)
    await open(project)
    await project.write({ 'lake.ts': definition })
    expect((await begin(project).done)?.outcome).toBe('done')
    expect(await found(project)).toEqual(await rowsOf(1))
  })
})

describe('outcomes of workers', () => {
  it('count once, whatever is done twice, lost, or done again in a later run', async () => {
    let [twice, lost] = [0, 0]
    const fates = fc.array(fc.constantFrom<Fate>('answered', 'twice', 'lost'), {
      minLength: 12,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(fates, async (fates) => {
        const project = await Project.create({ 'lake.ts': definition })
        const fate = (nth: number) => {
          const one = fates[nth] ?? 'answered'
          if (one === 'twice') twice++
          if (one === 'lost') lost++
          return one
        }
        const workers = new Unreliable({ fate })
        const worker = await workers.stepsOf(project)
        try {
          for (let batch = 0; batch < 2; batch++) {
            await project.write({ [`in/${batch}.csv`]: file(batch) })
            for (let round = 0; ; round++) {
              const before = await project.state()
              const record = await project.run({ worker, stepsAtOnce: 1, elsewhere: () => true })
              await isWhole(project)
              if (record.outcome === 'done') break
              // A step whose outcome was lost has changed nothing.
              const after = await project.state()
              for (const { dataset, outcome } of record.steps)
                if (outcome === 'failed')
                  expect(after.tables[dataset]).toEqual(before.tables[dataset])
              expect(round, JSON.stringify(record)).toBeLessThan(12)
            }
          }
        } finally {
          await workers.close()
        }
        expect(await found(project)).toEqual(await rowsOf(2))
        // What was written for nothing is found by a vacuum, and nothing else is.
        expect((await project.cli('vacuum', '--grace', '0s', '--delete')).code).toBe(0)
        await isWhole(project)
      }),
      { seed, numRuns: amount(2, 6) },
    )
    expect(twice + lost).toBeGreaterThan(0)
  })
})

describe('a worker whose disk is full', () => {
  it('gives its step back, which fails if that is so everywhere; nothing is changed', async ({
    skip,
  }) => {
    const disk = smallDisk('3m')
    if (!disk) return skip('this machine does not let us make a small file system')
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, sql } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const sorted = gold('sorted', { query: sql\`select r.*, i, sha256(i::varchar) as a, sha256(a) as b, sha256(b) as c from \${raw} r, range(1000000) g(i) order by c\` })
export default defineLake({ name: 'full', datasets: [sorted] })
`,
      'in/1.csv': 'id\n1\n',
    })
    const full = new Unreliable({ env: { TMPDIR: disk }, memory: 2 ** 27, attempts: 2 })
    onTestFinished(() => full.close())
    const record = await project.run({ worker: await full.stepsOf(project) })
    expect(step(record, 'gold.sorted')).toMatchObject({
      outcome: 'failed',
      error: {
        message: expect.stringMatching(/No worker has finished gold\.sorted: .*exit code 75/s),
      },
    })
    expect((await project.state()).tables).toEqual({})
    await isWhole(project)
    await writeFile(join(project.folder, 'in/2.csv'), 'id\n2\n')
    const roomy = new Unreliable({ memory: 2 ** 29 })
    onTestFinished(() => roomy.close())
    const next = await project.run({ worker: await roomy.stepsOf(project) })
    expect(step(next, 'gold.sorted')).toMatchObject({ outcome: 'done', rows: 2_000_000 })
  })
})
