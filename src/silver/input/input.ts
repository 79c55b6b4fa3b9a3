import { CHANGE } from '../../bronze/database/known-rows.js'
import { fullName } from '../../define/dataset.js'
import type { AnyInput, Silver } from '../../define/model.js'
import { quoteName } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import type { BuildDecision } from '../../plan/decision.js'
import { knownOfAll } from '../../quality/known.js'
import { columnsOf } from '../../step/batches.js'
import { comparesKeys, ROW_ID } from '../keys.js'
import { isOwn } from './columns.js'
import { partOf } from './part.js'
import { areRowsPlaced } from './places.js'
import { sourcesOf, wantedBy } from './sources.js'
import type { InputContext, SilverInput, SilverPart, Source } from './types.js'

/**
 * Puts the inputs of a silver dataset together, one after the other, and applies `select`.
 *
 * @param textsAlone whether all rows shall come in one part, by their texts.
 */
export async function silverInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
  textsAlone = false,
): Promise<SilverInput> {
  const wanted = textsAlone ? new Map<string, string>() : wantedBy(dataset)
  const together = new Map<string, Source[]>()
  for (const from of dataset.from)
    for (const source of await sourcesOf(context, session, dataset, from, decision, wanted)) {
      const key = source.values.join()
      together.set(key, [...(together.get(key) ?? []), source])
    }
  const { only } = decision
  const { semiJoin, union } = session.dialect.rows
  const chosen = ({ sql }: Source) =>
    only ? `SELECT * FROM ${semiJoin(`(${sql})`, only, { using: ROW_ID })}` : sql
  const unions = [...together.values()].map((sources) => ({
    sql: union(sources.map(chosen)),
    values: sources[0]?.values ?? [],
    known: knownOfAll(sources.map(({ known }) => known)),
    rows: only ? undefined : sumOf(sources),
    estimated: sources.some(({ estimated }) => estimated),
  }))
  // One after the other, as all that is asked of a session.
  const names: string[][] = []
  for (const { sql } of unions) names.push((await session.describe(sql)).map((c) => c.name))
  const given = distinct(names.flat()).filter((name) => !/^_v\d+$/.test(name))
  const earlier = await earlierColumns(context, dataset, decision)
  // Where keys are compared only since lately, no batch may have the column that says so.
  const change = dataset.from.some(comparesKeys) ? [CHANGE] : []
  const newest = await newestColumns(context, dataset)
  const known = distinct([...given, ...newest, ...earlier, ...change])
  const columns = known.filter(isOwn)
  const available = dataset.from.every(mayLack) ? known : distinct([...given, ...newest])
  const all = { names: available, spelt: await speltBy(context, dataset), earlier }
  const parts: SilverPart[] = []
  for (const [i, source] of unions.entries()) {
    // A part may lack columns that others have.
    const own = new Set(names[i]?.map((name) => name.toLowerCase()))
    const missing = columns.filter((name) => !own.has(name.toLowerCase()))
    const nulls = missing.map((name) => `, CAST(NULL AS VARCHAR) AS ${quoteName(name)}`)
    const rows = nulls.length > 0 ? `SELECT *${nulls.join('')} FROM (${source.sql})` : source.sql
    const whole = { ...source, sql: rows }
    parts.push(await partOf(session, dataset, whole, all, columns, context.careful))
  }
  const isCounted = !unions.some(({ estimated }) => estimated)
  const arePlaced = () => areRowsPlaced(context, session, dataset, decision)
  return { parts, columns, rows: isCounted ? sumOf(parts) : undefined, arePlaced }
}

/** Names of columns, each once, as it is spelt first. */
function distinct(names: readonly string[]): string[] {
  return columnsOf([{ columns: names }])
}

/**
 * The columns that any batch of the inputs ever had: they are columns of the input also where the
 * batches that are read happen not to have them, so that an increment knows the columns which a
 * build from all rows knows.
 */
async function earlierColumns(
  { relations, part }: InputContext,
  dataset: Silver,
  { mode }: BuildDecision,
): Promise<readonly string[]> {
  const { view } = relations
  const names = dataset.from.map(fullName)
  const isIncremental = mode === 'incremental' || names.some((name) => view.expired?.[name])
  if (!isIncremental && !part) return []
  const { inputColumns: raw } = view.tables[fullName(dataset)] ?? {}
  if (raw && isIncremental) return raw
  const batches = names.map((name) => relations.batchColumns(view.batches[name] ?? []))
  return distinct((await Promise.all(batches)).flat())
}

/**
 * The columns that inputs have by now: batches that are read once more, as to replay rows of them,
 * may be from before some of these.
 */
async function newestColumns({ relations }: InputContext, { from }: Silver): Promise<string[]> {
  const last = from.map((one) => (relations.view.batches[fullName(one)] ?? []).slice(-1))
  return (await Promise.all(last.map((batch) => relations.batchColumns(batch)))).flat()
}

async function speltBy({ relations }: InputContext, { from }: Silver) {
  const spelt = new Map<string, string>()
  for (const name of from.map(fullName)) {
    const naming = await relations.naming?.(relations.view.batches[name] ?? [])
    for (const [outside, column] of naming?.spelt ?? []) spelt.set(outside, column)
  }
  return spelt
}

function sumOf(counted: readonly { rows: number | undefined }[]): number | undefined {
  const counts = counted.flatMap(({ rows }) => rows ?? [])
  return counts.length < counted.length ? undefined : counts.reduce((a, b) => a + b, 0)
}

/**
 * Whether batches may come without a column that others have; where a table's column is gone, what
 * reads it says so.
 */
function mayLack(input: AnyInput): boolean {
  return input.tier === 'bronze' && input.from.kind !== 'database'
}
