import { describe, expect, it } from 'vitest'
import { promote } from '../../../src/branch/promote.js'
import { commitText } from '../../../src/branch/reviewed.js'
import { Heartbeat } from '../../../src/log/live.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { LocalStorage } from '../../../src/storage/local.js'
import type { Project } from '../../support/project.js'
import { change, csv, lakeFile, onBranch, shop } from './shop.js'

/** What is published is what was reviewed: the very files. */

const author = { author: 'ada', run: null }
const byStatus = async (project: Project) =>
  JSON.parse((await project.cli('query', 'from gold.by_status', '--json')).stdout)

/** A branch on which gold counts only orders from 20 on. */
async function changed(): Promise<Project> {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.write(change({ minimum: 20 }))
  expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
  return project
}

/** Has something happen just before a commit of main is made. */
class Interrupted extends LocalStorage {
  constructor(
    of: LocalStorage,
    private readonly commit: number,
    private readonly meanwhile: () => Promise<void>,
  ) {
    super(of.folder)
  }

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (new RegExp(`_moraine/log/main/0*${this.commit}\\.json$`).test(path)) await this.meanwhile()
    return super.createIfAbsent(path, bytes)
  }
}

describe('promote', () => {
  it('publishes the very files of the branch in one commit, reads and writes no data', async () => {
    const project = await changed()
    const head = await (await onBranch(project, 'dev')).log.head()
    const before = await project.state()
    const files = await project.storage.list('gold/')
    const promoted = await project.cli('promote', 'dev')
    expect(promoted.stdout).toMatch(/Published gold.by_status of branch dev in commit \d+/)

    const after = await project.state()
    expect(after.number).toBe(before.number + 1)
    expect(after.tables).toEqual(head.tables)
    expect(after.offsets).toEqual(head.offsets)
    expect(after.branches).toBeUndefined()
    expect(await project.storage.list('gold/')).toEqual(files)
    expect(await byStatus(project)).toEqual([{ status: 'paid', n: 2, amount: '50.00' }])
    // The definition of the branch is main's now: nothing is built again.
    const { steps } = JSON.parse((await project.cli('run', '--json')).stdout)
    expect(steps.every(({ outcome }: any) => outcome === 'unchanged')).toBe(true)
    expect((await verifyLake(project.storage, new CommitLog(project.storage))).problems).toEqual([])
  })

  it('refuses what was built on rows that main has more of by now, and says which', async () => {
    const project = await changed()
    await project.write({ ...lakeFile(), 'data/2.csv': csv([[4, 'paid', '40.00']]) })
    await project.run()
    const before = await project.state()
    const refused = await project.cli('promote', 'dev')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/main has another version of gold.by_status/)
    expect(refused.stderr).toMatch(/main has built silver.orders since/)
    expect(await project.state()).toEqual(before)

    // Only gold is computed once more: silver is main's.
    await project.write(change({ minimum: 20 }))
    const { log } = await onBranch(project, 'dev')
    expect((await log.head()).tables['silver.orders']).not.toEqual(before.tables['silver.orders'])
    const done = await project.cli('promote', 'dev', '--refresh')
    expect(done.stderr).toBe('')
    expect(done.code).toBe(0)
    const after = await project.state()
    expect(after.tables['silver.orders']).toEqual(before.tables['silver.orders'])
    expect(await byStatus(project)).toEqual([{ status: 'paid', n: 3, amount: '90.00' }])
  })

  it('never takes rows back: a table of silver that lags behind main is brought up to it', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ rule: 'amount < 30' }))
    await project.cli('run', '--branch', 'dev')
    await project.write({ ...lakeFile(), 'data/2.csv': csv([[4, 'paid', '4.00']]) })
    await project.run()
    const refreshed = JSON.parse((await project.cli('branch', 'refresh', 'dev', '--json')).stdout)
    expect(refreshed.kept).toContain('silver.orders')
    // Not built yet on the new batch.
    const refused = await project.cli('promote', 'dev')
    expect(refused.stderr).toMatch(/main has a new batch of bronze.orders \(1 row\)/)
    await project.write(change({ rule: 'amount < 30' }))
    const { steps } = JSON.parse((await project.cli('run', '--branch', 'dev', '--json')).stdout)
    const silver = steps.find(({ dataset }: any) => dataset === 'silver.orders')
    expect(silver.counts).toMatchObject({ in: 1, kept: 1 })
    expect((await project.cli('promote', 'dev')).code).toBe(0)
    expect(await byStatus(project)).toEqual([{ status: 'paid', n: 3, amount: '34.00' }])
  })

  it('lets main have other files of the same rows', async () => {
    const project = await shop()
    for (const id of [4, 5, 6]) {
      await project.write({ [`data/${id}.csv`]: csv([[id, 'paid', '5.00']]) })
      await project.run()
    }
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ minimum: 20 }))
    await project.cli('run', '--branch', 'dev')
    const before = (await project.state()).tables['silver.orders']
    await project.cli('optimize')
    expect((await project.state()).tables['silver.orders']?.files).toBeLessThan(before?.files ?? 0)
    expect((await project.cli('promote', 'dev')).code).toBe(0)
    expect(await byStatus(project)).toEqual([{ status: 'paid', n: 2, amount: '50.00' }])
  })

  it('refuses another commit than the one that was reviewed', async () => {
    const project = await changed()
    const { commits, at } = JSON.parse(
      (await project.cli('branch', 'show', 'dev', '--json')).stdout,
    )
    const reviewed = at + commits
    await project.write(change({ minimum: 30 }))
    await project.cli('run', '--branch', 'dev')
    const refused = await project.cli('promote', 'dev', '--commit', String(reviewed))
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(`commit ${reviewed} was reviewed`)
    expect((await project.cli('promote', 'dev', '--commit', String(reviewed + 1))).code).toBe(0)
  })

  it('waits for a run on the branch that has not ended', async () => {
    const project = await changed()
    const { log } = await onBranch(project, 'dev')
    const run = (await log.latest(1))[0]?.run as string
    const by = { id: run, author: 'ada', started: new Date().toISOString(), commit: 1 }
    const heartbeat = Heartbeat.ofRun(project.storage, by)
    await heartbeat.seen
    const main = new CommitLog(project.storage)
    const lake = { log: main, storage: project.storage }
    await expect(promote(lake, 'dev', author)).rejects.toThrow(/has not ended yet/)
    await heartbeat.stop()
    await expect(promote(lake, 'dev', author)).resolves.toMatchObject({ behind: [] })
  })

  it('waits for a run that has been building on the branch, and has committed nothing yet', async () => {
    const project = await changed()
    const started = new Date().toISOString()
    const by = { id: 'night', author: 'ada', branch: 'dev', started, commit: 1 }
    const heartbeat = Heartbeat.ofRun(project.storage, by)
    await heartbeat.seen
    const lake = { log: new CommitLog(project.storage), storage: project.storage }
    await expect(promote(lake, 'dev', author)).rejects.toThrow(
      'Run night of ada on this branch has not ended yet',
    )
    // Where the branch stays, it can go on.
    await expect(promote(lake, 'dev', author, { keep: true })).resolves.toMatchObject({
      published: ['gold.by_status'],
    })
    await heartbeat.stop()
  })

  it('tells of what was committed to the branch in the moment that it ended', async () => {
    const project = await changed()
    const { log } = await onBranch(project, 'dev')
    const head = await log.head()
    const main = await project.state()
    const storage = new Interrupted(project.storage, main.number + 1, async () => {
      await log.commit(head, { offsets: {} }, { ...author, run: 'late', message: 'a run' })
    })
    const promoted = await promote({ log: new CommitLog(storage), storage }, 'dev', author)
    expect(promoted).toMatchObject({
      published: ['gold.by_status'],
      unpublished: { commit: commitText(await log.head()), run: 'late' },
    })
    expect((await project.state()).tables['gold.by_status']).toEqual(head.tables['gold.by_status'])
  })

  it('ends no branch that has nothing to publish', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    const { number } = await project.state()
    const empty = await project.cli('promote', 'dev')
    expect([empty.code, empty.stderr]).toEqual([0, ''])
    expect(empty.stdout).toMatch(/There is nothing to publish: branch dev .* The branch was kept\./)
    expect(empty.stdout).toMatch(/moraine branch delete dev/)
    expect((await project.state()).number).toBe(number)
    // A run that had begun before goes on, and what it builds is published.
    await project.write(change({ rule: 'amount < 30' }))
    expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    expect((await project.cli('promote', 'dev')).stdout).toMatch(/Published .*The branch has ended/)
    expect((await project.cli('promote', 'dev')).stderr).toMatch(/There is no branch dev/)
  })

  it('keeps the branch where that is asked, and says what was not built on it', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ rule: 'amount < 30' }))
    await project.cli('run', 'silver.orders', '--branch', 'dev')
    const promoted = JSON.parse((await project.cli('promote', 'dev', '--keep', '--json')).stdout)
    expect(promoted.published).toEqual(['discarded.orders', 'silver.orders'])
    expect(promoted.behind).toEqual(['gold.by_status'])
    const again = await project.cli('promote', 'dev', '--keep')
    expect(again.stdout).toMatch(/nothing to publish/)
    await project.run()
    expect(await byStatus(project)).toEqual([{ status: 'paid', n: 2, amount: '30.00' }])
  })
})
