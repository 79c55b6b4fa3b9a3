import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { MoraineError } from '../errors.js'
import { builtFile } from '../home.js'
import { definitionOf } from '../plan/fingerprint.js'
import { hash } from '../step/context.js'
import type { JavaScript, Texts } from '../step/javascript.js'
import { type Answers, type Asked, ask, askApart, ThreadGone } from './asking.js'

/** What a thread is told when it starts. */
export interface ThreadData {
  /** The file that defines the lake. */
  file: string
  /** It is a definition that was made into one file elsewhere, rather than a project's lake.ts. */
  isLaid: boolean
}

interface ThreadsOptions {
  /** How long the check of one row may take, in seconds. */
  seconds?: number
  /** Threads at most; as many as there are processors when not given. */
  most?: number | undefined
  /** The file is a copy of a definition that was laid for workers. */
  isLaid?: boolean
}

const texts = new WeakMap<Silver, string>()

/** What a dataset is in its definition: two of the same text answer alike. */
export function textOf(dataset: Silver): string {
  const text = texts.get(dataset) ?? JSON.stringify(definitionOf(dataset, hash))
  texts.set(dataset, text)
  return text
}

/** Seconds that the check of one row may take. */
const PATIENCE = 60

/**
 * Runs the JavaScript of a lake's schemas in threads of their own, as many as there are processors.
 */
export class Threads implements JavaScript {
  private readonly most: number
  private readonly seconds: number
  /** While all threads work, lots for each are read and answers are kept. */
  readonly width: number
  private readonly all = new Set<Worker>()
  private readonly idle: Worker[] = []
  private closed = false
  private readonly waiting: ((thread: Worker) => void)[] = []

  /** @param file that defines the lake. */
  constructor(
    private readonly file: string,
    private readonly options: ThreadsOptions = {},
  ) {
    const { seconds = PATIENCE, most = availableParallelism() } = options
    this.seconds = seconds
    this.most = most
    this.width = most + 1
  }

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
    if (signal?.aborted) {
      this.give(thread)
      throw signal.reason
    }
    const asked: Asked = { dataset: name, definition, questions, texts }
    const reply = await this.asked(thread, asked, signal).then(
      (found) => {
        this.give(thread)
        return found
      },
      (error) => {
        if (!(error instanceof ThreadGone) || this.closed || signal?.aborted) throw error
        return askApart(asked, error, (some) => this.askAlone(some, signal))
      },
    )
    const { answers, failed } = reply
    if (answers) return answers
    throw new MoraineError('definition', failed.message, failed.hint ? { hint: failed.hint } : {})
  }

  /** Stops the threads, whatever they are doing. */
  async close(): Promise<void> {
    this.closed = true
    await Promise.all([...this.all].map((thread) => thread.terminate()))
  }

  /**
   * Asks a thread, and ends it where nobody waits for it any more: its function may never come
   * back.
   */
  private asked(thread: Worker, asked: Asked, signal?: AbortSignal): Promise<Answers> {
    const stop = () => void thread.terminate()
    signal?.addEventListener('abort', stop)
    return ask(thread, asked, this.seconds).finally(() =>
      signal?.removeEventListener('abort', stop),
    )
  }

  /** Asks a thread that answers nothing else: what ends it is in what it is asked. */
  private async askAlone(asked: Asked, signal?: AbortSignal): Promise<Answers> {
    signal?.throwIfAborted()
    const thread = this.begun()
    this.all.add(thread)
    try {
      return await this.asked(thread, asked, signal)
    } finally {
      this.all.delete(thread)
      await thread.terminate()
    }
  }

  private start(): Worker {
    const thread = this.begun()
    thread.once('exit', () => {
      this.all.delete(thread)
      const at = this.idle.indexOf(thread)
      if (at >= 0) this.idle.splice(at, 1)
      if (!this.closed) this.waiting.shift()?.(this.start())
    })
    this.all.add(thread)
    return thread
  }

  private begun(): Worker {
    const workerData: ThreadData = { file: this.file, isLaid: this.options.isLaid ?? false }
    const thread = new Worker(builtFile('load/thread.js'), { workerData })
    // Those who wait for an answer are told by events of their own.
    thread.on('error', () => {})
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
