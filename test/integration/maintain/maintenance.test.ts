import { readdir, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Table } from '../../../src/iceberg/table.js'
import type { LiveEntry } from '../../../src/log/live.js'
import { damageOf } from '../../../src/log/verify/verify.js'
import { Project, step } from '../../support/project.js'

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', {
  from: raw, key: 'id', cursor: 'sold_at', partitionBy: [month('sold_at')],
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), sold_at: t.timestamp() }),
})
const months = gold('months', { query: sql\`select date_trunc('month', sold_at) as m, count(*) as n, sum(amount) as amount from \${sales} group by 1\` })
export default defineLake({ name: 'kept', datasets: [months] })
`

/** Forty sales of two months; each file has rows of its own. */
const file = (batch: number) =>
  `id,amount,sold_at\n${Array.from({ length: 40 }, (_, i) => `${batch * 40 + i},${i}.25,2026-0${(i % 2) + 1}-03 00:00:00`).join('\n')}\n`

async function lakeOf(batches: number): Promise<Project> {
  const project = await Project.create({ 'lake.ts': definition })
  for (let batch = 0; batch < batches; batch++) {
    await project.write({ [`in/${batch}.csv`]: file(batch) })
    expect((await project.run()).outcome).toBe('done')
  }
  return project
}

const rows = (project: Project, at?: number) =>
  project.query('select id, amount, sold_at from silver.sales order by id', at)

async function filesOf(project: Project, name: string): Promise<number> {
  const { tables } = await project.state()
  return (await (await Table.load(project.storage, tables[name]?.metadata as string)).scan()).length
}

/** Makes all files of the lake look old. */
async function age(project: Project): Promise<void> {
  const root = join(project.folder, 'lake')
  const old = new Date(Date.now() - 30 * 86_400_000)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), old, old)
}

describe('optimize', () => {
  it('of versions builds nothing again that reads them', async () => {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, history, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const prices = silver('prices', {
  from: bronze('prices', { from: files('in/*.csv') }), key: 'id', cursor: 'day', history: true,
  schema: z.object({ id: t.int(), price: t.int(), day: t.date() }),
})
const versions = gold('versions', { query: sql\`select id, count(*) as n from \${history(prices)} group by 1\` })
export default defineLake({ name: 'shop', datasets: [versions] })
`,
    })
    for (const day of [1, 2, 3]) {
      await project.write({ [`in/${day}.csv`]: `id,price,day\n${day},1,2026-01-0${day}\n` })
      expect((await project.run()).outcome).toBe('done')
    }
    const before = await project.state()
    const { code, stdout } = await project.cli('optimize', 'history.prices')
    expect([code, stdout]).toEqual([0, expect.stringContaining('history.prices')])
    const after = await project.state()
    expect(after.tables['history.prices']).not.toEqual(before.tables['history.prices'])
    expect(step(await project.run(), 'gold.versions').outcome).toBe('unchanged')
    // What changes them does.
    await project.write({ 'in/4.csv': 'id,price,day\n1,4,2026-01-04\n' })
    expect(step(await project.run(), 'gold.versions').outcome).toBe('done')
    expect(await project.query('select n::int as n from gold.versions where id = 1')).toEqual([
      { n: 2 },
    ])
  })

  it('puts small files together; the rows stay, and nothing is built again', async () => {
    const project = await lakeOf(5)
    const before = await rows(project)
    const { number } = await project.state()
    expect(await filesOf(project, 'silver.sales')).toBe(10)
    const { stdout, code } = await project.cli('optimize', 'silver.sales')
    expect(code).toBe(0)
    expect(stdout).toContain('10 files → 2')
    expect(await filesOf(project, 'silver.sales')).toBe(2)
    expect(await rows(project)).toEqual(before)
    expect(await rows(project, number)).toEqual(before)
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ])
    expect((await project.cli('optimize')).stdout).toContain('Nothing to do')
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // What comes later is taken in as always.
    await project.write({ 'in/9.csv': file(9) })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select sum(n) as n from gold.months')).toEqual([{ n: 240n }])
  })

  it('applies what was deleted row by row, once it is asked for', async () => {
    const project = await lakeOf(1)
    // Two sales of January change, then one of February: their files are too dear to be written
    // again.
    for (const [i, ids] of [[0, 2], [1]].entries()) {
      const changed = ids.map((id) => `${id},1000,2026-0${(id % 2) + 1}-03 00:00:00`)
      await project.write({ [`in/changed${i}.csv`]: `id,amount,sold_at\n${changed.join('\n')}\n` })
      const record = await project.run({ rewriteUpTo: 0 })
      expect(step(record, 'silver.sales')).toMatchObject({ counts: { replaced: ids.length } })
      const { tables } = await project.state()
      const table = await Table.load(project.storage, tables['silver.sales']?.metadata as string)
      const lists = (await table.plan()).flatMap(({ deletes }) => deletes)
      expect(lists.map((list) => list.rows)).toEqual(i === 0 ? [2] : [2, 1])
      expect(table.totals.rows).toBe(40)
    }
    const before = await rows(project)
    expect(before.length).toBe(40)
    expect((await project.query('select sum(amount) as a from gold.months'))[0]?.a).toBe(
      String((await project.query('select sum(amount) as a from silver.sales'))[0]?.a),
    )
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.cli('optimize')).code).toBe(0)
    const { tables } = await project.state()
    const table = await Table.load(project.storage, tables['silver.sales']?.metadata as string)
    expect((await table.plan()).every(({ deletes }) => deletes.length === 0)).toBe(true)
    expect(table.snapshot?.summary['total-delete-files']).toBe('0')
    expect(table.snapshot?.summary['total-position-deletes']).toBe('0')
    expect(await rows(project)).toEqual(before)
  })

  it('lays the rows of each partition out in an order', async () => {
    const project = await lakeOf(2)
    expect((await project.cli('optimize', 'silver.sales', '--order-by', 'amount')).code).toBe(0)
    const amounts = await project.query(
      "select amount from silver.sales where sold_at < '2026-02-01'",
    )
    expect(amounts).toEqual([...amounts].sort((a, b) => Number(a.amount) - Number(b.amount)))
    const again = await project.run()
    expect(again.steps.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
  })

  it('says what there is when a table is not', async () => {
    const project = await lakeOf(1)
    const { code, stderr } = await project.cli('optimize', 'silver.sale')
    expect(code).toBe(2)
    expect(stderr).toContain('There is no table silver.sale in this lake')
    expect(stderr).toContain('silver.sales')
  })

  it('gives way to a run that changes the table at the same time', async () => {
    const project = await lakeOf(4)
    await project.write({ 'in/7.csv': file(7) })
    const both = await Promise.all([project.cli('optimize'), project.cli('run')])
    for (const { stdout, stderr } of both) expect(stdout + stderr).not.toMatch(/\n +at /)
    expect((await project.cli('run')).code).toBe(0)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await rows(project)).length).toBe(200)
  })
})

describe('vacuum', () => {
  it('removes what nothing leads to, once it is old enough and asked for', async () => {
    const project = await lakeOf(3)
    await project.write({ 'lake/silver/sales/data/left-by-a-crash.parquet': 'x' })
    expect((await project.cli('vacuum')).stdout).toContain('Nothing to remove')
    await age(project)
    const dry = await project.cli('vacuum')
    expect(dry.stdout).toContain('silver/sales/data/left-by-a-crash.parquet')
    expect(dry.stdout).toContain('Nothing was removed')
    const { stdout } = await project.cli('vacuum', '--delete')
    expect(stdout).toMatch(/Removed 1 file /)
    const left = await readdir(join(project.folder, 'lake/silver/sales/data'))
    expect(left).not.toContain('left-by-a-crash.parquet')
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // All of the history is there.
    for (let at = 2; at <= 6; at += 2) expect((await rows(project, at)).length).toBe(20 * at)
    expect((await project.cli('vacuum', '--delete')).stdout).toContain('Nothing to remove')
  })

  it('lets go of what is older than the history that is wanted, and of nothing else', async () => {
    const project = await lakeOf(3)
    await project.cli('optimize')
    await age(project)
    const before = await rows(project)
    const wanted = ['vacuum', '--history', '0m', '--grace', '1d']
    const dry = JSON.parse((await project.cli('--json', ...wanted)).stdout)
    expect(dry).toMatchObject({ removed: false, expired: expect.arrayContaining(['silver.sales']) })
    expect(dry.files).toBeGreaterThan(10)
    const done = JSON.parse((await project.cli('--json', ...wanted, '--delete')).stdout)
    expect(done.files).toBe(dry.files)
    expect(await rows(project)).toEqual(before)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.run()).steps.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
    await project.write({ 'in/9.csv': file(9) })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select sum(n) as n from gold.months')).toEqual([{ n: 160n }])
  })

  it('leaves what a long query reads at this moment', async () => {
    const project = await lakeOf(3)
    await age(project)
    const reader: LiveEntry = {
      format: 1,
      kind: 'read',
      id: 'read-20260131T090000000Z-1a2b3c',
      author: 'ada',
      host: 'elsewhere',
      pid: 1,
      started: new Date().toISOString(),
      commit: 2,
    }
    const path = `_moraine/live/${reader.id}/000000000001.json`
    await project.storage.write(path, new TextEncoder().encode(JSON.stringify(reader)))
    const earlier = await project.state(2)
    const wanted = ['vacuum', '--history', '0m', '--grace', '1d', '--delete']
    expect((await project.cli(...wanted)).code).toBe(0)
    expect((await damageOf(project.storage, earlier)).problems).toEqual([])
    await project.storage.remove(path)
    expect((await project.cli(...wanted)).code).toBe(0)
    expect((await damageOf(project.storage, earlier)).problems).not.toEqual([])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('remembers what it has let go: it goes on, and nobody gets half of an old commit', async () => {
    const project = await lakeOf(3)
    await project.cli('optimize')
    const before = await project.state()
    await age(project)
    const deep = ['vacuum', '--grace', '1d', '--delete']
    expect((await project.cli(...deep, '--history', '0m')).code).toBe(0)
    expect((await project.state()).horizon).toBe(before.number)
    for (const again of [[], ['--history', '365d'], ['--history', '0m']]) {
      const { code, stderr } = await project.cli(...deep, ...again)
      expect([code, stderr]).toEqual([0, ''])
    }
    const number = (await project.state()).horizon as number
    for (const command of [
      ['query', 'from silver.sales', '--at', '2'],
      ['rollback', '--to', '2'],
    ]) {
      const { code, stderr } = await project.cli(...command)
      expect(code).toBe(2)
      expect(stderr).toContain('Commit 2 is no longer visible')
      expect(stderr).toContain(`The oldest complete commit is ${number}.`)
    }
    const { stdout, code } = await project.cli('verify', '--deep')
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(`Commits before ${number} were expired`),
    ])
    // Going back to what is still there works, and forward again.
    await project.write({ 'in/9.csv': file(9) })
    await project.run()
    expect((await project.cli('rollback', '--to', String(number))).code).toBe(0)
    expect((await rows(project)).length).toBe(120)
    expect((await project.cli('verify')).code).toBe(0)
  })

  it.each([
    ['leaves what a stopped run has finished, for the next one to take', false],
    ['removes what a stopped run has finished long ago: the next one does it again', true],
  ])('%s', async (_, isOld) => {
    const project = await lakeOf(1)
    await project.write({ 'in/1.csv': file(1) })
    // Silver is done and kept when the run is stopped before it publishes.
    const stop = new AbortController()
    const stopped = await project.run({
      keepAfter: 0,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'step-finished' && event.result.dataset === 'silver.sales') stop.abort()
      },
    })
    expect(stopped.outcome).toBe('cancelled')
    if (isOld) await age(project)
    expect((await project.cli('vacuum', '--delete')).code).toBe(0)
    const next = await project.run()
    const kept = isOld ? undefined : [`kept from run ${stopped.run}`]
    expect(step(next, 'silver.sales').notes).toEqual(kept)
    expect((await rows(project)).length).toBe(80)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('lets go of records of runs from before the history that is wanted', async () => {
    const project = await lakeOf(2)
    const runs = async () => (await project.storage.folders('_moraine/runs/')).length
    await age(project)
    await project.cli('vacuum', '--delete')
    expect(await runs()).toBe(2)
    await project.write({ 'in/9.csv': file(9) })
    await project.run()
    await project.cli('vacuum', '--delete', '--history', '1d')
    const records = await project.storage.list('_moraine/runs/')
    expect(new Set(records.map(({ path }) => path.split('/')[2])).size).toBe(1)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('takes no other word for a duration', async () => {
    const project = await lakeOf(1)
    const { code, stderr } = await project.cli('vacuum', '--grace', 'a week')
    expect(code).toBe(2)
    expect(stderr).toContain('--grace a week is not a duration')
  })
})

describe('verify and rollback', () => {
  it('look at earlier commits too: a file that only they need is missed', async () => {
    const project = await lakeOf(2)
    const { tables } = await project.state(2)
    const old = await Table.load(project.storage, tables['gold.months']?.metadata as string)
    const [gone] = (await old.scan()).map(({ path }) => old.pathOf(path)) as [string]
    expect((await project.cli('verify')).code).toBe(0)
    await rm(join(project.folder, 'lake', gone))
    expect((await project.cli('verify', '--head')).code).toBe(0)
    const { stdout, code } = await project.cli('verify')
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining(`gold.months of commit 2: ${gone} is missing`),
    ])
    const back = await project.cli('rollback', '--to', '2')
    expect(back.code).toBe(1)
    expect(back.stderr).toContain(
      'Commit 2 cannot be restored, because some of its files are missing or damaged',
    )
    expect(back.stderr).toContain(gone)
    expect((await project.state()).number).toBe(4)
    expect((await project.cli('rollback', '--to', '1')).code).toBe(0)
  })

  it.each(['-1', '1.5', '2026-02-31', 'yesterday', '2026'])(
    'take %s for no point in time',
    async (point) => {
      const project = await lakeOf(1)
      const before = await project.state()
      const rolled = await project.cli('rollback', `--to=${point}`)
      expect(rolled.code).toBe(2)
      if (point === '2026') expect(rolled.stderr).toContain('There is no commit 2026')
      else expect(rolled.stderr).toContain(`--to ${point} is neither a commit nor a time`)
      expect((await project.cli('query', 'from gold.months', `--at=${point}`)).code).toBe(2)
      expect(await project.state()).toEqual(before)
    },
  )

  it.each([
    ['run', async () => {}],
    ['rollback', (project: Project) => project.cli('rollback', '--to', '2')],
    ['optimize', (project: Project) => project.cli('optimize')],
    ['vacuum', (project: Project) => project.cli('vacuum', '--history', '0s', '--delete')],
  ])('miss a tail of the log that was cut off, whatever made it: %s', async (_, more) => {
    const project = await lakeOf(2)
    const before = (await project.state()).number
    await more(project)
    const { number } = await project.state()
    expect(number > before).toBe(_ !== 'run')
    const path = `_moraine/log/main/${String(number).padStart(20, '0')}.json`
    await rm(join(project.folder, 'lake', path))
    const { code, stdout } = await project.cli('verify')
    expect([code, stdout]).toEqual([1, expect.stringContaining(`the log: ${path} is missing`)])
    // Nobody writes another history over the one that was lost.
    const run = await project.cli('run')
    expect([run.code, run.stderr]).toEqual([
      1,
      expect.stringContaining(`Commit ${number} is missing`),
    ])
    expect(await project.storage.stat(path)).toBeUndefined()
  })

  it('miss a tail of a log of an earlier version by the records of its runs', async () => {
    const project = await lakeOf(2)
    await rm(join(project.folder, 'lake', '_moraine/checkpoints'), { recursive: true })
    await rm(join(project.folder, 'lake', `_moraine/log/main/${'4'.padStart(20, '0')}.json`))
    const { code, stdout } = await project.cli('verify')
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/ends with commit 3, but run \S+ made commit 4/),
    ])
  })

  it('refuse a log with a gap, and a run does not write over it', async () => {
    const project = await lakeOf(3)
    const path = `_moraine/log/main/${'4'.padStart(20, '0')}.json`
    await rm(join(project.folder, 'lake', path))
    const verified = await project.cli('verify')
    expect([verified.code, verified.stdout]).toEqual([
      1,
      expect.stringContaining(`the log: ${path} is missing`),
    ])
    for (const command of [
      ['status'],
      ['run'],
      ['history'],
      ['vacuum', '--delete'],
      ['query', 'from gold.months'],
    ]) {
      const { code, stderr } = await project.cli(...command)
      expect(code, command[0]).toBe(1)
      expect(stderr).toContain('Commit 4 is missing')
      expect(stderr).toContain(path)
    }
    expect(await project.storage.stat(path)).toBeUndefined()
  })
})
