import { expect, it } from 'vitest'
import { CommitLog } from '../../../src/log/log.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import type { Project } from '../../support/project.js'
import { csv, lakeFile, shop } from './shop.js'

/** A branch that is older than what `vacuum --history` has left of main. */

const asked = async (project: Project, ...args: string[]) => {
  const { code, stdout, stderr } = await project.cli(...args)
  return { code, stdout, stderr }
}

async function old(): Promise<Project> {
  const project = await shop()
  await project.write({ 'data/2.csv': csv([[4, 'paid', '40.00']]) })
  await project.run()
  await project.cli('branch', 'create', 'dev')
  await project.write(lakeFile({ minimum: 20 }))
  await project.cli('run', '--branch', 'dev')
  await project.write({ ...lakeFile(), 'data/3.csv': csv([[5, 'paid', '50.00']]) })
  await project.run()
  const info = { author: 'ada', run: null }
  const removed = await vacuum(new CommitLog(project.storage), project.storage, {
    ...{ grace: 0, history: 0, remove: true, info },
  })
  expect(removed.files).toBeGreaterThan(0)
  return project
}

it('says of what is gone that it is no longer visible, and not that the lake is damaged', async () => {
  const project = await old()
  for (const args of [
    ['query', 'from gold.by_status', '--branch', 'dev', '--at', '2'],
    ['rollback', '--branch', 'dev', '--to', '2'],
    ['bisect', '--branch', 'dev', '--from', '2', 'select count(*) > 3 from silver.orders'],
  ]) {
    const { code, stderr } = await asked(project, ...args)
    expect([args, code]).toEqual([args, 2])
    expect(stderr).toMatch(/Commit 2 is no longer visible: vacuum --history has removed/)
  }
  const diff = await asked(project, 'diff', 'dev')
  expect(diff.code).toBe(2)
  expect(diff.stderr).toMatch(/Commit 4, at which branch dev starts, is no longer visible/)
  expect(diff.stderr).toMatch(/moraine diff main\.\.dev.* moraine branch refresh dev/)
  expect((await asked(project, 'diff', 'main..dev')).code).toBe(0)
})

it('is shown, and can be brought up to date and published', async () => {
  const project = await old()
  const { code, stdout } = await asked(project, 'branch', 'show', 'dev', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    datasets: [{ dataset: 'gold.by_status', before: 1, after: 1 }],
    files: 1,
  })
  await project.write(lakeFile({ minimum: 20 }))
  expect(await asked(project, 'promote', 'dev', '--refresh')).toMatchObject({ code: 0, stderr: '' })
  const rows = await project.query('SELECT n FROM gold.by_status')
  expect(rows.map(({ n }) => Number(n))).toEqual([4])
})
