import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { openRunRoom, type RoomRequest, type RunRoom } from '../../src/serve/run-room.js'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { Trino } from '../support/trino.js'
import { isWhole } from '../support/whole.js'
import type { LakeAddress } from './engines/engine.js'
import { fromGuide } from './engines/guide.js'
import { trinoParts } from './engines/trino.js'
import { python } from './readers.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int(), price: t.decimal(9, 2) }) })
const totals = gold('totals', { query: sql\`select count(*) as n, sum(price) as total from \${orders}\` })
export default defineLake({ name: 'built', datasets: [totals] })
`
const TOKEN = 'open sesame'
const tables = ['gold.totals', 'gold.fresh', 'gold.gone']
const author = 'ada'

async function lake(): Promise<Project> {
  const project = await Project.create({
    'lake.ts': definition,
    'in/1.csv': 'id,price\n1,1.50\n2,2.50\n',
  })
  expect((await project.run()).outcome).toBe('done')
  return project
}

async function served(project: Project): Promise<string> {
  const server = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
  const { url } = await server.line(({ event }) => event === 'catalog')
  return String(url)
}

async function room(project: Project, request: Partial<RoomRequest> = {}): Promise<RunRoom> {
  const opened = await openRunRoom(project.storage, {
    run: '20261201T1-a',
    author,
    tables,
    ...request,
  })
  onTestFinished(() => opened.close().catch(() => {}))
  return opened
}

async function tell(opened: RunRoom, doing: string, token?: string) {
  const script = join(repository, 'test/foreign/run_branch_pyiceberg.py')
  const args = [script, opened.url, token ?? (await opened.token()), opened.branch, doing]
  const { stdout } = await promisify(execFile)(python as string, args)
  return JSON.parse(stdout.slice(stdout.indexOf('{"')))
}

/** Publishes what an engine has built. */
async function publish(opened: RunRoom) {
  const info = { author, run: '20261201T1-a', message: 'build tables elsewhere' }
  const built = Object.entries(await opened.tables()).map(([name, table]) => [
    name,
    { ...table, definition: { query: 'q' } },
  ])
  return opened.publish({ changes: { tables: Object.fromEntries(built) }, info })
}

const orders = [
  [1, '1.50'],
  [2, '2.50'],
]

withService('PyIceberg', [python], () => {
  it.each(['a catalog of the run', 'a served catalog'])(
    'builds by %s what the run plans, and nothing else',
    async (by) => {
      const project = await lake()
      const isServed = by === 'a served catalog'
      const own = isServed ? { served: { url: await served(project), as: TOKEN } } : {}
      const opened = await room(project, own)
      const { refused, ...seen } = await tell(opened, 'build')
      expect(seen).toMatchObject({
        namespaces: expect.arrayContaining([['silver'], ['gold']]),
        orders: orders.map((row) => expect.arrayContaining(row)),
        before: [[2, '4.00']],
        totals: [[7, '9.00', 'new']],
        fresh: [
          ['b', 3],
          ['c', 4],
        ],
        tables: ['gold.fresh', 'gold.totals'],
      })
      const reasons = {
        append: 'token may not write to silver.orders: this token is of run 20261201T1-a',
        'drop of another': 'token may not write to silver.orders',
        "drop of the lake's": "A run's engine drops only what it has created itself",
        create: 'which builds gold.totals, gold.fresh, gold.gone',
        namespace: 'token may not create namespace ml',
        location: 'what a run builds lies directly below',
        outside: 'Cannot create gold.gone at file:///tmp/elsewhere',
        data: 'its files lie in its own folder, and write.data.path says otherwise',
        file: 'files without field ids are not read',
        register: 'Cannot register gold.gone',
        rename: 'Cannot rename gold.fresh',
        ref: 'Cannot create or change the branch b of gold.fresh',
      }
      expect(Object.keys(refused).sort()).toEqual(Object.keys(reasons).sort())
      for (const [name, said] of Object.entries(reasons))
        expect(refused[name], name).toContain(said)
      // Nobody else sees any of it.
      expect(await project.query('select * from gold.totals')).toEqual([{ n: 2n, total: '4.00' }])
      expect((await project.cli('branch')).stdout).toContain('_run-20261201t1-a')

      const token = await opened.token()
      await publish(opened)
      expect(await project.query('select * from gold.totals')).toEqual([
        { n: 7n, total: '9.00', label: 'new' },
      ])
      expect(await project.query('select * from gold.fresh order by day')).toEqual([
        { day: 'b', n: 3n },
        { day: 'c', n: 4n },
      ])
      expect((await tell(opened, 'late', token)).late).toContain('Run 20261201T1-a has ended')
      await opened.close()
      expect((await project.cli('branch')).stdout).toContain('no branches')
      await isWhole(project)
      // The next run goes on from there.
      await project.write({ 'in/2.csv': 'id,price\n3,1.00\n' })
      const { steps } = await project.run({ allowBreaking: true })
      expect(steps.map(({ outcome, error }) => [outcome, error?.message])).toEqual(
        steps.map(() => ['done', undefined]),
      )
      expect(await project.query('select * from gold.totals')).toEqual([{ n: 3n, total: '5.00' }])
      await isWhole(project)
    },
  )
})

/** A Trino whose statements show tokens of their own to the catalog at an address. */
async function trinoAt(url: string) {
  const address = { url, token: TOKEN, example: '' } as LakeAddress
  const [how, files] = [0, 1].map((block) => fromGuide('Trino', block, 'lake', address))
  const trino = await Trino.start({ lake: `${how}${files}iceberg.rest-catalog.session=USER\n` })
  onTestFinished(() => trino.stop())
  return trino
}

/** Asks for a run: Trino keeps a session for each source. */
const asRun =
  (trino: Trino, opened: RunRoom, token: string) =>
  async (statement: string): Promise<unknown[][]> => {
    const credential = `token=${token}`
    const headers = { 'x-trino-source': opened.branch, 'x-trino-extra-credential': credential }
    return (await trino.run(statement, headers)).rows
  }

withService('Trino', trinoParts, () => {
  it('builds tables of runs in namespaces of their branches, each with its own token', async () => {
    const project = await lake()
    const url = await served(project)
    const trino = await trinoAt(url)
    const as = { served: { url, as: TOKEN } }
    const [opened, other] = [await room(project, as), await room(project, { ...as, run: 'B-2' })]
    const token = await opened.token()
    const ask = asRun(trino, opened, token)
    const [gold, silver] = ['gold', 'silver'].map((tier) => `lake."${tier}@${opened.branch}"`)
    const refused = (statement: string, of = ask) =>
      of(statement).then(
        () => 'nothing was refused',
        (error: Error) => error.message,
      )

    const select = `select id, price from ${silver}.orders`
    await ask(`create table ${gold}.fresh with (partitioning = array['id']) as ${select}`)
    await ask(`insert into ${gold}.fresh values (3, decimal '3.50'), (4, decimal '4.50')`)
    await ask(`update ${gold}.fresh set price = decimal '9.00' where id = 1`)
    await ask(`delete from ${gold}.fresh where id = 2`)
    await ask(`merge into ${gold}.fresh f using (values (4), (5)) s(id) on f.id = s.id
      when matched then delete when not matched then insert values (s.id, decimal '5.50')`)
    const fresh = [
      [1, '9.00'],
      [3, '3.50'],
      [5, '5.50'],
    ]
    expect(await ask(`select id, price from ${gold}.fresh order by id`)).toEqual(fresh)
    // The lake's own, as a whole and then in part.
    const total = 'cast(10 as bigint) as n, cast(1.5 as decimal(38, 2)) as total'
    await ask(`create or replace table ${gold}.totals as select ${total}`)
    await ask(`insert into ${gold}.totals values (11, decimal '2.50')`)
    await ask(`analyze ${gold}.totals`)
    // What fails leaves nothing, and may be tried again.
    const broken = `create table ${gold}.gone as select 1 / (id - 1) as x from ${silver}.orders`
    expect(await refused(broken)).toContain('Division by zero')
    await ask(`create table ${gold}.gone as select 1 as x`)
    await ask(`drop table ${gold}.gone`)
    expect(await ask(`show tables from ${gold}`)).toEqual([['fresh'], ['totals']])

    expect(await refused(`insert into ${silver}.orders (id) values (7)`)).toContain(
      'may not write to silver.orders: this token is of run 20261201T1-a',
    )
    expect(await refused(`create table ${gold}.other (x int)`)).toContain('builds gold.totals')
    expect(await refused(`drop table ${gold}.totals`)).toContain('created itself')
    expect(await refused(`create schema lake."ml@${opened.branch}"`)).toContain('namespace')
    expect(await refused('select * from lake.gold.totals')).toContain(
      'for its own branch alone: _run-20261201t1-a',
    )
    const theirs = `lake."gold@${other.branch}"`
    expect(await refused(`select * from ${theirs}.totals`)).toContain('for its own branch alone')
    const asOther = asRun(trino, other, await other.token())
    expect(await refused(`select * from ${gold}.fresh`, asOther)).toContain('for its own branch')
    const asNobody = async (statement: string) => (await trino.run(statement)).rows
    expect(await refused(`select * from ${gold}.fresh`, asNobody)).toMatch(/Failed to load/)

    // Both build the same table: the one that publishes last has to begin again.
    await asOther(`delete from ${theirs}.totals`)
    await publish(opened)
    await expect(publish(other)).rejects.toThrow('has changed the same: table gold.totals')
    await other.close()
    expect(await refused(`insert into ${gold}.fresh values (6, null)`)).toContain('has ended')
    expect(await refused(`delete from ${theirs}.totals`, asOther)).toContain('has ended')
    await opened.close()
    expect(await project.query('select id, price from gold.fresh order by id')).toEqual(
      fresh.map(([id, price]) => ({ id, price })),
    )
    expect(await project.query('select * from gold.totals order by n')).toEqual([
      { n: 10n, total: '1.50' },
      { n: 11n, total: '2.50' },
    ])
    await isWhole(project)
    // The lake's own engine goes on with what Trino has made.
    await project.write({ 'in/2.csv': 'id,price\n3,1.00\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select * from gold.totals')).toEqual([{ n: 3n, total: '5.00' }])
    await isWhole(project)
  })
})
