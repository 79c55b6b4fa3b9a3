import { type Json, textOf } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { ownValue } from '../../../own-value.js'
import { refusedUpdate } from './refusals.js'

/** What a client wants of a table that `lake.ts` defines. */
export interface ManagedRequest {
  /** `silver.orders`. */
  table: string
  metadata: AnyMetadata
  updates: readonly Json[]
}

/** What becomes of it. */
export type ManagedDecision =
  /** Rows and shape stay as they are: tags and statistics come and go. */
  { as: 'names'; did: readonly string[] } | { as: 'refused'; why: string }

/** Whether a client may change a table that `lake.ts` defines, by what it wants changed. */
export function decideManaged(request: ManagedRequest): ManagedDecision {
  const did: string[] = []
  for (const update of request.updates) {
    const named = naming(request.metadata, update)
    if (named === undefined) return { as: 'refused', why: refusedUpdate(request.table, update) }
    if (named) did.push(named)
  }
  return { as: 'names', did: [...new Set(did)] }
}

/**
 * What an update that leaves rows and shape alone does, in words: nothing, where it says what is so
 * already. `undefined` for all others.
 */
function naming(metadata: AnyMetadata, update: Json): string | undefined {
  const name = String(update['ref-name'] ?? '')
  const type = name === 'main' ? 'branch' : ownValue(metadata.refs, name)?.type
  switch (textOf(update, 'action')) {
    case 'set-snapshot-ref':
      return update.type === 'tag' && type !== 'branch' ? `tag ${name}` : undefined
    case 'remove-snapshot-ref':
      return type === 'branch' ? undefined : `remove tag ${name}`
    case 'set-statistics':
    case 'set-partition-statistics':
      return 'set statistics'
    case 'remove-statistics':
    case 'remove-partition-statistics':
      return 'remove statistics'
    case 'assign-uuid':
      return isSameText(update.uuid, metadata['table-uuid']) ? '' : undefined
    case 'upgrade-format-version':
      return update['format-version'] === metadata['format-version'] ? '' : undefined
    default:
      return undefined
  }
}

const isSameText = (a: unknown, b: string) => String(a).toLowerCase() === b.toLowerCase()
