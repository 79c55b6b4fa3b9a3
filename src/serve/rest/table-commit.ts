import type { Json } from '../../iceberg/spec/updates/json.js'
import type { ExternalState, TableState } from '../../log/commit.js'
import type { MetadataPointer } from './files.js'
import type { LoadedTable } from './loaded.js'
import type { Identifier } from './names.js'

/** What a client wants changed of one table. */
export interface TableCommit {
  identifier: Identifier
  requirements: readonly Json[]
  updates: readonly Json[]
}

/** What a table becomes by a request; it has no place yet where it changes. */
export interface Applied {
  after: LoadedTable
  /** Writes its metadata; what a commit says of it then. */
  save: () => Promise<{
    at: MetadataPointer
    relations?: Record<string, ExternalState>
    tables?: Record<string, TableState>
  }>
  /** What it does, and since when its files may lie there, where that is known. */
  did?: string
  since?: Date
}
