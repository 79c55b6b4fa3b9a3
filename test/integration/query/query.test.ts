import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lake } from '../../../src/define/lake.js'
import type { Silver } from '../../../src/define/model.js'
import { sql } from '../../../src/define/sql/sql.js'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { loadLake } from '../../../src/load/load.js'
import { CommitLog } from '../../../src/log/log.js'
import { limitsOf } from '../../../src/query/limits.js'
import { openLake } from '../../../src/query/open.js'
import type { Reply, Request } from '../../../src/query/protocol.js'
import { queryLake } from '../../../src/query/query.js'
import { giveBack, takeProcess } from '../../../src/query/spawn.js'
import { runLake } from '../../../src/run/execute.js'
import { LocalStorage } from '../../../src/storage/local.js'

const definition = `
import { bronze, bucket, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('sales.csv') })
export const sales = silver('sales', {
  from: raw,
  schema: z.object({ id: t.int(), shop: z.string(), amount: t.decimal(9, 2), sold_at: t.timestamp(), n: z.int() }),
  key: 'id',
  partitionBy: [month('sold_at')],
})
export const shops = gold('shops', { query: sql\`select shop, count(*) as n from \${sales} group by 1\` })
export const buckets = gold('buckets', { query: sql\`select id, shop from \${sales}\`, partitionBy: [bucket('id', 4)] })
export default defineLake({ name: 'query', datasets: [shops, buckets] })
`

let folder: string
let lake: Lake
let storage: LocalStorage
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-query-'))
  const rows = Array.from({ length: 240 }, (_, i) => {
    const month = String(Math.floor(i / 20) + 1).padStart(2, '0')
    return `${i},shop ${i % 7},${i}.50,2025-${month}-15 12:00:00,${i}`
  })
  await mkdir(join(folder, 'lake'), { recursive: true })
  await writeFile(join(folder, 'lake.ts'), definition)
  await writeFile(join(folder, 'secret.csv'), 'password\nhunter2\n')
  await writeFile(join(folder, 'sales.csv'), `id,shop,amount,sold_at,n\n${rows.join('\n')}\n`)
  lake = await loadLake(join(folder, 'lake.ts'))
  storage = new LocalStorage(join(folder, 'lake'))
  const engine = await DuckDB.start({ threads: 2 })
  const { steps, error } = await runLake(lake, { storage, engine })
  expect([error, ...steps.map((s) => s.error)].filter(Boolean)).toEqual([])
  await engine.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const query = async (text: string) =>
  queryLake(storage, await new CommitLog(storage).head(), text, { limits: limitsOf() })

describe('a query', () => {
  it.each([
    ['writes a file', () => `copy (select 1) to '${folder}/lake/x.csv'`],
    ['writes into the lake', () => `copy silver.sales to '${folder}/lake/silver/x.parquet'`],
    ['creates a table', () => 'create table x as select 1'],
    ['changes a table', () => 'delete from silver.sales'],
    ['attaches a database', () => `attach '${folder}/x.db'`],
    ['exports everything', () => `export database '${folder}/out'`],
    ['changes a setting', () => 'set enable_external_access = true'],
    ['loads an extension', () => 'load httpfs'],
    ['is two statements', () => 'select 1; select 2'],
    ['explains a copy', () => `explain analyze copy (select 1) to '${folder}/x.csv'`],
    ['reads a file by its name', () => `select * from '${folder}/secret.csv'`],
    ['reads a file by a function', () => `select * from read_csv('${folder}/secret.csv')`],
    [
      'reads a file in a subquery',
      () => `select (select max(content) from read_text('${folder}/secret.csv'))`,
    ],
    ['reads a file in a CTE', () => `with x as (from read_blob('${folder}/secret.csv')) from x`],
    [
      'hides a file behind a CTE',
      () => `with "${'x'}" as (select 1) select * from "${folder}/secret.csv"`,
    ],
    [
      'hides a file behind a CTE that it does not see',
      () =>
        `select t2.* from (with "${folder}/secret.csv" as (select 1) select 1) t, "${folder}/secret.csv" t2`,
    ],
    [
      'hides a file behind a name that differs in a letter of Unicode',
      () => 'with "\u212A.csv" as (select 1) select * from "k.csv"',
    ],
    ['plans other SQL', () => "select json_serialize_plan('select 1')"],
    ['lists files', () => "select * from glob('/etc/*')"],
    ['runs other SQL', () => `select * from query('select 1')`],
    ['names a table by a text', () => `select * from query_table('${folder}/secret.csv')`],
    ['reads settings', () => "select current_setting('temp_directory')"],
    ['reads the catalog', () => 'select * from duckdb_settings()'],
    ['reads system tables', () => 'select * from information_schema.tables'],
    ['asks for secrets', () => 'select * from duckdb_secrets()'],
    ['is nothing', () => ''],
  ])('that %s is refused', async (_, text) => {
    const before = await new CommitLog(storage).head()
    await expect(query(text())).rejects.toMatchObject({ kind: 'query' })
    expect(await new CommitLog(storage).head()).toEqual(before)
  })

  it('says what to do when a table is not there', async () => {
    await expect(query('from silver.sale')).rejects.toMatchObject({
      message: 'There is no table silver.sale in this lake',
      hint: 'Did you mean silver.sales?',
    })
    await expect(query('from sales')).rejects.toMatchObject({
      hint: 'Write bronze.sales or silver.sales.',
    })
  })

  it('points at what is wrong', async () => {
    const message = async (text: string) => (await query(text).catch((error) => error)).message
    expect(await message('select a\nfrm b where')).toBe(
      'syntax error at or near "b"\n\nLINE 2: frm b where\n            ^',
    )
    expect(await message('select\n  nothing from silver.sales')).toMatch(
      /"nothing" not found[\s\S]*LINE 2:[^\n]*nothing[^\n]*\n +\^/,
    )
    expect(await message(' ')).toBe('The query is empty')
  })

  it('can use all of SELECT: joins, CTEs, windows, subqueries', async () => {
    await using result = await query(`
      with big as (select * from silver.sales where amount > 100)
      select s.shop, count(*) as n, rank() over (order by count(*) desc, s.shop) as r
      from big s join gold.shops g using (shop)
      where exists (select 1 from bronze.sales b where b.id = s.id::varchar)
      group by s.shop order by r limit 2`)
    const rows = []
    for await (const batch of result.batches) rows.push(...batch)
    expect(rows.map((r) => r.r)).toEqual([1n, 2n])
  })

  // The bounds and partitions in the manifests decide before any data file is opened.
  it.each([
    ["where sold_at >= '2025-03-01' and sold_at < '2025-04-01'", 1, 20],
    ["where sold_at between timestamp '2025-03-01' and timestamp '2025-04-30'", 2, 40],
    ['where id = 5', 1, 1],
    ['where id in (5, 17)', 1, 2],
    ['where 300 < amount', 0, 0],
    ["where shop = 'shop 9'", 0, 0],
    ['where sold_at is null', 0, 0],
    ["where sold_at >= '2025-12-01' or id = 0", 12, 21],
  ])('%s opens %i of 12 files', async (where, files, rows) => {
    await using result = await query(`select * from silver.sales ${where}`)
    let n = 0
    for await (const batch of result.batches) n += batch.length
    expect({ opened: result.files.opened, n }).toEqual({ opened: files, n: rows })
    // Bytes go with files: partitions are alike, so each has its twelfth.
    await using whole = await query('select count(*) from silver.sales')
    const share = whole.files.bytes / 12
    expect(Math.abs(result.files.bytes - files * share)).toBeLessThan(share / 5 + 1)
  })

  it('finds the bucket of a key', async () => {
    await using result = await query('select * from gold.buckets where id = 77')
    let n = 0
    for await (const batch of result.batches) n += batch.length
    expect(n).toBe(1)
    expect(result.files.total).toBe(4)
  })

  it('does not prune by a condition on the side of an outer join that may be missing', async () => {
    await using result = await query(`
      select count(*) as n from gold.shops g left join silver.sales s on s.shop = g.shop and s.id < 0
      where s.id is null`)
    for await (const [row] of result.batches) expect(row?.n).toBe(7n)
  })
})

describe('queries one after the other', () => {
  const processNow = () => {
    const process = takeProcess()
    giveBack(process)
    return process.pid
  }

  it('run in one process, and one that fails ends it', async () => {
    const open = openLake(lake)
    await open.query('select 1')
    const first = processNow()
    await open.query('select count(*) from silver.sales')
    expect(processNow()).toBe(first)
    await expect(open.query('from silver.sales where nothing')).rejects.toThrow('nothing')
    expect(processNow()).not.toBe(first)
  })

  it('may read other tables, other files of them, and other states each time', async () => {
    const open = openLake(lake)
    const asked = [
      ['silver.sales', 240n],
      ["silver.sales where sold_at < '2025-02-01'", 20n],
      ['gold.shops', 7n],
      ['bronze.sales', 240n],
      ["silver.sales where sold_at >= '2025-12-01'", 20n],
      ['gold.shops as s join silver.sales as t using (shop)', 240n],
    ] as const
    for (const [from, n] of [...asked, ...asked.toReversed(), ...asked])
      expect(await open.query(`select count(*) as n from ${from}`)).toEqual([{ n }])
    expect(await open.query('select count(*) as n from bronze.sales', { at: 1 })).toEqual([
      { n: 240n },
    ])
    await expect(open.query('from silver.sales', { at: 1 })).rejects.toThrow('There is no table')
  })

  it('each see the tables that they name, and none that one before them named', async () => {
    const open = openLake(lake)
    expect(await open.query('select count(*) as n from silver.sales')).toEqual([{ n: 240n }])
    const process = takeProcess()
    const ask = async (request: Request) => {
      process.send(request)
      return (await once(process, 'message'))[0] as Reply
    }
    const text = 'select count(*) as n from silver.sales'
    expect(await ask({ type: 'parse', sql: text, limits: limitsOf() })).toMatchObject({
      type: 'parsed',
    })
    expect(await ask({ type: 'run', relations: [] })).toMatchObject({
      type: 'failed',
      message: expect.stringContaining('does not exist'),
    })
    process.disconnect()
  })
})

describe('programs', () => {
  it('read typed rows', async () => {
    const open = openLake(lake)
    const sales = lake.datasets.find((d) => d.tier === 'silver') as Silver<{
      id: number
      amount: string
      sold_at: string
      n: number
    }>
    const rows = await open.read(sales, {
      where: sql`id < ${3}`,
      orderBy: sql`id`,
      columns: ['id', 'amount', 'sold_at', 'n'],
    })
    expect(rows[2]).toEqual({ id: 2, amount: '2.50', sold_at: '2025-01-15T12:00:00.000000', n: 2 })
    // What is wrong in a condition is shown in the program's own text.
    await expect(open.read(sales, { where: sql`id < 3 and amuont > 1` })).rejects.toThrow(
      /\n\nLINE 1: id < 3 and amuont > 1\n {19}\^$/,
    )
    await expect(open.read(sales, { orderBy: 'id' as never })).rejects.toThrow(
      /^The call has a mistake:\n- read\(…\): orderBy must be/,
    )
    const [row] = await open.query(sql`select count(*) as n from ${sales}`)
    expect(row?.n).toBe(240n)
  })

  it('see the lake as it was', async () => {
    const open = openLake(lake)
    await expect(open.query('from silver.sales', { at: 1 })).rejects.toThrow(
      'There is no table silver.sales',
    )
    expect((await open.query('select count(*) as n from bronze.sales', { at: 1 }))[0]?.n).toBe(240n)
  })
})

it('a value in a template is never SQL', async () => {
  const evil = "x'; drop table silver.sales; --"
  const open = openLake(lake)
  expect(
    await open.query(sql`select count(*) as n from (select ${evil} as v) where v = ${evil}`),
  ).toEqual([{ n: 1n }])
  expect(await readFile(join(folder, 'secret.csv'), 'utf8')).toContain('hunter2')
})
