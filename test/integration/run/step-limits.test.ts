import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Threads } from '../../../src/load/threads.js'
import { sample } from '../../support/effort.js'
import { working } from '../../support/processes.js'
import { Project, repository, step } from '../../support/project.js'
import { Served } from '../../support/served.js'
import { until } from '../../support/until.js'

/* Steps of a run that would go on for ever: they are ended, and nothing else is. */

const lakeWith = (
  datasets: string,
  { from = "files('sales.csv')", steps = "{ timeout: '5s' }" } = {},
) => `
import { after, bronze, check, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('sales', { from: ${from} })
const sales = silver('sales', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
const counts = gold('counts', { query: sql\`select count(*) as n from \${sales}\` })
${datasets}
export default defineLake({ name: 'shop', datasets: [sales, counts, other], steps: ${steps} })
`
const gold = (query: string, more = '') =>
  `const other = gold('other', { query: sql\`${query}\`${more} })`
const calm = gold('select id as n from ${sales}')

/** Goes on for ever, and can be interrupted. */
const ENDLESS =
  'select id as n from ${sales}, range(1000000000) a(x), range(1000000000) b(y) where a.x + b.y + id = -1'
/** One call of a function of the engine, which nothing interrupts. */
const STUCK =
  "select max(levenshtein(repeat('x', 3000000) || id, repeat('y', 3000000))) as n from ${sales}"

const create = async (datasets: string, options = {}) =>
  Project.create({ 'lake.ts': lakeWith(datasets, options), 'sales.csv': 'id\n1\n2\n' })

const endless: [string, string][] = [
  ['a query', gold(ENDLESS)],
  [
    'a check',
    gold('select id as n from ${sales}', `, checks: [check.sql('none', sql\`${ENDLESS}\`)]`),
  ],
  [
    'a recursive query',
    gold(
      'with recursive r(i) as (select id from ${sales} union all select i + 1 from r) select max(i) as n from r',
    ),
  ],
  [
    'the rules of a silver dataset',
    "import { rule } from 'moraine'\nconst other = silver('other', { from: raw, schema: z.object({ id: t.int() }), rules: [rule('never', sql`id < (select count(*) from range(1000000000) a(x), range(1000000000) b(y) where a.x + b.y = -id)`)] })",
  ],
]

describe('a step that takes longer than it may fails, and others go on:', () => {
  it.each(sample(endless, 2))('%s', async (_, datasets) => {
    const project = await create(calm)
    await project.run()
    const before = await project.query('select n from gold.other order by n')
    await project.write({ 'lake.ts': lakeWith(datasets), 'sales.csv': 'id\n1\n2\n3\n' })
    const record = await project.run()
    const failed = record.steps.find(({ outcome }) => outcome === 'failed')
    expect(failed?.dataset).toMatch(/\.other$/)
    expect(failed?.error).toEqual({
      kind: 'limit',
      message: 'The step was stopped: it took longer than its limit of 5 s',
      hint: "Its table is unchanged. Make it compute less, or raise the limit in lake.ts: steps: { timeout: '15s' }",
    })
    expect(step(record, 'gold.counts').outcome).toBe('done')
    expect(await project.query('from gold.counts')).toEqual([{ n: 3n }])
    expect(await project.query('select n from gold.other order by n')).toEqual(before)
    await project.write({ 'lake.ts': lakeWith(calm) })
    expect((await project.run({ acceptDefinition: true })).outcome).toBe('done')
    expect(await project.query('select count(*) as n from gold.other')).toEqual([{ n: 3n }])
  })

  it('a function of a schema, whose thread is ended', async () => {
    const project = await create(
      "const other = silver('other', { from: raw, schema: z.object({ id: t.int().refine((n) => { while (n === 2); return true }) }) })",
    )
    const javascript = new Threads(join(project.folder, 'lake.ts'))
    onTestFinished(() => javascript.close())
    for (let i = 0; i < 4; i++) {
      const record = await project.run({ javascript })
      expect(step(record, 'silver.other').error?.kind).toBe('limit')
    }
    // More of them than there are threads, and there are still threads.
    await project.write({ 'sales.csv': 'id\n1\n3\n' })
    await project.write({ 'lake.ts': lakeWith(calm) })
    expect((await project.run({ javascript, acceptDefinition: true })).outcome).toBe('done')
  })
})

it('without a limit a step may take any time', async () => {
  const project = await create(gold('select count(*) as n from ${sales}, range(30000000)'), {
    steps: "{ timeout: 'none' }",
  })
  expect((await project.run()).outcome).toBe('done')
})

it.each(['{ timeout: 30 }', "{ timeout: 'soon' }", "{ time: '1m' }"])(
  'steps: %s is refused',
  async (steps) => {
    const project = await create(calm, { steps })
    const { code, stderr } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toContain('lake.ts')
  },
)

describe('a step that nothing can stop', () => {
  it('is left behind: the run publishes what else there is, and ends', async () => {
    const project = await create(calm)
    await project.cli('run')
    await project.write({ 'lake.ts': lakeWith(gold(STUCK)), 'sales.csv': 'id\n1\n2\n3\n' })
    const { code, stdout, stderr } = await project.cli('run')
    expect(code).not.toBe(0)
    expect(stdout + stderr).toContain(
      'it continues in the background because it cannot be interrupted',
    )
    expect(await project.query('from gold.counts')).toEqual([{ n: 3n }])
    expect(await project.query('select count(*) as n from gold.other')).toEqual([{ n: 2n }])
    expect(JSON.parse((await project.cli('--json', 'verify')).stdout).problems).toEqual([])
  })

  const running = async (
    project: Project,
    isStuck = true,
  ): Promise<{ child: ChildProcess; ended: Promise<unknown[]> }> => {
    const bin = join(repository, 'bin/moraine.js')
    const child = spawn(process.execPath, [bin, '-C', project.folder, 'run'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    await new Promise<void>((done) => {
      let said = ''
      child.stdout.on('data', (chunk) => {
        said += chunk
        if (said.includes('gold.counts')) done()
      })
    })
    // It is in what nothing interrupts.
    if (isStuck) await working(child.pid as number, 4)
    return { child, ended }
  }

  it('does not keep a run from ending by Ctrl-C', async () => {
    const project = await create(gold(STUCK), { steps: '{}' })
    const { child, ended } = await running(project)
    child.kill('SIGINT')
    const [code, signal] = await ended
    expect([code, signal]).not.toEqual([0, null])
    expect(JSON.parse((await project.cli('--json', 'verify')).stdout).problems).toEqual([])
  })

  it('ends at once by Ctrl-C twice', async () => {
    const project = await create(gold(STUCK), { steps: '{}' })
    const { child, ended } = await running(project)
    for (let i = 0; child.exitCode === null && child.signalCode === null && i < 100; i++) {
      child.kill('SIGINT')
      await sleep(20)
    }
    expect(await ended).toEqual([null, 'SIGINT'])
  })

  it('does not outlive whoever read what the run says', async () => {
    const project = await create(gold(STUCK))
    const { child, ended } = await running(project, false)
    child.stdout?.destroy()
    await ended
    expect(JSON.parse((await project.cli('--json', 'verify')).stdout).problems).toEqual([])
  })

  it('leaves serve to bring all other datasets up to date, and is not begun again', async () => {
    const project = await Project.create({
      'lake.ts': lakeWith(gold(STUCK, ', schedule: after(sales)'), {
        from: "inbox({ settle: '50ms' })",
      }),
    })
    const served = Served.start(project)
    await served.line(({ event }) => event === 'listening')
    const drop = async (name: string, content: string) => {
      const folder = join(project.folder, 'lake/bronze/landing/sales')
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `.${name}`), content)
      await rename(join(folder, `.${name}`), join(folder, name))
    }
    const failures = () =>
      served.lines.filter((line) => line.event === 'job finished' && line.job === 'gold.other')
    const count = async () => (await project.query('from gold.counts').catch(() => []))[0]?.n
    for (let n = 1; n <= 3; n++) {
      await drop(`${n}.csv`, `id\n${n}\n`)
      await until(`${n} rows are counted`, async () => (await count()) === BigInt(n), served.child)
      await served.line(() => failures().length >= Math.min(n, 2))
    }
    const told = served.lines.map((line) => JSON.stringify(line)).join('\n')
    expect(told).toContain('it continues in the background')
    expect(told).toContain('It is not built again in this process')
    served.child.kill('SIGTERM')
    await served.ended
  })
})
