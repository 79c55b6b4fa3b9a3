import { expect, it } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import { CommitLog } from '../../../src/log/log.js'
import { QueryService } from '../../../src/query/service/service.js'
import { lakeOfPeople } from '../../support/people.js'

it('lists those tables that can be queried, and no others', async () => {
  const project = await lakeOfPeople()
  const { storage } = project
  // Keys that are gone, which runs alone look at.
  expect(Object.keys((await project.state()).tables)).toContain('tombstones.people')
  const service = new QueryService({ storage, log: new CommitLog(storage) })
  const boss = { name: 'boss', rights: allRights }
  const tables = await service.tables(boss)
  const names = tables.map(({ schema, name }) => `${schema}.${name}`)
  expect(names).toEqual(expect.arrayContaining(['silver.people', 'history.people']))
  for (const name of names) {
    await using answer = await service.query({ principal: boss, sql: `from ${name} limit 1` })
    for await (const _ of answer.rows) break
  }
  await service.close()
  const [commits, history] = [
    await project.cli('query', 'select tables from system.commits', '--json'),
    await project.cli('history', '--json'),
  ]
  for (const { stdout } of [commits, history]) {
    expect(stdout).toContain('silver.people')
    expect(stdout).not.toContain('tombstones')
  }
})
