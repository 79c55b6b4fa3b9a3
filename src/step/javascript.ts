import type { Silver } from '../define/model.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { Pass } from '../quality/compile.js'
import { type Answering, checkOf } from '../quality/javascript.js'
import { Mutex } from '../source/database/mutex.js'

/** Texts of a column, or answers about them. */
export type Texts = readonly (string | null)[]

/** Who runs the JavaScript of schemas: `refine`, `transform` and all else that SQL can't say. */
export interface JavaScript {
  /** How many lots of rows are worth having under way at once. */
  readonly width: number
  /** Says that questions will come. */
  begin(): void
  /** Answers questions about columns (by name) or whole rows (`null`): for each, a text a row. */
  answer(
    dataset: Silver,
    questions: readonly (string | null)[],
    texts: readonly Texts[],
    /** Nobody waits for the answers any more: what works on them may be ended. */
    signal?: AbortSignal,
  ): Promise<Texts[]>
}

/**
 * Answers in this thread, which does nothing else meanwhile: for tests of datasets and small lakes.
 */
export class InThisThread implements JavaScript {
  readonly width = 1
  begin(): void {}

  private readonly checks = new WeakMap<Silver, Map<string | null, Answering>>()

  async answer(
    dataset: Silver,
    questions: readonly (string | null)[],
    texts: readonly Texts[],
    _signal?: AbortSignal,
    progress?: Int32Array,
  ): Promise<Texts[]> {
    let begun = 0
    return questions.map((of, i) => {
      const check = this.check(dataset, of)
      return (texts[i] as Texts).map((text) => {
        if (progress) Atomics.store(progress, 0, begun++)
        return check(text)
      })
    })
  }

  private check(dataset: Silver, of: string | null): Answering {
    const checks = this.checks.get(dataset) ?? new Map<string | null, Answering>()
    this.checks.set(dataset, checks)
    const check = checks.get(of) ?? checkOf(dataset.schema, of)
    checks.set(of, check)
    return check
  }
}

/** What asking needs of a run. */
interface Asking {
  javascript: JavaScript
  signal: AbortSignal
}

/** Rows that are asked about together. */
const LOT = 10_240

/** Uses a relation whose rows were asked about in all passes that come before the last. */
export async function withAnswers<T>(
  asking: Asking,
  session: Session,
  dataset: Silver,
  passes: readonly Pass[],
  relation: string,
  use: (relation: string) => Promise<T>,
): Promise<T> {
  const [pass, ...others] = passes
  if (!pass) return use(relation)
  const { rows, made } = await answered(asking, session, dataset, pass, relation)
  const result = await withAnswers(asking, session, dataset, others, rows, use)
  await session.drop(made)
  return result
}

/** A function of a schema may never come back: a cancelled run does not wait for it. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/**
 * Asks about all rows of one pass. Returns SQL for its rows with the answers beside them, and what
 * it is made of.
 */
async function answered(
  { javascript, signal }: Asking,
  session: Session,
  dataset: Silver,
  pass: Pass,
  relation: string,
): Promise<{ rows: string; made: Relation[] }> {
  const { over, questions } = pass
  javascript.begin()
  const columns = questions.map(({ answer }) => `, CAST(NULL AS VARCHAR) AS ${answer}`)
  const asked = await session.materialize(over(relation))
  const answers = await session.materialize(
    `SELECT CAST(0 AS BIGINT) AS _asked${columns.join('')} LIMIT 0`,
  )
  const rows = await count(session, `SELECT count(*) AS n FROM ${asked.sql}`)
  const { except, number } = session.dialect.rows
  const of = questions.map((question) => question.of)
  const texts = questions.map(({ text }) => text).join(', ')
  // A statement that begins ends one of the same session that waits to be carried out.
  const line = new Mutex()
  let next = 0
  const work = async () => {
    while (next < rows) {
      signal.throwIfAborted()
      const first = next
      next += LOT
      const sql = `SELECT ${texts} FROM ${asked.sql} WHERE ${number} BETWEEN ${first} AND ${first + LOT - 1} ORDER BY ${number}`
      const lot = await line.run(() => session.texts(sql))
      const said = await unlessAborted(signal, javascript.answer(dataset, of, lot, signal))
      await line.run(() => session.append(answers, first, said))
    }
  }
  await Promise.all(Array.from({ length: javascript.width }, work))
  const joined = `${asked.sql} AS q LEFT JOIN ${answers.sql} AS s ON s._asked = q.${number}`
  return {
    rows: `(SELECT q.*, s.${except(['_asked'])} FROM ${joined})`,
    made: [asked, answers],
  }
}
