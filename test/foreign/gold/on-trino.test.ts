import { expect, it, onTestFinished } from 'vitest'
import { Table } from '../../../src/iceberg/table.js'
import { CommitLog } from '../../../src/log/log.js'
import { moraine, Project } from '../../support/project.js'
import { Served } from '../../support/served.js'
import { withService } from '../../support/services.js'
import { Trino } from '../../support/trino.js'
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
const none = gold('none', { query: sql\`select id from \${orders} where amount < -100\` })
export default defineLake({ name: 'shop', datasets: [daily, customers, changes, best, none] })
`

const golds = ['daily', 'customers', 'changes', 'best', 'none']

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

const shop = () => Project.create({ 'lake.ts': definition, 'in/1.csv': rows(1, 60) })

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
async function onTrino() {
  const lake = await shop()
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
  return { lake, trino, served, command }
}

/** The log, the files, and what nobody needs. */
async function isWhole(lake: Project) {
  for (const args of [
    ['verify', '--deep'],
    ['vacuum', '--grace', '0s', '--delete'],
    ['verify', '--deep'],
  ]) {
    const { code, stdout, stderr } = await lake.cli(...args)
    expect(code, stdout + stderr).toBe(0)
  }
  expect((await lake.cli('branch')).stdout).toContain('no branches')
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
    expect(await ran()).toContain('as a whole')
    // DuckDB goes on from there, by parts.
    for (const project of [lake, other]) {
      await project.write({ 'in/3.csv': rows(85, 95) })
      expect((await project.run()).outcome).toBe('done')
    }
    await sameIn(lake, other)
    await isWhole(lake)
  })
})
