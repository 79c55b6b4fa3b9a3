import type { Worker } from 'node:worker_threads'
import { MoraineError } from '../errors.js'
import type { Texts } from '../step/javascript.js'

/** Questions about a lot of rows. */
export interface Asked {
  dataset: string
  /** What the dataset is in the definition that is running, as JSON. */
  definition: string
  questions: readonly (string | null)[]
  texts: readonly Texts[]
  /** Counts the checks that were begun. */
  progress?: Int32Array
}

export type Answers =
  | { answers: Texts[]; failed?: never }
  | { answers?: never; failed: { message: string; hint: string | undefined } }

/** Rows of one lot whose checks end their thread; of more, it is the schema that does. */
const MOST = 20
/** Milliseconds between two looks at how far a thread is. */
const TICK = 1000

/** A thread has ended, or had to be ended, while it answered. */
export class ThreadGone extends MoraineError {
  constructor(
    dataset: string,
    /** The row that it was at. */
    readonly row: number,
    /** It came no further for so many seconds. */
    readonly seconds?: number,
    cause?: Error,
  ) {
    const what = seconds === undefined ? 'has ended' : `made no progress for ${seconds} s`
    super('definition', `${dataset}: the thread of its checks ${what}`, {
      cause,
      hint: 'A function of the schema may have called process.exit(), run out of memory, or never returned.',
    })
  }
}

/** Asks a thread, which is ended where it stays with one row for longer than so many seconds. */
export function ask(thread: Worker, asked: Asked, seconds: number): Promise<Answers> {
  const progress = new Int32Array(new SharedArrayBuffer(4))
  return new Promise((resolve, reject) => {
    const rows = Math.max(1, asked.texts[0]?.length ?? 1)
    // By turns of the clock rather than by its time: a machine that slept has lost none of it.
    let [at, turns] = [0, 0]
    const clock = setInterval(() => {
      const now = Atomics.load(progress, 0)
      turns = now === at ? turns + 1 : 0
      at = now
      if (turns < seconds) return
      settle(() => reject(gone(undefined, seconds)))
      thread.terminate()
    }, TICK)
    const settle = (use: () => void) => {
      clearInterval(clock)
      thread.off('message', answered).off('error', broke).off('exit', left)
      use()
    }
    const gone = (cause?: Error, after?: number) =>
      new ThreadGone(asked.dataset, Atomics.load(progress, 0) % rows, after, cause)
    const answered = (reply: Answers) => settle(() => resolve(reply))
    const broke = (error: Error) => settle(() => reject(gone(error)))
    const left = () => settle(() => reject(gone()))
    thread.on('message', answered).on('error', broke).on('exit', left)
    thread.postMessage({ ...asked, progress })
  })
}

/** Asks about a lot of rows in a thread that nobody else uses. */
export type AskAlone = (asked: Asked) => Promise<Answers>

/**
 * Answers about rows whose checks have ended their thread: the row that does is found, is asked
 * about by itself once more, and is discarded if that ends a thread, too. All others are answered
 * as ever.
 *
 * @throws ThreadGone where that is so for all rows, or for many: then it is the schema.
 */
export async function askApart(asked: Asked, gone: ThreadGone, alone: AskAlone): Promise<Answers> {
  const all = asked.texts[0]?.length ?? 0
  let blamed = 0
  const lot = async (from: number, to: number, first?: ThreadGone): Promise<Texts[]> => {
    if (to <= from) return asked.texts.map(() => [])
    const failed = first ?? (await attempt(part(from, to)))
    if (!(failed instanceof ThreadGone)) return failed
    const at = from + Math.min(failed.row, to - from - 1)
    const one = await attempt(part(at, at + 1))
    if (one instanceof ThreadGone) {
      if (++blamed > MOST || (blamed === all && all > 1)) throw gone
      const found = await discarded(at, one)
      return joined([await lot(from, at), found, await lot(at + 1, to)])
    }
    if (to - from === 1) return one
    // It ended later than at the row which is to blame.
    const middle = Math.ceil((from + to) / 2)
    return joined([await lot(from, middle), await lot(middle, to)])
  }
  const part = (from: number, to: number, only?: number): Asked => {
    const { questions, texts } = asked
    const of = <T>(list: readonly T[]) => (only === undefined ? list : list.slice(only, only + 1))
    return { ...asked, questions: of(questions), texts: of(texts).map((t) => t.slice(from, to)) }
  }
  const attempt = async (some: Asked): Promise<Texts[] | ThreadGone> => {
    try {
      const { answers, failed } = await alone(some)
      if (answers) return answers
      throw new MoraineError('definition', failed.message, failed.hint ? { hint: failed.hint } : {})
    } catch (error) {
      if (error instanceof ThreadGone) return error
      throw error
    }
  }
  /**
   * What is answered about a row: of each question by itself, as most often one of them is to
   * blame.
   */
  const discarded = async (at: number, failed: ThreadGone): Promise<Texts[]> => {
    const { questions } = asked
    if (questions.length === 1) return [[saidOf(questions[0] ?? null, failed)]]
    const each: (Texts | ThreadGone)[] = []
    for (const i of questions.keys()) {
      const found = await attempt(part(at, at + 1, i))
      each.push(found instanceof ThreadGone ? found : (found[0] as Texts))
    }
    const isAny = each.some((found) => found instanceof ThreadGone)
    return each.map((found, i) =>
      found instanceof ThreadGone || !isAny
        ? [saidOf(questions[i] ?? null, found instanceof ThreadGone ? found : failed)]
        : found,
    )
  }
  return { answers: await lot(0, all, gone) }
}

function saidOf(of: string | null, { seconds }: ThreadGone): string {
  const what =
    seconds === undefined
      ? 'its check ended the thread it runs in'
      : `its check did not return within ${seconds} s`
  const reasons = JSON.stringify([`${of ?? 'row'}: ${what}`])
  return of === null ? reasons : `-${reasons}`
}

const joined = (parts: readonly Texts[][]): Texts[] =>
  (parts[0] ?? []).map((_, i) => parts.flatMap((part) => part[i] as Texts))
