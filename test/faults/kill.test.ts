import { execFileSync } from 'node:child_process'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { amount, drawn } from '../support/effort.js'
import { killed, pointsOf } from '../support/kills.js'
import { Project } from '../support/project.js'
import { smallDisk } from '../support/small-disk.js'

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', {
  from: raw, key: 'id', cursor: 'sold_at', partitionBy: [month('sold_at')],
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), sold_at: t.timestamp() }),
})
const months = gold('months', { query: sql\`select date_trunc('month', sold_at) as m, count(*) as n, sum(amount) as amount from \${sales} group by 1\` })
export default defineLake({ name: 'kill', datasets: [months] })
`

const file = (batch: number) =>
  `id,amount,sold_at\n${Array.from({ length: 400 }, (_, i) => `${i + batch * 200},${batch}.25,2026-${String((i % 12) + 1).padStart(2, '0')}-01 00:00:${String(batch).padStart(2, '0')}`).join('\n')}\n`

const answer = (project: Project) =>
  project.query('select m, n, amount from gold.months order by m')

describe('a run that is killed, and again', () => {
  it('leaves the lake as it was before or as it is after, and the next run completes it', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    const root = join(project.folder, 'lake')
    await project.run()
    await project.write({ 'in/1.csv': file(1) })
    const points = drawn(await pointsOf(project, root), amount(6, 12, 48))
    let deaths = 0
    let round = 1
    for (const at of points) {
      await project.write({ [`in/${++round}.csv`]: file(round) })
      const before = await project.state()
      if ((await killed(project, root, `${at % 2 ? 'before' : 'after'}:${at}`)).died) deaths++
      const verify = JSON.parse((await project.cli('--json', 'verify')).stdout)
      expect(verify.problems).toEqual([])
      const after = await project.state()
      expect(after.number).toBeGreaterThanOrEqual(before.number)
      // Tables and what they have read change together, or not at all.
      const built = after.tables['gold.months']?.metadata !== before.tables['gold.months']?.metadata
      const read =
        after.offsets['silver.sales']?.['bronze.sales'] !==
        before.offsets['silver.sales']?.['bronze.sales']
      expect(built).toBe(read)
      if (round % 4 === 0) expect((await project.run()).outcome).toBe('done')
    }
    expect(deaths).toBeGreaterThan(points.length / 2)
    expect((await project.run()).outcome).toBe('done')
    const counts = (await project.state()).tables['silver.sales']?.counts
    expect(counts).toMatchObject({ in: 400 * (round + 1), discarded: 0 })

    const whole = await Project.create({ 'lake.ts': definition })
    for (let i = 0; i <= round; i++) await whole.write({ [`in/${i}.csv`]: file(i) })
    await whole.run()
    expect(await answer(project)).toEqual(await answer(whole))
  })
})

describe('two runs at the same time', () => {
  it('take a file in once; the slower one says that the other was faster', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    const outcomes = await Promise.all([project.cli('run'), project.cli('run'), project.cli('run')])
    for (const { code, stdout } of outcomes)
      if (code !== 0) expect(stdout).toMatch(/Another run was faster|changed the same/)
    expect(outcomes.some(({ code }) => code === 0)).toBe(true)
    expect((await project.run()).outcome).toBe('done')
    const state = await project.state()
    expect(state.batches['bronze.sales']).toHaveLength(1)
    expect(state.tables['silver.sales']?.counts).toMatchObject({ in: 400, kept: 400 })
  })
})

describe('a disk that refuses', () => {
  it('a place that can not hold a folder is an error without a stack', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    const { code, stdout, stderr } = await project.cli('--root', '/dev/null/lake', 'run')
    expect(code).not.toBe(0)
    expect(stdout + stderr).not.toMatch(/\n +at /)
    expect(stdout + stderr).toMatch(/Can't/)
  })

  it('a damaged log is found, and nothing is written on top of it', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    await project.run()
    const entry = join(project.folder, 'lake/_moraine/log/main/00000000000000000001.json')
    await chmod(entry, 0o600)
    await writeFile(entry, '{"format": 1, ')
    const { code, stderr } = await project.cli('run')
    expect(code).toBe(1)
    expect(stderr).toContain('is damaged: it is not JSON')
    expect((await project.cli('verify')).stdout).toContain('is damaged')
  })

  it('missing and changed data files are found by verify', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    await project.run()
    const objects = await project.storage.list('silver/sales/data/')
    await rm(join(project.folder, 'lake', objects[0]?.path as string))
    await writeFile(join(project.folder, 'lake', objects[1]?.path as string), 'x')
    await mkdir(join(project.folder, 'lake/unrelated'))
    const { code, stdout } = await project.cli('verify')
    expect(code).toBe(1)
    expect(stdout).toMatch(/is missing\n.*has 1 bytes instead of/)
  })
})

describe('a folder that can only be read', () => {
  it('is read as always; a run says what keeps it from writing, and changes nothing', async ({
    skip,
  }) => {
    const disk = smallDisk('4m')
    if (!disk) return skip('this machine does not let us make a small file system')
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    const root = join(disk, 'lake')
    expect((await project.cli('--root', root, 'run')).code).toBe(0)
    await project.write({ 'in/1.csv': file(1) })
    execFileSync('mount', ['-o', 'remount,ro', disk])
    const refused = await project.cli('--root', root, 'run')
    expect(refused.code).not.toBe(0)
    expect(refused.stdout + refused.stderr).toContain('The file system is read-only')
    expect(refused.stdout + refused.stderr).not.toMatch(/\n +at /)
    const optimize = await project.cli('--root', root, 'optimize', 'gold.months', '--order-by', 'n')
    expect([optimize.code, optimize.stderr]).toEqual([
      1,
      expect.stringContaining('The file system is read-only'),
    ])
    expect((await project.cli('--root', root, 'status')).code).toBe(0)
    const count = await project.cli('--root', root, 'query', 'select sum(n) as n from gold.months')
    expect(count.stdout).toContain('400')
    execFileSync('mount', ['-o', 'remount,rw', disk])
    expect((await project.cli('--root', root, 'run')).code).toBe(0)
  })
})

describe('a disk that is full', () => {
  it('keeps what was committed, says so, and goes on when there is room', async ({ skip }) => {
    const disk = smallDisk('400k')
    if (!disk) return skip('this machine does not let us make a small file system')
    const project = await Project.create({ 'lake.ts': definition, 'in/0.csv': file(0) })
    const root = join(disk, 'lake')
    const filler = join(disk, 'filler')
    await writeFile(filler, Buffer.alloc(330_000))
    const full = await project.cli('--root', root, 'run')
    expect(full.code).toBe(1)
    // Its last blocks are left to others, or were not enough: either is said, with what to do.
    expect(full.stdout + full.stderr).toMatch(
      /The disk is full: free some space and run again\.|is nearly full: [\s\S]+Free some space and try again\./,
    )
    expect(full.stdout + full.stderr).not.toMatch(/\n +at /)
    expect((await project.cli('--root', root, 'verify')).code).toBe(0)
    await rm(filler)
    expect((await project.cli('--root', root, 'run')).code).toBe(0)
    expect((await project.cli('--root', root, 'verify')).stdout).toContain('in an unbroken chain')
  })
})
