import type { Socket } from 'node:net'
import { abortController } from '../../../signals.js'
import { PgError } from '../pg-error.js'
import { type Frame, Frames } from '../wire/frames.js'
import { write } from '../wire/write-message.js'

/** Bytes of answers that are sent together. */
const TOGETHER = 2 ** 15
/** Milliseconds in which a client takes something of what it is sent. */
const SLOW = 60_000

/** Both directions of a client's connection, with no more in memory than is bounded. */
export class Connection {
  private readonly frames: Frames
  private parts: Buffer[] = []
  private size = 0
  private waiting: (() => void) | undefined
  private hasEnded = false
  private readonly gone = abortController()

  constructor(
    private socket: Socket,
    private readonly longest: number,
  ) {
    this.frames = new Frames(longest)
    this.attach()
  }

  /** Aborts once the client is gone. */
  get signal(): AbortSignal {
    return this.gone.signal
  }

  get remote(): string | undefined {
    return this.socket.remoteAddress
  }

  /** Goes on over another socket, such as one that encrypts what this one carries. */
  replace(make: (socket: Socket, read: Buffer) => Socket): void {
    const { socket } = this
    socket.off('data', this.received).off('end', this.ended)
    socket.off('close', this.ended).off('error', this.ended)
    this.socket = make(socket, this.frames.rest())
    this.attach()
  }

  private attach(): void {
    this.socket.on('data', this.received).on('end', this.ended)
    this.socket.on('close', this.ended).on('error', this.ended)
  }

  private readonly received = (chunk: Buffer) => {
    this.frames.add(chunk)
    // As much as one message, and what may follow it: more waits at the client.
    if (this.frames.held > this.longest + TOGETHER) this.socket.pause()
    this.waiting?.()
  }

  private readonly ended = () => {
    this.hasEnded = true
    this.gone.abort(new PgError('08006', 'The client has closed the connection', { fatal: true }))
    this.waiting?.()
  }

  /** Messages from now on have a type. */
  started(): void {
    this.frames.isStarting = false
  }

  /**
   * The next message; `undefined` where the client has gone.
   *
   * @param patience milliseconds to wait for it.
   * @throws what `late` gives when it does not arrive within the time.
   */
  async next(patience: number, late: () => Error): Promise<Frame | undefined> {
    const until = Date.now() + patience
    for (;;) {
      const frame = this.frames.next()
      if (this.socket.isPaused() && this.frames.held <= this.longest) this.socket.resume()
      if (frame) return frame
      if (this.hasEnded) return undefined
      const left = until - Date.now()
      if (left <= 0) throw late()
      await this.more(left)
    }
  }

  /** Whether another message has arrived already. */
  get hasMore(): boolean {
    return this.frames.held > 0
  }

  private more(left: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, left)
      this.waiting = () => {
        clearTimeout(timer)
        this.waiting = undefined
        resolve()
      }
    })
  }

  /** Adds to the answer, which goes out when there is enough of it, or with `flush`. */
  write(bytes: Buffer): void {
    this.parts.push(bytes)
    this.size += bytes.length
  }

  /** Whether so much has been written that it should go out. */
  get isFull(): boolean {
    return this.size >= TOGETHER
  }

  /**
   * Sends what was written, and waits while the client does not take it.
   *
   * @throws PgError where it takes nothing for too long, or is gone.
   */
  async flush(): Promise<void> {
    if (this.parts.length === 0 || this.hasEnded) {
      if (this.hasEnded) this.signal.throwIfAborted()
      return
    }
    const bytes = Buffer.concat(this.parts, this.size)
    this.parts = []
    this.size = 0
    if (this.socket.write(bytes)) return
    await this.drained()
    this.signal.throwIfAborted()
  }

  private drained(): Promise<void> {
    const { socket } = this
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        clearTimeout(timer)
        socket.off('drain', done).off('close', done)
        if (error) reject(error)
        else resolve()
      }
      const done = () => settle()
      const timer = setTimeout(() => {
        settle(new PgError('57014', 'The client does not read the answer', { fatal: true }))
        socket.destroy()
      }, SLOW)
      socket.once('drain', done).once('close', done)
    })
  }

  /** Sends what is left, and closes. */
  end(): void {
    if (this.hasEnded) return
    const { socket } = this
    socket.end(Buffer.concat(this.parts))
    this.parts = []
    // One that does not close its side is closed.
    setTimeout(() => socket.destroy(), 1000).unref()
  }

  /** Ends it for a reason, which the client is told if it waits. */
  stop(reason: PgError): void {
    if (this.hasEnded) return
    this.write(write.error(reason))
    this.gone.abort(reason)
    this.end()
    this.ended()
  }
}
