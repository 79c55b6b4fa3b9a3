import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ColumnType, Field } from '../../src/define/types/column-type.js'
import { columnsFor } from '../../src/export/decide.js'
import { chosenBy, exportChosen } from '../../src/export/export-lake.js'
import { sqlserver } from '../../src/export/sqlserver/dialect.js'
import { fillSql } from '../../src/export/sqlserver/session.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { sample } from '../support/effort.js'
import { moraine, Project, repository } from '../support/project.js'
import { withService } from '../support/services.js'
import { type SqlServerTarget, startSqlServerTarget } from '../support/sql-server-target.js'

const servers: SqlServerTarget[] = []
const start = async (...args: Parameters<typeof startSqlServerTarget>) => {
  const server = await startSqlServerTarget(...args)
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

const field = (name: string, type: ColumnType): Field => ({ name, type })
const columns = [
  field('id', { kind: 'bigint' }),
  field('note', { kind: 'string' }),
  field('amount', { kind: 'decimal', precision: 12, scale: 2 }),
  field('exact', { kind: 'decimal', precision: 38, scale: 10 }),
  field('paid', { kind: 'boolean' }),
  field('day', { kind: 'date' }),
  field('at', { kind: 'timestamp' }),
  field('seen', { kind: 'timestamptz' }),
  field('n', { kind: 'int' }),
  field('x', { kind: 'double' }),
  field('y', { kind: 'float' }),
  field('key', { kind: 'uuid' }),
  field('raw', { kind: 'binary' }),
  field('odd ]name', { kind: 'json' }),
]
const table = { schema: 'reports', name: 'orders' }
const whole = sqlserver.named(table)
const keys = sqlserver.temporary('moraine_keys')

/** What no real SQL Server has run: held to its documented grammar, statement by statement. */
describe('SQL for SQL Server', () => {
  it('creates tables of exact types, with a comment, a key, and their final name', () => {
    expect(sqlserver.create(table, columnsFor(sqlserver, 'gold.orders', columns), "it's")).toEqual([
      'CREATE TABLE [reports].[orders] ([id] bigint, [note] nvarchar(max) COLLATE Latin1_General_100_BIN2, [amount] decimal(12, 2), [exact] decimal(38, 10), [paid] bit, [day] date, [at] datetime2(6), [seen] datetimeoffset(6), [n] int, [x] float, [y] real, [key] uniqueidentifier, [raw] varbinary(max), [odd ]]name] nvarchar(max) COLLATE Latin1_General_100_BIN2)',
      "DECLARE @schema sysname = N'reports'; EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = N'it''s', @level0type = N'SCHEMA', @level0name = @schema, @level1type = N'TABLE', @level1name = N'orders'",
    ])
    expect(sqlserver.addKey(whole, columns.slice(0, 1))).toEqual([
      'ALTER TABLE [reports].[orders] ALTER COLUMN [id] bigint NOT NULL',
      'ALTER TABLE [reports].[orders] ADD PRIMARY KEY ([id])',
    ])
    expect(sqlserver.rename({ ...table, name: 'orders__moraine_new' }, 'orders')).toBe(
      "EXEC sys.sp_rename @objname = N'[reports].[orders__moraine_new]', @newname = N'orders', @objtype = N'OBJECT'",
    )
    expect(sqlserver.createTemporary('moraine_keys', ['[id] bigint'])).toBe(
      'CREATE TABLE [#moraine_keys] ([id] bigint)',
    )
    expect(sqlserver.text('a\\\nb')).toBe("N'a\\' + N'\nb'")
  })

  it('makes values of what is sent, so that none goes through a number of JavaScript', () => {
    expect(fillSql(whole, columns)).toEqual([
      'CREATE TABLE [#moraine_load] ([c0] nvarchar(20) NULL, [c1] nvarchar(max) NULL, [c2] nvarchar(41) NULL, [c3] nvarchar(41) NULL, [c4] bit NULL, [c5] nvarchar(10) NULL, [c6] nvarchar(26) NULL, [c7] nvarchar(26) NULL, [c8] int NULL, [c9] float NULL, [c10] real NULL, [c11] nvarchar(36) NULL, [c12] varbinary(max) NULL, [c13] nvarchar(max) NULL)',
      'INSERT INTO [reports].[orders] ([id], [note], [amount], [exact], [paid], [day], [at], [seen], [n], [x], [y], [key], [raw], [odd ]]name]) SELECT CONVERT(bigint, [c0]), [c1], CONVERT(decimal(12, 2), [c2]), CONVERT(decimal(38, 10), [c3]), [c4], CONVERT(date, [c5], 23), CONVERT(datetime2(6), [c6], 121), CONVERT(datetimeoffset(6), [c7], 121), [c8], [c9], [c10], CONVERT(uniqueidentifier, [c11]), [c12], [c13] FROM [#moraine_load]',
      'DROP TABLE [#moraine_load]',
    ])
  })

  it('deletes, counts and grants', () => {
    const key = columns.filter(({ name }) => ['id', 'day'].includes(name))
    expect(sqlserver.deleteMatching(whole, keys, key)).toBe(
      'DELETE t FROM [reports].[orders] AS t INNER JOIN [#moraine_keys] AS k ON t.[id] = k.[id] AND DATALENGTH(t.[id]) = DATALENGTH(k.[id]) AND t.[day] = k.[day] AND DATALENGTH(t.[day]) = DATALENGTH(k.[day])',
    )
    expect(sqlserver.deleteNull(whole, keys, 'day')).toBe(
      'DELETE FROM [reports].[orders] WHERE [day] IS NULL AND EXISTS (SELECT 1 FROM [#moraine_keys] AS k WHERE k.[day] IS NULL)',
    )
    const sum = (value: string) => `CONVERT(varchar(41), SUM(CONVERT(decimal(38, 0), ${value})))`
    expect(sqlserver.figures(whole, columns.slice(0, 8))).toBe(
      `SELECT COUNT_BIG(*), COUNT_BIG([id]), ${sum('[id]')}, COUNT_BIG([note]), ${sum('DATALENGTH([note])')}, COUNT_BIG([amount]), CONVERT(varchar(41), SUM(CONVERT(decimal(38, 2), [amount]))), COUNT_BIG([exact]), CONVERT(varchar(41), NULL), COUNT_BIG([paid]), ${sum('[paid]')}, COUNT_BIG([day]), ${sum("DATEDIFF_BIG(day, CONVERT(date, '1970-01-01', 121), [day])")}, COUNT_BIG([at]), ${sum("DATEDIFF_BIG(microsecond, CONVERT(datetime2(6), '1970-01-01', 121), [at])")}, COUNT_BIG([seen]), ${sum("DATEDIFF_BIG(microsecond, CONVERT(datetimeoffset(6), '1970-01-01', 121), [seen])")} FROM [reports].[orders]`,
    )
    expect(sqlserver.grant(whole, 'analysts')).toBe(
      'GRANT SELECT ON [reports].[orders] TO [analysts]',
    )
  })

  it('refuses names that are longer than any there, before anything is written', () => {
    const long = field('n'.repeat(129), { kind: 'int' })
    expect(() => columnsFor(sqlserver, 'gold.orders', [long])).toThrow(
      /can't be exported: names in SQL Server have at most 128 characters/,
    )
  })
})

/** Values at the ends of their types, by the column that has one. */
const edges = {
  'odd ]name': "'brackets'",
  smallest: "cast('-9223372036854775808' as bigint)",
  exact: "cast('-1234567890123456789012345678.0123456789' as decimal(38, 10))",
  tiny: "cast('0.00000000000000000000000000000000000001' as decimal(38, 38))",
  first_day: "date '0001-01-01'",
  last_day: "date '9999-12-31'",
  at: "timestamp '1582-10-10 23:59:59.000001'",
  moment: "timestamptz '2026-01-31 23:59:59.123456+02'",
  empty: "''",
  note: "'a \"b\", ö😀 ' || chr(10) || chr(92) || chr(10) || ' it''s  '",
  long: "repeat('ä😀', 200000)",
  no_bytes: "cast('' as blob)",
  bytes: "unhex('00ff')",
  yes: 'true',
  no: 'false',
  zero: "cast('-0' as double)",
  largest: "cast('1.7976931348623157e308' as double)",
  single: 'cast(0.1 as float)',
  whole: 'cast(-2147483648 as integer)',
  key: "cast('6f9619ff-8b86-d011-b42d-00c04fc964ff' as uuid)",
}

const golden = (target: string, values: Record<string, string>) => ({
  'lake.ts': `
import { bronze, defineLake, gold, sql, warehouse } from 'moraine'
import { files, secret, sqlserver } from 'moraine/sources'
const raw = bronze('one', { from: files('one.csv') })
const edges = gold('edges', { query: sql\`select a, ${Object.entries(values)
    .map(([name, value]) => `case when a = '1' then ${value} end as "${name}"`)
    .join(', ')} from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [edges],
  exports: [warehouse(sqlserver(${target}), { tables: [edges], schema: 'reports', grants: ['analysts'] })],
})`,
  'one.csv': 'a\n1\n2\n',
})

const asTexts = (names: readonly string[]) =>
  names.map((name) => `cast("${name}" as varchar) as "${name}"`).join(', ')

describe('Values in SQL Server, played by a double', () => {
  it('are those of the lake, to the ends of their types; NULL is no empty text', async () => {
    const server = await start()
    const project = await Project.create(golden(`'${server.url}'`, edges))
    const ran = await project.run()
    expect(ran.exports?.[0]).toMatchObject({
      ...{ outcome: 'exported', reason: 'first export', rows: 2, written: 2 },
    })
    const names = ['a', ...Object.keys(edges)]
    const lake = await project.query(`select ${asTexts(names)} from gold.edges order by a`)
    const client = await server.connect()
    const there = await client.query(`select ${asTexts(names)} from reports.edges order by a`)
    await client.end()
    // The client has no negative zero; SQL Server has it equal to the other one.
    expect(lake[0]?.zero).toBe('-0.0')
    expect(there).toEqual([{ ...lake[0], zero: '0.0' }, lake[1]])
    expect(there[0]?.exact).toBe('-1234567890123456789012345678.0123456789')
    expect(server.grants).toEqual(['GRANT SELECT ON [reports].[edges] TO [analysts]'])
  })

  it.each([
    ['x', "cast('nan' as double)", 'nan'],
    ['x', "cast('-inf' as float)", '-inf'],
    ['x', "cast('5e-320' as double)", '5e-320'],
    ['day', "date '10000-01-01'", '10000-01-01'],
    ['at', "timestamp '0001-01-01' - interval 1 microsecond", '0001-12-31 (BC) 23:59:59.999999'],
  ])('that it has not are refused by name: %s is %s', async (name, value, shown) => {
    const server = await start()
    const project = await Project.create(golden(`'${server.url}'`, { [name]: value }))
    const [result] = (await project.run()).exports ?? []
    expect(result?.reason).toBe(
      `reports.edges: column ${name} has the value ${shown}, which SQL Server can't hold`,
    )
    expect(server.said.at(-1)).toBe('ROLLBACK')
  })

  it('have lengths that are counted as it counts them', async () => {
    const engine = await Lakehouse.at(join(repository, 'none')).startEngine()
    try {
      const texts = ['', 'abc', 'äöü', '😀', 'a😀b ', '\u{10000}\u{10ffff}￿']
      const list = texts.map((one) => `('${one}')`).join(', ')
      const { exports } = await engine.open()
      const {
        columns: [found],
      } = await exports.figures(
        `SELECT * FROM (VALUES ${list}) AS v(s)`,
        [field('s', { kind: 'string' })],
        'utf16',
      )
      expect(found?.sum).toBe(String(texts.join('').length * 2))
    } finally {
      await engine.close()
    }
  })
})

const orders = (target: string, schema = ", schema: 'reports'") => `
import { bronze, defineLake, gold, silver, sql, t, warehouse, z } from 'moraine'
import { files, sqlserver } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint(), day: t.date(), amount: t.decimal(12, 2) }),
  key: 'id',
})
const daily = gold('daily', {
  query: sql\`select day, count(*) as orders, sum(amount) as revenue from \${orders} group by day\`,
  incremental: { by: 'day' },
})
export default defineLake({
  name: 'shop',
  datasets: [orders, daily],
  exports: [warehouse(sqlserver('${target}'), { tables: [orders, daily]${schema}, afterRuns: false })],
})`

const rows = (from: number, to: number) =>
  `id,day,amount\n${Array.from({ length: to - from + 1 }, (_, i) => `${from + i},2026-01-${String(1 + ((from + i) % 28)).padStart(2, '0')},${from + i}.25\n`).join('')}`

/** A lake with a warehouse that can be exported to in this process. */
async function exporting(server: SqlServerTarget) {
  const project = await Project.create({
    'lake.ts': orders(server.url),
    'in/1.csv': rows(1, 200),
  })
  await project.run()
  const house = Lakehouse.at(join(project.folder, 'lake'))
  const lake = await project.load()
  const { storage, log } = house
  const startEngine = () => house.startEngine({ threads: 1 })
  const export_ = (full = false) =>
    exportChosen({ lake, storage, log, startEngine }, chosenBy(lake, []), { full })
  const behind = () =>
    exportChosen({ lake, storage, log, startEngine }, chosenBy(lake, []), { dry: true })
  const client = await server.connect()
  const figures = 'select count(*) as n, cast(sum(amount) as varchar) as sum'
  const there = async () => (await client.query(`${figures} from reports.orders`))[0]
  return {
    project,
    export_,
    behind,
    client,
    there,
    ours: async () => (await project.query(`${figures} from silver.orders`))[0],
    records: async () =>
      Number((await client.query('select count(*) as n from reports._moraine_exports'))[0]?.n),
  }
}

it('takes many rows in lots, into the schema of the connection where lake.ts names none', async () => {
  const server = await start()
  const ids = Array.from({ length: 70_000 }, (_, i) => `${i},2026-01-01,${i}.25\n`).join('')
  const project = await Project.create({
    'lake.ts': orders(server.url, ''),
    'in/1.csv': `id,day,amount\n${ids}`,
  })
  await project.run()
  const said = await project.cli('export')
  expect(said.stdout).toContain('sqlserver: orders  70,000 rows (first export)')
  expect(server.said.filter((sql) => sql === 'BULK').length).toBeGreaterThan(2)
  const client = await server.connect()
  const [row] = await client.query('select cast(sum(amount) as varchar) as sum from dbo.orders')
  expect(row?.sum).toBe(String((70_000 * 69_999) / 2 + 70_000 / 4).concat('.00'))
  await client.end()
})

describe('A connection that is lost', () => {
  it('leaves the table as before or as after, and the next export loads nothing twice', async () => {
    const server = await start()
    const { project, export_, client, there, ours, records } = await exporting(server)
    await export_()
    const cases = ['before', 'after'].flatMap((loss) =>
      [2, 5, 8, 10, 12, 14, 16, 18, 20, 22, 24, 27].flatMap((at) =>
        [false, true].map((full) => ({ loss: loss as 'before' | 'after', at, full })),
      ),
    )
    let id = 200
    for (const { loss, at, full } of sample(cases, 5, 20)) {
      const [before, recorded] = [await there(), await records()]
      await project.write({ [`in/${++id}.csv`]: rows(id, id) })
      await project.run()
      let count = 0
      server.lose = () => (++count === at ? loss : undefined)
      const broken = await export_(full)
      const now = await there()
      expect([before, await ours()], JSON.stringify({ loss, at, full })).toContainEqual(now)
      server.lose = () => undefined
      const again = await export_()
      expect(again.map(({ outcome }) => outcome)).not.toContain('failed')
      expect(await there()).toEqual(await ours())
      expect(await records(), JSON.stringify({ broken, again })).toBe(recorded + 2)
    }
    await client.end()
  })

  it('says that a commit may have happened where its answer is lost, and finds out', async () => {
    const server = await start()
    const { export_, client, there, ours, records } = await exporting(server)
    server.lose = (what) => (what === 'COMMIT' ? 'after' : undefined)
    const [lost] = await export_()
    expect(lost).toMatchObject({ outcome: 'failed', error: { kind: 'export' } })
    expect(lost?.error?.hint).toContain('the table is as it was, or as the lake has it')
    expect(await there()).toEqual(await ours())
    server.lose = () => undefined
    const [found] = await export_()
    expect(found?.outcome).toBe('unchanged')
    expect(await records()).toBe(2)
    await client.end()
  })

  it('replaces rows within a table that views with SCHEMABINDING read', async () => {
    const server = await start()
    const { export_, behind, client, there, ours } = await exporting(server)
    expect((await behind()).map(({ reason }) => reason)).toEqual(['first export', 'first export'])
    expect(server.said.filter((sql) => /^(BEGIN|CREATE|INSERT)/.test(sql))).toEqual([])
    await export_()
    expect((await behind()).map(({ outcome }) => outcome)).toEqual(['unchanged', 'unchanged'])
    server.bound.add('reports.orders')
    server.said.length = 0
    await export_(true)
    expect(server.said).toContain('DELETE FROM [reports].[orders]')
    expect(server.said).not.toContain('DROP TABLE [reports].[orders]')
    expect(await there()).toEqual(await ours())
    await client.end()
  })
})

describe('A connection to SQL Server', () => {
  it('is encrypted unless lake.ts says otherwise, and shows no password', async () => {
    const server = await start()
    const url = server.url.replace('?encrypt=false', '')
    const project = await Project.create(golden(`{ url: secret('env:WAREHOUSE') }`, {}))
    const run = (WAREHOUSE: string) => moraine(['-C', project.folder, 'run'], { WAREHOUSE })
    const clear = await run(url)
    expect(clear.stdout).toContain('The SQL Server does not support secure connections')
    expect(server.heard().includes(Buffer.from('shop', 'utf16le'))).toBe(false)
    const wrong = await run(server.url.replace('s3cret', 'hidden-pass'))
    expect(wrong.stdout).toMatch(/SQL Server at .*: it refused the user or the password/)
    expect(wrong.stdout + wrong.stderr + clear.stdout).not.toMatch(/hidden-pass|s3cret/)
    expect((await run(server.url)).code).toBe(0)
  })
})

withService('Certificates of SQL Server (openssl)', ['/usr/bin/openssl'], () => {
  it('are checked unless lake.ts says otherwise', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-tls-'))
    const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const files = ['-keyout', keyPath, '-out', certPath, '-days', '2', ...subject]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files], {
      stdio: 'ignore',
    })
    const [key, cert] = await Promise.all([readFile(keyPath, 'utf8'), readFile(certPath, 'utf8')])
    await rm(folder, { recursive: true })
    const server = await start({ key, cert })
    const fields = `host: 'localhost', port: ${server.port}, user: 'shop', password: () => 's3cret', database: 'shop'`
    const refused = await Project.create(golden(`{ ${fields} }`, {}))
    const [result] = (await refused.run()).exports ?? []
    expect(result?.reason).toMatch(/self.signed certificate/)
    expect(result?.error?.hint).toContain('tls: { ca: … }')
    const trusted = await Project.create(
      golden(`{ ${fields}, tls: { ca: ${JSON.stringify(cert)} } }`, {}),
    )
    expect((await trusted.run()).exports?.[0]?.outcome).toBe('exported')
    expect(server.heard().includes(Buffer.from('shop', 'utf16le'))).toBe(false)
  })
})

withService('sqlglot', [process.env.MORAINE_SQLGLOT], () => {
  it('reads every statement that exports send, as T-SQL', async () => {
    const server = await start()
    const { project, export_, client } = await exporting(server)
    await export_()
    await project.write({ 'in/2.csv': rows(201, 201) })
    await project.run()
    await export_()
    const wide = await Project.create(golden(`'${server.url}'`, edges))
    await wide.run()
    await client.end()
    const requests = ['BEGIN', 'COMMIT', 'ROLLBACK', 'BULK']
    const said = [...new Set(server.said)].filter(
      (sql) => !requests.includes(sql) && !/^(set|insert bulk) /.test(sql),
    )
    expect(said.length).toBeGreaterThan(20)
    const python = process.env.MORAINE_SQLGLOT as string
    const script = join(repository, 'test/support/tsql.py')
    const [nonsense, ...problems] = JSON.parse(
      execFileSync(python, [script], {
        input: JSON.stringify(['SELECT FROM WHERE', ...said]),
      }).toString(),
    ) as (string | null)[]
    expect(nonsense).not.toBeNull()
    expect(said.filter((_, i) => problems[i] !== null)).toEqual([])
  })
})
