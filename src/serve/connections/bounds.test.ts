import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../test/support/project.js'
import { CommitLog } from '../../log/log.js'
import { QueryService } from '../../query/service/service.js'
import { MemoryStorage } from '../../storage/memory.js'
import { AwsProtocols } from '../aws/aws-app.js'
import { Principals } from '../principals.js'
import { listen, type RunningServer, type ServerOptions } from '../server.js'
import type { Limits } from './bounds.js'

let server: RunningServer
afterEach(() => server.close())

/** Requests that wait until they are let go. */
class Held {
  waiting = 0
  /** Answers that nobody read to their end. */
  lost = 0
  private go = () => {}
  private readonly gone = new Promise<void>((resolve) => {
    this.go = resolve
  })
  readonly app = new Hono()

  constructor() {
    this.app.get('/long', async (c) => {
      this.waiting++
      await this.gone
      return c.json({ done: true })
    })
    const part = new Uint8Array(2 ** 16)
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(part),
        cancel: () => void this.lost++,
      })
    this.app.get('/endless', (c) => c.body(endless()))
  }

  release(): void {
    this.go()
  }
}

async function started(limits: Partial<Limits>, more: Partial<ServerOptions> = {}) {
  const held = new Held()
  const own = { port: 0, host: '127.0.0.1', names: [], receivers: [], limits }
  server = await listen({ ...own, queries: held.app, catalog: new Hono(), ...more })
  return held
}

/** A request of its own connection; what it was answered. */
function ask(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; text: string } & Headed> {
  const to = { port: server.port, host: '127.0.0.1', path, headers, agent: false }
  return new Promise((resolve, reject) => {
    const sent = request(to, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }))
    })
    sent.on('error', reject)
    sent.end()
  })
}
type Headed = Pick<IncomingMessage, 'headers'>

function open(): Socket {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  return socket
}

/** Resolves once it is closed, however roughly. */
const closed = (socket: Socket) => new Promise<void>((done) => socket.once('close', () => done()))

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await closed(socket)
  return text
}

const GET = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`

describe('a server with as many requests as it answers', () => {
  it('tells others to come again, in the words of their protocols, and says that it is up', async () => {
    const held = await started({ requests: 2 })
    const first = [ask('/v1/long'), ask('/v1/long')]
    await expect.poll(() => held.waiting).toBe(2)
    const busy = 'the server is answering as many requests as it can: try again in a second'
    const told = await ask('/v1/long')
    expect([told.status, told.headers['retry-after'], told.headers.connection]).toEqual([
      ...[503, '1', 'close'],
    ])
    expect(JSON.parse(told.text)).toEqual({ error: { kind: 'limit', message: busy } })
    expect(JSON.parse((await ask('/ingest/x')).text)).toEqual({ error: busy })
    expect(JSON.parse((await ask('/iceberg/v1/config')).text)).toEqual({
      error: { message: busy, type: 'ServiceUnavailableException', code: 503 },
    })
    expect((await ask('/healthz')).status).toBe(200)
    held.release()
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200])
    expect((await ask('/v1/long')).status).toBe(200)
  })

  it('tells clients of AWS in words on which their SDKs come again', async () => {
    const storage = new MemoryStorage()
    const log = new CommitLog(storage)
    const service = new QueryService({ storage, log })
    const principals = new Principals('token-of-the-server')
    const folder = await temporaryFolder()
    const aws = new AwsProtocols({ service, principals, storage, log, folder })
    await started({ requests: 0 }, { aws })
    const told = async (of: string) => {
      const credential = `AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/${of}/aws4_request`
      const { status, headers, text } = await ask('/', { authorization: credential })
      return [status, headers['retry-after'], headers['x-amzn-errortype'], text]
    }
    expect(await told('athena')).toEqual([
      ...[503, '1', 'ThrottlingException', expect.stringContaining('"ThrottlingException"')],
    ])
    expect(await told('s3')).toEqual([
      ...[503, '1', 'SlowDown', expect.stringContaining('<Code>SlowDown</Code>')],
    ])
    await aws.close()
    await service.close()
  })

  it('counts those that one connection sends all at once', async () => {
    const held = await started({ requests: 3 })
    const socket = open()
    const text = textOf(socket)
    socket.write(GET('/v1/long').repeat(20))
    await expect.poll(() => held.waiting).toBe(3)
    held.release()
    expect((await text).match(/HTTP\/1.1 \d+/g)?.slice(0, 4)).toEqual([
      ...['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 503'],
    ])
    expect(held.waiting).toBe(3)
  })
})

describe('connections', () => {
  it('beyond those that there may be are told so, and closed', async () => {
    await started({ connections: 2 })
    const [one, two] = [open(), open()]
    await Promise.all([one, two].map((socket) => once(socket, 'connect')))
    const more = open()
    more.write(GET('/healthz'))
    expect(await textOf(more)).toMatch(/^HTTP\/1.1 503 .*retry-after: 1\r\n.*try again/s)
    one.destroy()
    await expect.poll(async () => (await ask('/healthz')).status).toBe(200)
    two.destroy()
  })

  it('on which a request does not come to its end of head are closed', async () => {
    await started({ head: 300 })
    const [silent, slow] = [open(), open()]
    slow.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-a: ')
    const drip = setInterval(() => slow.write('a'), 50)
    const texts = await Promise.all([silent, slow].map(textOf))
    clearInterval(drip)
    expect(texts[1]).toContain('408')
  })

  it('of clients that do not read are closed, and those that wait for their answer are not', async () => {
    const held = await started({ patience: 1000 })
    let isAnswered = false
    const waiting = ask('/v1/long').finally(() => {
      isAnswered = true
    })
    await expect.poll(() => held.waiting).toBe(1)
    const stalled = open()
    // It takes a little, and no more.
    stalled.once('readable', () => {})
    stalled.write(GET('/v1/endless'))
    await expect.poll(() => held.lost).toBe(1)
    stalled.destroy()
    expect(isAnswered).toBe(false)
    held.release()
    expect((await waiting).status).toBe(200)
  })
})
