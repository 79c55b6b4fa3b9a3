import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CommitLog } from '../../src/log/log.js'
import { sample } from '../support/effort.js'
import { Project, repository, step } from '../support/project.js'

/*
 * Lakes that were made by earlier versions of this program, one for each form that commits have
 * had: see lakes/README.md. Today's program opens them, reads them, finds nothing wrong, goes on
 * with them, and goes back in them.
 */

const folder = join(repository, 'test/golden/lakes')
const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())

const sale = (id: number, amount: string | null, sold_at: string) => ({ id, amount, sold_at })
const last = [sale(2, '25.00', '2026-01-03 09:00:00'), sale(4, '40.00', '2026-01-03 12:00:00')]
/** The first version had nothing that takes a key away. */
const withoutDeletes = [sale(1, null, '2026-01-04 08:00:00'), ...last]
const first = [sale(1, '10.00', '2026-01-01 08:00:00'), sale(2, '20.50', '2026-01-02 09:00:00')]
const added = sale(7, '70.00', '2026-02-01 00:00:00')

async function open(name: string): Promise<Project> {
  const project = await Project.create({})
  cpSync(join(folder, name, 'lake.ts'), join(project.folder, 'lake.ts'))
  cpSync(join(folder, name, 'in'), join(project.folder, 'in'), { recursive: true })
  execFileSync('tar', ['-xzf', join(folder, name, 'lake.tar.gz'), '-C', project.folder])
  return project
}

const sales = (project: Project, at?: number) =>
  project.query(
    'select id, cast(amount as varchar) as amount, cast(sold_at as varchar) as sold_at from silver.sales order by id',
    at,
  )
const days = async (project: Project) =>
  (await project.query('select sales from gold.days order by day')).map((row) => row.sales)
const whole = async (project: Project) => {
  const { code, stdout } = await project.cli('verify', '--deep')
  expect(code, stdout).toBe(0)
}

describe.each(
  sample(
    names.map(({ name }) => name),
    2,
  ),
)('the lake %s', (name) => {
  const now = name.startsWith('1-') ? withoutDeletes : last
  // It was made with a narrower rule first.
  const then = name.startsWith('6-') ? first.slice(0, 1) : first

  it('is read and checked as it is', async () => {
    const project = await open(name)
    expect(await sales(project)).toEqual(now)
    expect(await days(project)).toEqual(name.startsWith('1-') ? [2n, 1n] : [2n])
    expect(await project.query('select count(*) as n from discarded.sales')).toEqual([{ n: 1n }])
    await whole(project)
    for (const command of [['status'], ['history'], ['plan'], ['discarded', 'sales']]) {
      const { code, stdout, stderr } = await project.cli(...command)
      expect(code, `${command}: ${stdout}${stderr}`).toBe(0)
    }
  })

  it('goes on: what is new is read, and nothing is lost or doubled', async () => {
    const project = await open(name)
    const again = await project.run()
    expect(again.outcome, JSON.stringify(again.steps)).toBe('done')
    // What was taken in is known as such.
    expect(step(again, 'bronze.sales').outcome).toBe('unchanged')
    expect(await sales(project)).toEqual(now)
    await project.write({ 'in/7.csv': 'id,amount,sold_at,op\n7,70.00,2026-02-01 00:00:00,\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await sales(project)).toEqual([...now, added])
    await whole(project)
    const [commit] = await new CommitLog(project.storage).latest(1)
    expect(commit).toMatchObject({ format: 2 })
  })

  it('goes back, and forward again', async () => {
    const project = await open(name)
    const { number, horizon } = await project.state()
    await project.write({ 'in/7.csv': 'id,amount,sold_at,op\n7,70.00,2026-02-01 00:00:00,\n' })
    expect((await project.run()).outcome).toBe('done')
    const back = await project.cli('rollback', '--to', String(number))
    expect(back.code, back.stderr).toBe(0)
    expect(await sales(project)).toEqual(now)
    await whole(project)
    if (!horizon) {
      expect(await sales(project, 2)).toEqual(then)
      expect((await project.cli('rollback', '--to', '2')).code).toBe(0)
      expect(await sales(project)).toEqual(then)
      await whole(project)
    }
    expect((await project.run()).outcome).toBe('done')
    expect(await sales(project)).toEqual([...now, added])
    await whole(project)
  })

  it('says nothing of where and by whom it was made', () => {
    const bytes = execFileSync('tar', ['-xzOf', join(folder, name, 'lake.tar.gz')])
    expect(bytes.includes(Buffer.from('file:///data/shop/lake'))).toBe(true)
    expect(readFileSync(join(folder, name, 'lake.tar.gz')).length).toBeLessThan(100_000)
  })
})
