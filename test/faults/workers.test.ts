import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { amount } from '../support/effort.js'
import {
  begin as beginRun,
  close,
  definition,
  file,
  found,
  isWhole,
  open,
  rowsOf,
  waiting,
} from '../support/gated-lake.js'
import { ended, isRunning } from '../support/processes.js'
import { Project, step } from '../support/project.js'
import { seed } from '../support/seed.js'
import { smallDisk } from '../support/small-disk.js'
import { type Fate, Unreliable } from '../support/workers.js'

/*
 * Whatever becomes of workers, or of the run that they work for, the lake is as it was before or as
 * it is after; the next run goes on, and `verify` finds nothing.
 */

const shop = () => Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })

/** A run on processes, and what comes of it. */
const begin = (project: Project) => beginRun(project, '--engine', 'workers:2')

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
      "name: 'faults', steps: { timeout: '20s' },",
    )
    await project.write({ 'lake.ts': limited })
    const { done } = begin(project)
    const pids = await waiting(project)
    const record = await done
    if (!record) throw new Error('no record')
    expect(step(record, 'silver.orders')).toMatchObject({
      outcome: 'failed',
      error: { message: expect.stringContaining('20 s') },
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

describe('a worker of another version', () => {
  it('gets nothing to do: steps fail, the lake is as before, and the next run goes on', async () => {
    const project = await shop()
    await project.run()
    const before = await project.state()
    await project.write({ 'in/1.csv': file(1) })
    const others = new Unreliable({ hello: { moraine: '99.0.0' } })
    onTestFinished(() => others.close())
    const record = await project.run({ worker: await others.stepsOf(project) })
    for (const name of ['silver.orders', 'silver.others'])
      expect(step(record, name)).toMatchObject({
        outcome: 'failed',
        error: {
          kind: 'conflict',
          message: expect.stringMatching(/The worker has Moraine \S+, and the run has 99\.0\.0/),
          hint: expect.stringContaining('wherever workers run'),
        },
      })
    expect((await project.state()).tables).toEqual(before.tables)
    await isWhole(project)
    expect((await begin(project).done)?.outcome).toBe('done')
    expect(await found(project)).toEqual(await rowsOf(2))
    await isWhole(project)
  })
})

describe('a worker whose disk is full', () => {
  it('gives its step back, and another one carries it out', async ({ skip }) => {
    const disk = smallDisk('1m')
    if (!disk) return skip('this machine does not let us make a small file system')
    const project = await shop()
    const mark = join(project.folder, 'first')
    // Only the worker that starts first has to do with the small disk, which is full then.
    const script = `if mkdir '${mark}' 2>/dev/null; then export TMPDIR='${disk}'; head -c 2m /dev/zero > '${disk}/full' 2>/dev/null; fi; exec "$@"`
    const one = new Unreliable({ startedBy: ['sh', '-c', script, 'sh'] })
    onTestFinished(() => one.close())
    const record = await project.run({ worker: await one.stepsOf(project), stepsAtOnce: 1 })
    expect(one.events).toContainEqual(
      expect.objectContaining({
        type: 'failed',
        attempt: 1,
        why: expect.stringMatching(/exit code 75|No space/i),
      }),
    )
    expect(record.outcome).toBe('done')
    expect(await found(project)).toEqual(await rowsOf(1))
    await isWhole(project)
  })

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
