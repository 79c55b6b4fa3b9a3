import { ownValue } from '../../../own-value.js'
import type { Schema } from '../types.js'
import {
  integerOf,
  isSame,
  type Json,
  listOf,
  namesOf,
  objectOf,
  objectsOf,
  textOf,
  textsOf,
  withoutNulls,
} from './json.js'
import { invalid } from './refused.js'
import { given, schemaFrom, withSchema } from './shape-updates.js'

/** Metadata of a view (Iceberg View Spec). */
export interface ViewMetadata {
  'view-uuid': string
  'format-version': 1
  location: string
  schemas: Schema[]
  'current-version-id': number
  versions: ViewVersion[]
  'version-log': { 'version-id': number; 'timestamp-ms': number }[]
  properties: Record<string, string>
}

export interface ViewVersion {
  'version-id': number
  'timestamp-ms': number
  'schema-id': number
  summary: Record<string, string>
  representations: Json[]
  'default-catalog'?: string
  'default-namespace': string[]
}

/** @throws RefusedUpdate when what was read is no metadata of a view. */
export function completedView(json: Json): ViewMetadata {
  const read = withoutNulls(json)
  for (const name of ['view-uuid', 'location']) textOf(read, name)
  for (const name of ['schemas', 'versions', 'version-log']) listOf(read, name)
  if (read['format-version'] !== 1)
    throw invalid(`Unsupported format version of a view: ${read['format-version']}`)
  integerOf(read, 'current-version-id')
  return { properties: {}, ...read } as unknown as ViewMetadata
}

interface Draft {
  view: ViewMetadata
  last: { schema?: number; version?: number }
  now: number
}

/**
 * Applies updates to the metadata of a view (REST specification, ViewUpdate).
 *
 * @param before the metadata that lie there; `undefined` for a view that is being made.
 * @throws RefusedUpdate when an update can't be applied.
 */
export function applyViewUpdates(
  before: ViewMetadata | undefined,
  updates: readonly Json[],
  now: number,
): ViewMetadata {
  const empty: ViewMetadata = {
    'view-uuid': '',
    'format-version': 1,
    location: '',
    schemas: [],
    'current-version-id': -1,
    versions: [],
    'version-log': [],
    properties: {},
  }
  const draft: Draft = { view: before ?? empty, last: {}, now }
  for (const update of updates) {
    const action = textOf(update, 'action')
    const apply = ownValue(viewUpdates, action)
    if (!apply) throw invalid(`Unsupported update of a view: ${action}`)
    apply(draft, update)
  }
  const { view } = draft
  if (!view['view-uuid'] || !view.location || view['current-version-id'] < 0)
    throw invalid('The view has no uuid, location or version')
  if (before) refuseLostDialects(before, view)
  return expired(view, draft.last.version)
}

const viewUpdates: Readonly<Record<string, (draft: Draft, update: Json) => void>> = {
  'assign-uuid': (draft, update) => {
    const [uuid, known] = [textOf(update, 'uuid'), draft.view['view-uuid']]
    if (known && known.toLowerCase() !== uuid.toLowerCase())
      throw invalid(`Cannot reassign uuid: ${known}`)
    draft.view = { ...draft.view, 'view-uuid': known || uuid }
  },
  'upgrade-format-version': (_, update) => {
    const version = integerOf(update, 'format-version')
    if (version !== 1) throw invalid(`Unsupported format version of a view: ${version}`)
  },
  'set-location': (draft, update) => {
    draft.view = { ...draft.view, location: textOf(update, 'location').replace(/\/+$/, '') }
  },
  'set-properties': (draft, update) => {
    const properties = { ...draft.view.properties, ...textsOf(update, 'updates') }
    draft.view = { ...draft.view, properties }
  },
  'remove-properties': (draft, update) => {
    const gone = new Set(namesOf(update, 'removals'))
    const kept = Object.entries(draft.view.properties).filter(([name]) => !gone.has(name))
    draft.view = { ...draft.view, properties: Object.fromEntries(kept) }
  },
  'add-schema': (draft, update) => {
    const sent = schemaFrom(objectOf(update, 'schema'))
    const [schemas, id] = withSchema(draft.view.schemas, sent)
    draft.view = { ...draft.view, schemas }
    draft.last.schema = id
  },
  'add-view-version': (draft, update) => {
    draft.last.version = addVersion(draft, objectOf(update, 'view-version'))
  },
  'set-current-view-version': (draft, update) => {
    const sent = integerOf(update, 'view-version-id')
    if (sent === -1 && draft.last.version === undefined)
      throw invalid('Cannot set last version id: no current version id has been set')
    setCurrent(draft, sent === -1 ? (draft.last.version as number) : sent)
  },
}

function addVersion(draft: Draft, json: Json): number {
  const sent = withoutNulls(json)
  const { versions, schemas } = draft.view
  const schemaId = given(integerOf(sent, 'schema-id'), draft.last.schema, 'schema')
  if (!schemas.some((known) => known['schema-id'] === schemaId))
    throw invalid(`Cannot add version with unknown schema: ${schemaId}`)
  const representations = representationsOf(sent)
  integerOf(sent, 'timestamp-ms')
  if (sent['default-catalog'] !== undefined) textOf(sent, 'default-catalog')
  const version: ViewVersion = {
    ...(sent as unknown as ViewVersion),
    'schema-id': schemaId,
    representations,
    'default-namespace': namesOf(sent, 'default-namespace'),
    summary: sent.summary === undefined ? {} : textsOf(sent, 'summary'),
  }
  dialectsOf(version, true)
  const shape = ({ 'version-id': _, 'timestamp-ms': __, summary: ___, ...rest }: ViewVersion) =>
    rest
  const same = versions.find((known) => isSame(shape(known), shape(version)))
  if (same) return same['version-id']
  const id = Math.max(0, ...versions.map((known) => known['version-id'])) + 1
  draft.view = { ...draft.view, versions: [...versions, { ...version, 'version-id': id }] }
  return id
}

/** Of SQL, both the query and its dialect are there. */
export function representationsOf(version: Json): Json[] {
  const all = objectsOf(version, 'representations')
  for (const one of all)
    if (textOf(one, 'type').toLowerCase() === 'sql')
      for (const part of ['sql', 'dialect']) textOf(one, part)
  return all
}

function setCurrent(draft: Draft, id: number): void {
  const { view } = draft
  const version = view.versions.find((known) => known['version-id'] === id)
  if (!version) throw invalid(`Cannot set current version to unknown version: ${id}`)
  if (view['current-version-id'] === id) return
  const isNew =
    draft.last.version === id && view['version-log'].every((e) => e['version-id'] !== id)
  const time = isNew ? Number(version['timestamp-ms']) : draft.now
  const entry = { 'version-id': id, 'timestamp-ms': time }
  draft.view = {
    ...view,
    'current-version-id': id,
    'version-log': [...view['version-log'], entry],
  }
}

function dialectsOf({ representations }: ViewVersion, refuse = false): string[] {
  const dialects = representations.flatMap((one) =>
    one.type === 'sql' ? [String(one.dialect).toLowerCase()] : [],
  )
  const double = dialects.find((dialect, i) => dialects.indexOf(dialect) !== i)
  if (refuse && double !== undefined)
    throw invalid(`Invalid view version: Cannot add multiple queries for dialect ${double}`)
  return dialects
}

/** Who replaces a view in one dialect leaves the others, unless its properties allow it to go. */
function refuseLostDialects(before: ViewMetadata, after: ViewMetadata): void {
  if (after.properties['replace.drop-dialect.allowed'] === 'true') return
  const [was, is] = [before, after].map((view) => {
    const version = view.versions.find((v) => v['version-id'] === view['current-version-id'])
    return version ? dialectsOf(version) : []
  }) as [string[], string[]]
  if (was.every((dialect) => is.includes(dialect))) return
  throw invalid(
    `Cannot replace view due to loss of view dialects (replace.drop-dialect.allowed=false):\nPrevious dialects: [${was.sort().join(', ')}]\nNew dialects: [${is.sort().join(', ')}]`,
  )
}

/** A view remembers as many versions as its properties say. */
function expired(view: ViewMetadata, added: number | undefined): ViewMetadata {
  const most = Number(view.properties['version.history.num-entries'] ?? 10)
  if (!(most > 0)) throw invalid(`version.history.num-entries must be positive but was ${most}`)
  if (view.versions.length <= most) return view
  const newest = view.versions
    .map((version) => version['version-id'])
    .sort((a, b) => b - a)
    .filter((id) => id !== view['current-version-id'] && id !== added)
  const first = [...new Set([view['current-version-id'], ...(added === undefined ? [] : [added])])]
  const kept = new Set([...first, ...newest].slice(0, Math.max(first.length, most)))
  const log = view['version-log']
  const gap = log.findLastIndex((entry) => !kept.has(entry['version-id']))
  return {
    ...view,
    versions: view.versions.filter((version) => kept.has(version['version-id'])),
    'version-log': log.slice(gap + 1),
  }
}
