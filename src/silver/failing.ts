import { fullName } from '../define/dataset.js'
import type { Silver, Sql } from '../define/model.js'
import { renderSql } from '../define/sql/sql.js'
import { fieldsOfShape } from '../define/types/schema.js'
import { count } from '../engine/count.js'
import type { ResultRow, Session } from '../engine/engine.js'
import type { SqlError } from '../engine/sql-error.js'
import { MoraineError } from '../errors.js'
import { compileChecks } from '../quality/compile.js'
import { emptyRelation } from '../step/expressions.js'
import { canBeTried, expressionsOf, isAboutValue } from './careful.js'
import type { InputContext, SilverInput } from './input/types.js'

/** The rules, by name, that are tried on each row by itself. */
export async function rulesToTry(
  { careful }: InputContext,
  session: Session,
  dataset: Silver,
): Promise<Set<string>> {
  const rows = emptyRelation(fieldsOfShape(dataset.schema.shape as never), session.dialect)
  const found = new Set<string>()
  for (const { name, condition } of careful ? dataset.rules : [])
    if (await canBeTried(session, condition, rows)) found.add(name)
  return found
}

/** Makes sure that SQL which can't be tried row by row fails on none. */
export async function refuseWhatFails(
  session: Session,
  dataset: Silver,
  { parts }: SilverInput,
  triedRules: ReadonlySet<string>,
): Promise<void> {
  await refuseFailing(
    session,
    dataset,
    parts.map(({ input }) => input),
  )
  const rules = dataset.rules.filter(({ name }) => !triedRules.has(name))
  for (const { raw, relation } of rules.length > 0 ? parts : []) {
    const checks = compileChecks({ ...dataset, rules: [] }, raw, session)
    if (checks.passes.length > 0) continue
    const good = `SELECT * FROM (${checks.over(`(${relation})`)}) WHERE _reasons IS NULL AND NOT _deleted`
    for (const { name, condition } of rules)
      await refuseFailingRow(session, dataset, `rule '${name}'`, condition, good)
  }
}

/**
 * Makes sure that what can't be tried fails on no row.
 *
 * @throws MoraineError that names the expression, the first row on which it fails, and what to
 *   write.
 */
async function refuseFailing(
  session: Session,
  dataset: Silver,
  inputs: readonly string[],
): Promise<void> {
  for (const { said, sql } of expressionsOf(dataset))
    for (const input of inputs)
      if (!(await canBeTried(session, sql, input)))
        await refuseFailingRow(session, dataset, said, sql, input)
}

/**
 * The same for one expression over some rows, which have a place: the first of those on which it
 * fails is looked for by halves.
 */
async function refuseFailingRow(
  session: Session,
  dataset: Silver,
  said: string,
  sql: Sql,
  rows: string,
): Promise<void> {
  const values = (from: string) =>
    `SELECT count(${session.dialect.values.hash(`(\n${renderSql(sql)}\n)`)}) AS n FROM (${from}) AS i`
  const failure = await failureOf(session, values(rows))
  if (!failure) return
  const order = ['_batch', '_source_file', '_source_line'].join(', ')
  const { sql: numbered } = await session.materialize(
    `SELECT *, row_number() OVER (ORDER BY ${order}) AS _nr FROM (${rows})`,
  )
  const among = (first: number, last: number) =>
    `SELECT ${session.dialect.rows.except(['_nr'])} FROM ${numbered} WHERE _nr BETWEEN ${first} AND ${last}`
  let [first, last] = [1, await count(session, `SELECT count(*) AS n FROM ${numbered}`)]
  while (first < last) {
    const middle = Math.floor((first + last) / 2)
    if (await failureOf(session, values(among(first, middle)))) last = middle
    else first = middle + 1
  }
  const found = await failureOf(session, values(among(first, first)))
  const [row] = await session.rows(
    `SELECT _source_file AS file, _source_line AS line FROM ${numbered} WHERE _nr = ${first}`,
  )
  throw failing(dataset, said, sql, found ?? failure, found ? row : undefined)
}

/** The error that a query ends with, where a value is to blame. */
async function failureOf(session: Session, query: string): Promise<SqlError | undefined> {
  try {
    await session.rows(query)
    return undefined
  } catch (error) {
    if (isAboutValue(error)) return error
    throw error
  }
}

function failing(
  dataset: Silver,
  said: string,
  { place }: Sql,
  error: SqlError,
  row: ResultRow | undefined,
): MoraineError {
  const where = row?.file ? ` at ${row.file}:${row.line}` : ''
  const why = error.reason
  const hint = /more than one row/i.test(why)
    ? 'A subquery must return one row: use lookup(…) to look it up by key, or max(…) to pick one.'
    : 'Use try_cast(… as …) instead of a cast, or try(…) around anything but a subquery: both return NULL instead of failing, and the column then decides.'
  return new MoraineError('quality', `${fullName(dataset)}: the ${said} fails${where}: ${why}`, {
    cause: error,
    ...(place ? { place } : {}),
    hint,
  })
}
