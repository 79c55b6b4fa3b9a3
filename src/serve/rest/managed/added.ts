import { type Contents, contentsOf } from '../../../iceberg/difference.js'
import { changesBetween, flawOf } from '../../../iceberg/foreign-snapshot.js'
import { LIST_CHECKSUM } from '../../../iceberg/spec/checksums.js'
import { type DataFile, isDeletes } from '../../../iceberg/spec/manifest.js'
import type { TableMetadata } from '../../../iceberg/spec/metadata.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import type { Table } from '../../../iceberg/table.js'
import type { TableState } from '../../../log/commit.js'
import type { Storage } from '../../../storage/storage.js'
import { firstWritten, refusing, writtenAt } from './written.js'

/** Snapshots that an engine has added to a table, and what was there before. */
export interface Added {
  /** `silver.orders`. */
  name: string
  table: Table
  state: TableState
  /** With the last of the snapshots as the current one. */
  metadata: AnyMetadata
  /** The error that refuses them. */
  refuse: (why: string) => Error
}

/** Snapshots that list what is there. */
export interface Checked {
  before: Contents
  after: Contents
  /** Live rows after them. */
  rows: number
  changes: ReturnType<typeof changesBetween>
  /** The metadata, whose last summary says what is so. */
  metadata: AnyMetadata
  /** What the log is to say of the files. */
  files: Pick<TableState, 'files' | 'bytes'>
  /** In parentheses, if it says what it is called. */
  engine: string
  /** When the first of their files was written. */
  since: Date
}

/** Milliseconds by which the clock of an engine may be ahead. */
const SKEW = 86_400_000

/**
 * Makes sure that snapshots of another engine list what is there, as far as manifests and the sizes
 * of files tell.
 *
 * @throws RestError that says what is wrong.
 */
export async function checkedSnapshots(storage: Storage, added: Added): Promise<Checked> {
  const { table, state, metadata, refuse } = added
  const after = table.withMetadata(metadata as TableMetadata)
  const known = new Set(table.metadata.snapshots.map((one) => String(one['snapshot-id'])))
  const snapshots = metadata.snapshots.filter((one) => !known.has(String(one['snapshot-id'])))
  if (snapshots.some((one) => one['timestamp-ms'] > Date.now() + SKEW))
    throw refuse('the clock of the engine is more than a day ahead')
  const ids = new Set(snapshots.map((one) => String(one['snapshot-id'])))
  const lists = snapshots.map((one) => one['manifest-list'] ?? '')
  const seen = await read(storage, { table, after, lists, ids }).catch(refusing(refuse))
  if (seen.flaw !== undefined) throw refuse(seen.flaw)
  const [was, is] = [seen.before.totals, seen.after.totals]
  if (was.rows !== state.rows || is.rows === undefined)
    throw refuse('they have deletes that cannot be counted without reading them')
  const changes = changesBetween(seen.before, seen.after)
  const written = await firstWritten(storage, table, changes.fresh).catch(refusing(refuse))
  const last = snapshots.at(-1)
  const sum = await storage.digest(table.pathOf(lists.at(-1) ?? ''))
  const summary: Record<string, string> = {
    ...last?.summary,
    'total-records': String(is.rows + is.deleted),
    'total-position-deletes': String(is.deleted),
    'total-equality-deletes': '0',
    'total-data-files': String(is.files),
    'total-delete-files': String(is.deleteFiles),
    'total-files-size': String(is.bytes),
    ...(sum ? { [LIST_CHECKSUM]: sum } : {}),
  }
  const engine = /^[\w .-]{1,40}$/.exec(summary['engine-name'] ?? '')?.[0]
  return {
    before: seen.before,
    after: seen.after,
    rows: is.rows,
    changes,
    metadata: {
      ...metadata,
      snapshots: metadata.snapshots.map((one) => (one === last ? { ...one, summary } : one)),
    },
    files: { files: is.files, bytes: is.bytes },
    engine: engine ? ` (${engine})` : '',
    since: new Date(Math.min(written, seen.since)),
  }
}

/** Reads both versions; nothing that lies outside of the table. */
async function read(
  storage: Storage,
  { table, after, lists, ids }: { table: Table; after: Table; lists: string[]; ids: Set<string> },
) {
  const folder = `${table.folder}/metadata/`
  const known = new Set((await table.manifests()).map((one) => one.manifest_path))
  const times: number[] = []
  for (const location of lists) times.push(await writtenAt(storage, table, folder, { location }))
  for (const { manifest_path: location, manifest_length: bytes } of await after.manifests())
    if (!known.has(location))
      times.push(await writtenAt(storage, table, folder, { location, bytes }))
  const contents = { before: await contentsOf(table), after: await contentsOf(after) }
  const flaw = await flawOf(
    { table, contents: contents.before },
    { table: after, contents: contents.after },
    ids,
  )
  return { ...contents, flaw, since: Math.min(...times) }
}

/** How many files there are of rows, or of deletes. */
export const filesOf = (files: readonly DataFile[], deletes = false) =>
  files.filter((file) => isDeletes(file) === deletes).length
