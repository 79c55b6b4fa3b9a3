import { z } from 'zod'
import type { Silver } from '../define/dataset.js'
import { quoteName, renderSql } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { parseTree } from '../engine/parse.js'
import type { BuildDecision } from '../plan/plan.js'
import { whyUnrepeatable } from '../plan/repeatable.js'
import { type CompiledChecks, compileChecks } from '../quality/compile.js'
import { isText } from '../quality/grammar.js'
import { inputTypeOf } from '../quality/javascript.js'
import type { RunContext } from './context.js'
import type { ReasonCount } from './events.js'
import { refuseWhatFails, rulesToTry } from './failing.js'
import { withAnswers } from './javascript.js'
import {
  type InputContext,
  type SilverInput,
  type SilverPart,
  silverInput,
} from './silver-input.js'
import { count, havePlaces, type Keyed, keyedColumns, keysOf, samePlace } from './winners.js'

const FLAWED =
  '(_reasons IS NOT NULL OR _warnings IS NOT NULL OR _failures IS NOT NULL OR _superseded)'

/** What is known of the rows that were judged. */
export interface Judged extends Partial<Keyed> {
  /** The columns that the inputs have. */
  columns: string[]
}

/**
 * Checks the rows that a silver step reads. Afterwards the relation `checked` has a row for each with values
 * and reasons, `flawed` those that something is to be said about, and `keyed` key, cursor and place of all.
 *
 * Where values are kept as such, judging a row costs less than writing it down: then `checked` is a view,
 * and only flawed rows are written.
 */
export async function judge(
  context: InputContext & Pick<RunContext, 'javascript' | 'signal'>,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Judged> {
  const triedRules = await rulesToTry(context, session, dataset)
  const compile = ({ parts }: SilverInput) =>
    parts.map((part) => {
      const { deleteFailed } = part
      const care = { triedRules, ...(deleteFailed ? { deleteFailed } : {}) }
      return { part, checks: compileChecks(dataset, part.raw, session, care) }
    })
  let input = await silverInput(context, session, dataset, decision)
  let compiled = compile(input)
  if (compiled.length > 1 && compiled.some(({ checks }) => checks.passes.length > 0)) {
    // What is asked of JavaScript is asked about all rows together.
    input = await silverInput(context, session, dataset, decision, true)
    compiled = compile(input)
  }
  if (context.careful) await refuseWhatFails(session, dataset, input, triedRules)
  const over = ({ part, checks }: (typeof compiled)[number], relation: string, where = '') =>
    `SELECT * EXCLUDE (_input, _raw, _doubtful), CASE WHEN _error IS NOT NULL THEN _raw
    WHEN _reasons IS NOT NULL OR _failures IS NOT NULL THEN ${part.rawJson} END AS _raw
    FROM (${checks.over(relation)})${where}`
  const union = (parts: typeof compiled, where?: string) =>
    parts.map((one) => over(one, `(${one.part.relation})`, where)).join('\nUNION ALL BY NAME\n')
  const [only] = compiled as [(typeof compiled)[number]]
  const passes = compiled.length === 1 ? only.checks.passes : []
  const wide = isWide(dataset, input)
  if (passes.length === 0 && !wide && (await isCheap(session, dataset, input))) {
    const few = fewest(compiled)
    const others = compiled.filter((one) => one !== few)
    if (few) await session.run(`CREATE TEMP TABLE judged_few AS ${union([few])}`)
    const judged = `${union(others)}${few ? '\nUNION ALL BY NAME FROM judged_few' : ''}`
    await session.run(`CREATE TEMP VIEW judged AS ${judged}`)
    const flawed = union(others, ` WHERE (_doubtful OR _superseded) AND ${FLAWED}`)
    const none = !(await findFlawed(session, few && `FROM judged_few WHERE ${FLAWED}`, flawed))
    // What was found to hold for rows need not be asked again.
    const nothing = ['_reasons', '_warnings', '_failures'].map((n) => `NULL::VARCHAR[] AS ${n}`)
    const without = none ? '' : ` ANTI JOIN flawed ON ${samePlace('judged', 'flawed')}`
    const good = `SELECT * REPLACE (${nothing.join(', ')}, false AS _superseded) FROM judged${without}`
    await session.run(
      `CREATE TEMP VIEW checked AS ${good}${none ? '' : ' UNION ALL BY NAME FROM flawed'}`,
    )
    const keyed = await keysAlone(context, session, dataset, decision)
    await session.run(`CREATE TEMP VIEW keyed AS ${keyed?.sql ?? 'FROM checked'}`)
    return { columns: input.columns, ...keyed }
  }
  const given = passes.length > 0 ? `(${only.part.relation})` : ''
  await withAnswers(context, session, dataset, passes, given, (relation) => {
    const rows = passes.length > 0 ? over(only, relation) : union(compiled)
    const sql = `CREATE TEMP TABLE checked AS ${rows}`
    return wide ? session.runQuicklyPlanned(sql) : session.run(sql)
  })
  await session.run(`CREATE TEMP VIEW flawed AS FROM checked WHERE ${FLAWED}`)
  await session.run('CREATE TEMP VIEW keyed AS FROM checked')
  return { columns: input.columns }
}

/** Fills `flawed` with rows that something is to be said about, those of `few` first; `false` where there are none. */
async function findFlawed(session: Session, few: string | undefined, others: string) {
  const add = (rows: string) => session.run(`INSERT INTO flawed BY NAME SELECT * FROM (${rows})`)
  await session.run('CREATE TEMP TABLE flawed AS FROM judged LIMIT 0')
  if (few) await add(few)
  const some = few !== undefined && (await count(session, 'SELECT count(*) AS n FROM flawed')) > 0
  // Counting reads the columns that are checked, and no others.
  const flaws = `SELECT count(*) AS n FROM (${others})`
  if (!some && (await count(session, flaws)) === 0) return false
  await add(others)
  return true
}

/** The smallest of several parts, where it is small beside all: rows that are flawed are often there. */
function fewest<T extends { part: SilverPart }>(parts: readonly T[]): T | undefined {
  if (parts.length < 2) return undefined
  const rows = parts.map(({ part }) => part.rows ?? 0)
  const least = Math.min(...rows)
  const all = rows.reduce((a, b) => a + b, 0)
  return least <= all * 0.05 ? parts[rows.indexOf(least)] : undefined
}

/** Key, cursor and place of all rows, in the order of the files: nothing else is computed. `undefined` where that takes more than SQL. */
export async function keysAlone(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<(Keyed & { sql: string }) | undefined> {
  const { key, cursor, schema, select } = dataset
  if (key.length === 0) return undefined
  const pick = <T>(from: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(from).filter(([name]) => key.includes(name) || name === cursor),
    )
  const narrow = {
    ...dataset,
    schema: z.object(pick(schema.shape)) as unknown as z.ZodObject,
    select: pick(select),
    deleteWhen: undefined,
  }
  const { parts, rows } = await silverInput(context, session, narrow, decision)
  const keys = keyedColumns(dataset)
  const checked = { ...narrow, severity: {}, rules: [], cursor: undefined }
  const compiled = parts.map(({ raw }) => compileChecks(checked, raw, session))
  if (compiled.some(({ passes }) => passes.length > 0)) return undefined
  const own = parts.map(
    ({ relation }, i) => `SELECT ${keys} FROM (${compiled[i]?.over(`(${relation})`)})`,
  )
  const extremes = parts.map(
    (part, i) =>
      knownExtremes(dataset, part, compiled[i] as CompiledChecks) ??
      `SELECT ${keysOf(dataset).join(', ')} FROM (${own[i]})`,
  )
  return { sql: own.join('\nUNION ALL\n'), rows, extremes: extremes.join('\nUNION ALL\n') }
}

/** SQL for the least and the greatest of each column of the key, where files know them of the values as they are. */
function knownExtremes(
  { key }: Silver,
  { raw }: SilverPart,
  { columns }: CompiledChecks,
): string | undefined {
  const found = key.map((name) => {
    const isKept = columns.some((column) => column.name === name && column.asIs)
    return isKept && raw[name]?.sqlType === 'BIGINT' ? raw[name].known : undefined
  })
  const row = (values: readonly (string | undefined)[]) =>
    `SELECT ${values.map((value, i) => `CAST('${value}' AS BIGINT) AS ${quoteName(key[i] as string)}`).join(', ')}`
  const [least, greatest] = [found.map((of) => of?.min), found.map((of) => of?.max)]
  return [...least, ...greatest].includes(undefined)
    ? undefined
    : `${row(least)} UNION ALL ${row(greatest)}`
}

/** Columns from which on a table is wide, and rows for each of them, up to which planning a statement takes longer than to run it. */
const WIDE = 256
const ROWS_A_COLUMN = 10

/** Whether to look at the rows takes less time than to plan how to. */
function isWide({ schema }: Silver, { rows = Number.POSITIVE_INFINITY }: SilverInput): boolean {
  const columns = Object.keys(schema.shape).length
  return columns >= WIDE && rows <= columns * ROWS_A_COLUMN
}

/** Values that have to be read from texts, beside all: reading them again costs less than writing all of their rows down. */
const FEW = 0.3

/** Whether rows may be judged more than once: few texts have to be read, and the answer is the same each time. */
async function isCheap(
  session: Session,
  dataset: Silver,
  { parts }: SilverInput,
): Promise<boolean> {
  const { schema, select, rules, deleteWhen } = dataset
  if (!havePlaces(dataset)) return false
  const own = [...Object.values(select), ...rules.map((rule) => rule.condition), deleteWhen]
  const sql = own.flatMap((part) => (part && typeof part !== 'string' ? [renderSql(part)] : []))
  if (sql.length > 0) {
    const tree = JSON.parse(await parseTree(session, `SELECT ${sql.map((s) => `(${s}\n)`)}`))
    if (tree.error || whyUnrepeatable(tree)) return false
  }
  const columns = Object.entries(schema.shape)
  const isRead = ({ raw }: SilverPart, name: string, column: unknown) =>
    raw[name]?.sqlType === 'VARCHAR' && !isText(inputTypeOf(column as z.ZodType))
  const read = parts.reduce(
    (sum, part) => sum + (part.rows ?? 0) * columns.filter(([n, c]) => isRead(part, n, c)).length,
    0,
  )
  const values = parts.reduce((sum, part) => sum + (part.rows ?? 0), 0) * columns.length
  return read <= values * FEW
}

export interface Tally {
  rows: number
  discarded: number
  /** Rows of earlier versions of their file. */
  superseded: number
  reasons: ReasonCount[]
  warnings: ReasonCount[]
}

/** What became of the rows that were judged; they are counted unless it is known how many there are. */
export async function tallyRows(session: Session, { rows }: Judged): Promise<Tally> {
  const [row] = await session.rows(
    `SELECT ${rows ?? '(SELECT count(*) FROM keyed)'} AS n, count(*) FILTER (NOT _superseded AND _reasons IS NOT NULL) AS discarded,
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
