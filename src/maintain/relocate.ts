import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { FOREIGN } from '../iceberg/foreign-path.js'
import { encodeContainer } from '../iceberg/spec/avro.js'
import { checksumHeader, checksumsIn, LIST_CHECKSUM } from '../iceberg/spec/checksums.js'
import { positionsSchema } from '../iceberg/spec/positions.js'
import { readChecked } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import {
  normalLocation,
  pathOf,
  type Storage,
  type StoredObject,
  stagingOf,
} from '../storage/storage.js'
import { type EarlierCopy, earlierCopy } from './earlier-copy.js'
import { type EntryRecord, type ListRecord, namesFiles, type Opened, open } from './opened.js'

/** The field of position deletes that names data files. */
const [filePath] = positionsSchema.fields.map(({ id }) => id)

/** Two places of a lake that is copied. */
export interface Places {
  from: Storage
  to: Storage
  session: Session
  /** Checksums of what there is in the one. */
  expected: ReadonlyMap<string, string>
}

/** A table of which all that names files was written to another place. */
interface Relocated {
  /** Paths of objects that are damaged: they are left out. */
  damaged: string[]
  /** Paths of lists of deleted rows, which were written there too. */
  deletes: ReadonlySet<string>
  /** Metadata files that lie there. */
  metadata: Written[]
}

interface Written {
  path: string
  sha256: string
  /** Whether an earlier attempt has left nothing there. */
  isNew: boolean
}

/**
 * Writes a table's metadata to another place: all that names files names them where they lie there.
 * Lists of deleted rows name files as well, and are written anew. What an earlier copy leads to
 * stays as it is.
 *
 * @param folder of the table, the same in both storages.
 */
export async function relocateTable(
  places: Places,
  folder: string,
  objects: readonly StoredObject[],
): Promise<Relocated> {
  const { from, to, expected } = places
  const damaged: string[] = []
  const whole = async <T>(path: string, take: (bytes: Uint8Array) => T): Promise<T[]> => {
    try {
      return [take(await readChecked(from, path, expected.get(path)))]
    } catch (error) {
      if (error instanceof MoraineError && error.kind !== 'corrupt') throw error
      damaged.push(path)
      return []
    }
  }
  const all = <T>(ending: string, take: (bytes: Uint8Array, path: string) => T) =>
    Promise.all(
      objects
        .filter(({ path }) => path.endsWith(ending))
        .map(({ path }) => whole(path, (bytes) => take(bytes, path))),
    ).then((found) => found.flat())
  const texts = await all('.metadata.json', (bytes, path) => {
    const text = new TextDecoder().decode(bytes)
    return { path, text, location: String(JSON.parse(text).location) }
  })
  const newest = texts.at(-1)
  if (newest === undefined) return { damaged, deletes: new Set(), metadata: [] }
  const move = new Move(newest.location, folder, from, to)
  const opened = await all('.avro', (bytes, path) => open(path, bytes))
  const earlier = await earlierCopy(to, folder, (location) => move.path(location, folder))
  const work = { ...places, folder, move, earlier, sizes: new Map(), sums: new Map(), damaged }
  const manifests = opened.filter(({ isList }) => !isList)
  const deletes = await moveDeletes(work, manifests)
  await moveManifests(work, manifests)
  const lists = await moveLists(
    work,
    opened.filter(({ isList }) => isList),
  )
  const metadata: Written[] = []
  for (const { path, text } of texts) {
    const bytes = new TextEncoder().encode(relisted(move.json(text), lists))
    const there = await put(to, path, bytes)
    metadata.push({ path, sha256: sha256(there ?? bytes), isNew: there === undefined })
  }
  return { damaged, deletes: new Set([...earlier.deletes, ...deletes]), metadata }
}

/** A table on its way to another place. */
interface Relocation extends Places {
  folder: string
  move: Move
  earlier: EarlierCopy
  /** Bytes of files as they lie there, and their SHA-256, by where they lay. */
  sizes: Map<string, number>
  sums: Map<string, string>
  damaged: string[]
}

/**
 * Lists of deleted rows name data files, so they are written anew; returns where they lie. One that
 * an earlier copy leads to stays: somebody may read it, and what it says there is right.
 */
async function moveDeletes(work: Relocation, manifests: readonly Opened[]): Promise<string[]> {
  const { from, to, folder, move, expected, earlier, sizes, sums } = work
  const found: string[] = []
  for (const path of deleteFiles(manifests)) {
    const there = move.path(path, folder)
    if (there === undefined) continue
    const size = earlier.sizes.get(there)
    const isThere = size !== undefined && (await to.stat(there))?.size === size
    // Of those that the table has let go, a vacuum may have removed some.
    if (!isThere && !(await from.stat(there))) continue
    found.push(there)
    const bytes = isThere ? size : await moveDelete(work, there)
    if (bytes === undefined) continue
    sizes.set(path, size ?? bytes)
    const sum = earlier.sums.get(there) ?? (expected.has(there) && (await to.digest(there)))
    if (sum) sums.set(path, sum)
  }
  return found
}

/** Returns its bytes; one that is damaged is left out. */
async function moveDelete(
  { from, to, session, move, expected, damaged }: Relocation,
  path: string,
): Promise<number | undefined> {
  const sum = expected.get(path)
  if (sum !== undefined && (await from.digest(path)) !== sum) {
    damaged.push(path)
    return undefined
  }
  await stagingOf(from).fetch([from.locate(path)])
  await to.prepare(path)
  const [source, target] = [from.locate(path), to.locate(path)]
  const bytes = await session.tables.relocateDeletes(source, target, move.pairs)
  await to.seal([path])
  return bytes
}

async function moveManifests(
  { to, move, earlier, sizes, sums }: Relocation,
  manifests: readonly Opened[],
): Promise<void> {
  for (const manifest of manifests) {
    const records = manifest.records as EntryRecord[]
    sumUp(manifest, (i) => sums.get(records[i]?.data_file.file_path ?? ''))
    for (const record of records) moveEntry(record, move, sizes)
    const { bytes, sha256 } = await write(to, manifest)
    sizes.set(manifest.path, earlier.sizes.get(manifest.path) ?? bytes)
    sums.set(manifest.path, earlier.sums.get(manifest.path) ?? sha256)
  }
}

/** @returns checksums of manifest lists where they lie now, by those that they had. */
async function moveLists(
  { to, folder, move, earlier, sizes, sums }: Relocation,
  lists: readonly Opened[],
): Promise<Map<string, string>> {
  const moved = new Map<string, string>()
  for (const list of lists) {
    const records = list.records as ListRecord[]
    const pathOf = (i: number) => move.path(records[i]?.manifest_path ?? '', folder) ?? ''
    sumUp(list, (i) => sums.get(pathOf(i)))
    for (const [i, record] of records.entries())
      record.manifest_length = sizes.get(pathOf(i)) ?? record.manifest_length
    for (const record of records) record.manifest_path = move.location(record.manifest_path)
    const { sha256 } = await write(to, list)
    moved.set(list.sum, earlier.sums.get(list.path) ?? sha256)
  }
  return moved
}

/** Gives a file's header the checksums of what its records name, where those are others now. */
function sumUp(file: Opened, now: (record: number) => string | undefined): void {
  const before = checksumsIn(file.metadata, file.records.length)
  if (before.length === 0) return
  Object.assign(
    file.metadata,
    checksumHeader(
      before.map(({ sha256: old }, i) => {
        const sum = old && (now(i) ?? old)
        return sum ? { sha256: sum } : {}
      }),
    ),
  )
}

/** Metadata with the checksums of manifest lists as they are now, by those that they had. */
function relisted(text: string, lists: ReadonlyMap<string, string>): string {
  return text.replace(
    new RegExp(`("${LIST_CHECKSUM}": ?")([0-9a-f]{64})(?=")`, 'g'),
    (_, name: string, sum: string) => name + (lists.get(sum) ?? sum),
  )
}

/** Where locations of a table lead after it was moved. */
class Move {
  readonly pairs: readonly (readonly [from: string, to: string])[]

  private readonly newTable: string

  constructor(table: string, folder: string, from: Storage, to: Storage) {
    const newTable = to.locate(folder)
    this.newTable = newTable
    const lakes = spellings(from.url).map((url) => [url, to.url] as const)
    // A table of another engine may lie elsewhere: then only its metadata are here.
    const isHere = !folder.startsWith(FOREIGN) || isAt(from, table, folder)
    const tables = isHere ? spellings(table).map((url) => [url, newTable] as const) : []
    this.pairs = [...tables, ...lakes]
  }

  location(old: string): string {
    for (const [from, to] of this.pairs)
      if (old.startsWith(`${from}/`)) return `${to}${old.slice(from.length)}`
    return old
  }

  /** The path of a file of the table, which is the same in both storages. */
  path(old: string, folder: string): string | undefined {
    const there = this.location(old)
    return there.startsWith(`${this.newTable}/`)
      ? `${folder}${there.slice(this.newTable.length)}`
      : undefined
  }

  /** Metadata, with all locations that begin a text in it. */
  json(text: string): string {
    const quoted = (location: string) => JSON.stringify(`${location}`).slice(0, -1)
    const whole = this.pairs
      .filter(([, to]) => to === this.newTable)
      .reduce((moved, [from, to]) => moved.replaceAll(`${quoted(from)}"`, `${quoted(to)}"`), text)
    return this.pairs.reduce(
      (moved, [from, to]) => moved.replaceAll(`${quoted(from)}/`, `${quoted(to)}/`),
      whole,
    )
  }
}

/** How engines write a location in a folder of this machine. */
function spellings(url: string): string[] {
  const path = /^file:\/*(\/.*)$/s.exec(url)?.[1]
  return path === undefined ? [url] : [`file://${path}`, `file:${path}`, path]
}

const isAt = (storage: Storage, location: string, folder: string) =>
  pathOf(storage, normalLocation(location)) === folder

function deleteFiles(manifests: readonly Opened[]): Set<string> {
  const records = manifests.flatMap((manifest) => manifest.records as EntryRecord[])
  return new Set(records.filter(namesFiles).map(({ data_file: { file_path } }) => file_path))
}

function moveEntry(
  { data_file: file }: EntryRecord,
  move: Move,
  sizes: ReadonlyMap<string, number>,
): void {
  file.file_size_in_bytes = sizes.get(file.file_path) ?? file.file_size_in_bytes
  file.file_path = move.location(file.file_path)
  if (file.referenced_data_file)
    file.referenced_data_file = move.location(file.referenced_data_file)
  if (file.content !== 1) return
  for (const bounds of [file.lower_bounds, file.upper_bounds])
    for (const bound of bounds ?? [])
      if (bound.key === filePath)
        bound.value = Buffer.from(move.location(bound.value.toString('utf8')))
}

async function write(
  to: Storage,
  { path, schema, metadata, records, sync }: Opened,
): Promise<{ bytes: number; sha256: string }> {
  const bytes = encodeContainer(schema, metadata, records, sync)
  await put(to, path, bytes)
  return { bytes: bytes.length, sha256: sha256(bytes) }
}

/** Writes an object unless an earlier attempt has; then the bytes that lie there are returned. */
async function put(to: Storage, path: string, bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const there = await to.readIfPresent(path)
  if (!there) await to.write(path, bytes)
  return there
}
