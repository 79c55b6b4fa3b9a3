import { Lakehouse } from '../../load/lakehouse.js'
import { Journal } from '../../step/journal.js'
import type { Storage } from '../../storage/storage.js'
import { type KnownOfLake, LOOK_BACK } from '../prices/lake-cost.js'

/** What its last runs took, and what it stores. */
export async function knownOfLake({
  storage,
  log,
}: Pick<Lakehouse<Storage>, 'storage' | 'log'>): Promise<KnownOfLake> {
  const [entries, { tables }] = await Promise.all([
    new Journal(storage).latest(LOOK_BACK),
    log.head(),
  ])
  const sizes = new Map(Object.entries(tables).map(([name, { bytes }]) => [name, bytes]))
  const bytes = [...sizes.values()].reduce((sum, one) => sum + one, 0)
  return { records: entries.flatMap(({ record }) => record ?? []), bytes, tables: sizes }
}

/** The same of a lake that is deployed; nothing where it can't be looked at. */
export async function knownOfBucket(bucket: string): Promise<KnownOfLake> {
  try {
    return await knownOfLake(Lakehouse.at(`s3://${bucket}`))
  } catch {
    // What it costs is told by the example then.
    return {}
  }
}
