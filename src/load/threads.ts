import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fullName, type Silver } from '../define/dataset.js'
import { MoraineError } from '../errors.js'
import { definitionOf } from '../plan/fingerprint.js'
import { hash } from '../run/context.js'
import type { JavaScript, Texts } from '../run/javascript.js'

/** What a thread is told when it starts. */
export interface ThreadData {
  /** The file that defines the lake. */
  file: string
}

/** Questions about a lot of rows. */
export interface Asked {
  dataset: string
  /** What the dataset is in the definition that is running, as JSON. */
  definition: string
  questions: readonly (string | null)[]
  texts: readonly Texts[]
}

export type Answers =
  | { answers: Texts[]; failed?: never }
  | { answers?: never; failed: { message: string; hint: string | undefined } }

const texts = new WeakMap<Silver, string>()

/** What a dataset is in its definition: two of the same text answer alike. */
export function textOf(dataset: Silver): string {
  const text = texts.get(dataset) ?? JSON.stringify(definitionOf(dataset, hash))
  texts.set(dataset, text)
  return text
}

/** Runs the JavaScript of a lake's schemas in threads of their own, as many as there are processors. */
export class Threads implements JavaScript {
  private readonly most = availableParallelism()
  /** While all threads work, lots for each are read and answers are kept. */
  readonly width = this.most + 1
  private readonly all = new Set<Worker>()
  private readonly idle: Worker[] = []
  private closed = false
  private readonly waiting: ((thread: Worker) => void)[] = []

  constructor(private readonly file: string) {}

  begin(): void {
    if (this.all.size === 0) this.idle.push(this.start())
  }

  async answer(
    dataset: Silver,
    questions: readonly (string | null)[],
    texts: readonly Texts[],
    signal?: AbortSignal,
  ): Promise<Texts[]> {
    const name = fullName(dataset)
    const definition = textOf(dataset)
    const thread = await this.take()
    signal?.throwIfAborted()
    // Its function may never come back.
    const stop = () => void thread.terminate()
    signal?.addEventListener('abort', stop)
    const reply = await ask(thread, { dataset: name, definition, questions, texts }).finally(() =>
      signal?.removeEventListener('abort', stop),
    )
    this.give(thread)
    const { answers, failed } = reply
    if (answers) return answers
    throw new MoraineError('definition', failed.message, failed.hint ? { hint: failed.hint } : {})
  }

  /** Stops the threads, whatever they are doing. */
  async close(): Promise<void> {
    this.closed = true
    await Promise.all([...this.all].map((thread) => thread.terminate()))
  }

  private start(): Worker {
    const built = import.meta.url.replace(/\/src\/load\/threads\.ts$/, '/dist/load/threads.js')
    const workerData: ThreadData = { file: this.file }
    const thread = new Worker(new URL('./thread.js', built), { workerData })
    // Those who wait for an answer are told by events of their own.
    thread.on('error', () => {})
    thread.once('exit', () => {
      this.all.delete(thread)
      if (!this.closed) this.waiting.shift()?.(this.start())
    })
    this.all.add(thread)
    return thread
  }

  private take(): Worker | Promise<Worker> {
    const thread = this.idle.pop()
    if (thread) return thread
    if (this.all.size < this.most) return this.start()
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private give(thread: Worker): void {
    const next = this.waiting.shift()
    if (next) next(thread)
    else this.idle.push(thread)
  }
}

function ask(thread: Worker, asked: Asked): Promise<Answers> {
  return new Promise((resolve, reject) => {
    const settle = (use: () => void) => {
      thread.off('message', said).off('error', broke).off('exit', left)
      use()
    }
    const gone = (cause?: Error) =>
      new MoraineError('definition', `${asked.dataset}: the thread of its checks has ended`, {
        cause,
        hint: 'A function of the schema may have called process.exit() or used up the memory.',
      })
    const said = (reply: Answers) => settle(() => resolve(reply))
    const broke = (error: Error) => settle(() => reject(gone(error)))
    const left = () => settle(() => reject(gone()))
    thread.on('message', said).on('error', broke).on('exit', left)
    thread.postMessage(asked)
  })
}
