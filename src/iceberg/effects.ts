import { randomBytes, randomUUID } from 'node:crypto'
import type { Id } from './spec/metadata.js'

export interface TableEffects {
  now: () => Date
  uuid: () => string
  /** Snapshot ids stay below 2^53, so that JSON can carry them. */
  snapshotId: () => Id
}

export const realEffects: TableEffects = {
  now: () => new Date(),
  uuid: randomUUID,
  snapshotId: () => Number(randomBytes(8).readBigUInt64BE() >> 12n),
}
