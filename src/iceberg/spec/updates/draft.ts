import type { Json } from './json.js'
import type { AnyMetadata } from './metadata-json.js'
import { invalid } from './refused.js'

/** What is being changed, and what one change knows of those before it. */
export interface Draft {
  metadata: AnyMetadata
  /** The ids that were given last, to which -1 refers. */
  last: { schema?: number; spec?: number; order?: number }
  /** Snapshots that these updates add. */
  added: Set<string>
  /** Snapshots that these updates remove: no other may get the id of one. */
  removed: Set<string>
  /** When the table changed last, where an update says so. */
  updated?: number
  now: number
  /** How much of the metadata has been copied so far. */
  copied?: number
}

export const draftOf = (metadata: AnyMetadata, now: number): Draft => ({
  metadata,
  last: {},
  added: new Set(),
  removed: new Set(),
  now,
})

/** Values of the metadata that one commit may copy: each update makes its list anew. */
const MOST_COPIED = 50_000_000
/** What a named value costs beside one in a list. */
const NAMED = 50

const sizeOf = (value: unknown) => {
  if (Array.isArray(value)) return value.length
  return typeof value === 'object' && value !== null ? NAMED * Object.keys(value).length : 1
}

/** One update: changes the draft. */
export type Apply = (draft: Draft, update: Json) => void

/**
 * Changes fields of the draft's metadata, in a new object.
 *
 * @throws RefusedUpdate where so many updates come together that they would hold up everybody else.
 */
export function change(draft: Draft, fields: Partial<AnyMetadata>): void {
  const values: unknown[] = Object.values(fields)
  const copied = values.reduce<number>((sum, value) => sum + sizeOf(value), draft.copied ?? 0)
  draft.copied = copied
  if (copied > MOST_COPIED)
    throw invalid('The request has too many updates of one table: send them in several requests')
  draft.metadata = { ...draft.metadata, ...fields }
}
