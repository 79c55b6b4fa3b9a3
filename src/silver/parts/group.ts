import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import { quoteName } from '../../define/sql/sql.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { StepContext } from '../../step/context.js'
import { proveNothingLost } from '../../step/task/counts.js'
import type { StepOutput } from '../../step/task/output.js'
import type { FilesPart } from '../../step/task/task.js'
import { discardedOf, discardedRows, writeDiscardedRows } from '../discarded.js'
import { failedRows } from '../failed.js'
import { removesKeys } from '../keys.js'
import { freshRows, type Target } from '../merge.js'
import type { Ready } from '../merged.js'
import { targetOf, writeRows } from '../merged.js'
import { isStale, mayBeStale, newestInvalid } from '../stale.js'
import { inputColumns, rowsOf, saidOf } from '../write.js'
import {
  comparedColumns,
  namesOf,
  noReasons,
  othersOf,
  versionsOf,
  writeScratch,
} from './scratch.js'

/** What is validated of a group of files. */
interface Group {
  context: StepContext
  session: Session
  ready: Ready
  /** Invalid rows that are the newest of their key. */
  newest: Relation | undefined
}

/**
 * Writes what a group of files gives, as if no other had the same keys: the latest row of each key,
 * what is discarded, and for who compares keys what says something of them.
 */
export async function writeGroup(
  context: StepContext,
  session: Session,
  ready: Ready,
  { index }: FilesPart,
): Promise<StepOutput> {
  const { dataset, decision, validated, tally, deduplicated } = ready
  const name = fullName(dataset)
  const target = await targetOf(context, session, dataset, decision)
  const removed = target.incremental ? new Set<string>() : ('all' as const)
  const rows = freshRows(target, deduplicated.latest)
  const written = await writeRows(context, session, { dataset, target }, { rows, removed })
  const newest =
    mayBeStale(dataset) && tally.discarded > 0
      ? await newestInvalid(session, dataset, { ...validated, ...deduplicated })
      : undefined
  const others = await writeOthers({ context, session, ready, newest }, index)
  const discarded = await writeReasons({ context, session, ready, newest }, target)
  const versions = dataset.history
    ? await writeScratch(
        context,
        session,
        versionsOf(dataset),
        `SELECT ${namesOf(versionsOf(dataset))} FROM ${deduplicated.candidates.sql}`,
      )
    : []
  const now = {
    in: tally.rows,
    kept: rowsOf(written),
    discarded: rowsOf(discarded),
    superseded: tally.superseded + deduplicated.superseded,
  }
  proveNothingLost(name, { ...now, deleted: others.unsettled })
  const failed = await failedRows(session, validated.flagged, tally)
  const state = { inputColumns: inputColumns(context, dataset, target, validated) }
  return {
    tables: { [name]: { ...written.output, state }, [discardedOf(dataset)]: discarded.output },
    counts: { now, replaced: 0, revived: 0, replayed: 0, expired: 0, anew: !target.incremental },
    result: saidOf(tally),
    left: {
      group: { index, data: written.added, others: others.files, versions },
      unsettled: others.unsettled,
      ...(failed ? { failed } : {}),
    },
  }
}

/** Writes rows that are none of the table and have a say about keys. */
async function writeOthers({ context, session, ready, newest }: Group, index: number) {
  const { dataset, validated, deduplicated } = ready
  const { latest } = deduplicated
  const columns = comparedColumns(dataset).map(({ name }) => quoteName(name))
  const shown = `${columns.join(', ')}, _batch, _source_file, _source_line, ${index} AS _group`
  const sources: string[] = []
  let unsettled = 0
  if (removesKeys(dataset)) {
    const taking = `${latest.sql} WHERE _kind <> 'valid'`
    sources.push(
      `SELECT ${shown}, _kind, ${noReasons(session)} AS _reasons, CAST(NULL AS VARCHAR) AS _raw FROM ${taking}`,
    )
    unsettled += await count(session, `SELECT count(*) AS n FROM ${taking} AND _kind = 'delete'`)
  }
  if (newest) {
    const bad = `${validated.flagged.sql} AS f WHERE ${isNewest(dataset, newest)}`
    sources.push(`SELECT ${shown}, 'bad' AS _kind, _reasons, _raw FROM ${bad}`)
    unsettled += await count(session, `SELECT count(*) AS n FROM ${bad}`)
  }
  if (sources.length === 0) return { files: [], unsettled }
  const rows = session.dialect.rows.union(sources)
  return { files: await writeScratch(context, session, othersOf(dataset), rows), unsettled }
}

/** Writes discarded rows, but for those of which others settle whether they are stale. */
function writeReasons({ context, session, ready, newest }: Group, target: Target) {
  const { dataset, validated, tally } = ready
  const all = discardedRows(dataset, validated.flagged, { rows: 0 }, target.withIngestedAt)
  const rows = newest ? `${all} AND NOT ${isNewest(dataset, newest)}` : all
  const some = tally.discarded > 0 ? rows : undefined
  return writeDiscardedRows(context, session, dataset, some, target.incremental)
}

/** SQL that a flagged row `f` is discarded, and the newest of its key. */
const isNewest = (dataset: Silver, newest: Relation) =>
  `(_reasons IS NOT NULL AND NOT _superseded AND ${isStale(dataset, { rows: 0, relation: newest })})`
