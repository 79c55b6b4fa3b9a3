import { z } from 'zod'
import type { Silver } from '../define/dataset.js'
import { quoteName, renderSql } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import type { BuildDecision } from '../plan/plan.js'
import { compileChecks } from '../quality/compile.js'
import { isText } from '../quality/grammar.js'
import { inputTypeOf } from '../quality/javascript.js'
import type { RunContext } from './context.js'
import type { ReasonCount } from './events.js'
import { withAnswers } from './javascript.js'
import { type InputContext, type SilverInput, silverInput } from './silver-input.js'
import { count } from './winners.js'

const FLAWED =
  '_reasons IS NOT NULL OR _warnings IS NOT NULL OR _failures IS NOT NULL OR _superseded'

/**
 * Checks the rows that a silver step reads. Afterwards the relation `checked` has a row for each with values
 * and reasons, `flawed` those that something is to be said about, and `keyed` the keys of all. Returns the columns that the inputs have.
 *
 * Where values are kept as such, judging a row costs less than writing it down: then `checked` is a view,
 * and only flawed rows are written.
 */
export async function judge(
  context: InputContext & Pick<RunContext, 'run' | 'javascript' | 'signal'>,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<string[]> {
  const input = await silverInput(context, session, dataset, decision)
  const prefix = `${context.run}_${dataset.name}`.replace(/\W/g, '_')
  const compiled = compileChecks(dataset, input.raw, prefix)
  session.register(compiled.functions)
  const raw = `CASE WHEN _error IS NOT NULL THEN _raw
    WHEN _reasons IS NOT NULL OR _failures IS NOT NULL THEN ${input.rawJson} END`
  const over = (relation: string) =>
    `SELECT * EXCLUDE (_input, _raw), ${raw} AS _raw FROM (${compiled.over(relation)})`
  const given = `(${input.relation})`
  if (compiled.passes.length === 0 && isCheap(dataset, input)) {
    await session.run(`CREATE TEMP VIEW judged AS ${over(given)}`)
    await session.run(`CREATE TEMP TABLE flawed AS FROM judged WHERE ${FLAWED}`)
    const none = (await count(session, 'SELECT count(*) AS n FROM flawed')) === 0
    // What was found to hold for all rows need not be asked again.
    const nothing = ['_reasons', '_warnings', '_failures'].map((n) => `NULL::VARCHAR[] AS ${n}`)
    const judged = none ? `SELECT * REPLACE (${nothing.join(', ')}) FROM judged` : 'FROM judged'
    await session.run(`CREATE TEMP VIEW checked AS ${judged}`)
    await session.run(
      `CREATE TEMP VIEW keyed AS ${await keysAlone(context, session, dataset, decision)}`,
    )
    return input.columns
  }
  await withAnswers(context, session, dataset, compiled.passes, given, (relation) =>
    session.run(`CREATE TEMP TABLE checked AS ${over(relation)}`),
  )
  await session.run(`CREATE TEMP VIEW flawed AS FROM checked WHERE ${FLAWED}`)
  await session.run('CREATE TEMP VIEW keyed AS FROM checked')
  return input.columns
}

/** SQL for the keys of all rows, in the order of the files, with nothing computed that keys do not need. */
async function keysAlone(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<string> {
  const { key, schema, select } = dataset
  if (key.length === 0) return 'FROM checked'
  const pick = <T>(from: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(from).filter(([name]) => key.includes(name)))
  const narrow = {
    ...dataset,
    schema: z.object(pick(schema.shape)) as unknown as z.ZodObject,
    select: pick(select),
    deleteWhen: undefined,
  }
  const { raw, relation } = await silverInput(context, session, narrow, decision)
  const { over } = compileChecks({ ...narrow, severity: {}, rules: [], cursor: undefined }, raw, '')
  return `SELECT ${key.map(quoteName).join(', ')} FROM (${over(`(${relation})`)})`
}

/** Functions that may give something else when they are asked again. */
const VOLATILE =
  /\b(random|setseed|\w*uuid\w*|now|today|current_\w+|get_current_\w+|transaction_timestamp|localtime\w*|nextval|currval)\b/i

/** Whether rows may be judged more than once: no text has to be read, and the answer is the same each time. */
function isCheap({ schema, select, rules, deleteWhen }: Silver, { raw }: SilverInput): boolean {
  const own = [...Object.values(select), ...rules.map((rule) => rule.condition), deleteWhen]
  const sql = own.flatMap((part) => (part && typeof part !== 'string' ? [renderSql(part)] : []))
  if (sql.some((text) => VOLATILE.test(text))) return false
  return Object.entries(schema.shape).every(
    ([name, column]) =>
      raw[name]?.sqlType !== 'VARCHAR' || isText(inputTypeOf(column as z.ZodType)),
  )
}

export interface Tally {
  rows: number
  discarded: number
  /** Rows of earlier versions of their file. */
  superseded: number
  reasons: ReasonCount[]
  warnings: ReasonCount[]
}

/** What became of the rows that were judged. */
export async function tallyRows(session: Session): Promise<Tally> {
  const [row] = await session.rows(
    `SELECT (SELECT count(*) FROM keyed) AS n, count(*) FILTER (NOT _superseded AND _reasons IS NOT NULL) AS discarded,
     count(*) FILTER (_superseded) AS superseded FROM flawed`,
  )
  return {
    rows: Number(row?.n),
    discarded: Number(row?.discarded),
    superseded: Number(row?.superseded),
    reasons: await countReasons(session, '_reasons'),
    warnings: await countReasons(session, '_warnings', '_reasons IS NULL'),
  }
}

/** How many rows have each of the reasons in a list. */
export async function countReasons(
  session: Session,
  list: string,
  where = 'true',
): Promise<ReasonCount[]> {
  const rows = await session.rows(
    `SELECT reason, count(*) AS n FROM (SELECT unnest(${list}) AS reason FROM flawed
     WHERE NOT _superseded AND ${where})
     GROUP BY reason ORDER BY n DESC, reason`,
  )
  return rows.map((row) => ({ reason: String(row.reason), rows: Number(row.n) }))
}
