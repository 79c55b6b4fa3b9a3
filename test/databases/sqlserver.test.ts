import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import { withService } from '../support/services.js'
import { type SqlServer, startSqlServer } from '../support/sql-server.js'

const servers: SqlServer[] = []
const start = async (...args: Parameters<typeof startSqlServer>) => {
  const server = await startSqlServer(...args)
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

const reading = (connection: string, options = '', schema = 'id: t.int()') =>
  Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { sqlserver } from 'moraine/sources'
const raw = bronze('rows', { from: sqlserver(${connection}).table('dbo.rows', { key: 'id', ${options} }) })
const rows = silver('rows', { from: raw, schema: z.object({ ${schema} }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [rows] })
`,
  })

const errorOf = async (project: Project) => step(await project.run(), 'bronze.rows').error

describe('SQL Server, played by a double', () => {
  it('gives every type without loss', async () => {
    const server = await start()
    const writer = await server.connect()
    await writer.query(`CREATE TABLE rows (id int PRIMARY KEY, big bigint, tiny tinyint, d decimal(38,10), m money, f float, r real, b bit,
      n nvarchar(100), y varbinary(20), u uniqueidentifier, z datetimeoffset(7), s datetime2(7), s3 datetime2(3), dt date, [odd ]]name] int)`)
    await writer.query(`INSERT INTO rows VALUES
      (1, 9223372036854775807, 255, 1234567890123456789012345678.0123456789, 922337203685477.5807, 0.1, 0.1, true, 'a "b", c' || chr(13) || chr(10) || 'ö😀',
        '\\x00\\xFF'::BLOB, '6f9619ff-8b86-d011-b42d-00c04fc964ff', '2026-01-31 23:59:59.123456+02', '2026-01-31 10:00:00.000001', '2026-01-31 10:00:00.123', '2026-01-31', 7),
      (2, NULL, NULL, NULL, NULL, NULL, NULL, false, '', ''::BLOB, NULL, NULL, NULL, NULL, NULL, NULL)`)
    const project = await reading(`'${server.url}'`)
    expect((await project.run()).outcome).toBe('done')
    const rows = await project.query('SELECT * FROM bronze.rows ORDER BY id')
    const own = rows.map(({ _batch, _source_file, _source_line, _error, _raw, ...row }) => row)
    const nothing = Object.fromEntries(Object.keys(own[0] ?? {}).map((name) => [name, null]))
    expect(own).toEqual([
      {
        id: '1',
        big: '9223372036854775807',
        tiny: '255',
        d: '1234567890123456789012345678.0123456789',
        m: '922337203685477.5807',
        f: '0.1',
        r: '0.1',
        b: '1',
        n: 'a "b", c\r\nö😀',
        y: '\\x00ff',
        u: '6f9619ff-8b86-d011-b42d-00c04fc964ff',
        z: '2026-01-31 21:59:59.123456+00',
        s: '2026-01-31 10:00:00.000001',
        s3: '2026-01-31 10:00:00.123',
        dt: '2026-01-31',
        'odd ]name': '7',
      },
      { ...nothing, id: '2', b: '0', n: '', y: '\\x' },
    ])
  })

  it('finds rows by their version; a transaction that is open holds it back, and loses nothing', async () => {
    const server = await start()
    const writer = await server.connect()
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY, v rowversion)')
    await writer.query('INSERT INTO rows (id) VALUES (1), (2)')
    const project = await reading(`'${server.url}'`, "cursor: 'v'", 'id: t.int(), v: t.bigint()')
    expect(step(await project.run(), 'bronze.rows').rows).toBe(2)
    const late = await server.connect()
    await late.query('BEGIN')
    await late.query('INSERT INTO rows (id) VALUES (3)')
    await writer.query('INSERT INTO rows (id) VALUES (4)')
    const held = step(await project.run(), 'bronze.rows')
    expect(held.notes?.join()).toContain('a transaction is open')
    await late.query('COMMIT')
    await project.run()
    const ids = await project.query('SELECT id FROM silver.rows ORDER BY id')
    expect(ids.map(({ id }) => id)).toEqual([1, 2, 3, 4])
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('shows each change of rows that came while a transaction was open, however many they are', async () => {
    const server = await start()
    const [writer, late] = [await server.connect(), await server.connect()]
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY, amount int, v rowversion)')
    const project = await reading(`'${server.url}'`, "cursor: 'v'")
    await late.query('BEGIN')
    await late.query('INSERT INTO rows (id, amount) VALUES (0, 0)')
    await writer.query('INSERT INTO rows (id, amount) SELECT n, 0 FROM range(1, 100002) s(n)')
    expect(step(await project.run(), 'bronze.rows').rows).toBe(100_001)
    const change = (id: number) =>
      writer.query(`UPDATE rows SET amount = 1, v = nextval('versions') WHERE id = ${id}`)
    await change(7)
    expect(step(await project.run(), 'bronze.rows').rows).toBe(1)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    await late.query('ROLLBACK')
    await change(8)
    expect(step(await project.run(), 'bronze.rows').rows).toBe(1)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('says what it can not promise: without snapshots, without sight of transactions, and of a replica', async () => {
    const server = await start()
    const writer = await server.connect()
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY, changed datetime2(7))')
    Object.assign(server.allows, { seeing: false, snapshots: false, writing: false })
    const project = await reading(`'${server.url}'`, "cursor: 'changed'")
    const told = step(await project.run(), 'bronze.rows').reason
    expect(told).toContain('GRANT VIEW SERVER STATE')
    expect(told).toContain('ALLOW_SNAPSHOT_ISOLATION')
    expect(told).toContain('another server by replication')
  })

  it('gives each row once without snapshots, also those that come while it is read first', async () => {
    const server = await start()
    const writer = await server.connect()
    server.allows.snapshots = false
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY, changed datetime2(7))')
    await writer.query(
      "INSERT INTO rows SELECT n * 10, TIMESTAMP '2026-01-05' + n * INTERVAL 1 SECOND FROM range(30000) s(n)",
    )
    const project = await reading(`'${server.url}'`, "cursor: 'changed'")
    const storage = project.storage
    const create = storage.createIfAbsent.bind(storage)
    let came = false
    storage.createIfAbsent = async (path, bytes) => {
      const made = await create(path, bytes)
      if (path.includes('_moraine/log/') && !came) {
        came = true
        // In a range that has been read, newer than all others were when the reading began.
        await writer.query("INSERT INTO rows VALUES (15, '2026-02-05 00:00:00')")
      }
      return made
    }
    const first = await project.runOn(storage, { partBytes: 32_768 })
    expect(first.outcome).toBe('done')
    expect(step(first, 'bronze.rows').rows).toBe(30_000)
    expect(step(await project.run(), 'bronze.rows').rows).toBe(1)
    await writer.query("INSERT INTO rows VALUES (16, '2026-02-06 00:00:00')")
    expect(step(await project.run(), 'bronze.rows').rows).toBe(1)
    const [sum] = await project.query('SELECT count(*) AS n FROM silver.rows')
    expect(sum).toEqual({ n: 30_002n })
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('says of a batch that has too many rows of the newest time that they come again', async () => {
    const server = await start()
    const writer = await server.connect()
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY, changed datetime2(7))')
    await writer.query("INSERT INTO rows SELECT n, '2026-01-05 08:00:00' FROM range(20001) s(n)")
    const project = await reading(`'${server.url}'`, "cursor: 'changed'")
    expect((await project.run()).outcome).toBe('done')
    const { stdout } = await project.cli('discard-batch', 'rows', '1')
    expect(stdout).toContain(
      'The next run reads rows of it again, from the watermark on: there are',
    )
  })

  it('is also reached by a connection string; a wrong password is told, and not printed', async () => {
    const server = await start()
    const writer = await server.connect()
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY)')
    const text = (password: string) =>
      `'Server=127.0.0.1,${server.port};Database=shop;User Id=shop;Password=${password};Encrypt=false'`
    expect((await (await reading(text('s3cret'))).run()).outcome).toBe('done')
    const error = await errorOf(await reading(text('wr0ng-word')))
    expect(error?.message).toMatch(/SQL Server at .*: it refused the user or the password/)
    expect(JSON.stringify(error)).not.toContain('wr0ng-word')
    await expect((await reading("'wr0ng-word'")).run()).rejects.toThrow(
      /^(?!.*wr0ng-word).*the URL of the SQL Server database does not begin with sqlserver:\/\/$/s,
    )
  })

  it('hears nothing in the clear when encryption was asked for', async () => {
    const server = await start()
    const { url, port } = server
    for (const connection of [
      `{ url: '${url}', tls: true }`,
      `'${url}?encrypt=true'`,
      `'Server=127.0.0.1,${port};Database=shop;User Id=shop;Password=s3cret;Encrypt=true'`,
    ])
      expect((await errorOf(await reading(connection)))?.message).toContain(
        'does not support secure connections',
      )
    expect(server.heard().length).toBeGreaterThan(0)
    expect(server.heard().includes(Buffer.from('shop', 'utf16le'))).toBe(false)
  })
})

withService('Certificates for SQL Server (openssl)', ['/usr/bin/openssl'], () => {
  it('are checked, and then everything is encrypted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-tls-'))
    const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const of = [
      '-nodes',
      '-keyout',
      keyPath,
      '-out',
      certPath,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
    ]
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', ...of, '-addext', 'subjectAltName=DNS:localhost'],
      { stdio: 'ignore' },
    )
    const [key, cert] = await Promise.all([readFile(keyPath, 'utf8'), readFile(certPath, 'utf8')])
    await rm(folder, { recursive: true })
    const server = await start({ key, cert })
    const writer = await server.connect()
    await writer.query('CREATE TABLE rows (id int PRIMARY KEY)')
    await writer.query('INSERT INTO rows VALUES (1)')
    const fields = `host: 'localhost', port: ${server.port}, user: 'shop', password: () => 's3cret', database: 'shop'`
    const ca = JSON.stringify(cert)
    expect((await (await reading(`{ ${fields}, tls: { ca: ${ca} } }`)).run()).outcome).toBe('done')
    expect((await (await reading(`{ ${fields} }`)).run()).outcome).toBe('done')
    expect(server.heard().includes(Buffer.from('shop', 'utf16le'))).toBe(false)
    const error = await errorOf(await reading(`{ ${fields}, tls: true }`))
    expect(error?.message).toMatch(/self.signed certificate/)
  })
})
