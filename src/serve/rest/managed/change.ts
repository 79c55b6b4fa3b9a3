import type { Json } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import type { TableState } from '../../../log/commit.js'

/** A change of a table that `lake.ts` defines, which no commit holds yet. */
export interface ManagedChange {
  /** `silver.orders`. */
  table: string
  metadata: AnyMetadata
  /** What it does, in words; `undefined` where nothing changes. */
  did: string | undefined
  /** When the first of the files that it names may have been written. */
  since: Date
  /** What the log says of it, but for where its metadata lie: they are those of before. */
  state: TableState
  /** Whether its rows are the same. */
  sameRows: boolean
}

/** What a client sends of one table. */
export interface Sent {
  requirements: readonly Json[]
  updates: readonly Json[]
}
