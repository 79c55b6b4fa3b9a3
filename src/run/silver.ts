import type { Field } from '../define/column-type.js'
import { fullName, type Silver } from '../define/dataset.js'
import { lookupsOf } from '../define/inputs.js'
import { fieldsOfShape } from '../define/schema.js'
import { quoteText } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { definitionText } from '../plan/fingerprint.js'
import type { Decision } from '../plan/plan.js'
import { compileChecks } from '../quality/compile.js'
import type { Built } from './build.js'
import { hash, type RunContext, withSession } from './context.js'
import type { ReasonCount } from './events.js'
import { bindExpression, emptyRelation } from './expressions.js'
import { type Merge, mergeByKey, pickWinners } from './merge.js'
import { silverInput } from './silver-input.js'
import { aboutTable, tableState, writeTable } from './tables.js'

type Build = Extract<Decision, { action: 'build' }>

/** Columns of every table of discarded rows. */
export const discardedColumns: readonly Field[] = [
  { name: 'reasons', type: { kind: 'list', element: { kind: 'string' } } },
  {
    name: 'raw',
    type: { kind: 'string' },
    description: 'The raw values as JSON, or the raw line.',
  },
  { name: '_source_file', type: { kind: 'string' } },
  { name: '_source_line', type: { kind: 'bigint' }, description: 'Physical line, from 1.' },
  { name: '_batch', type: { kind: 'string' } },
  { name: '_discarded_at', type: { kind: 'timestamptz' } },
]

/** Columns that every silver table has beside those of its schema. */
export const silverLineage: readonly Field[] = [
  { name: '_loaded_at', type: { kind: 'timestamptz' } },
  { name: '_batch', type: { kind: 'string' } },
]

/**
 * Reads new bronze rows (or all), checks them in one pass, keeps the newest of each key, and writes
 * what is kept and what is discarded. Proves that no row was lost.
 */
export async function buildSilver(
  context: RunContext,
  dataset: Silver,
  decision: Build,
): Promise<Built> {
  return withSession(context, fullName(dataset), async (session) => {
    await context.relations.define(session, lookupsOf(dataset))
    const columns = fieldsOfShape(dataset.schema.shape as never)
    for (const { condition } of dataset.rules)
      await bindExpression(session, condition, emptyRelation(columns))
    await check(context, session, dataset, decision)
    const tally = await tallyRows(session)
    await refuseFailures(session, dataset)
    const duplicates = await pickWinners(session, dataset)
    const incremental = decision.mode === 'incremental'
    const merge = await mergeByKey(context, session, dataset, columns, incremental)
    return write(context, session, { dataset, incremental, columns, tally, duplicates, merge })
  })
}

/** Fills the temporary table `checked`: a row in, a row out, with values and reasons. */
async function check(
  context: RunContext,
  session: Session,
  dataset: Silver,
  decision: Build,
): Promise<void> {
  const input = await silverInput(context, session, dataset, decision)
  const prefix = `${context.run}_${dataset.name}`.replace(/\W/g, '_')
  const compiled = compileChecks(dataset, input.raw, prefix)
  session.register(compiled.functions)
  const raw = `CASE WHEN _error IS NOT NULL THEN _raw
    WHEN _reasons IS NOT NULL OR _failures IS NOT NULL THEN CAST(to_json(_input) AS VARCHAR) END`
  await session.run(
    `CREATE TEMP TABLE checked AS SELECT * EXCLUDE (_input, _raw), ${raw} AS _raw
     FROM (${compiled.over(`(${input.relation})`)})`,
  )
}

interface Tally {
  rows: number
  discarded: number
  /** Rows of earlier versions of their file. */
  superseded: number
  reasons: ReasonCount[]
  warnings: ReasonCount[]
}

async function tallyRows(session: Session): Promise<Tally> {
  const [row] = await session.rows(
    `SELECT count(*) AS n, count(*) FILTER (NOT _superseded AND _reasons IS NOT NULL) AS discarded,
     count(*) FILTER (_superseded) AS superseded FROM checked`,
  )
  return {
    rows: Number(row?.n),
    discarded: Number(row?.discarded),
    superseded: Number(row?.superseded),
    reasons: await countReasons(session, '_reasons'),
    warnings: await countReasons(session, '_warnings', '_reasons IS NULL'),
  }
}

async function countReasons(
  session: Session,
  list: string,
  where = 'true',
): Promise<ReasonCount[]> {
  const rows = await session.rows(
    `SELECT reason, count(*) AS n FROM (SELECT unnest(${list}) AS reason FROM checked
     WHERE NOT _superseded AND ${where})
     GROUP BY reason ORDER BY n DESC, reason`,
  )
  return rows.map((row) => ({ reason: String(row.reason), rows: Number(row.n) }))
}

/** A row that breaks a check of severity `fail` keeps the whole step from being published. */
async function refuseFailures(session: Session, dataset: Silver): Promise<void> {
  const failures = await countReasons(session, '_failures')
  if (failures.length === 0) return
  const [example] = await session.rows(
    'SELECT _source_file, _source_line, _raw FROM checked WHERE _failures IS NOT NULL ORDER BY _batch, _source_file, _source_line LIMIT 1',
  )
  const said = failures.map(({ reason, rows }) => `${reason} (${rows} rows)`).join('; ')
  const where = example?._source_file
    ? ` First at ${example._source_file}:${example._source_line}.`
    : ''
  throw new MoraineError(
    'quality',
    `${fullName(dataset)}: a check of severity fail is broken: ${said}.${where}`,
    {
      place: dataset.place,
      hint: 'Nothing of this dataset was published: mend the source, or give the check another severity.',
    },
  )
}

interface Prepared {
  dataset: Silver
  incremental: boolean
  columns: readonly Field[]
  tally: Tally
  duplicates: number
  merge: Merge
}

async function write(context: RunContext, session: Session, prepared: Prepared): Promise<Built> {
  const { dataset, incremental, columns, tally, duplicates, merge } = prepared
  const name = fullName(dataset)
  const definition = hash(definitionText(dataset))
  const { table, added } = await writeTable(context, session, {
    name,
    columns: [...columns, ...silverLineage],
    partitions: dataset.partitionBy,
    about: aboutTable(dataset.about),
    rows: merge.rows,
    removed: merge.removed,
  })
  const discarded = await writeDiscarded(context, session, dataset, incremental)
  const written = added.reduce((sum, file) => sum + file.rows, 0)
  const counts = {
    in: tally.rows,
    kept: written - merge.carried,
    discarded: discarded.written,
    superseded: tally.superseded + duplicates + merge.superseded,
  }
  const { replaced } = merge
  const before = incremental ? context.relations.view.tables[name]?.counts : undefined
  const ever = {
    in: (before?.in ?? 0) + counts.in,
    kept: (before?.kept ?? 0) + counts.kept - replaced,
    discarded: (before?.discarded ?? 0) + counts.discarded,
    superseded: (before?.superseded ?? 0) + counts.superseded + replaced,
  }
  proveNothingLost(name, counts)
  proveNothingLost(name, { ...ever, kept: table.totals.rows })
  const state = tableState(table, definition, ever)
  return {
    tables: { [name]: state, [discarded.name]: tableState(discarded.table, definition) },
    result: {
      counts: { ...counts, replaced },
      rows: counts.kept,
      files: added.length,
      bytes: added.reduce((sum, file) => sum + file.bytes, 0),
      ...(tally.reasons.length > 0 ? { discarded: tally.reasons } : {}),
      ...(tally.warnings.length > 0 ? { warnings: tally.warnings } : {}),
    },
  }
}

async function writeDiscarded(
  context: RunContext,
  session: Session,
  dataset: Silver,
  incremental: boolean,
) {
  const name = `discarded.${dataset.name}`
  const at = `TIMESTAMPTZ ${quoteText(context.started.toISOString())}`
  const { table, added } = await writeTable(context, session, {
    name,
    columns: discardedColumns,
    partitions: [],
    rows: `SELECT _reasons AS reasons, _raw AS raw, _source_file, _source_line, _batch, ${at} AS _discarded_at
      FROM checked WHERE _reasons IS NOT NULL AND NOT _superseded ORDER BY _batch, _source_file, _source_line`,
    removed: incremental ? new Set() : 'all',
  })
  return { name, table, written: added.reduce((sum, file) => sum + file.rows, 0) }
}

/** Every row in is kept, discarded or superseded: anything else is a mistake that must not pass. */
function proveNothingLost(
  name: string,
  counts: { in: number; kept: number; discarded: number; superseded: number },
): void {
  if (counts.in === counts.kept + counts.discarded + counts.superseded) return
  throw new MoraineError(
    'corrupt',
    `${name}: the rows do not add up: ${counts.in} in, but ${counts.kept} kept + ${counts.discarded} discarded + ${counts.superseded} superseded`,
    { hint: 'This is a mistake in Moraine; nothing was published. Please report it.' },
  )
}
