import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { BuildDecision } from '../../plan/decision.js'
import { type StepContext, withSession } from '../../step/context.js'
import type { StepOutput } from '../../step/task/output.js'
import type { KeysPart } from '../../step/task/task.js'
import { discardedOf, discardedRows, writeDiscardedRows } from '../discarded.js'
import { bucketOf, keysOf, removesKeys } from '../keys.js'
import { type Matched, matchKeys } from '../merge.js'
import { shapeOfRows, targetOf } from '../merged.js'
import { staleAmong } from '../stale.js'
import { newTombstones, type Tombstones, writeTombstones } from '../tombstones.js'
import { rowsOf } from '../write.js'
import { type Compared, comparedRows, type KeysWork, latestOf, newestGroupFirst } from './latest.js'
import { noPlaces, writePlaces } from './scratch.js'
import { keepVersions } from './versions.js'

/**
 * Finds which of the rows that groups of files have written are the latest of their keys, and
 * merges them with the table as it stands.
 */
export async function compareKeys(
  context: StepContext,
  dataset: Silver,
  decision: BuildDecision,
  part: KeysPart,
): Promise<StepOutput> {
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    const target = await targetOf(context, session, dataset, decision)
    const { incremental } = target
    const bucket = bucketOf(session, dataset, part)
    const work = { context, session, dataset, target, part, bucket }
    const compared = await comparedRows(work)
    const found = await latestOf(session, dataset, compared)
    const { latest } = found
    const before = incremental
      ? await context.relations.tableAs(
          name,
          shapeOfRows(dataset, target).columns,
          dataset.partitionBy,
          target.renamed,
        )
      : undefined
    const matched = before && (await matchKeys(work, before, latest, bucket))
    const tombstones = await tombstonesOf(session, dataset, latest, matched)
    const kept = await writeTombstones(context, session, dataset, tombstones)
    const { discarded, stale } = await writeBad(work, compared)
    const late = await lateRows(session, dataset, latest, matched)
    const leaving = await session.materialize(
      [found.lost, late.places, ...(matched ? [`SELECT * FROM (${placesOf(matched)})`] : [])].join(
        ' UNION ALL ',
      ),
    )
    const files = [...compared.files, ...(matched?.tasks ?? []).map(({ file }) => file)]
    const lost = await writePlaces(work, compared.table, leaving, files)
    const versions = dataset.history ? await keepVersions(work) : undefined
    const now = {
      in: 0,
      kept: -(found.valid + late.valid),
      discarded: discarded.rows,
      superseded: found.superseded + (matched?.superseded ?? 0),
      ...(dataset.deleteWhen ? { deleted: tombstones?.deleted ?? 0 } : {}),
    }
    return {
      tables: { ...discarded.tables, ...kept, ...versions?.tables },
      counts: {
        now,
        replaced: matched?.replaced ?? 0,
        revived: tombstones?.lost ?? 0,
        replayed: 0,
        expired: 0,
        anew: !incremental,
      },
      result: stale > 0 ? { stale } : {},
      left: { lost: { ...(lost ? { [name]: lost } : {}), ...versions?.lost } },
    }
  })
}

const placesOf = ({ leaving }: Matched) => `SELECT _data_file, _data_row FROM ${leaving.sql}`

async function tombstonesOf(
  session: Session,
  dataset: Silver,
  latest: Relation,
  matched: Matched | undefined,
): Promise<Tombstones | undefined> {
  if (matched) return matched.tombstones
  return removesKeys(dataset) ? newTombstones(session, dataset, latest) : undefined
}

/** Rows that something newer is there for, which were written all the same. */
async function lateRows(
  session: Session,
  dataset: Silver,
  latest: Relation,
  matched: Matched | undefined,
): Promise<{ places: string; valid: number }> {
  if (!matched?.superseded) return { places: noPlaces, valid: 0 }
  const { semiJoin } = session.dialect.rows
  const late = await session.materialize(
    `SELECT _data_file, _data_row FROM ${semiJoin(latest.sql, matched.late.sql, { using: keysOf(dataset).join(', ') })} WHERE _kind = 'valid'`,
  )
  const valid = await count(session, `SELECT count(*) AS n FROM ${late.sql}`)
  return { places: `SELECT _data_file, _data_row FROM ${late.sql}`, valid }
}

/** Writes invalid rows of which is known now whether they are stale. */
async function writeBad(work: KeysWork, { rows, bad, hasBad }: Compared) {
  const { context, session, dataset, target } = work
  const { incremental, withIngestedAt } = target
  if (!hasBad) return { discarded: { tables: {}, rows: 0 }, stale: 0 }
  const list = keysOf(dataset).join(', ')
  const { qualify, semiJoin, union } = session.dialect.rows
  const others = await session.materialize(
    `SELECT * FROM ${semiJoin(rows.sql, bad.sql, { using: list })}`,
  )
  const first = (sql: string) =>
    qualify(
      '*',
      `(${sql})`,
      `row_number() OVER (PARTITION BY ${list} ORDER BY ${newestGroupFirst(dataset)}) = 1`,
    )
  const all = union([`SELECT * FROM ${others.sql}`, `SELECT * FROM ${bad.sql}`])
  const newest = await session.materialize(`SELECT * FROM (${first(all)}) WHERE _kind = 'bad'`)
  const latest = first(`SELECT * FROM ${others.sql}`)
  const valid = `SELECT ${list} FROM (${latest}) WHERE _kind = 'valid'`
  const stale = await staleAmong(work, newest, { valid, incremental })
  const flagged = { sql: `(SELECT *, false AS _superseded FROM ${bad.sql})` }
  const written = await writeDiscardedRows(
    context,
    session,
    dataset,
    discardedRows(dataset, flagged, stale, withIngestedAt),
    incremental,
  )
  const tables = { [discardedOf(dataset)]: written.output }
  return { discarded: { tables, rows: rowsOf(written) }, stale: stale.rows }
}
