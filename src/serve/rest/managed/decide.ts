import { isSameId } from '../../../iceberg/spec/metadata.js'
import { isObject, type Json, textOf } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { RETENTION } from '../../../iceberg/spec/updates/sent-parts.js'
import { ownValue } from '../../../own-value.js'
import { refusedRetention, refusedSnapshot, refusedUpdate } from './refusals.js'

/** What a client wants of a table that `lake.ts` defines. */
export interface ManagedRequest {
  /** `silver.orders`. */
  table: string
  metadata: AnyMetadata
  updates: readonly Json[]
  /** Whether its dataset says `writes: 'allow'`. */
  writable?: boolean
  /** Whether it is one that the run of this branch builds. */
  built?: boolean
}

/** What becomes of it; `did` says which names it changes, in words. */
export type ManagedDecision =
  /** Rows and shape stay as they are: tags and statistics come and go. */
  | { as: 'names'; did: readonly string[] }
  /** The same rows in other files, if the files hold what the snapshot says. */
  | { as: 'rewrite'; did: readonly string[] }
  /** Other rows, of an engine that may change them. */
  | { as: 'adoption'; did: readonly string[] }
  /** Rows and columns as a run has them made, which nobody sees before it publishes them. */
  | { as: 'build'; did: readonly string[] }
  | { as: 'refused'; why: string }

/** Whether a client may change a table that `lake.ts` defines, by what it wants changed. */
export function decideManaged(request: ManagedRequest): ManagedDecision {
  const { table, metadata, updates, writable = false, built = false } = request
  if (built) return decideBuilt(request)
  const snapshots = updates.flatMap(({ action, snapshot }) =>
    action === 'add-snapshot' && isObject(snapshot) ? [snapshot] : [],
  )
  if (updates.some((update) => setsRetention(metadata, update)))
    return { as: 'refused', why: refusedRetention(table) }
  const names: string[] = []
  for (const update of updates) {
    if (isOfSnapshot(update, snapshots)) continue
    const named = naming(metadata, update)
    if (named === undefined) return { as: 'refused', why: refusedUpdate(table, update) }
    if (named) names.push(named)
  }
  const did = [...new Set(names)]
  if (snapshots.length === 0) return { as: 'names', did }
  const other = snapshots.find((one) => operationOf(one) !== 'replace')
  if (other && !writable) return { as: 'refused', why: refusedSnapshot(table, other) }
  const flaw = flawOfChain(request, snapshots, writable ? Number.POSITIVE_INFINITY : 1)
  const doing = other ? 'write to' : 'rewrite files of'
  if (flaw) return { as: 'refused', why: `Cannot ${doing} ${table}: ${flaw}` }
  return { as: other ? 'adoption' : 'rewrite', did }
}

const operationOf = ({ summary }: Json) => (isObject(summary) ? summary.operation : undefined)

/** Whether the engine of a run may make an update of a table that the run builds. */
function decideBuilt({ table, metadata, updates }: ManagedRequest): ManagedDecision {
  for (const update of updates) {
    const { action, type, 'ref-name': name } = update
    const isOfMain = name === 'main' && (type === undefined || type === 'branch')
    const isMain = isOfMain && /^(set|remove)-snapshot-ref$/.test(String(action))
    const isHere = action === 'set-location' && update.location === metadata.location
    const isShape = SHAPE.has(String(action)) || isMain || isHere
    if (!isShape && naming(metadata, update) === undefined)
      return { as: 'refused', why: refusedUpdate(table, update) }
  }
  return { as: 'build', did: [] }
}

/** Updates that make other rows or columns of a table, and leave it where it is. */
const SHAPE: ReadonlySet<string> = new Set([
  'add-snapshot',
  'add-schema',
  'set-current-schema',
  'remove-schemas',
  'add-spec',
  'set-default-spec',
  'remove-partition-specs',
  'add-sort-order',
  'set-default-sort-order',
  'set-properties',
  'remove-properties',
])

/** Whether an update adds a snapshot, or makes it the current one. */
function isOfSnapshot(update: Json, added: readonly Json[]): boolean {
  const { action, type, 'ref-name': name, 'snapshot-id': id } = update
  if (action === 'add-snapshot') return added.length > 0
  if (action !== 'set-snapshot-ref' || name !== 'main' || type !== 'branch') return false
  return added.some((snapshot) => isSameId(snapshot['snapshot-id'], id))
}

/** Whether a later run would remove other snapshots than it would without an update. */
function setsRetention({ refs }: AnyMetadata, update: Json): boolean {
  if (update.action !== 'set-snapshot-ref' || update['ref-name'] !== 'main') return false
  return RETENTION.some((name) => {
    const value = update[name] ?? undefined
    return value !== undefined && String(value) !== String(refs.main?.[name])
  })
}

/** What is wrong with snapshots that are to follow the current one, by what they say themselves. */
function flawOfChain(
  { metadata, updates }: ManagedRequest,
  snapshots: readonly Json[],
  most: number,
): string | undefined {
  if (snapshots.length > most) return 'the request has several snapshots. Send one at a time'
  let current: unknown = metadata['current-snapshot-id']
  let next = Number(metadata['last-sequence-number'])
  for (const {
    'parent-snapshot-id': parent,
    'schema-id': schema,
    'sequence-number': sequence,
    'snapshot-id': id,
  } of snapshots) {
    next++
    if (!isSameId(parent ?? -1, current))
      return `snapshot ${parent ?? 'none'}, which it follows, is not the current one`
    if (!isSameId(schema ?? metadata['current-schema-id'], metadata['current-schema-id']))
      return `the snapshot has schema ${schema}, and the table has ${metadata['current-schema-id']}`
    if (!isSameId(sequence, next))
      return `the snapshot has sequence number ${sequence}, and the next one is ${next}`
    current = id
  }
  const shown = updates.findLast(
    (update) => update.action === 'set-snapshot-ref' && isOfSnapshot(update, snapshots),
  )
  if (shown && isSameId(shown['snapshot-id'], current)) return undefined
  return 'the snapshot is for a branch, and the table can have none'
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
