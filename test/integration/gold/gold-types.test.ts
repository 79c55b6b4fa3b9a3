import { expect, it } from 'vitest'
import { yearsOfTables } from '../../../src/gold/years.js'
import { Table } from '../../../src/iceberg/table.js'
import { Project, step } from '../../support/project.js'

/*
 * A gold column holds what its query computes, or the run says which value it can't hold: nothing
 * is rounded that the SQL doesn't round.
 */

const lake = (query: string, columns: string, more = '') => `
import { bronze, day, defineLake, divide, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), at: t.timestamp(), n: t.int(), amount: t.decimal(9, 3), code: z.string() }),
  key: 'id',
})
const answer = gold('answer', {
  query: sql\`${query}\`,
  columns: { ${columns} },
  ${more}
})
export default defineLake({ name: 'types', datasets: [answer] })
`
const rows = `id,at,n,amount,code
1,2024-03-31 00:30:00,1,10.005,7
2,2024-03-31 00:00:00,2,0.010,8.5
3,2024-10-27 00:00:00,2,7.000,9
4,2024-10-27 00:00:00,2,7.000,10
`

async function built(query: string, columns: string, more?: string) {
  const project = await Project.create({ 'lake.ts': lake(query, columns, more), 'in/1.csv': rows })
  return { project, gold: step(await project.run(), 'gold.answer') }
}

/** What is found wrong before a run does anything. */
async function refused(query: string, columns: string) {
  const project = await Project.create({ 'lake.ts': lake(query, columns), 'in/1.csv': rows })
  const { steps, error } = await project.run()
  expect(steps).toEqual([])
  return { project, mistake: error?.problems?.[0] }
}

it.each([
  [
    'a mean of decimals',
    'sum(amount) / count(*) as x',
    't.decimal(9, 2)',
    'a double without rounding',
  ],
  ['a mean of integers', 'avg(n) as x', 't.int()', 'a double without rounding'],
  ['a mean behind coalesce', 'coalesce(avg(n), 0) as x', 't.int()', 'a double without rounding'],
  [
    'a decimal with more digits',
    'max(amount) as x',
    't.decimal(9, 2)',
    'but the query returns decimal(9,3)',
  ],
  [
    'a decimal as a whole number',
    'max(amount) as x',
    't.int()',
    'but the query returns decimal(9,3)',
  ],
])(
  '%s is refused by plan and run before anything is computed',
  async (_, chosen, type, message) => {
    const { project, mistake } = await refused(`select ${chosen} from \${sales}`, `x: ${type}`)
    expect(mistake?.message).toContain(message)
    expect(mistake?.hint).toContain('round(')
    const { code, stdout, stderr } = await project.cli('plan')
    expect(`${stdout}${stderr}`).toContain(message)
    expect(code).toBe(2)
  },
)

it.each([
  [
    'a double from a subquery',
    'id, x from (select id, amount * 0.5::double as x from ${sales})',
    't.decimal(9, 2)',
    'cannot hold 5.0025 (in the row with id = 1)',
  ],
  [
    'a time as a day',
    'id, "at" as x from ${sales}',
    't.date()',
    'cannot hold 2024-03-31 00:30:00 (in the row with id = 1)',
  ],
  [
    'a text as a number',
    'id, code as x from ${sales}',
    't.int()',
    'cannot hold 8.5 (in the row with id = 2)',
  ],
  [
    'a rounding to fewer digits than declared',
    'id, round(amount / 3, 3) as x from ${sales}',
    't.decimal(9, 2)',
    'cannot hold 3.335 (in the row with id = 1)',
  ],
])('%s fails with the value and its row', async (_, query, type, message) => {
  const { gold } = await built(`select ${query}`, `id: t.int(), x: ${type}`)
  expect(gold.error?.message).toContain(message)
  expect(gold.error?.place).toMatchObject({ near: 'x:' })
})

it('all columns that would round are named at once', async () => {
  const { mistake } = await refused(
    'select avg(n) as n, sum(n) / 3 as third, max(amount) as top, count(*) as rows from ${sales}',
    'n: t.int(), third: t.int(), top: t.decimal(9, 2), rows: t.int()',
  )
  expect(mistake?.hint).toContain("The same applies to 'third', 'top'")
})

it('a rounding that is written in the SQL is what the column holds', async () => {
  const { project, gold } = await built(
    `select round(sum(amount) / count(*), 2) as mean, round(avg(n)) as n, \${divide(sql\`sum(amount)\`, sql\`count(*)\`, 2)} as exact,
      floor(avg(n)) as low, max(date_trunc('month', "at")) as month, sum(n) as whole, avg(n) as free from \${sales}`,
    'mean: t.decimal(9, 2), n: t.int(), exact: t.decimal(9, 2), low: t.int(), month: t.date(), whole: t.int(), free: t.double()',
  )
  expect(gold.error).toBeUndefined()
  expect(await project.query('from gold.answer')).toEqual([
    { mean: '6.00', n: 2, exact: '6.00', low: 1, month: '2024-10-01', whole: 7, free: 1.75 },
  ])
})

it('what comes later and does not fit fails by parts as it fails in full, and the table stays', async () => {
  const { project, gold } = await built(
    'select cast("at" as date) as day, sum(amount * 1::double) as x from ${sales} where n > 1 group by 1',
    'day: t.date(), x: t.decimal(9, 2)',
    "incremental: { by: 'day' },",
  )
  expect(gold.error).toBeUndefined()
  await project.write({ 'in/2.csv': 'id,at,n,amount,code\n5,2024-10-27 01:00:00,2,0.005,1\n' })
  const later = step(await project.run(), 'gold.answer').error?.message
  expect(later).toContain('cannot hold 14.005 (in the row with day = 2024-10-27)')
  expect(step(await project.run({ full: true }), 'gold.answer').error?.message).toBe(later)
  expect(await project.query('select x from gold.answer order by day')).toEqual([
    { x: '0.01' },
    { x: '14.00' },
  ])
})

it.each([['from'], ["month('until')"], ["day('until')"], ["'until'"]])(
  'a time without end is found behind all others, by whatever rows are parted (%s)',
  async (by) => {
    const { project, gold } = await built(
      `select id, case id when 1 then date 'infinity' when 2 then date '-infinity'
        else cast("at" as date) end as until from \${sales}`,
      'id: t.int(), until: t.date()',
      by === 'from' ? '' : `partitionBy: [${by}],`,
    )
    expect(gold.error).toBeUndefined()
    const ids = async (where: string) =>
      (await project.query(`select id from gold.answer where ${where} order by id`)).map(
        (r) => r.id,
      )
    expect(await ids("until > date '2025-01-01'")).toEqual([1])
    expect(await ids("until < date '2020-01-01'")).toEqual([2])
    expect(await ids("until = date 'infinity'")).toEqual([1])
    expect(await ids("until >= date '2024-10-27'")).toEqual([1, 3, 4])
    expect(await ids('until is null')).toEqual([])
  },
)

it('other engines are told which columns have no days without end, by bounds of their files', async () => {
  const { project, gold } = await built(
    `select id, "at", cast("at" as date) as day, cast(null as date) as none,
      case id when 1 then date 'infinity' else cast("at" as date) end as until from \${sales}`,
    'id: t.int(), at: t.timestamp(), day: t.date(), none: t.date().nullable(), until: t.date()',
  )
  expect(gold.error).toBeUndefined()
  const { 'gold.answer': state } = (await project.state()).tables
  const table = await Table.load(project.storage, state as NonNullable<typeof state>)
  const isOfYears = await yearsOfTables([['gold.answer', table]])
  const names = ['id', 'at', 'day', 'none', 'until']
  expect(names.filter((one) => isOfYears('gold', 'answer', one))).toEqual(['at', 'day', 'none'])
  expect(isOfYears('gold', 'others', 'day')).toBe(false)
})
