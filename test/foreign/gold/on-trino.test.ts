import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { Table } from '../../../src/iceberg/table.js'
import { CommitLog } from '../../../src/log/log.js'
import { moraine, Project, repository } from '../../support/project.js'
import { Served } from '../../support/served.js'
import { withService } from '../../support/services.js'
import { Trino } from '../../support/trino.js'
import { isWhole } from '../../support/whole.js'
import type { LakeAddress } from '../engines/engine.js'
import { fromGuide } from '../engines/guide.js'
import { trinoParts } from '../engines/trino.js'

const TOKEN = 'open sesame'

const definition = `
import { bronze, check, defineLake, divide, gold, history, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  key: 'id',
  schema: z.object({
    id: t.bigint(), customer: t.int(), day: t.date(), at: t.timestamp(), amount: t.decimal(12, 2), status: z.string(),
  }),
  cursor: 'at',
  history: true,
})
const daily = gold('daily', {
  description: 'Sales of each day.',
  query: sql\`select day, count(*) as orders, sum(amount) as amount from \${orders} group by day\`,
  partitionBy: [month('day')],
  incremental: { by: 'day' },
  checks: [check.unique('day')],
})
const customers = gold('customers', {
  query: sql\`
    select customer, count(*) as orders, \${divide(sql\`sum(amount)\`, sql\`count(*)\`, 2)} as mean,
      rank() over (order by sum(amount) desc nulls last, customer) as place,
      count(distinct concat(status, '-', day)) as kinds
    from \${orders} group by customer\`,
  columns: { customer: t.int(), orders: t.bigint(), mean: t.decimal(18, 2).nullable(), place: t.int(), kinds: t.bigint() },
  partitionBy: ['customer'],
})
const changes = gold('changes', {
  query: sql\`select id, count(*) as versions, max(valid_from) as last from \${history(orders)} group by id\`,
})
const best = gold('best', {
  query: sql\`select d.day, d.amount, c.place from \${daily} d join \${customers} c on c.orders = d.orders where d.amount > 1\`,
})
const statuses = gold('statuses', {
  query: sql\`select customer, string_agg(status, ',' order by id) as statuses from \${orders} where status <> \${"it's"} group by customer\`,
  dialects: [sql.for('trino')\`
    select customer, listagg(status, ',') within group (order by id) as statuses from \${orders} where status <> \${"it's"} group by customer\`],
})
const none = gold('none', { query: sql\`select id from \${orders} where amount < -100\` })
export default defineLake({ name: 'shop', datasets: [daily, customers, changes, best, statuses, none] })
`

const golds = ['daily', 'customers', 'changes', 'best', 'statuses', 'none']

const row = (i: number) =>
  [
    i,
    i % 7,
    `2026-0${1 + (i % 3)}-1${i % 10}`,
    `2026-01-01 00:00:0${i % 10}.5`,
    `${i * 3}.0${i % 10}`,
    ['new', "it's", 'größer', ''][i % 4],
  ].join(',')
const rows = (from: number, until: number) =>
  [
    'id,customer,day,at,amount,status',
    ...Array.from({ length: until - from }, (_, i) => row(from + i)),
  ]
    .join('\n')
    .concat('\n')

const shop = (lake = definition) => Project.create({ 'lake.ts': lake, 'in/1.csv': rows(1, 60) })

/** Gold that takes Trino minutes, gold that it can't compute, and gold that it can. */
const hard = `
import { bronze, check, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint(), customer: t.int(), amount: t.decimal(12, 2) }),
})
const count = gold('count', { query: sql\`select count(*) as n from \${orders}\` })
const narrow = gold('narrow', { query: sql\`select cast(sum(amount) as decimal(3, 2)) as amount from \${orders}\` })
const wrong = gold('wrong', {
  query: sql\`select count(*) as n from \${orders}\`,
  dialects: [sql.for('trino')\`select cast(count(*) as integer) as n from \${orders}\`],
})
const twice = gold('twice', {
  query: sql\`select customer from \${orders}\`,
  checks: [check.unique('customer')],
})
const slow = gold('slow', {
  query: sql\`
    select count(*) as n from \${orders} a cross join \${orders} b cross join \${orders} c cross join \${orders} d
      cross join \${orders} e cross join \${orders} f
    where a.amount + b.amount < c.amount * d.amount - e.amount * f.amount\`,
})
export default defineLake({ name: 'shop', datasets: [count, narrow, wrong, twice, slow] })
`

/** Gold with days without end, which some passes on and some counts with. */
const endless = (url: string) => `
import { bronze, defineLake, duckdb, gold, silver, sql, t, trino, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), day: t.date() }),
})
const validity = gold('validity', {
  engine: duckdb(),
  query: sql\`select id, day, case when id % 2 = 0 then date 'infinity' else day + id end as until from \${orders}\`,
})
const passed = gold('passed', {
  query: sql\`select max(until) as until, count_if(until > date '2026-03-01') as later, max(year(day)) as year from \${validity}\`,
})
const left = gold('left', {
  query: sql\`select max(year(case when until <= date '9999-12-31' then until end)) as year from \${validity}\`,
})
const years = gold('years', { query: sql\`select id, year(until) as year from \${validity}\` })
export default defineLake({ name: 'shop', engine: trino({ url: '${url}', catalog: 'lake' }), datasets: [passed, left, years] })
`

/** What is in a gold table, and what its metadata say of it. */
async function contents(project: Project, name: string) {
  const found = await project.query(`select * from gold.${name}`)
  const state = (await new CommitLog(project.storage).head()).tables[`gold.${name}`]
  const table = await Table.load(project.storage, state as NonNullable<typeof state>)
  const { metadata } = table
  return {
    rows: found
      .map((one) => JSON.stringify(one, (_, v) => (typeof v === 'bigint' ? String(v) : v)))
      .sort(),
    count: state?.rows,
    definition: state?.definition,
    driving: state?.drivingInputs,
    schema: table.schema,
    specs: metadata['partition-specs'],
    properties: metadata.properties,
    partitions: [...new Set((await table.plan()).map(({ file }) => String(file.partition)))].sort(),
  }
}

async function sameIn(one: Project, other: Project) {
  for (const name of golds)
    expect(await contents(one, name), name).toEqual(await contents(other, name))
}

/** A lake whose catalog a Trino reads and writes, as the guide says. */
async function onTrino(of = definition) {
  const lake = await shop(of)
  const env = { MORAINE_TOKEN: TOKEN }
  const served = Served.start(lake, ['--catalog'], env)
  const { url } = await served.line(({ event }) => event === 'catalog')
  const address = { url: String(url), token: TOKEN, example: '' } as LakeAddress
  const [how, files] = [0, 1].map((block) => fromGuide('Trino', block, 'lake', address))
  const trino = await Trino.start({ lake: `${how}${files}iceberg.rest-catalog.session=USER\n` })
  onTestFinished(() => trino.stop())
  const at = ['--engine', `trino:${trino.url}/lake`]
  const command = (name: string, ...args: string[]) =>
    moraine(['-C', lake.folder, name, ...at, ...args], env)
  return { lake, trino, served, url: String(url), at, env, command }
}

withService('Trino', trinoParts, () => {
  it('builds gold with the rows, types, partitions and properties that DuckDB gives', async () => {
    const { lake, command } = await onTrino()
    const other = await shop()
    const ran = async () => {
      expect((await other.run()).outcome).toBe('done')
      const { code, stdout, stderr } = await command('run')
      expect(code, stdout + stderr).toBe(0)
      await sameIn(lake, other)
      return stdout
    }
    expect(await ran()).toContain('on Trino')
    for (const project of [lake, other]) await project.write({ 'in/2.csv': rows(40, 90) })
    expect(await ran()).toMatch(/gold\.daily: on Trino, \d+ of 'day' computed/)
    // DuckDB goes on from there, by parts.
    for (const project of [lake, other]) {
      await project.write({ 'in/3.csv': rows(85, 95) })
      expect((await project.run()).outcome).toBe('done')
    }
    await sameIn(lake, other)
    await isWhole(lake)
  })

  it('passes days without end on, and never takes them for days of a far year', async () => {
    const { lake, trino, env } = await onTrino()
    await lake.write({ 'lake.ts': endless(trino.url) })
    const ran = await moraine(['-C', lake.folder, 'run'], env)
    expect(ran.code, ran.stdout + ran.stderr).toBe(1)
    expect(ran.stdout).toContain('gold.passed: on Trino')
    expect(ran.stdout + ran.stderr).toMatch(
      /gold\.years counts with days or times that Trino counts otherwise, such as 'infinity'.*5881580-07-11/,
    )
    expect(ran.stdout + ran.stderr).toContain('engine: duckdb()')
    const text = 'select cast(until as varchar) as until, year from gold.passed'
    expect(await lake.query(text)).toEqual([{ until: 'infinity', year: 2026n }])
    expect(await lake.query('select year from gold.left')).toEqual([{ year: 2026n }])
    expect((await new CommitLog(lake.storage).head()).tables['gold.years']).toBe(undefined)
  })

  it('leaves the lake as it was where a step ends before its time, whoever ends it', async () => {
    const { lake, trino, served, url, at, env, command } = await onTrino(hard)
    const head = async () => (await new CommitLog(lake.storage).head()).tables
    const broken = ['gold.narrow', 'gold.wrong', 'gold.twice']
    const first = await command('run', '+gold.count', ...broken)
    expect(first.code).toBe(1)
    expect(first.stdout + first.stderr).toMatch(/gold\.narrow.*\n?.*Cannot cast DECIMAL\(38, 2\)/)
    expect(await lake.query('select * from gold.count')).toEqual([{ n: 59n }])
    expect(first.stdout + first.stderr).toContain(
      "its SQL for Trino gives 'n' as integer, and the dataset has bigint",
    )
    // What Trino has written is held against the checks before anybody sees it.
    expect(first.stdout + first.stderr).toMatch(/gold\.twice.*unique/s)
    expect(Object.keys(await head()).filter((name) => broken.includes(name))).toEqual([])

    const [port, whole] = [new URL(url).port, await head()]
    served.child.kill('SIGKILL')
    await served.ended
    const without = await command('run', 'gold.count', '--full')
    expect([without.code, without.stdout + without.stderr]).toEqual([
      1,
      expect.stringMatching(/gold\.count: .*Trino/),
    ])
    expect(await head()).toEqual(whole)
    const again = Served.start(lake, ['--catalog', '--port', port], env)
    await again.line(({ event }) => event === 'catalog')
    const more = await command('run', 'gold.count', '--full')
    expect(more.code, more.stdout + more.stderr).toBe(0)
    const before = await head()

    const begin = async () => {
      const args = [
        join(repository, 'bin/moraine.js'),
        '-C',
        lake.folder,
        'run',
        'gold.slow',
        ...at,
      ]
      const child = spawn(process.execPath, args, {
        env: { ...process.env, ...env },
        stdio: 'pipe',
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
      const ended = new Promise<number | null>((done) => child.once('exit', done))
      const state = async () => {
        const sql = `select state from system.runtime.queries where query like 'INSERT INTO%slow%' order by created desc limit 1`
        return String((await trino.run(sql)).rows[0]?.[0])
      }
      while ((await state()) !== 'RUNNING') {
        expect(child.exitCode, said).toBe(null)
        await sleep(100)
      }
      return { child, ended, state, said: () => said }
    }

    const stopped = await begin()
    stopped.child.kill('SIGINT')
    expect(await stopped.ended).not.toBe(0)
    while ((await stopped.state()) === 'RUNNING') await sleep(100)
    expect(await stopped.state()).toBe('FAILED')
    expect(await head()).toEqual(before)
    expect((await lake.cli('branch')).stdout).toContain('no branches')

    const killed = await begin()
    killed.child.kill('SIGKILL')
    await killed.ended
    expect(await head()).toEqual(before)

    const alone = await begin()
    again.child.kill('SIGKILL')
    await trino.kill()
    expect(await alone.ended).toBe(1)
    expect(alone.said()).toContain('does not answer')
    expect(alone.said()).not.toContain('token')
    expect(await head()).toEqual(before)

    await lake.write({
      'lake.ts': hard.replace('datasets: [count, narrow, wrong, twice, slow]', 'datasets: [count]'),
    })
    expect((await lake.run()).outcome).toBe('done')
    await isWhole(lake)
  })
})
