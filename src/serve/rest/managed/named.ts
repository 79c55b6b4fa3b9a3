import { isSameId } from '../../../iceberg/spec/metadata.js'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import type { Table } from '../../../iceberg/table.js'
import type { Storage } from '../../../storage/storage.js'
import { illegal } from '../errors.js'
import { refusing, writtenAt } from './written.js'

/** A table, and what it is called: `silver.orders`. */
interface Named {
  name: string
  table: Table
}

/**
 * Looks at what new tags and statistics name.
 *
 * @returns when the first of those files may have been written.
 * @throws RestError where they are not there, or where they may not be.
 */
export async function namedSince(
  storage: Storage,
  named: Named,
  before: AnyMetadata,
  after: AnyMetadata,
): Promise<Date> {
  const times = [Date.now()]
  const safe = new Set([before, after].map((of) => String(of['current-snapshot-id'])))
  for (const ref of Object.values(before.refs)) safe.add(String(ref['snapshot-id']))
  for (const [name, ref] of Object.entries(after.refs)) {
    const id = String(ref['snapshot-id'])
    if (safe.has(id)) continue
    const snapshot = after.snapshots.find((one) => isSameId(one['snapshot-id'], id))
    const list = snapshot?.['manifest-list']
    if (!snapshot || !list || !(await storage.stat(named.table.pathOf(list))))
      throw illegal(
        `Cannot tag snapshot ${id} of ${named.name} as ${name}: moraine vacuum has removed its files`,
      )
    times.push(snapshot['timestamp-ms'])
  }
  for (const kind of ['statistics', 'partition-statistics'] as const)
    for (const file of after[kind] ?? [])
      if (!before[kind]?.includes(file)) times.push(await statisticsAt(storage, named, after, file))
  return new Date(Math.min(...times))
}

/** When a file of statistics was written that a client names. */
async function statisticsAt(
  storage: Storage,
  { name, table }: Named,
  { snapshots }: AnyMetadata,
  file: Json,
): Promise<number> {
  const refuse = (why: string) => illegal(`Cannot set statistics of ${name}: ${why}`)
  const id = String(file['snapshot-id'])
  if (!snapshots.some((one) => isSameId(one['snapshot-id'], id)))
    throw refuse(`it has no snapshot ${id}`)
  const named = { location: String(file['statistics-path']) }
  return writtenAt(storage, table, `${table.folder}/`, named).catch(refusing(refuse))
}

/**
 * Statistics by their locations as the table spells them: Spark writes `file:/x` for `file:///x`.
 */
export function withPlaces(table: Table, metadata: AnyMetadata): AnyMetadata {
  const placed = (file: Json): Json => {
    const path = table.pathOf(String(file['statistics-path']))
    return { ...file, 'statistics-path': `${metadata.location}${path.slice(table.folder.length)}` }
  }
  const { statistics, 'partition-statistics': partitions } = metadata
  return {
    ...metadata,
    ...(statistics ? { statistics: statistics.map(placed) } : {}),
    ...(partitions ? { 'partition-statistics': partitions.map(placed) } : {}),
  }
}
