import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project, step } from '../../support/project.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const schema = z.object({ id: t.int(), amount: t.decimal(10, 2) })
const dropped = silver('dropped', { from: bronze('dropped', { from: inbox({ settle: '20ms' }), archive: true }), schema, key: 'id' })
const listed = silver('listed', { from: bronze('listed', { from: files('in/*.csv') }), schema, key: 'id' })
export default defineLake({ name: 'shop', datasets: [dropped, listed] })
`

async function drop(project: Project, name: string, text: string): Promise<void> {
  const folder = join(project.folder, 'lake/bronze/landing/dropped')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, name), text)
}

/** Two loads, of which the second is to be undone. */
async function filled() {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id,amount\n1,10\n' })
  await drop(project, '1.csv', 'id,amount\n1,10\n')
  await project.run()
  const { number } = await project.state()
  await drop(project, '2.csv', 'id,amount\n2,20\n')
  await project.write({ 'in/2.csv': 'id,amount\n2,20\n' })
  await project.run()
  return { project, number: String(number) }
}

const rows = (project: Project, name: string) =>
  project.query(`select id, cast(amount as varchar) as amount from silver.${name} order by id`)
const [first, second] = [
  { id: 1, amount: '10.00' },
  { id: 2, amount: '20.00' },
]

it('what arrived since stays: tables go back, and the next run builds from it again', async () => {
  const { project, number } = await filled()
  const { stdout } = await project.cli('rollback', '--to', number)
  expect(stdout).toContain('2 batches that arrived since then stayed in bronze')
  for (const name of ['dropped', 'listed']) expect(await rows(project, name)).toEqual([first])
  const record = await project.run()
  for (const name of ['dropped', 'listed']) {
    expect(step(record, `silver.${name}`).counts?.in).toBe(1)
    expect(await rows(project, name)).toEqual([first, second])
  }
  // The archive still makes all of it anew.
  await drop(project, '3.csv', 'id,amount\n3,30\n')
  await project.run()
  expect((await project.cli('rebuild', 'dropped', '--from', 'archive')).code).toBe(0)
  expect(await rows(project, 'dropped')).toHaveLength(3)
  expect((await project.cli('verify')).code).toBe(0)
})

it('intake is undone where sources give it again, and else only when that is said twice', async () => {
  const { project, number } = await filled()
  const before = await project.state()
  const undo = ['rollback', '--to', number, '--undo-intake']
  const refused = await project.cli(...undo)
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('What arrived for bronze.dropped (1 row) would be lost'),
  ])
  expect(refused.stderr).not.toContain('bronze.listed')
  expect(await project.state()).toEqual(before)
  expect((await project.cli(...undo, '--allow-loss')).code).toBe(0)
  await project.run()
  expect(await rows(project, 'dropped')).toEqual([first])
  expect(await rows(project, 'listed')).toEqual([first, second])
  // It is still in the history; what came anew under the same numbers can't stand behind it.
  const back = ['rollback', '--to', String(before.number)]
  const forked = await project.cli(...back)
  expect([forked.code, forked.stderr]).toEqual([
    2,
    expect.stringContaining('bronze.listed was ingested again since commit'),
  ])
  expect((await project.cli(...back, '--undo-intake')).code).toBe(0)
  expect(await rows(project, 'dropped')).toEqual([first, second])
})

it('what a stopped run built of batches that were undone is not taken for those that came instead', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id,amount\n1,10\n' })
  await project.run()
  const { number } = await project.state()
  await project.write({ 'in/2.csv': 'id,amount\n2,999\n' })
  // Silver is done and kept when the run is stopped before it publishes.
  const stop = new AbortController()
  await project.run({
    keepAfter: 0,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === 'step-finished' && event.result.dataset === 'silver.listed') stop.abort()
    },
  })
  expect((await project.cli('rollback', '--to', String(number), '--undo-intake')).code).toBe(0)
  await project.write({ 'in/2.csv': 'id,amount\n2,20\n' })
  await project.run()
  expect(await rows(project, 'listed')).toEqual([first, second])
})

it('a file that was undone is taken when it is dropped again, also after a vacuum that left its archive', async () => {
  const { project, number } = await filled()
  const undo = ['rollback', '--to', number, '--undo-intake', '--allow-loss']
  expect((await project.cli(...undo)).code).toBe(0)
  const { stdout } = await project.cli('vacuum', '--history', '0s', '--grace', '0s', '--delete')
  expect(stdout).toContain('Removed')
  await drop(project, '2.csv', 'id,amount\n2,20\n')
  const record = await project.run()
  expect([record.outcome, step(record, 'bronze.dropped').error]).toEqual(['done', undefined])
  expect(await rows(project, 'dropped')).toEqual([first, second])
})
