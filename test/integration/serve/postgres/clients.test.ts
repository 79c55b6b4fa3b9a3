import { execFile } from 'node:child_process'
import { connect as openSocket } from 'node:net'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type ServedShop, secrets, serveShop } from '../../../support/served-shop.js'
import { withService } from '../../../support/services.js'

let shop: ServedShop
let client: pg.Client
beforeAll(async () => {
  shop = await serveShop()
  client = await connect(shop.port)
})
afterAll(async () => {
  await client?.end()
  await shop?.close()
})

const rows = async (sql: string, values?: unknown[], of = client) =>
  (await of.query(sql, values)).rows

const refusal = (sql: string, values?: unknown[], of = client) =>
  of.query(sql, values).then(
    () => undefined,
    ({ code, message, position }: pg.DatabaseError) => ({ code, message, position }),
  )

describe('a client of PostgreSQL', () => {
  it('reads the lake with parameters of any type', async () => {
    const found = await rows(
      'SELECT id, customer FROM silver.orders WHERE id >= $1 AND ordered_on > $2 AND amount < $3 ORDER BY id LIMIT $4',
      [1, '2000-01-01', 1000.5, '10'],
    )
    expect(found).toEqual([{ id: '1', customer: 'Ada' }])
    expect(await rows('SELECT id + $1 AS x FROM silver.orders WHERE id = $2', [41, 1])).toEqual([
      { x: '42' },
    ])
    expect(
      await rows('SELECT $1::text[] AS list, $2::bytea AS b', [
        ['a', null, 'c,"d'],
        Buffer.from([0, 255]),
      ]),
    ).toEqual([{ list: ['a', null, 'c,"d'], b: Buffer.from([0, 255]) }])
  })

  it('has refused statements in the history, as they were sent', async () => {
    const sent = ['DELETE FROM silver.orders WHERE id = 1', 'SELECT no_such FROM silver.orders']
    for (const sql of sent) await refusal(sql)
    await refusal('INSERT INTO silver.orders VALUES ($1)', [1])
    const auditor = await connect(shop.port, { user: 'auditor', password: 'auditor-of-the-shop' })
    const asked = await rows(
      "SELECT sql, error_kind FROM system.queries WHERE error IS NOT NULL AND principal = 'ada'",
      [],
      auditor,
    )
    await auditor.end()
    for (const sql of [...sent, 'INSERT INTO silver.orders VALUES ($1)'])
      expect(asked.filter((one) => one.sql === sql)).toEqual([{ sql, error_kind: 'query' }])
  })

  it('reads what was asked of the lake, if that was granted, and sees its tables', async () => {
    await rows('SELECT id FROM silver.orders WHERE id = 2')
    const auditor = await connect(shop.port, { user: 'auditor', password: 'auditor-of-the-shop' })
    const asked = await rows(
      "SELECT principal, sql FROM system.queries WHERE sql LIKE '%WHERE id = 2' LIMIT $1",
      [1],
      auditor,
    )
    expect(asked).toEqual([{ principal: 'ada', sql: expect.stringContaining('silver.orders') }])
    const listed = await rows(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'system' ORDER BY 1 LIMIT 2",
      [],
      auditor,
    )
    expect(listed).toEqual([{ table_name: 'access' }, { table_name: 'commits' }])
    await auditor.end()
    expect(await refusal('SELECT * FROM system.queries')).toMatchObject({ code: '42P01' })
  })

  it('keeps statements, which are bound as often as it likes', async () => {
    for (const id of [1, 2, 3])
      expect(
        (
          await client.query({
            name: 'one',
            text: 'SELECT id FROM silver.orders WHERE id = $1',
            values: [id],
          })
        ).rows,
      ).toEqual([{ id: String(id) }])
  })

  it('is told what is wrong, where, and with the code that PostgreSQL has for it', async () => {
    expect(await refusal('SELECT nope FROM silver.orders')).toMatchObject({
      code: '42703',
      position: '8',
    })
    expect(await refusal('SELECT 1;\n\nSELECT é, oops oops oops')).toMatchObject({ code: '42601' })
    expect(await refusal('SELECT 1 FROM gold.nope')).toMatchObject({ code: '42P01' })
    expect(await refusal("SELECT 'x'::int")).toMatchObject({ code: '22P02' })
    expect(await refusal("SELECT * FROM read_csv('/etc/passwd')")).toMatchObject({ code: '42501' })
    expect(await refusal('SELECT * FROM duckdb_settings()')).toMatchObject({ code: '42501' })
  })

  it.each(['DELETE FROM silver.orders', 'CREATE TABLE x (a int)', 'COPY silver.orders FROM STDIN'])(
    'cannot write: %s',
    async (sql) => {
      expect(await refusal(sql)).toMatchObject({ code: '25006' })
      expect(await refusal(`SELECT 1; ${sql}`)).toMatchObject({ code: '25006' })
    },
  )

  it('has transactions, which change nothing and fail as those of PostgreSQL do', async () => {
    await client.query('BEGIN')
    await client.query('SAVEPOINT a')
    expect(await refusal('SELECT nope')).toMatchObject({ code: '42703' })
    expect(await refusal('SELECT 1')).toMatchObject({ code: '25P02' })
    await client.query('ROLLBACK TO a')
    expect(await rows('SELECT 1 AS x')).toEqual([{ x: 1 }])
    await client.query('COMMIT')
    expect((await client.query('ROLLBACK')).command).toBe('ROLLBACK')
  })

  it.each(['', ' AND ordered_on < current_date'])(
    'has functions and patterns of PostgreSQL that mean the same in each statement: %s',
    async (more) => {
      const ask = (what: string, where: string, values?: unknown[]) =>
        rows(`SELECT ${what} FROM silver.orders WHERE ${where}${more} ORDER BY id`, values)
      const ages = await ask("age(DATE '2024-02-01', ordered_on)::text AS age", 'id < 3')
      expect(ages).toEqual([{ age: '1 day' }, { age: expect.stringMatching(/^24 years 1 mon/) }])
      const old = "age(DATE '2024-02-01', ordered_on) > INTERVAL '30 days'"
      expect(await ask('id', old)).toEqual([{ id: '2' }])
      // A pattern matches a part of a text.
      expect(await ask('id', "note ~ 'comm.'")).toEqual([{ id: '3' }])
      expect(await ask('id', "note !~ '^f'")).toEqual([{ id: '3' }])
      expect(await ask('id', 'note ~ $1', ['irs'])).toEqual([{ id: '1' }])
      expect(await ask('id', 'customer ~ lower(upper($1))', ['d'])).toEqual([{ id: '1' }])
      expect(await ask('~id AS x', 'id = ~(-2)')).toEqual([{ x: '-2' }])
    },
  )

  it('is in the workgroup that it names', async () => {
    const small = await connect(shop.port, { options: '-c moraine.workgroup=small' })
    expect(await rows('SELECT id FROM silver.orders LIMIT 2', [], small)).toHaveLength(2)
    expect(await refusal('SELECT id FROM silver.orders', [], small)).toMatchObject({
      code: '54000',
    })
    await small.query("SET moraine.workgroup = 'all'")
    expect(await rows('SELECT id FROM silver.orders', [], small)).toHaveLength(3)
    await small.query("SET moraine.workgroup = 'nope'")
    expect(await refusal('SELECT 1', [], small)).toMatchObject({ code: '22023' })
    await small.end()
  })

  it('reads a cursor in parts', async () => {
    await client.query('BEGIN; DECLARE c CURSOR FOR SELECT range FROM range(5)')
    expect(await rows('FETCH FORWARD 2 FROM c')).toEqual([{ range: '0' }, { range: '1' }])
    expect(await rows('FETCH ALL IN c')).toHaveLength(3)
    expect(await rows('FETCH c')).toEqual([])
    await client.query('CLOSE c; COMMIT')
    expect(await refusal('FETCH c')).toMatchObject({ code: '34000' })
    expect(await refusal('DECLARE c CURSOR FOR SELECT 1')).toMatchObject({ code: '25P01' })
    expect(await refusal('BEGIN; DECLARE c SCROLL CURSOR FOR SELECT 1')).toMatchObject({
      code: '0A000',
    })
    await client.query('ROLLBACK')
  })

  it('sees what its principal may, through masks and conditions', async () => {
    const guest = await connect(shop.port, { user: 'guest', password: secrets.GUEST })
    try {
      const found = await rows('SELECT id, customer FROM silver.orders ORDER BY id', [], guest)
      expect(found).toEqual([
        { id: '1', customer: '…' },
        { id: '2', customer: '…' },
      ])
      const names = 'SELECT table_schema, table_name FROM information_schema.tables'
      expect(await rows(names, [], guest)).toEqual([
        { table_schema: 'silver', table_name: 'orders' },
      ])
      expect(await rows("SELECT relname FROM pg_class WHERE relkind = 'r'", [], guest)).toEqual([
        { relname: 'orders' },
      ])
      expect((await refusal('SELECT * FROM gold.daily', [], guest))?.code).toMatch(/^42/)
      expect((await refusal("SELECT 'gold.daily'::regclass", [], guest))?.code).toBe('42P01')
    } finally {
      await guest.end()
    }
  })

  it('has a query stopped, and goes on', async () => {
    const running = refusal('SELECT count(*) FROM range(100000000000) AS t(a) WHERE a % 7 = 3')
    const { processID, secretKey } = client as never as { processID: number; secretKey: number }
    const ask = (secret: number) =>
      new Promise<void>((done) => {
        const packet = Buffer.alloc(16)
        for (const [i, value] of [16, 80_877_102, processID, secret].entries())
          packet.writeInt32BE(value, i * 4)
        const socket = openSocket(shop.port, '127.0.0.1', () => socket.end(packet))
        socket.once('close', () => done())
      })
    // The secret of another session stops nothing.
    await ask(secretKey ^ 1)
    let isDone = false
    void running.then(() => {
      isDone = true
    })
    while (!isDone) await ask(secretKey)
    expect(await running).toMatchObject({ code: '57014' })
    expect(await rows('SELECT 5 AS x')).toEqual([{ x: 5 }])
  })

  it('must know the password, and learns nothing of other users', async () => {
    const tries = [{ password: 'wrong' }, { user: 'nobody' }, { database: 'nope' }].map((options) =>
      connect(shop.port, options).catch(({ code, message, hint }: pg.DatabaseError) => [
        `${code} ${message}`,
        hint,
      ]),
    )
    const hint = 'The user is the name of a principal in lake.ts, and the password its password.'
    expect(await Promise.all(tries)).toEqual([
      ['28P01 Password authentication failed for user "ada"', hint],
      ['28P01 Password authentication failed for user "nobody"', hint],
      ['3D000 There is no database "nope"', expect.anything()],
    ])
  })

  it('shares the port with HTTP', async () => {
    const answer = await fetch(`${shop.url}/healthz`)
    expect(await answer.json()).toEqual({ status: 'ok' })
  })
})

const PSQL = '/usr/bin/psql'

withService('psql', [PSQL], () => {
  const psql = async (...commands: string[]) => {
    const { stdout } = await promisify(execFile)(
      PSQL,
      [
        ...['-X', '-A', '-t', '-d', `postgres://ada@127.0.0.1:${shop.port}/shop`],
        ...commands.flatMap((c) => ['-c', c]),
      ],
      { env: { ...process.env, PGPASSWORD: secrets.ADA } },
    )
    return stdout.trim().split('\n')
  }

  it('lists schemas, tables and columns', async () => {
    expect(await psql('\\l')).toEqual(['shop|ada|UTF8|C|C||libc|'])
    expect(await psql('\\dn')).toEqual(['bronze|ada', 'discarded|ada', 'gold|ada', 'silver|ada'])
    expect(await psql('\\dt')).toEqual(['gold|daily|table|ada'])
    expect(await psql('\\dt silver.*')).toEqual(['silver|orders|table|ada'])
    expect(await psql('\\d silver.orders')).toEqual(
      expect.arrayContaining([
        'id|bigint|||',
        'amount|numeric(10,2)|||',
        'paid_at|timestamp with time zone|||',
      ]),
    )
    expect((await psql('\\dt+ gold.*'))[0]).toContain('Revenue by day')
  })

  it('copies a result out', async () => {
    expect(
      await psql(
        '\\copy (SELECT id, note FROM silver.orders ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)',
      ),
    ).toEqual([...['id,note', '1,first', '2,', '3,"quote "" and, comma"']])
  })
})
