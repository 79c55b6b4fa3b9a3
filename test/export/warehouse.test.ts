import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { postgresPrograms, type Server, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'

const lake = (url: string, more = '') => `
import { bronze, defineLake, gold, silver, sql, t, warehouse, z } from 'moraine'
import { files, postgres } from 'moraine/sources'

const raw = bronze('orders', { from: files('in/*.csv') })
export const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.bigint(),
    day: t.date(),
    amount: t.decimal(12, 2),
    note: t.string().nullable(),
    at: t.timestamp(),
    paid: t.boolean(),
  }),
  key: 'id',
  cursor: 'at',
})
export const daily = gold('daily', {
  query: sql\`select day, count(*) as orders, sum(amount) as revenue from \${orders} group by day\`,
})
export default defineLake({
  name: 'shop',
  datasets: [raw, orders, daily],
  exports: [warehouse(postgres('${url}'), { tables: [daily, orders], schema: 'analytics' ${more} })],
})
`

const header = 'id,day,amount,note,at,paid\n'
const first = `${header}1,2026-01-01,10.50,"a ""quoted"", note",2026-01-01 10:00:00.123456,true
2,2026-01-01,5.25,,2026-01-01 11:00:00,false
3,2026-01-02,7.00,"two
lines",2026-01-02 09:00:00,true
`

const many = (from: number, to: number) =>
  Array.from(
    { length: to - from + 1 },
    (_, i) =>
      `${from + i},2026-01-${String(1 + ((from + i) % 28)).padStart(2, '0')},${from + i}.25,note ${from + i},2026-01-01 00:00:00,true\n`,
  ).join('')

/** The rows of a dataset and of its table in the warehouse are the same. */
async function same(
  project: Project,
  client: pg.Client,
  dataset: string,
  table: string,
  columns: string,
): Promise<void> {
  const texts = columns.split(', ').map((name) => `cast("${name}" as varchar) as "${name}"`)
  const ours = await project.query(`select ${texts.join(', ')} from ${dataset}`)
  const { rows: theirs } = await client.query(`select ${texts.join(', ')} from ${table}`)
  const sorted = (rows: object[]) => rows.map((row) => JSON.stringify(row)).sort()
  expect(sorted(theirs)).toEqual(sorted(ours))
}

describe('a warehouse', () => {
  withService('PostgreSQL', [postgresPrograms], () => {
    let server: Server
    let client: pg.Client
    beforeAll(async () => {
      server = await startPostgres()
      client = new pg.Client(server.url)
      await client.connect()
    })
    afterAll(async () => {
      await client?.end()
      await server?.stop()
    })

    it('has what the lake has after a run, and is left alone until that changes', async () => {
      const project = await Project.create({ 'lake.ts': lake(server.url), 'in/1.csv': first })
      const ran = await project.cli('run')
      expect(ran.stdout).toContain('gold.daily → postgres: analytics.daily  2 rows (first export)')
      expect(ran.code).toBe(0)
      const { rows } = await client.query(
        `select day::text, orders::text, revenue::text from analytics.daily order by 1`,
      )
      expect(rows).toEqual([
        { day: '2026-01-01', orders: '2', revenue: '15.75' },
        { day: '2026-01-02', orders: '1', revenue: '7.00' },
      ])
      const { rows: notes } = await client.query(
        `select id::text, note, at::text from analytics.orders order by id`,
      )
      expect(notes).toEqual([
        { id: '1', note: 'a "quoted", note', at: '2026-01-01 10:00:00.123456' },
        { id: '2', note: null, at: '2026-01-01 11:00:00' },
        { id: '3', note: 'two\nlines', at: '2026-01-02 09:00:00' },
      ])
      const again = await project.cli('export', '--json')
      const { exports } = JSON.parse(again.stdout)
      expect(exports.map((one: { outcome: string }) => one.outcome)).toEqual([
        'unchanged',
        'unchanged',
      ])
    })

    it('gets the rows that changed, by their key, and no others', async () => {
      const project = await Project.create({
        'lake.ts': lake(server.url, ", name: 'changing'").replace("'analytics'", "'changing'"),
        'in/1.csv': `${header}${many(1, 500)}`,
      })
      await project.cli('run')
      const { rows: before } = await client.query(
        'select id, ctid::text as at from changing.orders',
      )
      const changed = `${header}7,2026-03-01,1.00,changed,2026-03-01 00:00:00,true\n501,2026-03-02,2.00,new,2026-03-02 00:00:00,true\n`
      await project.write({ 'in/2.csv': changed })
      const ran = await project.cli('run')
      expect(ran.stdout).toContain('changing.orders  2 rows written of 501')
      const { rows: after } = await client.query('select id, ctid::text as at from changing.orders')
      const moved = after.filter(
        ({ id, at }) => !before.some((row) => row.id === id && row.at === at),
      )
      expect(moved.map(({ id }) => id).sort()).toEqual(['501', '7'])
      await same(
        project,
        client,
        'silver.orders',
        'changing.orders',
        'id, day, amount, note, at, paid',
      )
      await same(project, client, 'gold.daily', 'changing.daily', 'day, orders, revenue')
    })

    it('never touches a table that no export made, and says what to do', async () => {
      await client.query(
        'create schema taken; create table taken.daily (mine int); insert into taken.daily values (42)',
      )
      const project = await Project.create({
        'lake.ts': lake(server.url).replace("'analytics'", "'taken'"),
        'in/1.csv': first,
      })
      const ran = await project.cli('run')
      expect(ran.code).toBe(1)
      expect(ran.stdout).toContain('taken.daily exists, and no export of Moraine has made it')
      expect((await client.query('select * from taken.daily')).rows).toEqual([{ mine: 42 }])
      expect((await project.state()).tables['gold.daily']?.rows).toBe(2)
    })

    it('refuses what would differ from the lake, and loads all of it again when told to', async () => {
      const project = await Project.create({
        'lake.ts': lake(server.url).replace("'analytics'", "'touched'"),
        'in/1.csv': `${header}${many(1, 100)}`,
      })
      await project.cli('run')
      await client.query('delete from touched.orders where id = 50')
      await project.write({
        'in/2.csv': `${header}101,2026-03-02,2.00,new,2026-03-02 00:00:00,true\n`,
      })
      const ran = await project.cli('run')
      expect(ran.code).toBe(1)
      expect(ran.stdout).toContain('the lake has 101 rows, the target would have 100')
      expect((await client.query('select count(*) from touched.orders')).rows[0].count).toBe('99')
      expect((await project.cli('export', 'silver.orders', '--full')).code).toBe(0)
      expect((await client.query('select count(*) from touched.orders')).rows[0].count).toBe('101')
    })
  })
})
