import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { DatabaseSource } from '../../define/source.js'
import { quoteName } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import type { BatchPointer, LakeState } from '../../log/commit.js'
import { type RunContext, withSession } from '../../step/context.js'
import { Relations } from '../../step/relations.js'
import { type Discarded, discardedOf, readsOf, type Watermark } from './checkpoint.js'
import { HELD_ALONE, isOpen, rowHash, rowsThere } from './known-rows.js'

/*
 * Rows of a batch that was discarded have been taken, although bronze does not have them any more:
 * a watermark knows them by hashes for as long as they are read again.
 */

/** What is to be noted of a batch that is about to be discarded. */
export interface Remembered {
  watermark?: Watermark
  /** Not all of its rows could be noted: the next run takes others for new. */
  incomplete?: true
}

type Lake = Pick<RunContext, 'storage' | 'engine' | 'signal' | 'progress'> & { state: LakeState }

/** Notes which rows of a batch would come again by themselves once it is discarded. */
export async function rememberBatch(
  lake: Lake,
  dataset: Bronze,
  pointer: BatchPointer,
): Promise<Remembered> {
  const { from: source } = dataset
  const before = lake.state.watermarks[fullName(dataset)] as Watermark | undefined
  if (source.kind !== 'database' || source.cursor === undefined || pointer.rows === 0) return {}
  // With another definition its reading begins anew.
  if (before?.reads !== readsOf(source)) return {}
  try {
    const found = await hashesIn(lake, { dataset, source, before, pointer })
    const known = before.discarded ?? {}
    const rows = [...(known.rows ?? []), ...found.rows]
    const keys = [...new Set([...(known.keys ?? []), ...found.keys])]
    const [fewRows, fewKeys] = [rows.length <= HELD_ALONE, keys.length <= HELD_ALONE]
    const noted = discardedOf(fewRows ? rows : known.rows, fewKeys ? keys : known.keys)
    return {
      watermark: { ...before, ...noted },
      ...(fewRows && fewKeys ? {} : { incomplete: true }),
    }
  } catch (error) {
    lake.signal.throwIfAborted()
    // A batch that nothing can read any more may be discarded for just that.
    if (!(error instanceof MoraineError) || error.retryable) throw error
    return { incomplete: true }
  }
}

/** The rows of a batch that are read again, and its keys where they are compared. */
function hashesIn(
  { state, ...context }: Lake,
  {
    dataset,
    source: { cursor = '', key, compareKeys, columns: wanted },
    before: { columns: known, load, from = load?.next ?? null },
    pointer,
  }: { dataset: Bronze; source: DatabaseSource; before: Watermark; pointer: BatchPointer },
): Promise<Required<Discarded>> {
  return withSession(context, fullName(dataset), async (session) => {
    const { dialect } = session
    const relations = new Relations(context.storage, state)
    const { sql, columns } = await relations.bronzeRelation(session, [pointer], [])
    const hashes = async (what: string, condition: string) => {
      const rows = await session.rows(
        `SELECT ${what} AS _hash FROM (${sql}) WHERE ${rowsThere(columns)} AND ${condition} LIMIT ${HELD_ALONE + 1}`,
      )
      return rows.map(({ _hash }) => String(_hash))
    }
    const read = known.map(({ name }) => name).filter((name) => wanted?.includes(name) ?? true)
    const shared = read.filter((name) => columns.includes(name))
    // Rows that do not show their cursor are known by their hashes as it is.
    const rows = shared.includes(cursor)
      ? await hashes(rowHash(shared, dialect), isOpen(quoteName(cursor), from, dialect))
      : []
    const keys = compareKeys ? await hashes(`DISTINCT ${rowHash(key, dialect)}`, 'true') : []
    return { rows, keys }
  })
}
