import { checkName } from '../define/check.js'
import { fullName } from '../define/dataset.js'
import { checkedAgainst, inputsOf, isBuilt, lookedInto } from '../define/inputs.js'
import { secondsOf } from '../define/interval.js'
import type { AnyInput, Check, Gold, Silver } from '../define/model.js'
import { quoteName, quoteText, reference, renderSql } from '../define/sql/sql.js'
import { normalSql } from '../define/sql/sql-normal.js'
import { countOf, thousands } from '../define/thousands.js'
import { count } from '../engine/count.js'
import type { Session } from '../engine/engine.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import type { TableVersion } from '../iceberg/version.js'
import type { RowCounts } from '../log/commit.js'
import { hash, type StepContext } from './context.js'
import type { CheckResult } from './events.js'
import type { Relations } from './relations.js'
import { atUserSql } from './sql-errors.js'
import { tableFiles } from './table-files.js'

/** An error for a result that is kept from readers. */
export function notPublished(
  { run }: Pick<StepContext, 'run'>,
  name: string,
  why: string,
  place: SourceLocation | undefined,
): MoraineError {
  return new MoraineError('quality', `${name}: ${why}`, {
    place,
    hint: `Readers still see the last good version. To inspect the unpublished one: moraine query --run ${run} "from ${name}"`,
  })
}

/** The error for checks of severity `fail` that did not pass. */
export function brokenChecks(
  context: Pick<StepContext, 'run'>,
  name: string,
  results: readonly CheckResult[],
  place: SourceLocation | undefined,
): MoraineError | undefined {
  const broken = results.filter(({ passed, severity }) => !passed && severity === 'fail')
  if (broken.length === 0) return undefined
  const said = broken.map(({ check, message }) => `${check}: ${message}`).join('; ')
  const what = broken.length === 1 ? 'a check failed' : `${broken.length} checks failed`
  return notPublished(context, name, `${what}: ${said}`, place)
}

/** Holds a new version of a table, which nobody sees yet, against the dataset's checks. */
export async function holdChecks(
  context: Pick<StepContext, 'storage' | 'relations' | 'started' | 'rowsBefore'>,
  session: Session,
  dataset: Silver | Gold,
  table: TableVersion,
  counts?: RowCounts,
): Promise<CheckResult[]> {
  if (dataset.checks.length === 0) return []
  const files = tableFiles(context.storage, table, await table.plan())
  await context.relations.define(session, checkedAgainst(dataset))
  const relation = session.tables.scan(table.schema, files)
  const { started, rowsBefore, relations } = context
  const unknown = await notThere(checkedAgainst(dataset), relations)
  return holdOn(relation, dataset.checks, { session, counts, started, rowsBefore, unknown })
}

/** Which of some datasets there are no rows of yet, in words. */
async function notThere(
  datasets: readonly AnyInput[],
  relations: Pick<Relations, 'table'>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const lacks = async (dataset: AnyInput): Promise<string | undefined> => {
    if (dataset.tier === 'bronze') return undefined
    if (dataset.tier === 'gold' && dataset.view) {
      const behind = await Promise.all(inputsOf(dataset).map(lacks))
      return behind.find((one) => one !== undefined)
    }
    const name = fullName(dataset)
    if (await relations.table(name)) return undefined
    return `${name} ${isBuilt(dataset) ? 'is not built yet' : 'cannot be read'}`
  }
  for (const dataset of datasets) {
    const said = await lacks(dataset)
    if (said !== undefined) found.set(fullName(dataset), said)
  }
  return found
}

/** Holds a relation against checks. */
export async function holdOn(
  relation: string,
  checks: readonly Check[],
  holding: Holding,
): Promise<CheckResult[]> {
  await holding.session.defineHere('this_table', relation)
  const results: CheckResult[] = []
  for (const check of checks) {
    const unknown = lookedInto(check).map((other) => holding.unknown?.get(fullName(other)))
    const message = unknown.find((one) => one) ?? (await hold(check, holding))
    const { severity } = check
    const query = askedBy(check)
    const said = {
      ...(message === undefined ? {} : { message }),
      ...(query === undefined ? {} : { query }),
    }
    results.push({ check: checkName(check), severity, passed: message === undefined, ...said })
  }
  return results
}

/** What a check asks beyond what its name says, as a hash: SQL has a name of the user's own. */
export const askedBy = (check: Check): string | undefined =>
  check.check === 'sql' ? hash(normalSql(renderSql(check.query))).slice(0, 16) : undefined

/** What checks are held with. */
export interface Holding {
  session: Session
  counts: RowCounts | undefined
  started: Date
  /** The rows of the last runs, newest first: those that were read, or those of the table. */
  rowsBefore?: readonly number[]
  /** What is wrong with datasets that checks can't look into, by their names. */
  unknown?: ReadonlyMap<string, string>
}

/** Runs from which on there is something to compare with. */
const ENOUGH = 5

/** Tells how far a number is from what is usual, where that is too far. */
function unusual(n: number, before: readonly number[], deviations: number): string | undefined {
  if (before.length < ENOUGH) return undefined
  const mean = before.reduce((sum, x) => sum + x, 0) / before.length
  const variance = before.reduce((sum, x) => sum + (x - mean) ** 2, 0) / before.length
  // Where all runs were alike, a row more or less is nothing to tell of.
  const deviation = Math.max(Math.sqrt(variance), mean * 0.01, 1)
  if (Math.abs(n - mean) <= deviations * deviation) return undefined
  const [shown, usual] = [n, Math.round(mean)].map(thousands)
  return `${shown} rows, but the last ${before.length} runs had ${usual} on average`
}

type Checked<K> = Extract<Check, { check: K }>

/** What is wrong with `this_table`, in words; `undefined` when the check holds. */
const kinds: {
  [K in Check['check']]: (check: Checked<K>, holding: Holding) => Promise<string | undefined>
} = {
  unique: async ({ columns: names }, { session }) => {
    const columns = names.map(quoteName)
    const present = columns.map((c) => `${c} IS NOT NULL`).join(' AND ')
    const { n, first } = await one(
      session,
      `SELECT count(*) AS n, min(k) AS first FROM (SELECT ${session.dialect.texts.joinBy(', ', columns)} AS k
       FROM this_table WHERE ${present} GROUP BY ${columns.join(', ')} HAVING count(*) > 1)`,
    )
    if (n === 0n) return undefined
    return `${n} ${n === 1n ? 'value appears' : 'values appear'} more than once, such as ${first}`
  },
  'not empty': async (_, { session }) =>
    (await rowsOf(session)) === 0 ? 'it has no rows' : undefined,
  'row count': async ({ min = 0, max = Number.POSITIVE_INFINITY }, { session }) => {
    const n = await rowsOf(session)
    return n >= min && n <= max ? undefined : `it has ${countOf(n, 'row')}`
  },
  'usual rows': async ({ runs, deviations }, { session, counts, rowsBefore }) => {
    const before = rowsBefore?.slice(0, runs) ?? []
    return unusual(counts?.in ?? (await rowsOf(session)), before, deviations)
  },
  discarded: async ({ max }, { counts }) => {
    if (!counts || counts.in === 0) return undefined
    const part = counts.discarded / counts.in
    const percent = Number((part * 100).toPrecision(3))
    if (part <= max) return undefined
    return `${thousands(counts.discarded)} of ${thousands(counts.in)} rows were discarded (${percent} %)`
  },
  fresh: async ({ columns, within }, { session, started }) => {
    const column = quoteName(columns[0] as string)
    const { seconds } = session.dialect.times
    const at = `CAST(${quoteText(started.toISOString())} AS TIMESTAMP WITH TIME ZONE)`
    const { newest, late } = await one(
      session,
      `SELECT CAST(max(${column}) AS VARCHAR) AS newest,
       ${seconds(at)} - ${seconds(`CAST(max(${column}) AS TIMESTAMP)`)} AS late FROM this_table`,
    )
    if (newest === null) return 'it has no value'
    const isFresh = Number(late) <= (secondsOf(within) as number)
    return isFresh ? undefined : `the newest value is ${newest}`
  },
  references: async ({ columns, target: name, to }, { session }) => {
    const [column, target] = [columns[0] as string, name].map(quoteName)
    const { n, first } = await one(
      session,
      `SELECT count(*) AS n, min(${column}) AS first FROM this_table
       WHERE ${column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${reference(to)} AS t WHERE t.${target} = this_table.${column})`,
    )
    if (n === 0n) return undefined
    return `${n} ${n === 1n ? 'row has' : 'rows have'} a value that does not exist in ${fullName(to)}, such as ${first}`
  },
  sql: async ({ query }, { session }) => {
    const { n } = await atUserSql(query, 1, () =>
      one(session, `SELECT count(*) AS n FROM (\n${renderSql(query)}\n)`),
    )
    return n === 0n ? undefined : `its query returns ${n} ${n === 1n ? 'row' : 'rows'}`
  },
}

const hold = (check: Check, holding: Holding): Promise<string | undefined> =>
  (kinds[check.check] as (check: Check, holding: Holding) => Promise<string | undefined>)(
    check,
    holding,
  )

const one = async (session: Session, sql: string) => (await session.rows(sql))[0] ?? {}

const rowsOf = (session: Session) => count(session, 'SELECT count(*) AS n FROM this_table')
