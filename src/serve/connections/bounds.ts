import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What clients of HTTP may have of a server at the same time. */
export interface Limits {
  /** Requests that are answered; more are refused. */
  requests: number
  /** Connections, whether something is asked on them or not; more are refused and closed. */
  connections: number
  /** Milliseconds in which a client sends the head of a request. */
  head: number
  /** Milliseconds in which a client takes something of its answer. */
  patience: number
}

const USUAL: Limits = { requests: 512, connections: 2000, head: 15_000, patience: 60_000 }

/** Milliseconds until a client asks again. */
const IDLE = 5000
/** Milliseconds for all of a request, with its body: bodies in memory have a pace of their own. */
const WHOLE = 300_000
/** Milliseconds in which a client that is not let in reads why. */
const FAREWELL = 2000

/** What a client is told that has to come again. */
export const FULL = 'the server is answering as many requests as it can: try again in a second'

const FAREWELL_TEXT = `${JSON.stringify({ error: FULL })}\n`
const farewell = [
  'HTTP/1.1 503 Service Unavailable',
  'content-type: application/json',
  `content-length: ${FAREWELL_TEXT.length}`,
  'retry-after: 1',
  'connection: close',
  '',
  FAREWELL_TEXT,
].join('\r\n')

/**
 * Bounds on what clients of HTTP hold of a server, whatever they ask: requests, connections, and
 * answers that are not read. One connection may have many requests at a time, and so both count.
 */
export class Bounds {
  private readonly limits: Limits
  /** Requests that are not answered yet, of each connection. */
  private readonly open = new Map<Socket, number>()
  private requests = 0
  /** Those that are told to go. */
  private leaving = 0
  private readonly refused = new WeakSet<IncomingMessage>()
  private isClosing = false

  constructor(limits: Partial<Limits> = {}) {
    this.limits = { ...USUAL, ...limits }
  }

  /** How long Node's server waits for clients. */
  get ofServer(): ServerOptions {
    const { head } = this.limits
    return {
      headersTimeout: head,
      requestTimeout: WHOLE,
      keepAliveTimeout: IDLE,
      connectionsCheckingInterval: head / 10,
    }
  }

  /** Whether a request came when there were too many. */
  refuses(request: IncomingMessage | undefined): boolean {
    return request !== undefined && this.refused.has(request)
  }

  /** Has a server keep to them; it must have no other listeners of connections yet than its own. */
  hold(server: Server): void {
    server.timeout = this.limits.patience
    const take = server.listeners('connection') as ((socket: Socket) => void)[]
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      if (this.open.size >= this.limits.connections) return this.turnAway(socket)
      this.open.set(socket, 0)
      socket.once('close', () => this.open.delete(socket))
      for (const one of take) one.call(server, socket)
    })
    server.prependListener('request', (request, response) => this.count(request, response))
    server.on('timeout', (socket: Socket) => this.late(socket))
  }

  /** From now on each connection ends with the answer that is sent on it. */
  close(): void {
    this.isClosing = true
  }

  private count(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const isFull = this.requests >= this.limits.requests
    // Others wait for its connection: it is free at once.
    if (this.isClosing || isFull || this.open.size > this.limits.requests)
      response.shouldKeepAlive = false
    if (isFull) return void this.refused.add(request)
    this.add(socket, 1)
    response.once('close', () => this.add(socket, -1))
  }

  private add(socket: Socket, requests: number): void {
    this.requests += requests
    const own = this.open.get(socket)
    if (own !== undefined) this.open.set(socket, own + requests)
  }

  /** Nothing has come or gone for a while. */
  private late(socket: Socket): void {
    // A query may take long, and its client waits with reason.
    const isWaiting = (this.open.get(socket) ?? 0) > 0 && socket.writableLength === 0
    if (isWaiting) socket.setTimeout(this.limits.patience)
    else socket.destroy()
  }

  /** Whoever comes is told why; what it sends is not read, but taken, so that it reads that. */
  private turnAway(socket: Socket): void {
    socket.on('error', () => {})
    if (this.leaving >= this.limits.connections) return void socket.destroy()
    this.leaving++
    const late = setTimeout(() => socket.destroy(), FAREWELL).unref()
    socket.once('close', () => {
      clearTimeout(late)
      this.leaving--
    })
    socket.end(farewell)
    socket.resume()
  }
}
