import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import { Heartbeat } from '../../../src/log/live.js'
import { CommitLog } from '../../../src/log/log.js'
import { ServerState } from '../../../src/query/service/kept/server-state.js'
import { QueryService } from '../../../src/query/service/service.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { ada, definition, lakeOfPeople } from '../../support/people.js'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

const others =
  'select id, name, email, age from silver.people union all select CAST(order_id AS VARCHAR), person, note, 0 from silver.orders order by 1'

describe('forget', () => {
  it('removes a person from every layer and earlier state, and nobody else', async () => {
    const project = await lakeOfPeople()
    const lake = join(project.folder, 'lake')
    const isAdas = (row: object) => Object.values(row).some((v) => String(v).includes('ada'))
    const before = (await project.query(others)).filter((row) => !isAdas(row))
    const { number } = await project.state()
    expect((await tracesOf(lake, ada)).length).toBeGreaterThan(20)

    const dry = await project.cli('forget', 'people', '--key', 'ada-4711')
    expect([dry.code, dry.stderr]).toEqual([0, ''])
    expect(dry.stdout).toMatch(/bronze\.people +3 rows/)
    expect(dry.stdout).toMatch(/silver\.people +1 row/)
    expect(dry.stdout).toMatch(/history\.people +2 rows/)
    expect(dry.stdout).toMatch(/discarded\.people +1 row/)
    expect(dry.stdout).toMatch(/silver\.orders +1 row/)
    expect(dry.stdout).toMatch(/silver\.letters +1 row/)
    expect(dry.stdout).toContain('rebuilt from all of their rows: silver.places')
    expect(dry.stdout).toContain('bronze.people: people/*.csv')
    expect(dry.stdout).toContain('Nothing was changed')
    expect((await project.state()).number).toBe(number)

    const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
    expect([done.stderr, done.code]).toEqual(['', 0])
    expect(await tracesOf(lake, ada)).toEqual([])
    expect(await project.query(others)).toEqual(before)
    const verified = await project.cli('verify', '--deep')
    expect([verified.stderr, verified.code]).toEqual(['', 0])
    expect(verified.stdout).toMatch(
      /rows of .*silver\.people.* were forgotten by .* \(receipt [0-9a-f]{16}\)/,
    )

    // What is said of all rows still adds up, and the next run neither fails nor brings them back.
    expect((await project.cli('discarded', 'people')).stdout).toContain('2 forgotten')
    const record = await project.run()
    expect([record.outcome, record.commits]).toEqual(['done', []])
    await project.write({
      'people/4.csv': 'id,name,email,age,v,place,op\np-1,One,one@example.org,5,9,town-1,\n',
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await tracesOf(lake, ada)).toEqual([])
    expect(await project.query("select name from silver.people where id = 'p-1'")).toEqual([
      { name: 'One' },
    ])

    const back = await project.cli('rollback', '--to', String(number))
    expect(back.code).toBe(2)
    expect(back.stderr).toContain('has forgotten rows that it had')
    const again = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
    expect(again.stdout).toContain('No row of silver.people')
    // The archive has no file of theirs any more: the batches that they were in stay as they are.
    expect((await project.cli('rebuild', 'orders', '--from', 'archive')).code).toBe(0)
    expect(await tracesOf(lake, ada)).toEqual([])
  })

  it('leaves nothing of a person in results that servers keep, on whichever machine', async () => {
    const project = await lakeOfPeople()
    const storage = new LocalStorage(join(project.folder, 'lake'))
    const boss = { name: 'boss', rights: allRights }
    const started = async (folder: string) => {
      const state = await ServerState.open(folder)
      const service = new QueryService({ storage, log: new CommitLog(storage), state })
      await service.resume()
      const close = async () => {
        await service.close()
        await state?.close()
      }
      return { service, close }
    }
    const sql = "select * from silver.people where id = 'ada-4711'"
    const asked = async ({ service }: Awaited<ReturnType<typeof started>>) => {
      const { id } = service.start({ principal: boss, sql })
      await service.finished(id, boss)
      expect((await service.results(id, boss)).rows).toHaveLength(1)
      return id
    }
    const own = join(project.folder, '.moraine', 'queries')
    const here = await started(own)
    await asked(here)
    await here.service.named.put(boss, { name: 'one', sql })
    await here.close()
    // A server that was killed has left rows, and half a record of them.
    await project.write({
      '.moraine/queries/executions/half.json': '{"id":"half","sql":"ada-4711',
      '.moraine/queries/results/half.rows': 'ada-4711',
    })
    const other = join(project.folder, 'other')
    const there = await started(other)
    const id = await asked(there)

    const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
    expect([done.stderr, done.code]).toEqual(['', 0])
    expect(done.stdout).toContain('.moraine/queries/named: named queries (1)')
    for (const kind of ['executions', 'results'])
      expect(await tracesOf(join(own, kind), ada)).toEqual([])
    await expect(there.service.results(id, boss)).rejects.toThrow('has expired')
    await there.close()
    expect(await tracesOf(join(project.folder, 'lake'), ada)).toEqual([])
    await (await started(other)).close()
    expect(await tracesOf(other, ada)).toEqual([])
  })

  it('finds a person by a column that is declared, and no other', async () => {
    const project = await lakeOfPeople()
    const where = (sql: string) => project.cli('forget', 'people', '--where', sql)
    const found = await where("email = 'ada@example.org'")
    expect(found.stdout).toMatch(/bronze\.people +3 rows/)
    const other = await where('age = 36')
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('not at age')])
    expect((await where('id in (select person from silver.orders)')).code).toBe(2)
    for (const everybody of [
      "id = 'ada-4711') or (1=1",
      "id = '') or (true) -- ",
      'id = 1, true',
    ]) {
      const { code, stdout, stderr } = await where(everybody)
      expect([code, stdout], everybody).toEqual([2, ''])
      expect(stderr).toMatch(/syntax error|not one expression/)
    }
    expect((await project.cli('forget', 'people')).code).toBe(2)
    expect((await project.cli('forget', 'daily', '--key', '1')).stderr).toContain(
      'not a silver dataset',
    )
  })

  it('refuses, before anything is touched, what it could not forget', async () => {
    const project = await lakeOfPeople()
    const { number } = await project.state()
    const refused = async () => {
      const { stderr, code } = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
      expect(code).toBe(2)
      return stderr
    }
    await project.cli('branch', 'create', 'dev')
    expect(await refused()).toMatch(
      /Branch dev has states of the lake .*[\s\S]*moraine branch delete dev/,
    )
    // Who only asks is told what would go, and what is in its way.
    const dry = await project.cli('forget', 'people', '--key', 'ada-4711')
    expect(dry.stdout).toMatch(/bronze\.people +3 rows/)
    expect(dry.stdout).not.toContain('--yes')
    expect([dry.code, dry.stderr]).toEqual([
      2,
      expect.stringMatching(/Branch dev has states .*[\s\S]*moraine promote dev, or/),
    ])
    await project.cli('branch', 'delete', 'dev')
    await project.write({ 'lake.ts': definition.replace('letters, places', 'places') })
    expect(await refused()).toContain('letters is no longer in lake.ts')
    expect((await project.state()).number).toBe(number + 2)
  })

  it('refuses archived files of batches that were undone, and files that nobody could read', async () => {
    const project = await lakeOfPeople()
    const forget = () => project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
    const { number } = await project.state()
    await project.write({ 'lake/bronze/landing/orders/5.parquet': 'ada-4711' })
    await project.run()
    const unread = await forget()
    expect(unread.stderr).toMatch(/5\.parquet could not be read, is kept at archive\/orders\//)
    const [batch] = /discard-batch bronze\.orders \S+[^. ]/.exec(unread.stderr) ?? ['']
    expect((await project.cli(...batch.split(' '))).stderr).toBe('')
    await project.cli('rollback', '--to', String(number), '--undo-intake', '--allow-loss')
    const undone = await forget()
    expect([undone.code, undone.stderr]).toEqual([
      2,
      expect.stringMatching(/archive\/orders\/\S+ is of no batch that bronze\.orders has now/),
    ])
  })

  it('leaves files of earlier states to who reads one, and says so', async () => {
    const project = await lakeOfPeople()
    const { number } = await project.state()
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const reader = Heartbeat.ofReader(project.storage, 'eve', number)
    vi.runOnlyPendingTimers()
    vi.useRealTimers()
    await reader.seen
    const files = async () => (await project.storage.list('silver/people/')).map(({ path }) => path)
    const before = await files()
    const waits = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
    expect([waits.code, waits.stderr]).toEqual([2, expect.stringContaining('eve reads an earlier')])
    expect(await files()).toEqual(expect.arrayContaining(before))
    await reader.stop()
    const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
    expect([done.stderr, done.code]).toEqual(['', 0])
    expect(await tracesOf(join(project.folder, 'lake'), ada)).toEqual([])
  })

  it('refuses partitions that are final, and lists bronze that nothing looked into', async () => {
    const day = (ago: number) => new Date(Date.now() - ago * 86_400_000)
    const [old, recent] = [200, 1].map((ago) => day(ago).toISOString().slice(0, 10))
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('visits', { from: files('visits.csv') })
const other = bronze('other', { from: files('other.csv') })
const visits = silver('visits', { from: raw, key: 'id', keep: { for: '100 days', by: 'day' }, schema: z.object({ id: z.string(), day: t.date(), n: t.int() }) })
const daily = gold('daily', { query: sql\`select day, max(id) as who, count(*) as n from \${visits} group by day\`, incremental: { by: 'day' } })
const numbers = gold('numbers', { query: sql\`select n as id from \${visits}\` })
export default defineLake({ name: 'shop', datasets: [visits, other, daily, numbers] })
`,
      'visits.csv': `id,day,n\n1,${old},7\n2,${recent},1\n3,${recent},1\n`,
      'other.csv': 'a\n1\n',
    })
    await project.run({ now: () => day(150) })
    const forget = (...more: string[]) => project.cli('forget', 'visits', '--key', '1', ...more)
    expect((await forget('--yes')).stderr).toContain('Rows of silver.visits are to expire')
    await project.run()
    const { number } = await project.state()
    const refused = await forget('--yes')
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('gold.daily has 1 row in partitions that are final'),
    ])
    expect((await project.state()).number).toBe(number)
    expect((await project.cli('run', 'gold.daily', '--full', '--allow-loss')).code).toBe(0)
    const dry = await forget()
    expect(dry.stdout).toMatch(/not looked into:\n +bronze\.other/)
    // A column of another meaning has the same name, and the same value: it is in nobody's way.
    const done = await forget('--yes')
    expect([done.stderr, done.code]).toEqual(['', 0])
    expect(await project.query('select id from gold.numbers order by 1')).toEqual([
      { id: 1 },
      { id: 1 },
    ])
  })
})
