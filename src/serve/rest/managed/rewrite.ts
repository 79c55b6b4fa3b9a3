import { contentsOf, rowsByPartition } from '../../../iceberg/difference.js'
import { changesBetween, flawOf } from '../../../iceberg/foreign-snapshot.js'
import { LIST_CHECKSUM } from '../../../iceberg/spec/checksums.js'
import { type DataFile, isDeletes } from '../../../iceberg/spec/manifest.js'
import type { TableMetadata } from '../../../iceberg/spec/metadata.js'
import { isSame } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata, AnySnapshot } from '../../../iceberg/spec/updates/metadata-json.js'
import type { Table } from '../../../iceberg/table.js'
import type { TableState } from '../../../log/commit.js'
import type { Storage } from '../../../storage/storage.js'
import { illegal } from '../errors.js'
import { firstWritten, refusing, writtenAt } from './written.js'

/** What a rewrite makes of a table. */
export interface Rewritten {
  metadata: AnyMetadata
  /** What the log says of its files. */
  state: Pick<TableState, 'files' | 'bytes'>
  /** In words, for the history. */
  did: string
  /** When the first of its files was written. */
  since: Date
}

/** Milliseconds by which the clock of an engine may be ahead. */
const SKEW = 86_400_000

/** A snapshot that was added to a table, and what was there before. */
export interface Added {
  /** `silver.orders`. */
  name: string
  table: Table
  state: TableState
  /** With the snapshot as the current one. */
  metadata: AnyMetadata
}

/**
 * Makes sure that a snapshot of another engine has the rows of the one before in other files, as
 * far as manifests and the sizes of files tell; what the summary says is replaced by what is so.
 *
 * @throws RestError that says what is wrong.
 */
export async function checkedRewrite(
  storage: Storage,
  { name, table, state, metadata }: Added,
): Promise<Rewritten> {
  const refuse = (why: string) =>
    illegal(`Cannot rewrite files of ${name}: ${why}. Nothing was changed`)
  const after = table.with(metadata as TableMetadata)
  const snapshot = metadata.snapshots.at(-1) as AnySnapshot
  if (snapshot['timestamp-ms'] > Date.now() + SKEW)
    throw refuse('the clock of the engine is more than a day ahead')
  const seen = await read(storage, { table, after }).catch(refusing(refuse))
  if (seen.flaw !== undefined) throw refuse(seen.flaw)
  const [was, is] = [seen.before.totals, seen.after.totals]
  if (was.rows !== state.rows || is.rows === undefined)
    throw refuse('they have deletes that cannot be counted without reading them')
  if (is.rows !== was.rows) throw refuse(`they have ${is.rows} rows instead of ${was.rows}`)
  const { gone, fresh } = changesBetween(seen.before, seen.after)
  const specs = new Set([...seen.before.tasks, ...seen.after.tasks].map(({ spec }) => spec))
  const partitions = [seen.before, seen.after].map((of) => [...rowsByPartition(of)].sort())
  if (specs.size === 1 && !isSame(partitions[0], partitions[1]))
    throw refuse('rows have moved to other partitions')
  const written = await firstWritten(storage, table, fresh).catch(refusing(refuse))
  const list = table.pathOf(snapshot['manifest-list'] as string)
  const sum = await storage.digest(list)
  const summary: Record<string, string> = {
    ...snapshot.summary,
    'total-records': String(is.rows + is.deleted),
    'total-position-deletes': String(is.deleted),
    'total-equality-deletes': '0',
    'total-data-files': String(is.files),
    'total-delete-files': String(is.deleteFiles),
    'total-files-size': String(is.bytes),
    ...(sum ? { [LIST_CHECKSUM]: sum } : {}),
  }
  return {
    metadata: {
      ...metadata,
      snapshots: metadata.snapshots.map((one) => (one === snapshot ? { ...one, summary } : one)),
    },
    state: { files: is.files, bytes: is.bytes },
    did: told(name, gone, fresh, summary),
    since: new Date(Math.min(written, seen.since)),
  }
}

/** Reads both versions; nothing that lies outside of the table. */
async function read(storage: Storage, { table, after }: { table: Table; after: Table }) {
  const folder = `${table.folder}/metadata/`
  const list = after.snapshot?.['manifest-list'] ?? ''
  const known = new Set((await table.manifests()).map((one) => one.manifest_path))
  const times = [await writtenAt(storage, table, folder, { location: list })]
  for (const { manifest_path: location, manifest_length: bytes } of await after.manifests())
    if (!known.has(location))
      times.push(await writtenAt(storage, table, folder, { location, bytes }))
  const contents = { before: await contentsOf(table), after: await contentsOf(after) }
  const flaw = await flawOf(
    { table, contents: contents.before },
    { table: after, contents: contents.after },
  )
  return { ...contents, flaw, since: Math.min(...times) }
}

/** What the history says: how many files became how many, and by which engine. */
function told(
  name: string,
  gone: readonly DataFile[],
  fresh: readonly DataFile[],
  summary: Readonly<Record<string, string>>,
): string {
  const count = (files: readonly DataFile[], deletes: boolean) =>
    files.filter((file) => isDeletes(file) === deletes).length
  const engine = /^[\w .-]{1,40}$/.exec(summary['engine-name'] ?? '')?.[0]
  const by = engine ? ` (${engine})` : ''
  if (gone.length + fresh.length === 0) return `rewrite manifests of ${name}${by}`
  const kind = count([...gone, ...fresh], false) === 0
  const what = kind ? 'delete files' : 'files'
  return `rewrite ${count(gone, kind)} ${what} of ${name} as ${count(fresh, kind)}${by}`
}
