import { expect, it } from 'vitest'
import type { ParameterValues } from '../../../src/engine/engine.js'
import { limitsOf } from '../../../src/query/limits.js'
import { openLake } from '../../../src/query/open.js'
import { describeQuery } from '../../../src/query/query.js'
import { Project, step } from '../../support/project.js'

/**
 * Files are passed over by what their columns' bounds say of a condition: the engine must agree. Of
 * a condition that is put as `(…) is true` nothing is known beforehand, so all files are opened.
 */

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', {
  from: bronze('x', { from: files('in') }),
  schema: z.object({
    id: t.bigint(), d: t.decimal(18, 2), wide: t.decimal(38, 20), f: t.double(), b: t.boolean(), ts: t.timestamp(), day: t.date(), s: z.string(),
  }),
})
const y = gold('y', {
  query: sql\`select id, cast(f as float) as single, case when id > 6 then 'nan'::double else f end as f from \${x}\`,
})
export default defineLake({ name: 'bounds', datasets: [x, y] })
`
const rows = [
  'id,d,wide,f,b,ts,day,s',
  '9007199254740993,1234567890123456.79,1.00000000000000000001,0.1,true,2024-01-05 05:30:00,2024-01-05,a',
]

/** Each row is in a file of its own. */
async function twoFiles(): Promise<Project> {
  const files = { 'in/1.csv': `${rows.join('\n')}\n` }
  const project = await Project.create({ 'lake.ts': definition, ...files })
  const first = await project.run()
  const later = '5,1.30,2,0.2,false,2024-01-06 12:00:00,2024-01-06,b'
  await project.write({ 'in/2.csv': `${rows[0]}\n${later}\n` })
  for (const result of [first, await project.run()])
    for (const name of ['silver.x', 'gold.y'])
      expect(step(result, name)?.error?.message).toBeUndefined()
  return project
}

const conditions: [table: 'silver.x' | 'gold.y', condition: string, rows: number][] = [
  ['silver.x', 'b = true', 1],
  ['silver.x', 'b', 1],
  ['silver.x', 'b = false', 1],
  ['silver.x', "b = 't'", 1],
  ['silver.x', "b = 'yes'", 1],
  ['silver.x', 'b = 1', 1],
  ['silver.x', 'b > false', 1],
  ['silver.x', 'b in (true, false)', 2],
  ['silver.x', 'id = 9007199254740993', 1],
  ['silver.x', 'id > 9007199254740992', 1],
  ['silver.x', 'id in (9007199254740993, 1)', 1],
  ['silver.x', 'id between 9007199254740993 and 9007199254740993', 1],
  ['silver.x', 'id = 9007199254740992.0e0', 1],
  ['silver.x', "id = '9007199254740993'", 1],
  ['silver.x', "id = cast('5' as bigint)", 1],
  ['silver.x', 'id = cast(5.2 as int)', 1],
  ['silver.x', 'd = 1234567890123456.79', 1],
  ['silver.x', 'd = cast(1.25 as decimal(5, 1))', 1],
  ['silver.x', 'd = 1.3', 1],
  ['silver.x', 'd = 1.3e0', 1],
  ['silver.x', "d = '1.299'", 1],
  ['silver.x', 'wide = 1e0', 1],
  ['silver.x', 'f = 0.1', 1],
  ['silver.x', 'f >= 0.2', 1],
  ['silver.x', "ts >= cast('2024-01-06 23:00' as date)", 1],
  ['silver.x', "ts < timestamp '2024-01-05 05:30:01'", 1],
  ['silver.x', "ts > date '2024-01-05'", 2],
  ['silver.x', "ts < '2024-01-05 06:00:00+05:00'", 1],
  ['silver.x', "ts > '2024-01-06 11:00:00-05:00'", 1],
  ['silver.x', "ts >= '2024-01-06T12:00:00Z'", 1],
  ['silver.x', "ts > '2024-01-05'", 2],
  ['silver.x', "day >= timestamp '2024-01-05 23:00'", 1],
  ['silver.x', "day = cast('2024-01-05 23:00' as date)", 1],
  ['silver.x', "day = cast(cast('2024-01-05 23:00' as timestamp) as date)", 1],
  ['silver.x', "s = cast('a' as varchar)", 1],
  ['gold.y', 'single = 0.1', 1],
  ['gold.y', 'single = 0.1::float', 1],
  ['gold.y', 'single <= 0.1', 1],
  ['gold.y', 'single >= 0.2', 1],
  ['gold.y', 'single < 0.1000000015e0', 1],
  ['gold.y', 'f > 5', 1],
  ['gold.y', "f >= 'inf'", 1],
]

it('files are passed over only where the engine finds nothing in them', async () => {
  const project = await twoFiles()
  for (const [table, condition, count] of conditions) {
    const found = async (where: string) =>
      (await project.query(`select id from ${table} where ${where} order by id`)).map(
        ({ id }) => id,
      )
    const all = await found(`(${condition}) is true`)
    expect(all, condition).toHaveLength(count)
    expect(await found(condition), condition).toEqual(all)
  }
})

it('a text that is given as a parameter is what a text in the query is', async () => {
  const project = await twoFiles()
  const lake = openLake(await project.load())
  const texts = [
    ...['2024-01-05', '2024-01-06', '2024-1-6', '2024-01-05T05:30:00', '2024-01-05 05:30'],
    ...['2024-01-06T12:00:00.000Z', '2024-01-05T06:00:00+05:00', '2024-01-06 12:00:00-05:00', 'a'],
  ]
  for (const column of ['ts', 'day', 's'])
    for (const operator of ['=', '<', '>'])
      for (const text of texts) {
        const where = `${column} ${operator}`
        const ids = async (sql: string, parameters?: readonly string[]) => {
          const asked = lake.query(
            `select list(id order by id) as ids from silver.x where ${sql}`,
            {
              ...(parameters ? { parameters: [...parameters] } : {}),
            },
          )
          return asked.then(
            ([row]) => row?.ids,
            ({ kind }) => kind,
          )
        }
        const written = await ids(`(${where} '${text}') is true`)
        expect([where, text, await ids(`${where} ?`, [text])]).toEqual([where, text, written])
      }
  const files = async (parameters: ParameterValues) => {
    const asked = { limits: limitsOf(), parameters }
    const sql = 'select id from silver.x where ts >= ?'
    const found = await describeQuery(project.storage, await project.state(), sql, asked)
    return found.estimate.tables[0]?.files
  }
  expect(await files(['2024-01-06T08:00:00'])).toBe(1)
  expect(await files(['2024-01-06T08:00:00Z'])).toBe(1)
  expect(await files(['2024-01-06T08:00:00+01:00'])).toBe(2)
})

it('nor where others depend on their rows, or columns have other names', async () => {
  const project = await twoFiles()
  const from = {
    'silver.x as a(d, id)': 'id = 7',
    "(values (timestamp '2024-02-01')) v(t) asof join silver.x x on v.t >= x.ts": 'x.id > 5',
    '(values (1), (2)) v(i) positional join silver.x x': 'x.id = 5',
  }
  for (const [relation, condition] of Object.entries(from)) {
    const all = await project.query(`select * from ${relation} where (${condition}) is true`)
    const found = await project.query(`select * from ${relation} where ${condition}`)
    expect(found, relation).toEqual(all)
  }
})
