import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { BuildDecision } from '../plan/decision.js'
import type { StepContext } from '../step/context.js'
import { findDuplicates } from './duplicates.js'
import {
  keyedColumns,
  keysOf,
  newestFirst,
  newestPlaceFirst,
  ROW_ID,
  removesKeys,
  samePlace,
} from './keys.js'
import type { Deduplicated, Validated } from './stages.js'
import { keysOfAll, type Tally } from './validate.js'

/**
 * What the newest row of a key says: that the key has these values, that it is gone, or (where
 * `onInvalidUpdate` removes) that nobody knows.
 */
const KIND = `CASE WHEN _reasons IS NOT NULL THEN 'invalid' WHEN _deleted THEN 'delete' ELSE 'valid' END`

/**
 * Finds the latest row of each key. Only rows whose key comes again are compared.
 *
 * @param sample how many of the first rows tell in which order they may be.
 */
export async function deduplicate(
  session: Session,
  dataset: Silver,
  { validated, tally }: { validated: Validated; tally: Pick<Tally, 'flagged'> },
  sample?: number,
): Promise<Deduplicated> {
  const keys = keysOf(dataset).join(', ')
  const readable = keysOf(dataset).map((key) => `${key} IS NOT NULL`)
  const invalid = dataset.onInvalidUpdate === 'remove' ? ` OR (${readable.join(' AND ')})` : ''
  const { rows, flagged, keyed, arePlaced } = validated
  const candidates = await session.view(
    `SELECT *, ${KIND} AS _kind FROM ${rows.sql} WHERE NOT _superseded AND (_reasons IS NULL${invalid})`,
  )
  const isRepeated =
    keys === ''
      ? undefined
      : await findDuplicates(session, keysOf(dataset), keyed, tally.flagged > 0, sample)
  const duplicates =
    keys !== '' && arePlaced
      ? await session.materialize(
          `SELECT ${keyedColumns(dataset)} FROM ${keyed.relation.sql} WHERE ${isRepeated ?? 'false'}`,
        )
      : undefined
  if (!isRepeated) return { candidates, latest: candidates, duplicates, superseded: 0 }
  if (duplicates && !removesKeys(dataset)) {
    const found = { candidates, duplicates, flagged }
    return { candidates, duplicates, ...(await latestByPlace(session, dataset, found)) }
  }
  return {
    candidates,
    duplicates,
    ...(await latestByValue(session, dataset, candidates, isRepeated)),
  }
}

type Latest = Pick<Deduplicated, 'latest' | 'superseded'>

/**
 * Finds the latest rows by the places of those that are not: only keys, cursors and places are
 * looked at.
 */
async function latestByPlace(
  session: Session,
  dataset: Silver,
  { candidates, duplicates, flagged }: Record<'candidates' | 'duplicates' | 'flagged', Relation>,
): Promise<Latest> {
  const keys = keysOf(dataset).join(', ')
  const { antiJoin, qualify } = session.dialect.rows
  const bad = `(SELECT * FROM ${flagged.sql} WHERE _reasons IS NOT NULL OR _superseded)`
  const superseded = await session.materialize(
    qualify(
      ROW_ID,
      antiJoin(duplicates.sql, bad, { using: ROW_ID }),
      `row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestPlaceFirst(dataset)}) > 1`,
    ),
  )
  const latest = await session.view(
    `SELECT * FROM ${antiJoin(`${candidates.sql} AS c`, `${superseded.sql} AS s`, { on: samePlace('c', 's') })}`,
  )
  return {
    latest,
    superseded: await count(session, `SELECT count(*) AS n FROM ${superseded.sql}`),
  }
}

/** Finds the latest rows by all that rows have. */
async function latestByValue(
  session: Session,
  dataset: Silver,
  { sql: candidates }: Relation,
  isRepeated: string,
): Promise<Latest> {
  const keys = keysOf(dataset).join(', ')
  const { antiJoin, qualify, semiJoin, union } = session.dialect.rows
  const { sql: repeated } = await session.materialize(
    `SELECT ${keys}, count(*) - 1 AS _more FROM ${candidates} WHERE ${isRepeated} GROUP BY ${keys} HAVING count(*) > 1`,
  )
  const ofRepeated = semiJoin(candidates, repeated, { using: keys })
  const { sql: newest } = await session.materialize(
    qualify(
      '*',
      `(SELECT * FROM ${ofRepeated})`,
      `row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestFirst(dataset)}) = 1`,
    ),
  )
  const latest = await session.view(
    union([
      `SELECT * FROM ${antiJoin(candidates, repeated, { using: keys })}`,
      `SELECT * FROM ${newest}`,
    ]),
  )
  if (!removesKeys(dataset)) {
    const all = `SELECT coalesce(sum(_more), 0) AS n FROM ${repeated}`
    return { latest, superseded: await count(session, all) }
  }
  // Invalid rows are counted as discarded, whether they lost or not.
  const before = `SELECT count(*) AS n FROM ${ofRepeated} WHERE _kind <> 'invalid'`
  const after = `SELECT count(*) AS n FROM ${newest} WHERE _kind <> 'invalid'`
  return { latest, superseded: (await count(session, before)) - (await count(session, after)) }
}

/**
 * Leaves out rows that a later row of their batch has superseded: neither the table nor tombstones
 * tell at which line of a batch their rows were.
 */
export async function withoutOutrun(
  context: StepContext & { careful?: boolean },
  session: Session,
  dataset: Silver,
  {
    decision,
    validated,
    deduplicated,
  }: { decision: BuildDecision; validated: Pick<Validated, 'rows'>; deduplicated: Deduplicated },
): Promise<Deduplicated> {
  if (dataset.key.length === 0) return deduplicated
  const { only: chosen, ...whole } = decision
  const all = await keysOfAll(context, session, dataset, whole)
  const { candidates, latest, superseded } = deduplicated
  const { cursor } = dataset
  const same = [...keysOf(dataset), ...(cursor ? [quoteName(cursor)] : []), '_batch'].map(
    (column) => `k.${column} IS NOT DISTINCT FROM w.${column}`,
  )
  const isLater = `(k._source_file > w._source_file OR (k._source_file = w._source_file AND k._source_line > w._source_line))`
  const { antiJoin, semiJoin } = session.dialect.rows
  const discarded = await context.relations.tableRelation(session, `discarded.${dataset.name}`)
  // Where invalid rows take keys away, those that stay discarded do so as well.
  const silent = dataset.onInvalidUpdate === 'remove' && chosen ? chosen : `(${discarded})`
  // Invalid rows among them are not the newest of their key.
  const outrun = await session.materialize(
    `SELECT DISTINCT w._source_line, w._source_file, w._batch
     FROM (SELECT * FROM ${validated.rows.sql} WHERE NOT _superseded) AS w
     JOIN (SELECT * FROM ${antiJoin(all.sql, silent, { using: ROW_ID })}) AS k ON ${same.join(' AND ')} AND ${isLater}`,
  )
  const outrunLatest = await count(
    session,
    `SELECT count(*) AS n FROM ${semiJoin(latest.sql, outrun.sql, { using: ROW_ID })} WHERE _kind <> 'invalid'`,
  )
  const without = ({ sql }: Relation) =>
    `SELECT * FROM ${antiJoin(sql, outrun.sql, { using: ROW_ID })}`
  return {
    ...deduplicated,
    candidates: await session.view(without(candidates)),
    latest: await session.materialize(without(latest)),
    superseded: superseded + outrunLatest,
    outrun,
  }
}
