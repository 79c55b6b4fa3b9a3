import type { ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { MoraineError } from '../errors.js'
import { endChild, endingOf } from '../process/child.js'
import { sweep } from '../storage/scratch.js'
import { excessError, type Limits } from './limits.js'
import type { Reply, Request } from './protocol.js'
import { giveBack, takeProcess } from './spawn.js'

/** Milliseconds that a timer can wait. */
const LONGEST = 2 ** 31 - 1

/**
 * Milliseconds in which a process has started, and knows what is asked, however busy the machine
 * is.
 */
const START = 60_000

/** The process of one query at a time; one question is asked at a time. */
export class Worker {
  private readonly process: ChildProcess
  private released = false
  /** Why it was stopped before it was done. */
  private stopped: { reason: unknown } | undefined
  /** Milliseconds that the query has worked; while its rows are not asked for, it does not. */
  private worked = 0

  constructor(
    private readonly limits: Limits,
    private readonly signal: AbortSignal | undefined,
    /** Who asks: the process may have run queries of nobody else. */
    private readonly owner = '',
  ) {
    this.process = takeProcess(owner)
    signal?.addEventListener('abort', this.abort)
    // It may have been while the query waited for memory: nobody would be told of it.
    if (signal?.aborted) this.abort()
  }

  /** @throws MoraineError, or the reason of the signal. */
  async ask<T extends Reply['type']>(
    request: Request,
    type: T,
  ): Promise<Extract<Reply, { type: T }>> {
    const began = performance.now()
    // The process may have to start first, and that is no work of the query.
    const isFirst = request.type === 'parse'
    const left = isFirst ? Math.max(START, this.limits.time) : this.limits.time - this.worked
    // What has arrived while this process itself was stopped comes before the limit.
    const timer =
      left < LONGEST ? setTimeout(() => setImmediate(this.timeOut), Math.max(0, left)) : undefined
    try {
      const reply = await this.reply(request)
      if (reply.type === 'failed') throw this.failure(reply)
      if (reply.type !== type)
        throw new MoraineError('query', `The query's process answered ${reply.type}`)
      return reply as Extract<Reply, { type: T }>
    } finally {
      clearTimeout(timer)
      if (!isFirst) this.worked += performance.now() - began
    }
  }

  /** The number of its process. */
  get pid(): number | undefined {
    return this.process.pid
  }

  /** Ends it at once: what is asked of it fails with this. */
  stop(reason: unknown): void {
    this.stopped ??= { reason }
    this.process.kill('SIGKILL')
  }

  /** Lets go of a process that has nothing left to do: the next query may have it. */
  release(): void {
    this.signal?.removeEventListener('abort', this.abort)
    giveBack(this.process, this.owner)
    this.released = true
  }

  async close(): Promise<void> {
    if (this.released) return
    this.signal?.removeEventListener('abort', this.abort)
    await endChild(this.process)
    // What it had on disk.
    await sweep(tmpdir()).catch(() => {})
    this.released = true
  }

  private readonly timeOut = () => this.stop(excessError('time', this.limits))
  private readonly abort = () => this.stop(this.signal?.reason)

  private reply(request: Request): Promise<Reply> {
    const { process } = this
    return new Promise((resolve, reject) => {
      const settle = () => {
        process.off('exit', gone).off('message', answered)
      }
      const gone = () => {
        settle()
        reject(this.stopped ? this.stopped.reason : this.death())
      }
      const answered = (message: unknown) => {
        settle()
        if (this.stopped) reject(this.stopped.reason)
        else resolve(message as Reply)
      }
      if (process.exitCode !== null || process.signalCode !== null) return gone()
      process.once('exit', gone).once('message', answered)
      // One that can't be reached has ended, and tells so.
      process.send(request, () => {})
    })
  }

  private failure({ message, hint, excess }: Extract<Reply, { type: 'failed' }>): MoraineError {
    if (excess) return excessError(excess, this.limits, message)
    return new MoraineError('query', message, hint ? { hint } : {})
  }

  /** What the end of the process means. */
  private death(): MoraineError {
    if (endingOf(this.process) === 'memory') return excessError('memory', this.limits)
    const { exitCode, signalCode } = this.process
    // V8 ends itself where it has no memory left.
    if (signalCode === 'SIGABRT' || signalCode === 'SIGTRAP')
      return excessError('memory', this.limits)
    const how = signalCode ? `by ${signalCode}` : `with exit code ${exitCode}`
    return new MoraineError('query', `The query process ended ${how} before it was done`, {
      hint: 'The system ends processes when it is short of memory: select fewer rows or columns, or give the query less --memory.',
    })
  }
}
