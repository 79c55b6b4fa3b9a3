import type { Json } from './json.js'
import type { AnyMetadata } from './metadata-json.js'

/** What is being changed, and what one change knows of those before it. */
export interface Draft {
  metadata: AnyMetadata
  /** The ids that were given last, to which -1 refers. */
  last: { schema?: number; spec?: number; order?: number }
  /** Snapshots that these updates add. */
  added: Set<string>
  /** When the table changed last, where an update says so. */
  updated?: number
  now: number
}

/** One update: changes the draft. */
export type Apply = (draft: Draft, update: Json) => void

/** Changes fields of the draft's metadata, in a new object. */
export function change(draft: Draft, fields: Partial<AnyMetadata>): void {
  draft.metadata = { ...draft.metadata, ...fields }
}
