import type { z } from 'zod'
import type { Silver, Sql } from '../../define/model.js'
import { lookupOf } from '../../define/sql/lookup.js'
import { quoteName, renderSql } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { ownValue } from '../../own-value.js'
import type { KnownColumns } from '../../quality/known.js'
import type { RawColumn } from '../../quality/raw.js'
import type { Dialect } from '../../sql/dialect.js'
import { bindExpression } from '../../step/expressions.js'
import { canBeTried } from '../careful.js'
import { type Available, columnSql, Joins, type KeptValue } from './columns.js'
import type { SilverPart, Source } from './types.js'

/** One part of the input, with a raw value for each column of the schema. */
export async function partOf(
  session: Session,
  dataset: Silver,
  { sql: union, values, rows, known = {} }: Source,
  available: Available,
  columns: readonly string[],
  careful = false,
): Promise<SilverPart> {
  const kept = keptValues(values)
  const { input, rawJson } = rawValues(columns, kept, session.dialect)
  const { dialect } = session
  const { attempt } = dialect.values
  const joins = new Joins(dataset, kept, available, dialect)
  const raws = Object.entries(dataset.schema.shape).map(([name, schema], i): RawSql => {
    const looked = lookupOf(ownValue(dataset.select, name))
    const { column, sql } = looked
      ? { sql: joins.take(name, looked), column: undefined }
      : columnSql(dataset, name, schema as z.ZodType, available)
    const facts = column === undefined ? undefined : ownValue(known, column.toLowerCase())
    const chosen = looked || column ? undefined : ownValue(dataset.select, name)
    const own = typeof chosen === 'object' ? chosen : undefined
    return { name, alias: `r${i}`, sql: (column && kept(column)) ?? sql, known: facts, own }
  })
  const tries = await triesOf(session, dataset, raws, careful ? union : undefined)
  const computed = `SELECT i._batch, i._source_file, i._source_line, i._error, i._raw, i._superseded, ${deletedSql(dataset, tries.deletes ? attempt : undefined)}, ${input} AS _input,
${raws.map((raw, i) => selectSql(raw, tries.columns[i] ? attempt : undefined)).join(',\n')}
FROM (${union}) AS i${joins.sql()}`
  const got = [
    ...raws.flatMap(({ alias }, i) =>
      tries.columns[i] ? [`t${i}.v AS ${alias}, t${i} IS NULL AS f${i}`] : [],
    ),
    ...(tries.deletes ? ['coalesce(td.v, false) AS _deleted, td IS NULL AS fd'] : []),
  ]
  const relation = got.length > 0 ? `SELECT *, ${got.join(', ')} FROM (${computed})` : computed
  // The struct of all raw values takes longer to describe than all else.
  const shown = raws.map(({ alias }) => alias).join(', ') || '_batch'
  const types = await describe(session, dataset, `SELECT ${shown} FROM (${relation})`, union)
  const raw = raws.map((one, i) => {
    const type = types[i]?.sqlType ?? 'VARCHAR'
    return [one.name, foundColumn(one, type, tries.columns[i] ? `f${i}` : undefined)] as const
  })
  return {
    relation,
    raw: Object.fromEntries(raw),
    rawJson,
    rows,
    input: union,
    ...(tries.deletes ? { deleteFailed: 'fd' } : {}),
  }
}

/** A column of the schema over the input `i`. */
interface RawSql {
  name: string
  alias: string
  sql: string
  known: KnownColumns[string] | undefined
  /** What the user has written for it. */
  own: Sql | undefined
}

/** SQL for an expression that is tried on each row by itself. */
type Attempt = Dialect['values']['attempt']

function selectSql({ sql, alias, own }: RawSql, attempt: Attempt | undefined): string {
  return own && attempt ? `${attempt(renderSql(own))} AS t${alias.slice(1)}` : `${sql} AS ${alias}`
}

/** SQL for whether a row deletes its key. */
function deletedSql({ deleteWhen }: Silver, attempt: Attempt | undefined): string {
  const condition = deleteWhen && renderSql(deleteWhen)
  if (!condition) return 'false AS _deleted'
  if (attempt) return `${attempt(condition)} AS td`
  return `coalesce((\n${condition}\n), false) AS _deleted`
}

/**
 * Which of the user's expressions are tried on each row by itself: those of columns, and
 * `deleteWhen`; over no rows, none.
 */
async function triesOf(
  session: Session,
  { deleteWhen }: Silver,
  raws: readonly RawSql[],
  over: string | undefined,
): Promise<{ columns: readonly boolean[]; deletes: boolean }> {
  const isTried = async (own: Sql | undefined) =>
    own !== undefined && over !== undefined && (await canBeTried(session, own, over))
  const columns: boolean[] = []
  for (const { own } of raws) columns.push(await isTried(own))
  return { columns, deletes: await isTried(deleteWhen) }
}

function foundColumn(
  { alias, known, own }: RawSql,
  sqlType: string,
  failed: string | undefined,
): RawColumn {
  return {
    sql: alias,
    sqlType,
    ...(known ? { known } : {}),
    ...(own ? { computed: true } : {}),
    ...(failed ? { failed } : {}),
  }
}

/**
 * SQL for a struct of all raw values, and for JSON of its texts: as a whole, as to name each field
 * takes time that grows with their square.
 */
function rawValues(columns: readonly string[], kept: KeptValue, { json, values }: Dialect) {
  if (columns.length === 0) return { input: 'NULL', rawJson: 'CAST(NULL AS VARCHAR)' }
  const own = (name: string) => kept(name) ?? `i.${quoteName(name)}`
  const input = values.struct(columns.map((name) => [name, own(name)] as const))
  const fields = columns.map((name) => ({ name, type: { kind: 'string' as const } }))
  const texts = columns.some(kept)
    ? `CAST(_input AS ${values.type({ kind: 'struct', fields })})`
    : '_input'
  return { input, rawJson: json.text(texts) }
}

function keptValues(values: readonly string[]): KeptValue {
  return (column) => {
    const i = values.indexOf(column.toLowerCase())
    return i < 0 ? undefined : `i._v${i}`
  }
}

/** Asks for the types; an error in a `select` expression is blamed on the expression. */
async function describe(session: Session, dataset: Silver, relation: string, input: string) {
  try {
    return await session.describe(relation)
  } catch (error) {
    for (const chosen of [...Object.values(dataset.select), dataset.deleteWhen])
      if (chosen && typeof chosen !== 'string') await bindExpression(session, chosen, input)
    throw error
  }
}
