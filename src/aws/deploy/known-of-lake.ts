import type { Lake } from '../../define/lake.js'
import { messageOf } from '../../errors.js'
import { Lakehouse } from '../../load/lakehouse.js'
import { Journal } from '../../step/journal.js'
import type { Storage } from '../../storage/storage.js'
import { type KnownOfLake, LOOK_BACK } from '../prices/lake-cost.js'
import type { OlderFolders } from '../template/jobs/rights.js'
import { olderFolders } from './older-folders.js'

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

/** The same of a lake that is deployed, and where its objects lie. */
export interface KnownOfBucket extends KnownOfLake {
  olderFolders?: OlderFolders
}

/** What is known of a lake that is deployed; where it can't be looked at, what that means. */
export async function knownOfBucket(
  bucket: string,
  lake: Lake,
): Promise<{ known: KnownOfBucket; notes: string[] }> {
  try {
    const house = Lakehouse.at(`s3://${bucket}`)
    const found = { olderFolders: olderFolders(lake, await house.log.head()) }
    // What it costs is told by the example, where runs can't be read.
    const runs = await knownOfLake(house).catch(() => ({}))
    return { known: { ...runs, ...found }, notes: [] }
  } catch (error) {
    const why = messageOf(error).replace(/\.$/, '')
    return {
      known: {},
      notes: [
        `The log in s3://${bucket} could not be read: ${why}. A dataset that was renamed since the last deployment would be out of its job's reach. Deploy with credentials that may read the bucket and use its key`,
      ],
    }
  }
}
