import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { Project } from '../support/project.js'

const lake = `
import { bronze, defineLake, duckdbFile, gold, silver, sql, t, warehouse, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), day: t.date(), amount: t.decimal(12, 2), at: t.timestamp() }),
  key: 'id',
  cursor: 'at',
})
const daily = gold('daily', {
  query: sql\`select day, count(*) as orders, list(id order by id) as ids from \${orders} group by day\`,
})
export default defineLake({
  name: 'shop',
  datasets: [raw, daily],
  exports: [warehouse(duckdbFile('warehouse.duckdb'), { tables: [daily, orders], schema: 'reports' })],
})
`

const header = 'id,day,amount,at\n'
const many = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `${i + 1},2026-01-0${1 + (i % 9)},${i}.25,2026-01-01 00:00:00\n`,
  ).join('')

/** What a file holds, as somebody sees it who opens it with DuckDB. */
async function rowsIn(file: string, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
  try {
    const connection = await instance.connect()
    const rows = (await connection.runAndReadAll(sql)).getRowsJson()
    connection.closeSync()
    return rows as unknown[][]
  } finally {
    instance.closeSync()
  }
}

describe('a warehouse in a file of DuckDB', () => {
  it('makes its folder, and is told of by a promotion or a rollback that it does not have', async () => {
    const definition = lake.replace("'warehouse.duckdb'", "'out/of/it/warehouse.duckdb'")
    const project = await Project.create({
      'lake.ts': definition,
      'in/1.csv': `${header}${many(3)}`,
    })
    const ran = await project.cli('run')
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining('reports.daily  3 rows')])
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'lake.ts': definition.replace('count(*)', 'count(*) + 1') })
    await project.cli('run', '--branch', 'dev')
    const promoted = await project.cli('promote', 'dev')
    expect([promoted.stderr, promoted.stdout]).toEqual([
      '',
      expect.stringContaining(
        'Not in warehouses yet (duckdb). To bring them up to date: moraine export',
      ),
    ])
    expect((await project.cli('export')).stdout).toMatch(/✔ gold\.daily → duckdb/)
    const rolled = await project.cli('rollback', '--to', '2')
    expect(rolled.stdout).toContain('Not in warehouses yet (duckdb).')
  })

  it('has the rows of the lake, with lists as lists, and later what changed', async () => {
    const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': `${header}${many(300)}` })
    const file = join(project.folder, 'warehouse.duckdb')
    const ran = await project.cli('run')
    expect(ran.stdout).toContain('gold.daily → duckdb: reports.daily  9 rows (first export)')
    const text = 'cast(day as varchar), orders, cast(ids as varchar)'
    const ours = await project.query(`select ${text} from gold.daily order by 1`)
    expect(await rowsIn(file, `select ${text} from reports.daily order by 1`)).toEqual(
      ours.map((row) => Object.values(row).map(String)),
    )
    const changed =
      '7,2026-01-07,1.00,2026-03-01 00:00:00\n301,2026-02-01,2.00,2026-03-01 00:00:00\n'
    await project.write({ 'in/2.csv': `${header}${changed}` })
    const again = await project.cli('run')
    expect(again.stdout).toContain('reports.orders  2 rows written of 301')
    const all = 'select cast(sum(id) as varchar), cast(sum(amount) as varchar) from'
    const [sums] = await project.query(`${all} silver.orders`)
    expect(await rowsIn(file, `${all} reports.orders`)).toEqual([Object.values(sums ?? {})])
    const records = `select table_name, count(*), max(lake_commit) from reports._moraine_exports group by 1 order by 1`
    expect(await rowsIn(file, records)).toEqual([
      ['daily', '2', '4'],
      ['orders', '2', '4'],
    ])
    expect((await project.cli('export')).stdout).toContain('it has the rows of commit 4')
  })

  it('waits for nobody who has the file open, and says so', async () => {
    const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': `${header}${many(30)}` })
    await project.cli('run')
    await project.write({ 'in/2.csv': `${header}31,2026-02-01,2.00,2026-03-01 00:00:00\n` })
    const instance = await DuckDBInstance.create(join(project.folder, 'warehouse.duckdb'))
    const ran = await project.cli('run')
    instance.closeSync()
    expect(ran.stdout).toContain('Another process has it open')
    expect(ran.code).toBe(1)
    expect((await project.cli('export')).stdout).toContain('31')
  })

  it('drops no table of others that is called as one that is loaded beside', async () => {
    const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': `${header}${many(30)}` })
    const file = join(project.folder, 'warehouse.duckdb')
    const instance = await DuckDBInstance.create(file)
    const connection = await instance.connect()
    await connection.run(
      'create schema reports; create table reports.daily__moraine_new (mine int)',
    )
    await connection.run('insert into reports.daily__moraine_new values (42)')
    connection.closeSync()
    instance.closeSync()
    const [daily] = (await project.run()).exports ?? []
    expect(daily?.reason).toBe(
      'reports.daily__moraine_new exists, and no export of Moraine has made it',
    )
    expect(await rowsIn(file, 'select mine from reports.daily__moraine_new')).toEqual([[42]])
    await project.write({
      'lake.ts': lake.replace(
        '[daily, orders]',
        "[{ dataset: daily, as: 'orders__moraine_new' }, orders]",
      ),
    })
    expect((await project.cli('plan')).stderr).toContain("names with _moraine are Moraine's own")
  })

  it('is refused where the definition says what it can not have, each with its place', async () => {
    const wrong = lake
      .replace("schema: 'reports'", "schema: 'reports', grants: ['all'], table: 1")
      .replace('[daily, orders]', '[daily, { dataset: orders, as: "daily" }, raw]')
    const project = await Project.create({ 'lake.ts': wrong })
    const { stderr, code } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toContain("warehouse(…) has no option 'table'")
    expect(stderr).toContain("Did you mean 'tables'?")
    const other = lake
      .replace("schema: 'reports'", "grants: ['all']")
      .replace('[daily, orders]', '[daily, { dataset: orders, as: "daily" }, raw]')
    await project.write({ 'lake.ts': other })
    const again = await project.cli('plan')
    expect(again.stderr).toContain("gold.daily and silver.orders would both be the table 'daily'")
    expect(again.stderr).toContain('bronze.orders is neither silver nor gold')
    expect(again.stderr).toContain('a file of DuckDB has no users')
    expect(again.stderr).toMatch(/lake\.ts:\d+/)
  })
})
