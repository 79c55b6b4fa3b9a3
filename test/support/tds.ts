import { createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type BulkRows, bulkRows } from './tds-bulk.js'

/*
 * The wire of SQL Server (TDS 7.4), as far as a client needs it that reads, or loads rows: no such
 * server installs on the machines that test this. What it is asked is answered by whoever uses it;
 * see sql-server.ts and sql-server-target.ts.
 */

export type Kind = 'text' | 'int' | 'bigint' | 'bit' | 'float' | 'bytes'

export interface Answer {
  columns: { name: string; kind: Kind }[]
  rows: Iterable<readonly unknown[]>
}

/** An error as the server tells it, with its number. */
export class TdsError extends Error {
  constructor(
    readonly number: number,
    message: string,
    /** Whether the transaction is gone. */
    readonly isAborted = false,
  ) {
    super(message)
  }
}

/** One client. */
export interface Session {
  /** Rows, or how many have changed. */
  batch(sql: string): Promise<Answer | number | undefined>
  begin(): Promise<void>
  commit?(): Promise<void>
  rollback?(): Promise<void>
  /** Rows that come in bulk, after the statement that says where to. */
  load?(rows: BulkRows): Promise<number>
  end(): void
}

/** Whether a connection is lost before something is done, or before that is answered. */
export type Loss = 'before' | 'after' | undefined

export interface TdsOptions {
  /** The password that is let in. */
  password: string
  /** Without it the server says that it cannot encrypt. */
  tls?: { key: string; cert: string }
  session(): Promise<Session>
  /** Asked for each statement, also `BEGIN`, `COMMIT`, `ROLLBACK` and `BULK`. */
  lose?(what: string): Loss
}

const PRELOGIN = 0x12
const LOGIN = 0x10
const BATCH = 0x01
const BULK = 0x07
const TRANSACTION = 0x0e
const ATTENTION = 0x06

export async function startTds(options: TdsOptions, port = 0) {
  const open = new Set<Socket>()
  const clients = new Set<Client>()
  /** Bytes that clients sent in the clear. */
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => heard.push(bytes))
    const client = new Client(socket, options)
    clients.add(client)
    void client.ended.then(() => clients.delete(client))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const hangUp = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    heard: () => Buffer.concat(heard),
    hangUp,
    close: async () => {
      hangUp()
      await new Promise((resolve) => server.close(resolve))
      await Promise.all([...clients].map((client) => client.ended))
    },
  }
}

class Client {
  readonly ended: Promise<void>
  private session: Session | undefined
  private line: Promise<void> = Promise.resolve()
  private stream: Duplex
  private secure: Duplex | undefined

  constructor(
    private readonly socket: Socket,
    private readonly options: TdsOptions,
  ) {
    this.stream = socket
    const feed = framer((type, body) => this.take(type, body))
    socket.on('data', (bytes: Buffer) => {
      if (this.secure && this.stream !== socket) this.secure.push(bytes)
      else feed(bytes)
    })
    // What is being asked comes to its end first.
    this.ended = new Promise((resolve) =>
      socket.on('close', () => {
        void this.line.finally(() => {
          this.session?.end()
          resolve()
        })
      }),
    )
  }

  private take(type: number, body: Buffer): void {
    // In the middle of an answer only the wish to stop is heard.
    if (type === ATTENTION) {
      this.send(done(0x20))
      return
    }
    this.line = this.line
      .then(() => this.answer(type, body))
      .catch(() => void this.socket.destroy())
  }

  private async answer(type: number, body: Buffer): Promise<void> {
    if (type === PRELOGIN && this.secure) {
      this.secure.push(body)
      return
    }
    if (type === PRELOGIN) {
      this.send(prelogin(this.options.tls !== undefined))
      if (this.options.tls) this.encrypt(this.options.tls)
      return
    }
    if (type === LOGIN) {
      if (passwordOf(body) !== this.options.password)
        return this.send(tdsError(18456, "Login failed for user 'shop'."), done(0x02))
      this.session = await this.options.session()
      return this.send(environment(4, '4096', '4096'), loginAck(), done())
    }
    try {
      const what = saidIn(type, body)
      const loss = this.options.lose?.(what)
      if (loss === 'before') return void this.socket.destroy()
      const answer = await this.carryOut(type, what, body)
      if (loss === 'after') return void this.socket.destroy()
      if (Array.isArray(answer)) return this.send(...answer)
      await this.sendRows(answer)
    } catch (error) {
      const { number = 50_000, isAborted = false } = error instanceof TdsError ? error : {}
      const told = tdsError(number, (error as Error).message)
      this.send(told, ...(isAborted ? [transactionEnded(10)] : []), done(0x02))
    }
  }

  /** The tokens of an answer, or rows. */
  private async carryOut(type: number, what: string, body: Buffer): Promise<Answer | Buffer[]> {
    const { session } = this
    if (type === TRANSACTION) {
      if (what === 'BEGIN') {
        await session?.begin()
        return [transactionBegun(), done()]
      }
      await (what === 'COMMIT' ? session?.commit?.() : session?.rollback?.())
      return session?.commit ? [transactionEnded(what === 'COMMIT' ? 9 : 10), done()] : [done()]
    }
    if (type === BULK) return [done(0x10, (await session?.load?.(bulkRows(body))) ?? 0)]
    if (type !== BATCH) throw new Error(`no packet of type ${type} is known`)
    const found = await session?.batch(what)
    return found === undefined ? [done()] : typeof found === 'number' ? [done(0x10, found)] : found
  }

  private send(...tokens: Buffer[]): void {
    for (const packet of packets(Buffer.concat(tokens))) this.stream.write(packet)
  }

  /** Rows as they are asked for: a client that does not read holds the server back. */
  private async sendRows({ columns, rows }: Answer): Promise<void> {
    let parts: Buffer[] = [metadata(columns)]
    let size = 0
    let count = 0
    const flush = async (last: boolean) => {
      const bytes = Buffer.concat(parts)
      const whole = last ? bytes.length : bytes.length - (bytes.length % BODY)
      parts = [bytes.subarray(whole)]
      size = bytes.length - whole
      for (const packet of packets(bytes.subarray(0, whole), last))
        if (!this.stream.write(packet) && !this.socket.destroyed)
          await new Promise<void>((resolve) => {
            this.stream.once('drain', resolve)
            this.socket.once('close', () => resolve())
          })
    }
    for (const row of rows) {
      const bytes = rowOf(columns, row)
      parts.push(bytes)
      size += bytes.length
      count++
      if (size > 16 * BODY) await flush(false)
      if (this.socket.destroyed) return
    }
    parts.push(done(0x10, count))
    await flush(true)
  }

  /** The handshake travels in packets of its own; what follows does not. */
  private encrypt({ key, cert }: { key: string; cert: string }): void {
    let pending: Buffer[] = []
    const { socket } = this
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, next) => {
        if (this.stream !== socket) return void socket.write(chunk, () => next())
        if (pending.length === 0)
          setImmediate(() => {
            for (const packet of packets(Buffer.concat(pending), true, PRELOGIN))
              socket.write(packet)
            pending = []
            if (secured) this.stream = tls
          })
        pending.push(chunk)
        next()
      },
    })
    let secured = false
    const tls = new TLSSocket(wire, { isServer: true, key, cert, maxVersion: 'TLSv1.2' })
    tls.on('error', () => socket.destroy())
    tls.on('secure', () => {
      secured = true
    })
    tls.on(
      'data',
      framer((type, body) => this.take(type, body)),
    )
    this.secure = wire
  }
}

/** The text of a batch, or what else is asked for. */
function saidIn(type: number, body: Buffer): string {
  if (type === BULK) return 'BULK'
  const rest = body.subarray(body.readUInt32LE(0))
  if (type === BATCH) return rest.toString('utf16le')
  const requests: Record<number, string> = { 5: 'BEGIN', 7: 'COMMIT', 8: 'ROLLBACK' }
  return (type === TRANSACTION && requests[rest.readUInt16LE(0)]) || ''
}

const BODY = 4096 - 8

/** Calls for each whole message in what comes. */
function framer(take: (type: number, body: Buffer) => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0)
  let parts: Buffer[] = []
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 8 && rest.length >= rest.readUInt16BE(2)) {
      const length = rest.readUInt16BE(2)
      parts.push(rest.subarray(8, length))
      const [type, last] = [rest[0] as number, ((rest[1] as number) & 1) === 1]
      rest = rest.subarray(length)
      if (!last) continue
      const body = Buffer.concat(parts)
      parts = []
      take(type, body)
    }
  }
}

function packets(body: Buffer, last = true, type = 0x04): Buffer[] {
  const count = Math.max(1, Math.ceil(body.length / BODY))
  return Array.from({ length: count }, (_, i) => {
    const part = body.subarray(i * BODY, (i + 1) * BODY)
    const head = Buffer.from([type, last && i === count - 1 ? 1 : 0, 0, 0, 0, 0, (i + 1) & 255, 0])
    head.writeUInt16BE(part.length + 8, 2)
    return Buffer.concat([head, part])
  })
}

function prelogin(encrypted: boolean): Buffer {
  const version = Buffer.from([16, 0, 0, 0, 0, 0])
  const options = Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff])
  return Buffer.concat([options, version, Buffer.from([encrypted ? 1 : 2])])
}

/** The password of a LOGIN7 message: its bits are shuffled, so that it does not look like one. */
function passwordOf(body: Buffer): string {
  const [offset, length] = [body.readUInt16LE(44), body.readUInt16LE(46) * 2]
  const bytes = Buffer.from(body.subarray(offset, offset + length)).map((byte) => {
    const mixed = byte ^ 0xa5
    return ((mixed << 4) & 0xff) | (mixed >> 4)
  })
  return Buffer.from(bytes).toString('utf16le')
}

const u16 = (n: number) => Buffer.from([n & 255, n >> 8])
const shortText = (text: string) =>
  Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'utf16le')])
const sized = (token: number, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([token]), u16(body.length), body])
}

function environment(type: number, now: string, before: string): Buffer {
  return sized(0xe3, Buffer.from([type]), shortText(now), shortText(before))
}

function transactionBegun(): Buffer {
  return sized(0xe3, Buffer.from([8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]))
}

/** By a commit (9) or a rollback (10). */
function transactionEnded(type: 9 | 10): Buffer {
  return sized(0xe3, Buffer.from([type, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]))
}

function loginAck(): Buffer {
  return sized(
    0xad,
    Buffer.from([1, 0x74, 0, 0, 4]),
    shortText('Double'),
    Buffer.from([16, 0, 0, 0]),
  )
}

function tdsError(number: number, message: string): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt32LE(number)
  head[4] = 1
  head[5] = 16
  const text = Buffer.concat([u16(message.length), Buffer.from(message, 'utf16le')])
  return sized(0xaa, head, text, shortText('double'), shortText(''), Buffer.from([1, 0, 0, 0]))
}

function done(status = 0, count = 0): Buffer {
  const bytes = Buffer.alloc(13)
  bytes[0] = 0xfd
  bytes.writeUInt16LE(status, 1)
  bytes.writeBigUInt64LE(BigInt(count), 5)
  return bytes
}

const types: Record<Kind, Buffer> = {
  text: Buffer.from([0xe7, 0xff, 0xff, 9, 4, 0xd0, 0, 0x34]),
  int: Buffer.from([0x26, 4]),
  bigint: Buffer.from([0x26, 8]),
  bit: Buffer.from([0x68, 1]),
  float: Buffer.from([0x6d, 8]),
  bytes: Buffer.from([0xa5, 0x40, 0x1f]),
}

function metadata(columns: Answer['columns']): Buffer {
  const parts = columns.map(({ name, kind }) =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, 9, 0]), types[kind], shortText(name)]),
  )
  return Buffer.concat([Buffer.from([0x81]), u16(columns.length), ...parts])
}

function rowOf(columns: Answer['columns'], row: readonly unknown[]): Buffer {
  return Buffer.concat([
    Buffer.from([0xd1]),
    ...columns.map(({ kind }, i) => wireValue(kind, row[i])),
  ])
}

function wireValue(kind: Kind, value: unknown): Buffer {
  if (value === null || value === undefined)
    return kind === 'text'
      ? Buffer.alloc(8, 0xff)
      : kind === 'bytes'
        ? Buffer.from([0xff, 0xff])
        : Buffer.from([0])
  if (kind === 'text') {
    const bytes = Buffer.from(String(value), 'utf16le')
    const head = Buffer.alloc(12)
    head.writeBigUInt64LE(BigInt(bytes.length))
    head.writeUInt32LE(bytes.length, 8)
    return bytes.length === 0 ? Buffer.alloc(12) : Buffer.concat([head, bytes, Buffer.alloc(4)])
  }
  if (kind === 'bytes') return Buffer.concat([u16((value as Buffer).length), value as Buffer])
  if (kind === 'bit') return Buffer.from([1, value ? 1 : 0])
  const bytes = Buffer.alloc(kind === 'int' ? 5 : 9)
  bytes[0] = bytes.length - 1
  if (kind === 'int') bytes.writeInt32LE(Number(value), 1)
  else if (kind === 'float') bytes.writeDoubleLE(Number(value), 1)
  else bytes.writeBigInt64LE(BigInt(value as bigint), 1)
  return bytes
}
