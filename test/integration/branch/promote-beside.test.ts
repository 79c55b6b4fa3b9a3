import { expect, it } from 'vitest'
import { promote } from '../../../src/branch/promote.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { Project } from '../../support/project.js'
import { csv, lakeFile, onBranch, shop } from './shop.js'

/** What is published is what was reviewed, whatever others do while it is. */

const author = { author: 'ada', run: null }

async function rowsOf(project: Project, ...args: string[]) {
  const { stdout } = await project.cli('query', 'from gold.by_status', '--json', ...args)
  return JSON.parse(stdout)
}

/** A lake in which something happens once a promotion has read the branch. */
function during(project: Project, work: () => Promise<unknown>) {
  const { storage } = project
  const list = storage.list.bind(storage)
  let once: Promise<unknown> | undefined
  storage.list = async (prefix) => {
    if (prefix === '_moraine/live/') {
      once ??= work()
      await once
    }
    return list(prefix)
  }
  return { log: new CommitLog(project.storage), storage }
}

it('publishes nothing that nobody has reviewed, though a run brings the branch to more', async () => {
  const project = await Project.create({
    ...lakeFile({ publish: 'review' }),
    'data/1.csv': csv([[1, 'paid', '10.00']]),
  })
  await project.run()
  const { number, hash } = await (await onBranch(project, 'review')).log.head()
  const lake = during(project, async () => {
    await project.write({ 'data/2.csv': csv([[2, 'paid', '30.00']]) })
    expect((await project.run()).outcome).toBe('done')
  })
  const reviewed = `${number}-${hash?.slice(0, 12)}`
  await expect(promote(lake, 'review', author, { reviewed })).rejects.toThrow(
    /Branch review was changed at the same time/,
  )
  expect((await project.state()).tables).toEqual({})
  // What the run has built waits, all of it.
  const all = [{ status: 'paid', n: 2, amount: '40.00' }]
  expect(await rowsOf(project, '--branch', 'review')).toEqual(all)
  expect((await project.cli('promote', 'review')).code).toBe(0)
  expect(await rowsOf(project)).toEqual(all)
  const { problems } = await verifyLake(project.storage, new CommitLog(project.storage))
  expect(problems).toEqual([])
})

it.each([
  ['run', '--branch', 'dev'],
  ['branch', 'refresh', 'dev'],
])('ends no branch on which others have done more meanwhile: moraine %s', async (...args) => {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.write(lakeFile({ minimum: 15 }))
  await project.cli('run', '--branch', 'dev')
  const before = await project.state()
  const lake = during(project, async () => {
    await project.write({
      ...lakeFile({ minimum: 25 }),
      'data/2.csv': csv([[7, 'paid', '70.00']]),
    })
    await project.run({ select: ['bronze.orders'] })
    expect(await project.cli(...args)).toMatchObject({ code: 0, stderr: '' })
  })
  await expect(promote(lake, 'dev', author)).rejects.toThrow(
    /Branch dev was changed at the same time/,
  )
  const { tables, branches } = await project.state()
  expect(tables).toEqual(before.tables)
  expect(branches).toHaveProperty('dev')
})
