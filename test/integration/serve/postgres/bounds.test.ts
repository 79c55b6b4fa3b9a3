import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect as openSocket, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type ServedShop, serveShop } from '../../../support/served-shop.js'
import { withService } from '../../../support/services.js'

let shop: ServedShop
beforeAll(async () => {
  shop = await serveShop()
})
afterAll(() => shop?.close())

/** A packet of the start of a connection. */
function start(body: Buffer, length = body.length + 4): Buffer {
  const head = Buffer.alloc(4)
  head.writeInt32BE(length)
  return Buffer.concat([head, body])
}

const version = Buffer.from([0, 3, 0, 0])
const hello = start(Buffer.concat([version, Buffer.from('user\0ada\0database\0shop\0\0')]))

/** What a server says to these bytes until it closes. */
async function answerTo(bytes: Buffer): Promise<string> {
  const socket = openSocket(shop.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

const socketOf = (client: pg.Client) =>
  (client as never as { connection: { stream: Socket } }).connection.stream

/** A message that says a length of its own. */
function message(type: string, length: number, body = ''): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(length, 1)
  return Buffer.concat([head, Buffer.from(body)])
}

describe('the server of PostgreSQL’s protocol', () => {
  it.each([
    ['a first packet of 16 MB less one byte', start(version, 2 ** 24 - 1)],
    ['a packet of no length', start(Buffer.alloc(0), 3)],
    ['an old version of the protocol', start(Buffer.from([0, 2, 0, 0]))],
    ['no user', start(Buffer.concat([version, Buffer.from('\0')]))],
    ['a text without an end', start(Buffer.concat([version, Buffer.from('user\0ada')]))],
    ['a query before the password', Buffer.concat([hello, message('Q', 13, 'SELECT 1\0')])],
    ['a proof that is none', Buffer.concat([hello, message('p', 8, 'abc\0')])],
  ])('refuses %s, and says why', async (_, bytes) => {
    expect(await answerTo(bytes)).toMatch(/FATAL.*C(08P01|0A000|28000)/s)
  })

  it.each([
    ['a message that is too long', message('Q', 2 ** 23)],
    ['a message of a type that there is none of', message('z', 4)],
    ['a length that cannot be', message('S', 2)],
  ])('ends a session for %s', async (_, bytes) => {
    const client = await connect(shop.port)
    const ended = once(client, 'error')
    // It says once more that the connection is gone.
    client.on('error', () => {})
    socketOf(client).write(bytes)
    const [error] = await ended
    expect(error).toMatchObject({ severity: 'FATAL', code: '08P01' })
  })

  it('refuses a statement that is longer than it may be, and goes on', async () => {
    const client = await connect(shop.port)
    await expect(client.query(`SELECT '${'x'.repeat(262_144)}'`)).rejects.toThrow(/262144 bytes/)
    await expect(client.query(`SELECT ${'('.repeat(5000)}pg_backend_pid()`)).rejects.toThrow(
      /nested/,
    )
    expect((await client.query('SELECT length($1) AS n', ['x'.repeat(10 ** 6)])).rows).toEqual([
      { n: '1000000' },
    ])
    await client.end()
  })

  it('answers calls within calls at once, and refuses what would grow with each', async () => {
    const client = await connect(shop.port)
    const nested = (call: string, depth: number) => `${call}(`.repeat(depth) + 1 + ')'.repeat(depth)
    const { rows } = await client.query(`SELECT ${nested('abs', 60)} AS x, current_user AS who`)
    expect(rows).toEqual([{ x: 1, who: 'ada' }])
    await expect(client.query(`SELECT ${nested('format_type', 30)}`)).rejects.toMatchObject({
      code: '54001',
    })
    await client.end()
  })

  it('refuses a parameter that no client can give a value', async () => {
    const client = await connect(shop.port)
    for (const sql of ['SELECT $900000000', 'SELECT $900000000, current_user'])
      for (const query of [sql, { text: sql, values: [], name: 'named' }])
        await expect(client.query(query)).rejects.toMatchObject({ code: '54023' })
    expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }])
    await client.end()
  })

  it('keeps so much for a session, and no more', async () => {
    const client = await connect(shop.port)
    const prepare = async (count: number) => {
      for (let i = 0; i < count; i++)
        await client.query({ name: `s${i}`, text: `SELECT 1 -- ${'x'.repeat(250_000)}` })
    }
    await expect(prepare(80)).rejects.toMatchObject({ code: '53400' })
    await client.query('DEALLOCATE ALL')
    await expect(client.query(`SET my.text = '${'x'.repeat(20_000)}'`)).rejects.toMatchObject({
      code: '22023',
    })
    const set = async (count: number) => {
      for (let i = 0; i < count; i++) await client.query(`SET my.s${i} = 'x'`)
    }
    await expect(set(600)).rejects.toMatchObject({ code: '53400' })
    await client.query('RESET ALL')
    expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }])
    await client.end()
  })

  it('has a hundred sessions; whoever comes then is told so, and nobody else is disturbed', async () => {
    const tries = await Promise.allSettled(Array.from({ length: 140 }, () => connect(shop.port)))
    const clients = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const refused = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
    expect(clients).toHaveLength(100)
    expect(new Set(refused)).toEqual(new Set(['53300']))
    const [first, ...rest] = clients as [pg.Client, ...pg.Client[]]
    expect((await first.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }])
    await Promise.all([first, ...rest].map((client) => client.end()))
    const later = await connect(shop.port)
    await later.end()
  })

  it('ends with clients that have said nothing, and with sessions', async () => {
    const other = await serveShop()
    const silent = openSocket(other.port, '127.0.0.1')
    const session = await connect(other.port)
    const told = once(session, 'error')
    session.on('error', () => {})
    await session.query('SELECT 1')
    const ends = Promise.all([once(silent, 'close'), told])
    await other.close()
    expect((await ends)[1]).toMatchObject([{ code: '57P01' }])
  })

  it('waits for a client that does not read, without holding more of its answer', async () => {
    const slow = await connect(shop.port)
    slow.on('error', () => {})
    socketOf(slow).pause()
    const answer = slow.query("SELECT repeat('x', 1000) FROM range(10000000)")
    answer.catch(() => {})
    // Others are answered meanwhile.
    const other = await connect(shop.port)
    for (let i = 0; i < 20; i++)
      expect((await other.query('SELECT count(*) AS n FROM gold.daily')).rows).toEqual([{ n: '3' }])
    const memory = await readFile(`/proc/${shop.served.child.pid}/status`, 'utf8').catch(() => '')
    const resident = Number(/VmRSS:\s+(\d+) kB/.exec(memory)?.[1] ?? 0) / 1024
    expect(resident).toBeLessThan(1000)
    socketOf(slow).destroy()
    await expect(answer).rejects.toThrow()
    await other.end()
  })
})

withService('OpenSSL', ['/usr/bin/openssl'], () => {
  it('encrypts with a certificate that is given', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-tls-'))
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name)) as [
      string,
      string,
    ]
    const make = `req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`
    await promisify(execFile)('/usr/bin/openssl', make.split(' '))
    const served = await serveShop(['--tls-cert', cert, '--tls-key', key])
    try {
      const ca = await readFile(cert, 'utf8')
      const client = await connect(served.port, { ssl: { ca, servername: 'localhost' } })
      expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }])
      await client.end()
      // Nothing that somebody put before the encryption is taken for the client's own.
      const socket = openSocket(served.port, '127.0.0.1')
      const request = start(Buffer.from([0x04, 0xd2, 0x16, 0x2f]))
      socket.write(Buffer.concat([request, hello]))
      const [first] = await once(socket, 'data')
      expect(String(first)[0]).toBe('S')
      await once(socket, 'close')
    } finally {
      await served.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
