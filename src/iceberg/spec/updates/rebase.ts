import { ownValue } from '../../../own-value.js'
import {
  namedSnapshots,
  type Snapshot,
  type StatisticsFile,
  type TableMetadata,
} from '../metadata.js'
import { isSame } from './json.js'

/**
 * Puts a change of a table on top of one that was made beside it, where that one has changed
 * nothing but names of snapshots, statistics, and which old snapshots are kept: its rows and its
 * shape are the same.
 *
 * @param mine what was made of `before`.
 * @param theirs what others have made of it meanwhile.
 * @returns the metadata that have both, with the log of metadata files of `theirs`; `undefined`
 *   where the others have changed more.
 */
export function rebased(
  mine: TableMetadata,
  before: TableMetadata,
  theirs: TableMetadata,
): TableMetadata | undefined {
  if (!isSame(unnamed(before), unnamed(theirs))) return undefined
  if (mine['table-uuid'] !== theirs['table-uuid']) return undefined
  const { main } = mine.refs
  const refs = { ...carried(before.refs, theirs.refs, mine.refs), ...(main ? { main } : {}) }
  const snapshots = snapshotsOf(mine, before, theirs, namedSnapshots({ refs }))
  const kept = new Set(snapshots.map(idOf))
  const log = mine['snapshot-log']
  return {
    ...mine,
    refs,
    snapshots,
    // It may only go back to the first gap (spec, Table Metadata Fields).
    'snapshot-log': log.slice(log.findLastIndex((entry) => !kept.has(idOf(entry))) + 1),
    'metadata-log': theirs['metadata-log'],
    ...statisticsOf(
      {
        ...filesOf('statistics', before, theirs, mine),
        ...filesOf('partition-statistics', before, theirs, mine),
      },
      kept,
    ),
  }
}

const idOf = (of: { 'snapshot-id': Snapshot['snapshot-id'] }) => String(of['snapshot-id'])

/** Metadata without what may change while the table stays the same. */
function unnamed(metadata: TableMetadata): object {
  const {
    refs: _refs,
    snapshots: _snapshots,
    statistics: _statistics,
    'partition-statistics': _partitions,
    'snapshot-log': _log,
    'metadata-log': _files,
    'last-updated-ms': _time,
    ...others
  } = metadata
  return others
}

/** What one side has changed goes before what the other side has. */
function carried<T>(
  before: Readonly<Record<string, T>>,
  theirs: Readonly<Record<string, T>>,
  mine: Readonly<Record<string, T>>,
): Record<string, T> {
  const names = new Set([...Object.keys(theirs), ...Object.keys(mine)])
  const chosen = [...names].flatMap((name) => {
    const from = isSame(ownValue(before, name), ownValue(theirs, name)) ? mine : theirs
    const value = ownValue(from, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(chosen)
}

/** Those that mine keeps and theirs has not removed, and those that a name needs. */
function snapshotsOf(
  mine: TableMetadata,
  before: TableMetadata,
  theirs: TableMetadata,
  named: ReadonlySet<string>,
): Snapshot[] {
  const there = new Set(theirs.snapshots.map(idOf))
  const removed = new Set(before.snapshots.map(idOf).filter((id) => !there.has(id)))
  const kept = mine.snapshots.filter((one) => !removed.has(idOf(one)) || named.has(idOf(one)))
  const has = new Set(kept.map(idOf))
  const lacking = theirs.snapshots.filter((one) => named.has(idOf(one)) && !has.has(idOf(one)))
  return [...lacking, ...kept].sort((a, b) => a['sequence-number'] - b['sequence-number'])
}

function filesOf(
  name: 'statistics' | 'partition-statistics',
  ...versions: [before: TableMetadata, theirs: TableMetadata, mine: TableMetadata]
) {
  if (versions.every((version) => version[name] === undefined)) return {}
  const [before, theirs, mine] = versions.map((version) =>
    Object.fromEntries((version[name] ?? []).map((file) => [idOf(file), file])),
  ) as [Files, Files, Files]
  return { [name]: Object.values(carried(before, theirs, mine)) }
}

type Files = Record<string, StatisticsFile>

/** The statistics of those snapshots that are kept. */
function statisticsOf(
  metadata: Pick<TableMetadata, 'statistics' | 'partition-statistics'>,
  kept: ReadonlySet<string>,
): Pick<TableMetadata, 'statistics' | 'partition-statistics'> {
  const left = (files: readonly StatisticsFile[]) =>
    files.filter((file) => kept.has(String(file['snapshot-id'])))
  const { statistics, 'partition-statistics': partitions } = metadata
  return {
    ...(statistics ? { statistics: left(statistics) } : {}),
    ...(partitions ? { 'partition-statistics': left(partitions) } : {}),
  }
}
