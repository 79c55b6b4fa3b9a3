import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { inputsOf } from '../../../src/define/inputs.js'
import { quoteName } from '../../../src/define/sql/sql.js'
import { openEngine } from '../../../src/engine/open.js'
import { buildGoldElsewhere, type GoldEngine } from '../../../src/gold/elsewhere.js'
import { Table } from '../../../src/iceberg/table.js'
import { executeStep } from '../../../src/run/execute-step.js'
import { inParts } from '../../../src/run/split/in-parts.js'
import { type StepWorker, withSession } from '../../../src/step/context.js'
import { EmptyRelations, Relations } from '../../../src/step/relations.js'
import { writeTable } from '../../../src/step/write-table.js'
import { Project, step } from '../../support/project.js'

/*
 * Where gold is computed elsewhere, this machine looks at the columns of its inputs, and not at
 * their files: of a lake in a bucket, it would bring all of them here.
 */

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', cursor: 'day', history: true,
  schema: z.object({ id: t.bigint(), day: t.date(), amount: t.decimal(9, 2) }),
})
const recent = gold('recent', { query: sql\`select *, [id] as ids, {a: amount} as s from \${orders}\`, view: true })
const lists = gold('lists', { query: sql\`select * from \${recent}\` })
const days = gold('days', {
  query: sql\`select day, count(*) as n, sum(amount) as amount from \${orders} group by day\`,
  partitionBy: ['day'],
})
const texts = gold('texts', { query: sql\`select * from \${raw}\` })
export default defineLake({ name: 'shop', datasets: [lists, days, texts] })
`

const create = async () => {
  const project = await Project.create({
    'lake.ts': lake,
    'in/1.csv': 'id,day,amount,note\n1,2026-01-01,2.50,a\n2,2026-01-02,3,b\n',
  })
  await project.run({ select: ['bronze.orders'] })
  await project.write({ 'in/2.csv': 'amount,id,day,Other\n4.50,3,2026-01-02,c\n' })
  await project.run({ select: ['bronze.orders', 'silver.orders'] })
  return project
}
const days = [
  { day: '2026-01-01', n: 1n, amount: '2.50' },
  { day: '2026-01-02', n: 2n, amount: '7.50' },
]

/** Has a step begin without the files of silver, which are there again once it is carried out. */
function withoutFiles(project: Project, whole: (there: () => void) => StepWorker) {
  const [at, away] = ['lake/silver/orders/data', 'away'].map((one) => join(project.folder, one))
  let isAway = false
  const there = () => {
    if (isAway) renameSync(away as string, at as string)
    isAway = false
  }
  const worker = whole(there)
  return (...[resources, dataset, task]: Parameters<StepWorker>) => {
    renameSync(at as string, away as string)
    isAway = true
    return worker(resources, dataset, task)
  }
}

it('another engine is told a query by the columns of its inputs alone', async () => {
  const project = await create()
  const worker = withoutFiles(project, (there) => {
    const engine: GoldEngine = {
      target: 'trino',
      title: 'Trino',
      table: (schema, name) => `${quoteName(schema)}.${quoteName(name)}`,
      fill: async ({ context, dataset, empty, sql }) => {
        there()
        return withSession(context, dataset.name, async (session) => {
          const relations = new Relations(context.storage, context.relations.view)
          await relations.define(session, inputsOf(dataset))
          const version = await Table.load(context.storage, empty)
          const work = { name: dataset.name, version, rows: sql, removed: new Set<string>() }
          const { added } = await writeTable(context, session, work)
          return (await version.write({ removed: new Set(), added })).pointer
        })
      },
    }
    return (resources, dataset, task) =>
      executeStep(resources, dataset, task, (context, gold, decision) =>
        buildGoldElsewhere(context, gold, decision, engine),
      )
  })
  const record = await project.run({ select: ['gold.days'], worker })
  expect(step(record, 'gold.days').error).toBeUndefined()
  expect(await project.query('from gold.days order by day')).toEqual(days)
})

it('a query is split into parts by the columns of its inputs alone', async () => {
  const project = await create()
  let parts = 0
  const worker = withoutFiles(project, (there) =>
    inParts(
      2,
      async (resources, dataset, task) => {
        parts += task.part ? 1 : 0
        there()
        return executeStep(resources, dataset, task)
      },
      { rows: 1, keys: 1000, rangeRows: 2 },
    ),
  )
  const record = await project.run({ select: ['gold.days'], worker })
  expect(step(record, 'gold.days').error).toBeUndefined()
  expect(parts).toBe(2)
  expect(await project.query('from gold.days order by day')).toEqual(days)
})

it('inputs without their rows have the columns that they have with them', async () => {
  const project = await create()
  await project.run()
  const { storage } = project
  const relations = new Relations(storage, await project.state())
  const { datasets } = await project.load()
  const columns = []
  for (const one of [relations, new EmptyRelations(storage, relations)]) {
    const engine = await openEngine({ threads: 1 })
    onTestFinished(() => engine.close())
    const session = await engine.open()
    await one.define(session, datasets as never)
    await one.defineHistories(
      session,
      datasets.filter(({ name, tier }) => tier === 'silver' && name === 'orders') as never,
    )
    const names = [...datasets.map(({ tier, name }) => `${tier}.${name}`), 'history.orders']
    const described = []
    for (const name of names) described.push([name, await session.describe(`FROM ${name}`)])
    columns.push(described)
  }
  expect(columns[1]).toEqual(columns[0])
  expect(columns[0]).toHaveLength(7)
})
