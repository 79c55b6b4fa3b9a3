import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { discardBatch } from '../../../src/bronze/discard-batch.js'
import { CommitLog } from '../../../src/log/log.js'
import { Project, step } from '../../support/project.js'

const lake = (key = "key: 'id',") => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('pay', { from: files('in/*.csv') })
const pay = silver('pay', { from: raw, ${key} schema: z.object({ id: t.int(), amount: t.decimal(9, 2) }) })
const total = gold('total', { query: sql\`SELECT sum(amount) AS amount FROM \${pay}\` })
export default defineLake({ name: 'pay', datasets: [total] })
`

async function days(key?: string): Promise<Project> {
  const project = await Project.create({ 'lake.ts': lake(key) })
  for (const [day, text] of [
    '1,10.00\n2,20.00\n',
    '2,999.00\n3,999.00\nx,1\n',
    '4,40.00\n',
  ].entries()) {
    await project.write({ [`in/${day + 1}.csv`]: `id,amount\n${text}` })
    expect((await project.run()).outcome).toBe('done')
  }
  return project
}

const pay = 'SELECT id, amount::varchar AS amount FROM silver.pay ORDER BY ALL'
const total = 'SELECT amount::varchar AS amount FROM gold.total'

describe('a batch that should not have come', () => {
  it.each(["key: 'id',", ''])(
    'is taken out of all that was made from it, and told (%s)',
    async (key) => {
      const project = await days(key)
      const before = await project.state()
      const named = before.batches['bronze.pay']?.[1]?.batch ?? ''
      const done = await project.cli('discard-batch', 'bronze.pay', named)
      expect(done.stderr).toBe('')
      expect(done.stdout).toContain(
        `✔ Commit ${before.number + 1}: batch ${named} of bronze.pay (3 rows) is no longer part of the lake.`,
      )
      expect(done.stdout).toContain('The next run rebuilds what was derived from it: silver.pay.')
      expect((await project.cli('plan')).stdout).toContain(
        `batch ${named} of bronze.pay was discarded`,
      )
      const record = await project.run()
      expect(record.outcome).toBe('done')
      expect(step(record, 'bronze.pay')).toMatchObject({ outcome: 'unchanged' })
      expect(step(record, 'silver.pay').counts).toMatchObject({ in: 3, kept: 3, discarded: 0 })
      expect(await project.query(pay)).toEqual([
        { id: 1, amount: '10.00' },
        { id: 2, amount: '20.00' },
        { id: 4, amount: '40.00' },
      ])
      expect(await project.query(total)).toEqual([{ amount: '70.00' }])
      expect(
        await project.query('SELECT DISTINCT _source_file AS f FROM bronze.pay ORDER BY 1'),
      ).toEqual([{ f: 'in/1.csv' }, { f: 'in/3.csv' }])
      expect((await project.cli('history')).stdout).toContain(
        `discard batch ${named} of bronze.pay: 3 rows`,
      )
      expect((await project.cli('verify')).code).toBe(0)
      // It is not built again and again, and increments go on.
      expect((await project.run()).steps.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
      await project.write({ 'in/4.csv': 'id,amount\n5,50.00\n' })
      const next = await project.run()
      expect(step(next, 'silver.pay').counts).toMatchObject({ in: 1, kept: 1 })
      expect(await project.query(total)).toEqual([{ amount: '120.00' }])
    },
  )

  it('comes back when its file is mended, or the lake is rolled back', async () => {
    const project = await days()
    const before = await project.state()
    await project.cli('discard-batch', 'pay', '2')
    await project.run()
    expect((await project.cli('rollback', '--to', String(before.number))).code).toBe(0)
    expect(await project.query('SELECT count(*) AS n FROM bronze.pay')).toEqual([{ n: 6n }])
    expect(await project.query(total)).toEqual([{ amount: '2048.00' }])
    await project.cli('discard-batch', 'bronze.pay', '000002')
    await project.write({ 'in/2.csv': 'id,amount\n2,21.00\n3,30.00\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(pay)).toEqual([
      { id: 1, amount: '10.00' },
      { id: 2, amount: '21.00' },
      { id: 3, amount: '30.00' },
      { id: 4, amount: '40.00' },
    ])
  })

  it('may be one that no table has read: nothing is built anew for it', async () => {
    const project = await days()
    await project.write({ 'in/4.csv': 'id,amount\n1,0.00\n' })
    await project.run({ select: ['bronze.pay'] })
    const { storage } = project
    const where = { storage, log: new CommitLog(storage), author: 'test' }
    await discardBatch(where, 'bronze.pay', '4')
    const record = await project.run()
    expect(step(record, 'silver.pay').counts?.in ?? 0).toBe(0)
    expect((await project.query(pay))[0]).toEqual({ id: 1, amount: '10.00' })
  })

  it('may be all that there is', async () => {
    const project = await Project.create({ 'lake.ts': lake(), 'in/1.csv': 'id,amount\n1,10.00\n' })
    await project.run()
    await project.cli('discard-batch', 'bronze.pay', '1')
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT count(*) AS n FROM silver.pay')).toEqual([{ n: 0n }])
    await rm(`${project.folder}/in/1.csv`)
    await project.write({ 'in/2.csv': 'id,amount\n2,20.00\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(pay)).toEqual([{ id: 2, amount: '20.00' }])
  })

  it('has to be there, and is discarded once', async () => {
    const project = await days()
    const none = await project.cli('discard-batch', 'bronze.pay', '9')
    expect(none.code).toBe(2)
    expect(none.stderr).toContain("bronze.pay has no batch '9'")
    expect(none.stderr).toMatch(/Its newest batches are: 000001-\w+, 000002-\w+, 000003-\w+/)
    await project.cli('discard-batch', 'bronze.pay', '2')
    const again = await project.cli('discard-batch', 'bronze.pay', '2')
    expect(again.stderr).toMatch(/Batch 000002-\w+ of bronze.pay has already been discarded/)
    const table = await project.cli('discard-batch', 'silver.pay', '2')
    expect(table.stderr).toContain("'silver.pay' is not a bronze dataset")
  })

  it('stays out when an archived inbox is made anew', async () => {
    const project = await Project.create({
      'lake.ts': lake()
        .replace("files('in/*.csv')", "inbox({ settle: '20ms' }), archive: true")
        .replace('{ files }', '{ inbox }'),
    })
    for (const id of [1, 2]) {
      await project.write({ [`lake/bronze/landing/pay/${id}.csv`]: `id,amount\n${id},1\n` })
      await project.run()
    }
    expect((await project.cli('discard-batch', 'pay', '2')).code).toBe(0)
    await project.run()
    expect((await project.cli('rebuild', 'pay', '--from', 'archive')).code).toBe(0)
    expect(await project.query('SELECT id FROM silver.pay')).toEqual([{ id: 1 }])
  })

  it('that held everything leaves the export before it', async () => {
    const project = await Project.create({
      'lake.ts': lake().replace("'in/*.csv'", "'in/*.csv', { full: true }"),
    })
    for (const [n, rows] of ['1,10.00\n2,20.00\n', '1,999.00\n2,999.00\n'].entries()) {
      await project.write({ [`in/${n + 1}.csv`]: `id,amount\n${rows}` })
      expect((await project.run()).outcome).toBe('done')
    }
    expect(await project.query(total)).toEqual([{ amount: '1998.00' }])
    expect((await project.cli('discard-batch', 'pay', '2')).code).toBe(0)
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(total)).toEqual([{ amount: '30.00' }])
  })
})

const followed = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const from = bronze('people', { from: files('log/*.jsonl', { follow: true }) })
export default defineLake({ name: 'people', datasets: [silver('people', { from, key: 'id', schema: z.object({ id: t.int() }) })] })
`
const line = (id: number) => `${JSON.stringify({ id })}\n`
const ids = async (project: Project) =>
  (await project.query('select id from silver.people order by id')).map(({ id }) => id)

it('goes on with a log whose newest batch was discarded, whatever vacuum removes', async () => {
  const project = await Project.create({
    'lake.ts': followed,
    'log/a.jsonl': line(1) + line(2),
  })
  await project.run()
  const [{ manifest = '' } = {}] = (await project.state()).batches['bronze.people'] ?? []
  const log = join(project.folder, 'log/a.jsonl')
  const vacuumed = async () => {
    const { stderr } = await project.cli('vacuum', '--history', '0s', '--grace', '0s', '--delete')
    expect(stderr).toBe('')
    await appendFile(log, line(3))
    expect((await project.run()).outcome).toBe('done')
  }
  expect((await project.cli('discard-batch', 'people', '1')).stderr).toBe('')
  // So earlier versions left it.
  const watermark = (await project.state()).watermarks['bronze.people']
  await project.commit({ watermarks: { 'bronze.people': { follow: manifest } } })
  expect((await project.run()).outcome).toBe('done')
  await vacuumed()
  expect(await ids(project)).toEqual([3])

  expect(watermark).toEqual({ follow: expect.stringMatching(/\/discarded-[0-9a-f]+\.json$/) })
  expect((await project.cli('discard-batch', 'people', '2')).stderr).toBe('')
  expect((await project.run()).outcome).toBe('done')
  await vacuumed()
  expect(await project.query('select _source_line as n from bronze.people')).toEqual([{ n: 4n }])
  expect(await ids(project)).toEqual([3])
})
