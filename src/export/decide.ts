import type { Field } from '../define/types/column-type.js'
import { MoraineError } from '../errors.js'
import type { Found, TargetDialect } from './dialect.js'
import { type LakeTable, metadataOf } from './lake-table.js'
import { type ExportRecord, shapeOf } from './record.js'

/** What an export does with a table, and why. */
export type Decision =
  | { action: 'none'; reason: string }
  | { action: 'replace'; reason: string }
  /** Only what changed since the version of the record. */
  | { action: 'changes'; reason: string; by: readonly string[] }

/** The comment of a table that an export made, by which it is known again. */
export const commentOf = (dataset: string) => `Moraine: exported from ${dataset}`

/** What a decision takes of the record of a target. */
type Known = Pick<ExportRecord, 'lake' | 'dataset' | 'metadata' | 'commit' | 'columns'>

interface Seen {
  lake: string
  /** The table as people write it: `analytics.orders`. */
  shown: string
  now: LakeTable
  record: Known | undefined
  found: Found | undefined
  full: boolean
  /** Whether the version of the record is one that this lake has, or had. */
  isOwn: boolean
  /** Whether that version was built with another key, by which no row of it can be found now. */
  hasOtherKey?: boolean
}

/**
 * What is to be done with one table.
 *
 * @throws MoraineError of kind `export` where a table of others is in the way.
 */
export function decide(seen: Seen): Decision {
  const { now, record, found, full, shown, hasOtherKey } = seen
  if (found) refuseInTheWay(seen, found)
  if (!found && record) return { action: 'replace', reason: `${shown} is gone from the target` }
  if (!record) return { action: 'replace', reason: 'first export' }
  if (full) return { action: 'replace', reason: 'all rows, as asked for' }
  if (JSON.stringify(record.columns) !== JSON.stringify(shapeOf(now.columns)))
    return { action: 'replace', reason: 'its columns have changed' }
  if ([metadataOf(now), ...now.sameRowsAs].includes(record.metadata))
    return { action: 'none', reason: `it has the rows of commit ${record.commit}` }
  if (hasOtherKey) return { action: 'replace', reason: 'its key or cursor has changed' }
  const by = now.key.length > 0 ? now.key : now.by === undefined ? [] : [now.by]
  if (by.length === 0)
    return { action: 'replace', reason: `changed since commit ${record.commit}, and has no key` }
  return { action: 'changes', reason: `changed since commit ${record.commit}`, by }
}

/** @throws MoraineError of kind `export` where no export has made the table. */
export function refuseOthers(shown: string, { comment }: Found, record?: Known): void {
  if (comment?.startsWith('Moraine: exported from ') === true) return
  throw new MoraineError('export', `${shown} exists, and no export of Moraine has made it`, {
    hint: record
      ? `Its comment does not say '${commentOf(record.dataset)}' any more. Rename or drop it, or restore the comment.`
      : `Nothing was changed. Rename it, or choose another name or schema in lake.ts: { dataset: …, as: 'other_name' }`,
  })
}

function refuseInTheWay(seen: Seen, found: Found): void {
  const { lake, shown, now, record, full, isOwn } = seen
  refuseOthers(shown, found, record)
  if (record && record.lake !== lake)
    throw new MoraineError('export', `${shown} is exported by the lake '${record.lake}'`, {
      hint: 'Choose another name or schema in lake.ts, or drop the table if that lake is gone.',
    })
  if (record && record.dataset !== now.dataset)
    throw new MoraineError('export', `${shown} is an export of ${record.dataset}`, {
      hint: `Choose another name for ${now.dataset} in lake.ts, or drop the table if it is no longer needed.`,
    })
  if (record && !isOwn && !full)
    throw new MoraineError(
      'export',
      `${shown} is exported by another lake that is called '${lake}', too: this one never had what it has of commit ${record.commit}`,
      {
        hint: 'Nothing was changed. Choose another name or schema in lake.ts; or, if this lake takes the place of the other, or was restored from a backup, export all rows once: moraine export --full',
      },
    )
}

/**
 * Columns as the target declares them.
 *
 * @throws MoraineError of kind `export` where it can't hold one exactly.
 */
export function columnsFor(dialect: TargetDialect, dataset: string, columns: readonly Field[]) {
  return columns.map((column) => {
    refuseLongName(dialect, dataset, column)
    const type = dialect.typeOf(column.type)
    if (typeof type === 'string') return `${dialect.quote(column.name)} ${type}`
    throw new MoraineError(
      'export',
      `${dataset}: column ${column.name} can't be exported: ${type.unfit}`,
      {
        hint: 'Nothing was changed. Cast the column in the query of a gold dataset, and export that.',
      },
    )
  })
}

/** A target would cut the name, and have the column under another one. */
function refuseLongName(
  { name: target, longestName }: TargetDialect,
  dataset: string,
  { name }: Field,
) {
  if (!longestName) return
  const { length, of } = longestName
  if ((of === 'bytes' ? Buffer.byteLength(name) : name.length) <= length) return
  throw new MoraineError(
    'export',
    `${dataset}: column ${name} can't be exported: names in ${target} have at most ${length} ${of}`,
    {
      hint: 'Nothing was changed. Rename the column in the query of a gold dataset, and export that.',
    },
  )
}
