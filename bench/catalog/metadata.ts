import { createHash } from 'node:crypto'
import { toJsonText } from '../../src/iceberg/json.js'
import { applyUpdates } from '../../src/iceberg/spec/updates/apply.js'
import { createdMetadata } from '../../src/iceberg/spec/updates/create.js'
import type { AnyMetadata } from '../../src/iceberg/spec/updates/metadata-json.js'

/** Stand in metadata for what each table has of its own. */
const LOCATION = 'file:///location-of-the-table'
const UUID = '00000000-0000-4000-8000-000000000000'

const columns = [
  ...['id', 'customer', 'product', 'quantity', 'store'].map((name) => ({ name, type: 'long' })),
  ...['status', 'country', 'note', 'channel'].map((name) => ({ name, type: 'string' })),
  ...['price', 'tax', 'total'].map((name) => ({ name, type: 'decimal(12, 2)' })),
  ...['created', 'changed', 'shipped'].map((name) => ({ name, type: 'timestamptz' })),
].map((column, i) => ({ id: i + 1, required: false, ...column }))

/** A snapshot as Spark sends it when it has appended to a table. */
export function snapshotAfter(
  location: string,
  sequence: number,
  parent: string | undefined,
  now: number,
): { id: string; text: string } {
  const digest = createHash('sha256').update(`${location} ${sequence} ${now}`).digest()
  const id = String(digest.readBigUInt64BE() >> 1n)
  const summary = {
    operation: 'append',
    'spark.app.id': 'local-1764370000000',
    'added-data-files': '4',
    'added-records': '125000',
    'added-files-size': '9437184',
    'changed-partition-count': '2',
    'total-records': String(125_000 * sequence),
    'total-files-size': String(9_437_184 * sequence),
    'total-data-files': String(4 * sequence),
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
    'engine-version': '4.1.4',
    'app-id': 'local-1764370000000',
    'engine-name': 'spark',
    'iceberg-version': 'Apache Iceberg 1.12.0',
  }
  const list = `${location}/metadata/snap-${id}-1-${digest.toString('hex', 8, 24)}.avro`
  // Written as text: the ids pass what numbers of JavaScript can hold.
  const text = `{"sequence-number":${sequence},"snapshot-id":${id},${
    parent === undefined ? '' : `"parent-snapshot-id":${parent},`
  }"timestamp-ms":${now},"summary":${JSON.stringify(summary)},"manifest-list":${JSON.stringify(list)},"schema-id":0}`
  return { id, text }
}

/** Texts of metadata of one size, for any number of tables. */
export class Template {
  readonly snapshots: number
  private readonly text: string

  /** @param bytes what they have at least. */
  constructor(bytes: number) {
    let metadata = created()
    let parent: string | undefined
    let text = ''
    let count = 0
    while (text.length < bytes) {
      const now = 1_764_000_000_000 + count * 600_000
      const { id, text: sent } = snapshotAfter(LOCATION, ++count, parent, now)
      const snapshot = { ...JSON.parse(sent), 'snapshot-id': BigInt(id) }
      if (parent !== undefined) snapshot['parent-snapshot-id'] = BigInt(parent)
      const ref = { 'ref-name': 'main', type: 'branch', 'snapshot-id': BigInt(id) }
      const updates = [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', ...ref },
      ]
      const version = String(count - 1).padStart(5, '0')
      const previousFile = `${LOCATION}/metadata/${version}-${UUID}.metadata.json`
      metadata = applyUpdates(metadata, updates, { previousFile, now })
      parent = id
      text = toJsonText(metadata)
    }
    this.text = text
    this.snapshots = count
  }

  of(location: string, uuid: string): string {
    return this.text.replaceAll(LOCATION, location).replaceAll(UUID, uuid)
  }
}

function created(): AnyMetadata {
  const schema = { type: 'struct', fields: columns }
  const partition = { 'source-id': 13, transform: 'day', name: 'created_day' }
  return createdMetadata(
    { name: 'any', schema, 'partition-spec': { fields: [partition] } },
    { uuid: UUID, location: LOCATION, now: 1_764_000_000_000 },
  )
}
