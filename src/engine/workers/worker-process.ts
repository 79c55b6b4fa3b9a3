import { type ChildProcess, spawn } from 'node:child_process'
import { MoraineError, messageOf } from '../../errors.js'
import { temporaryFolder } from '../../home.js'
import { endChild, isRunning } from '../../process/child.js'
import { onLines } from './lines.js'
import {
  encodeLine,
  type Hello,
  howFar,
  readWorkerLine,
  refusalOf,
  refusedBy,
  type ToDriver,
} from './protocol.js'
import type { WorkerEvent, WorkerTask } from './workers.js'

/** How a worker is started. */
export interface WorkerCommand {
  /** The program and its arguments. */
  argv: readonly [string, ...string[]]
  /** All of its environment. */
  env: Readonly<Record<string, string>>
}

/** A worker has ended, or was ended, and what it was told has no answer. */
export class WorkerGone extends MoraineError {}

/** Lines of its standard error that are told of a worker which has ended. */
const LAST_LINES = 5

/** A worker of this machine, and what is said to it. */
export class WorkerProcess {
  where: string
  private gone: WorkerGone | undefined
  /** Is told once that it has ended; a promise would hold on to all that ever waited for it. */
  private ended: (gone: WorkerGone) => void = () => {}
  private readonly lastLines: string[] = []
  private heard: (message: ToDriver) => void = () => {}
  private log: (text: string) => void = () => {}

  private constructor(private readonly child: ChildProcess) {
    this.where = `pid ${child.pid}`
    // What it was told goes where nobody listens once it has ended.
    child.stdin?.on('error', () => {})
    onLines(child.stdout as never, (line, isWhole) => {
      // Half of a message is neither one nor anything that people read.
      if (isWhole || !line.startsWith('{')) this.said(line)
    })
    onLines(child.stderr as never, (line) => {
      this.lastLines.push(line)
      if (this.lastLines.length > LAST_LINES) this.lastLines.shift()
      this.log(line)
    })
    const gone = (how: string) => {
      this.gone ??= this.ending(how)
      this.ended(this.gone)
    }
    child.once('error', (error) => gone(messageOf(error)))
    child.once('close', (code, signal) => gone(signal ?? `exit code ${code}`))
  }

  /**
   * Starts a worker and says hello to it; resolves when it is ready.
   *
   * @throws MoraineError of kind `conflict` where it has another version; WorkerGone where it ends.
   */
  static async start(
    { argv: [program, ...args], env }: WorkerCommand,
    hello: Hello,
    signal: AbortSignal,
    onEvent: (event: WorkerEvent) => void,
  ): Promise<WorkerProcess> {
    const child = spawn(program, args, {
      cwd: temporaryFolder(),
      env: { ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const worker = new WorkerProcess(child)
    worker.log = (text) => onEvent({ type: 'log', text, where: worker.where })
    try {
      await worker.ask<void>(encodeLine({ hello }), signal, (message, resolve, reject) => {
        if ('refused' in message) reject(refusedBy(message.refused))
        if (!('ready' in message)) return
        worker.where = message.ready.where
        const refusal = refusalOf(hello, message.ready)
        if (refusal) return reject(refusal)
        const { where, duckdb, machine } = message.ready
        if (machine) onEvent({ type: 'ready', where, duckdb, machine })
        resolve()
      })
      return worker
    } catch (error) {
      await worker.end()
      throw error
    } finally {
      worker.log = () => {}
    }
  }

  /** Whether it can be told anything more. */
  get isThere(): boolean {
    return isRunning(this.child) && !this.child.killed
  }

  /**
   * Has it carry a task out. Where nobody waits for the reply any more, the worker is ended.
   *
   * @returns the reply, and whether it takes another task.
   * @throws WorkerGone where it ends before it has answered.
   */
  async carryOut(
    { id, text }: WorkerTask,
    attempt: number,
    signal: AbortSignal,
    onEvent: (event: WorkerEvent) => void,
  ): Promise<{ reply: string; isLast: boolean }> {
    const { where } = this
    onEvent({ type: 'started', task: id, attempt, where })
    this.log = (line) => onEvent({ type: 'log', text: line, where, task: id })
    try {
      const line = encodeLine({ task: { id, attempt, text } })
      return await this.ask(line, signal, (message, resolve) => {
        if ('progress' in message && message.progress.id === id)
          onEvent({ type: 'progress', task: id, ...howFar(message.progress) })
        // An answer to what it was told before is none to this.
        if ('reply' in message && message.reply.id === id && message.reply.attempt === attempt)
          resolve({ reply: message.reply.text, isLast: message.reply.last === true })
      })
    } finally {
      this.log = () => {}
    }
  }

  /** Tells it that nothing more is asked of it, so that it ends by itself. */
  release(): void {
    this.child.stdin?.end()
  }

  /** Ends it, whatever it does; resolves when it is gone. */
  async end(): Promise<void> {
    if (this.child.pid !== undefined) await endChild(this.child)
  }

  private said(line: string): void {
    const message = readWorkerLine(line)
    if (message === undefined) this.log(line)
    else if ('log' in message) this.log(message.log.text)
    else this.heard(message)
  }

  /** Says a line and hears what comes, until that is an answer. */
  private async ask<T>(
    line: string,
    signal: AbortSignal,
    heard: (message: ToDriver, resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    signal.throwIfAborted()
    const stop = () => this.child.kill('SIGKILL')
    signal.addEventListener('abort', stop)
    try {
      return await new Promise<T>((resolve, reject) => {
        this.heard = (message) => heard(message, resolve, reject)
        this.ended = (gone) => reject(signal.aborted ? signal.reason : gone)
        if (this.gone) this.ended(this.gone)
        this.child.stdin?.write(line)
      })
    } finally {
      this.heard = () => {}
      this.ended = () => {}
      signal.removeEventListener('abort', stop)
    }
  }

  private ending(how: string): WorkerGone {
    const last = this.lastLines.length > 0 ? `\n${this.lastLines.join('\n')}` : ''
    return new WorkerGone('engine', `${this.where} ended: ${how}${last}`)
  }
}
