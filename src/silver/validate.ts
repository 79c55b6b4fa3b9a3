import { z } from 'zod'
import type { Silver } from '../define/model.js'
import { quoteName, renderSql } from '../define/sql/sql.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { BuildDecision } from '../plan/decision.js'
import { whyUnrepeatable } from '../plan/repeatable.js'
import { type CompiledChecks, compileChecks } from '../quality/compile.js'
import { isText } from '../quality/grammar.js'
import { inputTypeOf } from '../quality/javascript.js'
import type { RowDialect } from '../sql/dialect.js'
import type { StepContext } from '../step/context.js'
import type { ReasonCount } from '../step/events.js'
import { withAnswers } from '../step/javascript.js'
import { refuseWhatFails, rulesToTry } from './failing.js'
import { silverInput } from './input/input.js'
import type { InputContext, SilverInput, SilverPart } from './input/types.js'
import { keyedColumns, keysOf, samePlace } from './keys.js'
import type { Keyed, Validated } from './stages.js'

const FLAGGED =
  '(_reasons IS NOT NULL OR _warnings IS NOT NULL OR _failures IS NOT NULL OR _superseded)'

/** One part of the input, and its checks. */
interface CheckedPart {
  part: SilverPart
  checks: CompiledChecks
}

/**
 * Validates the rows that a silver step reads.
 *
 * Where values are kept as such, validating a row costs less than writing it down: then `rows` is a
 * view, and only flagged rows are written.
 */
export async function validate(
  context: InputContext & Pick<StepContext, 'javascript' | 'signal'>,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Validated> {
  const triedRules = await rulesToTry(context, session, dataset)
  const { input, compiled } = await checkedInput(context, session, dataset, decision, triedRules)
  if (context.careful) await refuseWhatFails(session, dataset, input, triedRules)
  const [only] = compiled as [CheckedPart]
  const passes = compiled.length === 1 ? only.checks.passes : []
  const wide = isWide(dataset, input)
  // A sample's rows are those of one way of reading: keys alone would be those of others.
  const isWhole = context.sample === undefined
  const arePlaced = await input.arePlaced()
  const mayRepeat = passes.length === 0 && !wide && isWhole && arePlaced
  if (mayRepeat && (await isCheap(session, dataset, input))) {
    const { rows, flagged } = await viewedRows(session, compiled)
    const keyed = (await keysAlone(context, session, dataset, decision)) ?? { relation: rows }
    return { columns: input.columns, rows, flagged, keyed, arePlaced }
  }
  const { rows: dialect } = session.dialect
  const given = passes.length > 0 ? `(${only.part.relation})` : ''
  const rows = await withAnswers(context, session, dataset, passes, given, (relation) =>
    session.materialize(
      passes.length > 0 ? checkedSql(dialect, only, relation) : unionSql(dialect, compiled),
      {
        quicklyPlanned: wide,
      },
    ),
  )
  const flagged = await session.view(`SELECT * FROM ${rows.sql} WHERE ${FLAGGED}`)
  return { columns: input.columns, rows, flagged, keyed: { relation: rows }, arePlaced }
}

/** The input with its checks: in one part, where those ask JavaScript. */
async function checkedInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
  triedRules: ReadonlySet<string>,
): Promise<{ input: SilverInput; compiled: CheckedPart[] }> {
  const compile = (input: SilverInput) => {
    const compiled = input.parts.map((part) => {
      const { deleteFailed } = part
      const care = { triedRules, ...(deleteFailed ? { deleteFailed } : {}) }
      return { part, checks: compileChecks(dataset, part.raw, session, care) }
    })
    return { input, compiled }
  }
  const found = compile(await silverInput(context, session, dataset, decision))
  const { compiled } = found
  if (compiled.length < 2 || compiled.every(({ checks }) => checks.passes.length === 0))
    return found
  // What is asked of JavaScript is asked about all rows together.
  return compile(await silverInput(context, session, dataset, decision, true))
}

/** SQL for the validated rows of a relation. */
function checkedSql(
  { except }: RowDialect,
  { part, checks }: CheckedPart,
  relation: string,
  where = '',
): string {
  return `SELECT ${except(['_input', '_raw', '_doubtful'])}, CASE WHEN _error IS NOT NULL THEN _raw
    WHEN _reasons IS NOT NULL OR _failures IS NOT NULL THEN ${part.rawJson} END AS _raw
    FROM (${checks.over(relation)})${where}`
}

function unionSql(rows: RowDialect, parts: readonly CheckedPart[], where?: string): string {
  return rows.union(parts.map((one) => checkedSql(rows, one, `(${one.part.relation})`, where)))
}

/**
 * Rows that are validated whenever they are asked for, and those of them that are flagged, which
 * are written down.
 */
async function viewedRows(
  session: Session,
  compiled: readonly CheckedPart[],
): Promise<Record<'rows' | 'flagged', Relation>> {
  const { lists, rows: dialect } = session.dialect
  const few = fewest(compiled)
  const others = compiled.filter((one) => one !== few)
  const fewRows = few && (await session.materialize(unionSql(dialect, [few])))
  const all = await session.view(
    dialect.union([
      unionSql(dialect, others),
      ...(fewRows ? [`SELECT * FROM ${fewRows.sql}`] : []),
    ]),
  )
  const flagged = await session.materialize(`SELECT * FROM ${all.sql} LIMIT 0`)
  const none = !(await findFlagged(
    session,
    flagged,
    fewRows && `SELECT * FROM ${fewRows.sql} WHERE ${FLAGGED}`,
    unionSql(dialect, others, ` WHERE (_doubtful OR _superseded) AND ${FLAGGED}`),
  ))
  // What was found to hold for rows need not be asked again.
  const nothing = ['_reasons', '_warnings', '_failures'].map((name) => [name, lists.none] as const)
  const good = dialect.replacing([...nothing, ['_superseded', 'false']])
  const on = samePlace('a', 'f')
  const from = none
    ? `${all.sql} AS a`
    : dialect.antiJoin(`${all.sql} AS a`, `${flagged.sql} AS f`, { on })
  const found = none ? [] : [`SELECT * FROM ${flagged.sql}`]
  const rows = await session.view(dialect.union([`SELECT ${good} FROM ${from}`, ...found]))
  return { rows, flagged }
}

/** Fills `flagged`, with those of `few` first; `false` where there are none. */
async function findFlagged(
  session: Session,
  flagged: Relation,
  few: string | undefined,
  others: string,
): Promise<boolean> {
  if (few) await session.insert(flagged, few)
  const some =
    few !== undefined && (await count(session, `SELECT count(*) AS n FROM ${flagged.sql}`)) > 0
  // To look for the first reads the columns that are checked, and no others.
  const first = `SELECT count(*) AS n FROM (SELECT 1 FROM (${others}) LIMIT 1)`
  if (!some && (await count(session, first)) === 0) return false
  await session.insert(flagged, others)
  return true
}

/**
 * The smallest of several parts, where it is small beside all: rows that are flagged are often
 * there.
 */
function fewest<T extends { part: SilverPart }>(parts: readonly T[]): T | undefined {
  if (parts.length < 2) return undefined
  const rows = parts.map(({ part }) => part.rows ?? 0)
  const least = Math.min(...rows)
  const all = rows.reduce((a, b) => a + b, 0)
  return least <= all * 0.05 ? parts[rows.indexOf(least)] : undefined
}

/**
 * Key, cursor and place of all rows, in the order of the files: nothing else is computed.
 * `undefined` where that takes more than SQL.
 */
export async function keysAlone(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Keyed | undefined> {
  if (dataset.key.length === 0) return undefined
  const narrow = ofKeys(dataset)
  const { parts, rows } = await silverInput(context, session, narrow, decision)
  const keys = keyedColumns(dataset)
  const checked = { ...narrow, cursor: undefined }
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
  const relation = await session.view(own.join('\nUNION ALL\n'))
  return {
    relation,
    ...(rows === undefined ? {} : { rows }),
    extremes: extremes.join('\nUNION ALL\n'),
  }
}

/** The same for a dataset with a key, also where JavaScript is asked about the keys. */
export async function keysOfAll(
  context: InputContext & Pick<StepContext, 'javascript' | 'signal'>,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Relation> {
  const alone = await keysAlone(context, session, dataset, decision)
  if (alone) return alone.relation
  const narrow = ofKeys(dataset)
  const { parts } = await silverInput(context, session, narrow, decision, true)
  const [part] = parts as [SilverPart]
  const { passes, over } = compileChecks({ ...narrow, cursor: undefined }, part.raw, session)
  const input = `(${part.relation})`
  return withAnswers(context, session, dataset, passes, input, (relation) =>
    session.materialize(`SELECT ${keyedColumns(dataset)} FROM (${over(relation)})`),
  )
}

/** A dataset that has the columns of its key and its cursor, and no checks of other columns. */
function ofKeys(dataset: Silver): Silver {
  const { key, cursor, schema, select } = dataset
  const pick = <T>(from: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(from).filter(([name]) => key.includes(name) || name === cursor),
    )
  return {
    ...dataset,
    schema: z.object(pick(schema.shape)) as unknown as z.ZodObject,
    select: pick(select),
    deleteWhen: undefined,
    severity: {},
    rules: [],
  }
}

/**
 * SQL for the least and the greatest of each column of the key, where files know them of the values
 * as they are.
 */
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

/**
 * Columns from which on a table is wide, and rows for each of them, up to which planning a
 * statement takes longer than to run it.
 */
const WIDE = 256
const ROWS_A_COLUMN = 10

/** Whether to look at the rows takes less time than to plan how to. */
function isWide({ schema }: Silver, { rows = Number.POSITIVE_INFINITY }: SilverInput): boolean {
  const columns = Object.keys(schema.shape).length
  return columns >= WIDE && rows <= columns * ROWS_A_COLUMN
}

/**
 * Values that have to be read from texts, beside all: reading them again costs less than writing
 * all of their rows down.
 */
const FEW = 0.3

/**
 * Whether rows may be validated more than once: few texts have to be read, and the answer is the
 * same each time.
 */
async function isCheap(
  session: Session,
  dataset: Silver,
  { parts }: SilverInput,
): Promise<boolean> {
  const { schema, select, rules, deleteWhen } = dataset
  const own = [...Object.values(select), ...rules.map((rule) => rule.condition), deleteWhen]
  const sql = own.flatMap((part) => (part && typeof part !== 'string' ? [renderSql(part)] : []))
  if (sql.length > 0) {
    const tree = JSON.parse(await session.parser.tree(`SELECT ${sql.map((s) => `(${s}\n)`)}`))
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
  /** Of which something is to be said. */
  flagged: number
  discarded: number
  /** Rows that break a check of severity `fail`. */
  failed: number
  /** Rows of earlier versions of their file. */
  superseded: number
  reasons: ReasonCount[]
  warnings: ReasonCount[]
}

/**
 * What became of the rows that were validated; they are counted unless it is known how many there
 * are.
 */
export async function tallyRows(
  session: Session,
  { flagged, keyed }: Pick<Validated, 'flagged' | 'keyed'>,
): Promise<Tally> {
  const [row] = await session.rows(
    `SELECT ${keyed.rows ?? `(SELECT count(*) FROM ${keyed.relation.sql})`} AS n, count(*) AS flagged, count(*) FILTER (WHERE _superseded) AS superseded,
     count(*) FILTER (WHERE NOT _superseded AND _reasons IS NOT NULL) AS discarded,
     count(*) FILTER (WHERE NOT _superseded AND _reasons IS NULL AND _warnings IS NOT NULL) AS warned,
     count(*) FILTER (WHERE NOT _superseded AND _failures IS NOT NULL) AS failed FROM ${flagged.sql}`,
  )
  const [discarded, warned] = [Number(row?.discarded), Number(row?.warned)]
  return {
    rows: Number(row?.n),
    flagged: Number(row?.flagged),
    discarded,
    failed: Number(row?.failed),
    superseded: Number(row?.superseded),
    reasons: discarded === 0 ? [] : await countReasons(session, flagged, '_reasons'),
    warnings:
      warned === 0 ? [] : await countReasons(session, flagged, '_warnings', '_reasons IS NULL'),
  }
}

/** How many of the flagged rows have each of the reasons in a list. */
export async function countReasons(
  session: Session,
  flagged: Relation,
  list: string,
  where = 'true',
): Promise<ReasonCount[]> {
  const rows = await session.rows(
    `SELECT reason, count(*) AS n FROM (SELECT ${session.dialect.lists.each(list)} AS reason FROM ${flagged.sql}
     WHERE NOT _superseded AND ${where})
     GROUP BY reason ORDER BY n DESC, reason`,
  )
  return rows.map((row) => ({ reason: String(row.reason), rows: Number(row.n) }))
}
