import { describe, expect, it } from 'vitest'
import { promote } from '../../../src/branch/promote.js'
import { waitingForReview } from '../../../src/branch/waiting.js'
import { refreshBranch } from '../../../src/log/branch/refresh.js'
import { commitToStanding, openStanding, REVIEW } from '../../../src/log/branch/standing.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { Project, step } from '../../support/project.js'
import { csv, lakeFile, onBranch } from './shop.js'

/** `publish: 'review'`: what a run builds waits on a branch until somebody publishes it. */

const author = { author: 'ada', run: null }
const reviewed = (more: Parameters<typeof lakeFile>[0] = {}) =>
  lakeFile({ ...more, publish: 'review' })

const lakeOf = ({ storage }: Project) => ({ log: new CommitLog(storage), storage })
const waitingIn = (project: Project) => waitingForReview(new CommitLog(project.storage))
const publish = (project: Project, how = {}) => promote(lakeOf(project), REVIEW, author, how)
async function rowsOf(project: Project, on?: string) {
  const branch = on ? ['--branch', on] : []
  const { stdout } = await project.cli('query', ...branch, 'from gold.by_status', '--json')
  return JSON.parse(stdout)
}

const firstFile = {
  'data/1.csv': csv([
    [1, 'paid', '10.00'],
    [2, 'paid', '20.00'],
  ]),
}
const secondFile = { 'data/2.csv': csv([[3, 'paid', '30.00']]) }

/** A lake whose first run waits for a review. */
async function waiting(): Promise<Project> {
  const project = await Project.create({ ...reviewed(), ...firstFile })
  expect((await project.run()).outcome).toBe('done')
  return project
}

const isSound = async ({ storage }: Project) =>
  expect((await verifyLake(storage, new CommitLog(storage))).problems).toEqual([])

describe("publish: 'review'", () => {
  it('reads sources on main, builds on the branch, and publishes the very files', async () => {
    const project = await Project.create({ ...reviewed(), ...firstFile })
    const ran = await project.cli('run')
    expect(ran.code).toBe(0)
    expect(ran.stdout).toMatch(/Done in .*, commit 1, commit \d+ of branch review\./)
    expect(ran.stdout).toMatch(/Waiting for a review since .*, on branch review/)
    expect(ran.stdout).toMatch(/gold.by_status +- +1\n/)
    const before = await project.state()
    expect(before.tables).toEqual({})
    expect(before.offsets).toEqual({})
    expect(before.batches['bronze.orders']).toHaveLength(1)

    const head = await (await onBranch(project, REVIEW)).log.head()
    const files = (await project.storage.list('')).filter(({ path }) => /^(silver|gold)/.test(path))
    expect((await project.cli('promote', 'review')).stdout).toMatch(
      /Published .*gold.by_status, silver.orders of branch review in commit/,
    )
    const after = await project.state()
    expect(after.number).toBe(before.number + 1)
    expect(after.tables).toEqual(head.tables)
    expect(after.offsets).toEqual(head.offsets)
    expect(after.branches).toBeUndefined()
    const then = (await project.storage.list('')).filter(({ path }) => /^(silver|gold)/.test(path))
    expect(then).toEqual(files)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])

    const idle = await project.cli('run')
    expect(idle.stdout).toMatch(/Nothing to do/)
    expect(idle.stdout).not.toMatch(/Waiting/)
    expect((await project.state()).number).toBe(after.number)
    const again = await project.cli('promote', 'review')
    expect(again.code).toBe(2)
    expect(again.stderr).toMatch(/nothing waits for a review/)
    await isSound(project)
  })

  it('says what waits, and does nothing twice', async () => {
    const project = await waiting()
    const { branches, number } = await project.state()
    const { steps, outcome } = await project.run()
    expect(outcome).toBe('done')
    expect(steps.map((one) => one.outcome)).toEqual(['unchanged', 'unchanged', 'unchanged'])
    expect(await project.state()).toMatchObject({ branches, number })
    const idle = await project.cli('run')
    expect(idle.stdout).toMatch(/Nothing to do: .*\n\nWaiting for a review since/)
    const plan = await project.cli('plan')
    expect(plan.stdout).toMatch(/nothing +silver.orders/)
    expect(plan.stdout).toMatch(/silver.orders +- +2\n/)
    expect(plan.stdout).toMatch(
      /moraine diff review; publish exactly this with: moraine promote review/,
    )
    const status = await project.cli('status')
    expect(status.stdout).toMatch(/silver.orders .*a newer version waits for a review/)
    const { waiting: told } = JSON.parse((await project.cli('status', '--json')).stdout)
    expect(told).toMatchObject({ branch: 'review', moved: [] })
    expect(told.datasets).toContainEqual({ dataset: 'gold.by_status', before: null, after: 1 })
  })

  it('builds run on run before a review, each on what is new', async () => {
    const project = await waiting()
    const since = (await waitingIn(project))?.since
    await project.write(secondFile)
    const record = await project.run()
    expect(step(record, 'silver.orders').counts).toMatchObject({ in: 1, kept: 1 })
    expect(record.review).toMatchObject({ branch: 'review' })
    expect((await project.state()).tables).toEqual({})
    expect((await waitingIn(project))?.since).toBe(since)
    await publish(project)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
    await isSound(project)
  })

  it('publishes what was reviewed while main has more rows in bronze, which wait for the next', async () => {
    const project = await waiting()
    await project.write(secondFile)
    await project.run({ select: ['bronze.orders'] })
    await publish(project)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])
    const record = await project.run()
    expect(step(record, 'silver.orders').counts).toMatchObject({ in: 1, kept: 1 })
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])
    expect(await rowsOf(project, REVIEW)).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
    await publish(project, { keep: true })
    // Whoever keeps the branch goes on from there.
    expect((await project.run()).commits).toEqual([])
    expect(await waitingIn(project)).toBeUndefined()
    await isSound(project)
  })

  it('keeps off the branch what checks refuse', async () => {
    const project = await waiting()
    await publish(project)
    await project.write({ ...reviewed({ least: 2 }), ...secondFile })
    const failed = await project.cli('run')
    expect(failed.code).toBe(1)
    expect(failed.stdout).toMatch(/What succeeded waits for a review/)
    const there = await (await onBranch(project, REVIEW)).log.head()
    const main = await project.state()
    expect(there.tables['gold.by_status']).toEqual(main.tables['gold.by_status'])
    expect(there.tables['silver.orders']).not.toEqual(main.tables['silver.orders'])
    // What was refused can be looked at.
    const { rejected, run } = JSON.parse((await project.cli('run', '--json')).stdout)
    expect(rejected).toEqual(['gold.by_status'])
    const looked = await project.cli('query', '--run', run, 'from gold.by_status', '--json')
    expect(JSON.parse(looked.stdout)).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
    expect((await publish(project)).behind).toEqual(['gold.by_status'])
  })

  it('builds what is selected, and a run of bronze alone leaves nothing to review', async () => {
    const project = await Project.create({ ...reviewed(), ...firstFile })
    await project.run({ select: ['bronze.orders'] })
    expect((await project.state()).branches).toBeUndefined()
    await project.run({ select: ['silver.orders'] })
    expect((await waitingIn(project))?.datasets.map(({ dataset }) => dataset)).toEqual([
      'silver.orders',
    ])
    await project.run()
    expect((await waitingIn(project))?.datasets).toHaveLength(2)
  })

  it('goes on from what a rollback of main has left', async () => {
    const project = await waiting()
    const first = await publish(project)
    await project.write(secondFile)
    await project.run()
    await publish(project)
    await project.write({ 'data/3.csv': csv([[4, 'paid', '40.00']]) })
    await project.run()
    const back = await project.cli('rollback', '--to', String(first.commit))
    expect(back.stderr).toBe('')
    await expect(publish(project)).rejects.toThrow(/main has another version of silver.orders/)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])
    await project.run()
    await publish(project)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 4, amount: '100.00' }])
    await isSound(project)
  })

  it('takes what was built on main before the policy, and leaves it there', async () => {
    const project = await Project.create({ ...lakeFile(), ...firstFile })
    await project.run()
    const { tables } = await project.state()
    await project.write({ ...reviewed({ minimum: 20 }), ...secondFile })
    await project.run()
    expect((await project.state()).tables).toEqual(tables)
    expect(await rowsOf(project, REVIEW)).toEqual([{ status: 'paid', n: 2, amount: '50.00' }])
    // And back: a run on main does not wait for the branch.
    await project.write(lakeFile({ minimum: 30 }))
    await project.run()
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 1, amount: '30.00' }])
  })

  it('is stopped without a trace on the branch, and what was ingested is kept', async () => {
    const project = await waiting()
    const before = await waitingIn(project)
    await project.write(secondFile)
    const abort = new AbortController()
    const record = await project.run({
      signal: abort.signal,
      onEvent: (event) => {
        if (event.type === 'step-started' && event.dataset === 'silver.orders') abort.abort()
      },
    })
    expect(record.outcome).toBe('cancelled')
    expect((await project.state()).batches['bronze.orders']).toHaveLength(2)
    expect(await waitingIn(project)).toEqual(before)
    await project.run()
    expect(await rowsOf(project, REVIEW)).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
  })

  it('tells who builds by an engine that can build on main alone', async () => {
    const project = await Project.create(reviewed())
    const lake = reviewed()['lake.ts'] as string
    await project.write({
      'lake.ts': lake
        .replace('import { bronze,', "import { trino } from 'moraine'\nimport { bronze,")
        .replace(
          "publish: 'review',",
          "publish: 'review', engine: trino({ url: 'http://localhost:1' }),",
        ),
    })
    const refused = await project.cli('plan')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/gold.by_status is built by Trino, which builds on main alone/)
    await project.write({ 'lake.ts': lake.replace("'review'", "'reviewed'") })
    expect((await project.cli('plan')).stderr).toMatch(/publish must be .*'review'/)
  })
})

describe('a run beside others', () => {
  /** What a run is about to publish that began on the state of now. */
  async function late(project: Project) {
    const { log } = await onBranch(project, REVIEW)
    const base = await log.head()
    const gold = base.tables['gold.by_status']
    if (!gold) throw new Error('It has no gold')
    const changes = { tables: { 'gold.by_status': { ...gold, rows: 77 } } }
    const info = { author: 'ada', run: null, message: 'a slow run' }
    return () => commitToStanding(lakeOf(project), REVIEW, base, { changes, info, files: {} })
  }

  it('is on the branch that another has brought to a newer state of main meanwhile', async () => {
    const project = await waiting()
    const commit = await late(project)
    await project.write(secondFile)
    await project.run({ select: ['bronze.orders'] })
    await refreshBranch(new CommitLog(project.storage), REVIEW, author)
    const state = await commit()
    expect(state.tables['gold.by_status']?.rows).toBe(77)
    expect(await (await onBranch(project, REVIEW)).log.head()).toEqual(state)
  })

  it('waits again where the branch was published meanwhile', async () => {
    const project = await waiting()
    const commit = await late(project)
    await publish(project)
    await commit()
    const told = await waitingIn(project)
    expect(told?.datasets).toEqual([{ dataset: 'gold.by_status', before: 1, after: 77 }])
  })

  it('is refused where another has built the same table, or the branch is gone', async () => {
    const project = await waiting()
    const [one, two, three] = [await late(project), await late(project), await late(project)]
    await one()
    await expect(two()).rejects.toThrow(/has changed since this run began/)
    await project.cli('branch', 'delete', 'review')
    await expect(three()).rejects.toThrow(/has changed since this run began/)
    expect((await project.state()).tables).toEqual({})
    await openStanding(new CommitLog(project.storage), REVIEW, author)
    expect(await waitingIn(project)).toBeUndefined()
    // Nothing is lost: the next run builds it again.
    await project.run()
    expect(await rowsOf(project, REVIEW)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])
  })
})

describe('what a reviewer is told', () => {
  /** The command that status prints. */
  async function told(project: Project): Promise<string[]> {
    const { stdout } = await project.cli('status')
    const [, command = ''] = /publish exactly this with: moraine (.*)/.exec(stdout) ?? []
    return command.split(' ')
  }

  it('names one commit, though another branch has one of that number', async () => {
    const project = await waiting()
    const command = await told(project)
    expect(command.at(-1)).toMatch(/^2-[0-9a-f]{12}$/)
    const diff = await project.cli('diff', 'review')
    expect(diff.stdout).toContain(`review (commit ${command.at(-1)})`)
    await project.cli('branch', 'delete', 'review')
    // The next branch has other rows, at a number that may be the same.
    await project.write(reviewed({ minimum: 15 }))
    await project.run()
    const later = await told(project)
    const { log } = await onBranch(project, REVIEW)
    const { number, hash } = await log.head()
    const [other = ''] = (command.at(-1) ?? '').split('-').slice(1)
    const refused = await project.cli('promote', 'review', '--commit', `${number}-${other}`)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`is at commit ${number}-${hash?.slice(0, 12)}`)
    const alone = await project.cli('promote', 'review', '--commit', String(number))
    expect(alone.code).toBe(2)
    expect(alone.stderr).toMatch(/does not say which commit was reviewed/)
    expect((await project.state()).tables).toEqual({})
    expect((await project.cli(...later)).stdout).toMatch(/Published .*gold.by_status/)
  })

  it('publishes silver though gold that waits is older, and the next run builds it', async () => {
    const project = await waiting()
    await project.write({ ...reviewed({ least: 2 }), ...secondFile })
    expect((await project.run()).outcome).toBe('failed')
    expect((await waitingIn(project))?.moved).toEqual([])
    const { stdout, code } = await project.cli(...(await told(project)))
    expect(code).toBe(0)
    expect(stdout).toMatch(/out of date until the next run: gold.by_status/)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])
    await project.write(reviewed())
    await project.run()
    await publish(project)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
    await isSound(project)
  })

  it('has nothing waiting that main has built itself', async () => {
    const project = await waiting()
    await publish(project)
    await project.write(secondFile)
    await project.run()
    expect(await waitingIn(project)).toBeDefined()
    await project.write(lakeFile())
    await project.run()
    await project.write(reviewed())
    const idle = await project.cli('run')
    expect(idle.stdout).toMatch(/Nothing to do/)
    expect(idle.stdout).not.toMatch(/Waiting|Bring it up to date/)
    const refused = await project.cli('promote', 'review')
    expect(refused.stderr).toMatch(/main has another version of silver.orders/)
    expect(refused.stderr).toMatch(/moraine run, moraine diff review, moraine promote review\./)
    expect(refused.stderr).not.toMatch(/--refresh/)
    expect(await rowsOf(project)).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
  })

  it('makes no branch that expires', async () => {
    const project = await Project.create({ ...reviewed(), ...firstFile })
    const none = await project.cli('review', 'review')
    expect(none.code).toBe(2)
    expect(none.stderr).toMatch(/nothing waits for a review/)
    expect((await project.state()).branches).toBeUndefined()
    await project.run()
    const made = await project.cli('review', 'review')
    expect(made.code).toBe(0)
    expect(made.stdout).toContain((await told(project)).join(' '))
    expect((await onBranch(project, REVIEW)).log.forked?.ttl).toBeUndefined()
  })
})
