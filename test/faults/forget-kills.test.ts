import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { LocalStorage } from '../../src/storage/local.js'
import { amount, sample } from '../support/effort.js'
import { killed, pointsOf, trying, waysAt } from '../support/kills.js'
import { ada, lakeOfPeople } from '../support/people.js'
import { tracesOf } from '../support/traces.js'

/*
 * `forget` is killed before and after times that it touches the lake's folder: on a laptop some, in
 * CI all.
 */

const command = ['forget', 'people', '--key', 'ada-4711', '--yes']

it('leaves a whole lake wherever it is killed, and the next call goes on to the end', async () => {
  const project = await lakeOfPeople()
  const inFolder = (name: string) => join(project.folder, name)
  await cp(inFolder('lake'), inFolder('whole'), { recursive: true })
  const points = await pointsOf(project, inFolder('whole'), { command })
  const rowsOf = async (root: string) => {
    const { tables } = await new CommitLog(new LocalStorage(root)).head()
    return Object.fromEntries(Object.entries(tables).map(([name, { rows }]) => [name, rows]))
  }
  const expected = await rowsOf(inFolder('whole'))
  expect(await tracesOf(inFolder('whole'), ada)).toEqual([])
  let deaths = 0
  await trying(waysAt(sample(points, 1, 5), amount(1, 1, 20)), async (how, folder) => {
    const root = inFolder(folder)
    await cp(inFolder('lake'), root, { recursive: true })
    if ((await killed(project, root, how, { command })).died) deaths++
    const storage = new LocalStorage(root)
    const found = await verifyLake(storage, new CommitLog(storage))
    expect([how, found.problems]).toEqual([how, []])
    const again = await project.cli('--root', root, ...command)
    expect([how, again.code, again.stderr]).toEqual([how, 0, ''])
    expect([how, await tracesOf(root, ada)]).toEqual([how, []])
    expect([how, await rowsOf(root)]).toEqual([how, expected])
    expect((await project.cli('--root', root, 'verify', '--deep')).code).toBe(0)
    await rm(root, { recursive: true })
  })
  expect(deaths).toBeGreaterThan(0)
}, 7_200_000)
