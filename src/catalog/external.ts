import { MoraineError, messageOf } from '../errors.js'
import { foreignMetadata } from '../iceberg/all-files.js'
import { isSameId } from '../iceberg/spec/metadata.js'
import type { Schema } from '../iceberg/spec/types.js'
import { typeText } from '../iceberg/spec/types.js'
import { type AnyMetadata, completed } from '../iceberg/spec/updates/metadata-json.js'
import { completedView, type ViewMetadata } from '../iceberg/spec/updates/view-metadata.js'
import type { ExternalRelation } from '../log/external.js'
import type { Storage } from '../storage/storage.js'
import type { CatalogColumn, CatalogEntry } from './describe.js'
import { externalMetadata } from './metadata-file.js'

/** Metadata files that are read at once. */
const TOGETHER = 16

/** Describes tables and views of other engines, as their metadata do. */
export async function describeExternal(
  storage: Storage,
  relations: readonly ExternalRelation[],
): Promise<CatalogEntry[]> {
  const entries: CatalogEntry[] = []
  for (let at = 0; at < relations.length; at += TOGETHER) {
    const some = relations.slice(at, at + TOGETHER).map((one) => described(storage, one))
    entries.push(...(await Promise.all(some)))
  }
  return entries
}

type Facts = Partial<CatalogEntry>

async function described(storage: Storage, relation: ExternalRelation): Promise<CatalogEntry> {
  return {
    ...externalEntry(relation),
    ...(relation.kind === 'view' ? { view: true as const } : {}),
    metadata: externalMetadata(storage, relation),
    ...(await facts(storage, relation)),
  }
}

/** What is known of a table or view of another engine by its name alone. */
export function externalEntry({
  fullName: name,
  namespace,
}: Pick<ExternalRelation, 'fullName' | 'namespace'>): CatalogEntry {
  return {
    name,
    tier: 'external',
    namespace,
    description: null,
    owner: null,
    tags: [],
    columns: [],
    key: [],
    partitions: [],
    from: [],
    to: [],
    rows: null,
    bytes: null,
    files: null,
    changed: null,
    location: null,
    metadata: null,
  }
}

/** One table that can't be read keeps nobody from seeing the others. */
async function facts(storage: Storage, relation: ExternalRelation): Promise<Facts> {
  try {
    const read = await foreignMetadata(storage, relation)
    return relation.kind === 'view' ? viewFacts(completedView(read)) : tableFacts(completed(read))
  } catch (error) {
    if (error instanceof MoraineError && error.retryable) throw error
    return { description: `Its metadata can’t be read: ${messageOf(error)}` }
  }
}

function tableFacts(metadata: AnyMetadata): Facts {
  const { properties, schemas, snapshots } = metadata
  const schema = schemas.find((one) => one['schema-id'] === metadata['current-schema-id'])
  const spec = metadata['partition-specs'].find(
    (one) => one['spec-id'] === metadata['default-spec-id'],
  )
  const current = metadata['current-snapshot-id']
  const snapshot = snapshots.find((one) => isSameId(one['snapshot-id'], current))
  return {
    ...about(properties),
    columns: columnsOf(schema),
    key: namesOf(schema, schema?.['identifier-field-ids'] ?? []),
    partitions: (spec?.fields ?? []).map(({ 'source-id': source, name, transform }) => {
      const [column = name] = namesOf(schema, [source])
      return transform === 'identity' ? column : `${transform}(${column})`
    }),
    ...totals(snapshot?.summary, snapshot === undefined),
    changed: timeOf(metadata['last-updated-ms']),
    location: metadata.location,
  }
}

function viewFacts(metadata: ViewMetadata): Facts {
  const { versions, schemas, properties, location } = metadata
  const version = versions.find((one) => one['version-id'] === metadata['current-version-id'])
  return {
    ...about(properties),
    columns: columnsOf(schemas.find((one) => one['schema-id'] === version?.['schema-id'])),
    changed: timeOf(metadata['version-log'].at(-1)?.['timestamp-ms']),
    location,
  }
}

const about = ({ comment, owner }: Readonly<Record<string, string>>): Facts => ({
  description: comment ?? null,
  owner: owner ?? null,
})

/** What a snapshot says of its rows; engines may leave it out. */
function totals(summary: Readonly<Record<string, string>> | undefined, isEmpty: boolean): Facts {
  if (isEmpty) return { rows: 0, bytes: 0, files: 0 }
  const number = (name: string) => {
    const text = summary?.[name]
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
  }
  const [records, deleted] = [number('total-records'), number('total-position-deletes') ?? 0]
  // How many rows equality deletes take away, nobody knows who has not read them.
  const isKnown = records !== null && !number('total-equality-deletes')
  return {
    rows: isKnown ? records - deleted : null,
    bytes: number('total-files-size'),
    files: number('total-data-files'),
  }
}

function columnsOf(schema: Schema | undefined): CatalogColumn[] {
  return (schema?.fields ?? []).map(({ name, type, doc }) => ({
    name,
    type: typeText(type),
    description: doc ?? null,
    from: [],
    to: [],
  }))
}

const namesOf = (schema: Schema | undefined, ids: readonly number[]) =>
  ids.flatMap((id) => schema?.fields.find((field) => field.id === id)?.name ?? [])

const timeOf = (milliseconds: number | undefined) =>
  milliseconds === undefined ? null : new Date(milliseconds).toISOString()
