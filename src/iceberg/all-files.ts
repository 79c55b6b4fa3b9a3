import { MoraineError } from '../errors.js'
import { readChecked } from '../storage/checked.js'
import { isBelow } from '../storage/paths.js'
import { remedyFor } from '../storage/remedy.js'
import { pathOf, plainLocation, type Storage } from '../storage/storage.js'
import { unpackBlock } from './codecs/block.js'
import { parseJson } from './json.js'
import { decodeContainer } from './spec/avro.js'
import { isObject, type Json } from './spec/updates/json.js'

/** Where the metadata of a table of another engine lie. */
export interface ForeignTable {
  metadata: string
  sha256?: string
}

/** A file that a table leads to. */
export interface ForeignFile {
  /** Relative to the lake's root; `undefined` for one that lies elsewhere. */
  path: string | undefined
  /** The same as the table names it. */
  location: string
  /** Whether it tells of other files: what lies elsewhere is not read. */
  leadsOn: boolean
  /** Its size, where the table says it. */
  bytes?: number | undefined
  /** The format of a file of position deletes, which names data files itself. */
  deletes?: string
}

/** What is not to be followed again. */
export interface Known {
  /** Snapshots whose files are known: by id and by what they lead to, as an id may be reused. */
  snapshot?: (key: string) => boolean
  /** Manifests whose files are known. */
  manifest?: (path: string) => boolean
  /** Lists of manifests of which the same is so: one file could be read as either. */
  list?: (path: string) => boolean
  /** Manifests, or lists of them, that the table's owner may have removed, and has. */
  isGone?: (path: string) => Promise<boolean>
  /** Told of what names others and can't be read; without it, that is an error. */
  damaged?: (error: unknown) => void
}

/**
 * All files that a table of another engine keeps: those of each of its snapshots, whatever their
 * branch or tag, the newest first, and its statistics. A file that tells of others comes before
 * them. A manifest comes once, however many snapshots it is of. Any version of the format is read,
 * as far as it names files.
 *
 * @throws MoraineError of kind `corrupt` when something that names others can't be read.
 */
export async function* filesOfAllSnapshots(
  storage: Storage,
  table: ForeignTable,
  known: Known = {},
): AsyncGenerator<ForeignFile> {
  yield { path: table.metadata, location: storage.locate(table.metadata), leadsOn: true }
  yield* filesOfMetadata(storage, await foreignMetadata(storage, table), known)
}

/** The same of metadata that are known, without their own file. */
export async function* filesOfMetadata(
  storage: Storage,
  metadata: Json,
  known: Known = {},
): AsyncGenerator<ForeignFile> {
  const located = (location: unknown, leadsOn = false, bytes?: unknown): ForeignFile => ({
    path: (leadsOn ? readableIn : locatedIn)(storage, String(location)),
    location: String(location),
    leadsOn,
    bytes: typeof bytes === 'number' ? bytes : undefined,
  })
  const read = (path: string) =>
    recordsOf(storage, path).catch((error) => {
      if (!known.damaged) throw error
      known.damaged(error)
      return []
    })
  for (const name of ['statistics', 'partition-statistics'])
    for (const file of objects(metadata[name]))
      yield located(file['statistics-path'], false, file['file-size-in-bytes'])
  // Snapshots share most of their manifests.
  const followed = new Set<string>()
  const isNew = (as: 'list' | 'manifest', { path, location }: ForeignFile) => {
    const key = `${as} ${location}`
    if (followed.has(key) || (path !== undefined && known[as]?.(path))) return false
    followed.add(key)
    return true
  }
  for (const snapshot of objects(metadata.snapshots).reverse()) {
    if (known.snapshot?.(snapshotKey(snapshot))) continue
    const list = snapshot['manifest-list']
    const manifests: ForeignFile[] = []
    if (typeof list === 'string') {
      const found = located(list, true)
      const isFollowed = isNew('list', found)
      yield found
      if (found.path !== undefined && isFollowed && !(await known.isGone?.(found.path)))
        for (const record of await read(found.path))
          manifests.push(located(record.manifest_path, true, record.manifest_length))
    } else
      for (const one of (snapshot.manifests ?? []) as unknown[]) manifests.push(located(one, true))
    for (const manifest of manifests) {
      if (!isNew('manifest', manifest)) continue
      yield manifest
      if (manifest.path === undefined || (await known.isGone?.(manifest.path))) continue
      for (const { status, data_file: file } of await read(manifest.path)) {
        const { file_path: path, file_size_in_bytes: bytes, content, file_format } = file as Json
        if (status === DELETED) continue
        const deletes = content === 1 ? { deletes: String(file_format).toUpperCase() } : {}
        yield { ...located(path, false, bytes), ...deletes }
      }
    }
  }
}

/** What a table leads to already: its snapshots, and the manifests of its current one. */
export async function knownOf(storage: Storage, metadata: Json): Promise<Known> {
  const snapshots = objects(metadata.snapshots)
  const current = String(metadata['current-snapshot-id'])
  const list = snapshots.find((one) => String(one['snapshot-id']) === current)?.['manifest-list']
  const at = list === undefined ? undefined : readableIn(storage, String(list))
  const records = at === undefined ? [] : await recordsOf(storage, at)
  const manifests = new Set(
    records.map((record) => readableIn(storage, String(record.manifest_path)) ?? ''),
  )
  const keys = new Set(snapshots.map(snapshotKey))
  return { snapshot: (key) => keys.has(key), manifest: (path) => manifests.has(path) }
}

const snapshotKey = (one: Json) =>
  JSON.stringify([String(one['snapshot-id']), one['manifest-list'], one.manifests])

/** The status of an entry whose file the snapshot has dropped (spec, Manifests). */
const DELETED = 2

/** The path of a location; `undefined` for one elsewhere. */
const locatedIn = (storage: Storage, location: string) => pathOf(storage, plainLocation(location))

/** The same, of a file that is to be read. */
function readableIn(storage: Storage, location: string): string | undefined {
  const path = locatedIn(storage, location)
  return path !== undefined && isBelow(path) ? path : undefined
}

const objects = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** @throws MoraineError of kind `corrupt` when it is not the file that the log knows. */
export async function foreignMetadata(
  storage: Storage,
  { metadata: path, sha256 }: ForeignTable,
): Promise<Json> {
  const bytes = await readChecked(storage, path, sha256)
  return guarded(path, () => parseJson(new TextDecoder().decode(bytes)) as Json)
}

async function recordsOf(storage: Storage, path: string): Promise<Json[]> {
  const bytes = await readChecked(storage, path, undefined)
  return guarded(path, () => decodeContainer(bytes, unpackBlock).records as Json[])
}

function guarded<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const message = `${path} is damaged: ${(cause as Error).message}`
    throw new MoraineError('corrupt', message, { cause, path, hint: remedyFor(path) })
  }
}
