import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { unpackBlock } from '../iceberg/codecs/block.js'
import { FOREIGN } from '../iceberg/foreign-path.js'
import { decodeContainer, encodeContainer } from '../iceberg/spec/avro.js'
import { checksumHeader, checksumsIn, LIST_CHECKSUM } from '../iceberg/spec/checksums.js'
import { positionsSchema } from '../iceberg/spec/positions.js'
import { readChecked } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import { normalLocation, pathOf, type Storage, type StoredObject } from '../storage/storage.js'

/** The field of position deletes that names data files. */
const [filePath] = positionsSchema.fields.map(({ id }) => id)

type Bounds = { key: number; value: Buffer }[] | null

interface EntryRecord {
  data_file: {
    content?: number
    file_format?: string
    file_path: string
    file_size_in_bytes: number
    referenced_data_file?: string | null
    lower_bounds?: Bounds
    upper_bounds?: Bounds
  }
}

interface ListRecord {
  manifest_path: string
  manifest_length: number
}

/** An Avro file of a table's metadata, taken apart. */
interface Opened {
  path: string
  isList: boolean
  schema: object
  metadata: Record<string, string>
  records: unknown[]
  sync: Uint8Array
  /** SHA-256 of the file as it was. */
  sum: string
}

/**
 * Writes a table's metadata to another place: all that names files names them where they lie there.
 * Lists of deleted rows name files as well, and are written anew.
 *
 * @param folder of the table, the same in both storages.
 * @param expected checksums of what there is.
 * @param moved is told those of metadata files where they lie now.
 * @returns paths of objects that are damaged: they are left out.
 */
export async function relocateTable(
  from: Storage,
  to: Storage,
  session: Session,
  folder: string,
  objects: readonly StoredObject[],
  expected: ReadonlyMap<string, string>,
  moved: Map<string, string>,
): Promise<string[]> {
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
  if (newest === undefined) return damaged
  const move = new Move(newest.location, folder, from, to)
  const opened = await all('.avro', (bytes, path) => open(path, bytes))
  const work = { from, to, session, folder, move, sizes: new Map(), sums: new Map() }
  const manifests = opened.filter(({ isList }) => !isList)
  await moveDeletes(work, manifests)
  await moveManifests(work, manifests)
  const lists = await moveLists(
    work,
    opened.filter(({ isList }) => isList),
  )
  for (const { path, text } of texts) {
    const bytes = new TextEncoder().encode(relisted(move.json(text), lists))
    await put(to, path, bytes)
    if (expected.has(path)) moved.set(path, sha256(bytes))
  }
  return damaged
}

/** A table on its way to another place. */
interface Relocation {
  from: Storage
  to: Storage
  session: Session
  folder: string
  move: Move
  /** Bytes of files as they lie there, and their SHA-256, by where they lay. */
  sizes: Map<string, number>
  sums: Map<string, string>
}

/** Lists of deleted rows name data files, so they are written anew. */
async function moveDeletes(
  { from, to, session, folder, move, sizes, sums }: Relocation,
  manifests: readonly Opened[],
): Promise<void> {
  for (const path of deleteFiles(manifests)) {
    const there = move.path(path, folder)
    if (there === undefined) continue
    await to.prepare(there)
    const bytes = await session.tables.relocateDeletes(
      from.locate(there),
      to.locate(there),
      move.pairs,
    )
    for (const [, sum] of await to.seal([there])) sums.set(path, sum)
    sizes.set(path, bytes)
  }
}

async function moveManifests(
  { to, move, sizes, sums }: Relocation,
  manifests: readonly Opened[],
): Promise<void> {
  for (const manifest of manifests) {
    const records = manifest.records as EntryRecord[]
    sumUp(manifest, (i) => sums.get(records[i]?.data_file.file_path ?? ''))
    for (const record of records) moveEntry(record, move, sizes)
    const { bytes, sha256 } = await write(to, manifest)
    sizes.set(manifest.path, bytes)
    sums.set(manifest.path, sha256)
  }
}

/** @returns checksums of manifest lists where they lie now, by those that they had. */
async function moveLists(
  { to, folder, move, sizes, sums }: Relocation,
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
    moved.set(list.sum, (await write(to, list)).sha256)
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

function open(path: string, bytes: Uint8Array): Opened {
  const { metadata, records } = decodeContainer(bytes, unpackBlock)
  const schema = JSON.parse(metadata['avro.schema'] as string) as { name?: string }
  const { 'avro.schema': _, 'avro.codec': __, ...rest } = metadata
  const sync = bytes.slice(-16)
  const isList = schema.name === 'manifest_file'
  return { path, isList, schema, metadata: rest, records, sync, sum: sha256(bytes) }
}

function deleteFiles(manifests: readonly Opened[]): Set<string> {
  const records = manifests.flatMap((manifest) => manifest.records as EntryRecord[])
  // Deletion vectors (Puffin) hold positions alone; what other formats hold is not written here.
  const deletes = records.filter(
    ({ data_file: { content, file_format: format = 'PARQUET' } }) =>
      content === 1 && format.toUpperCase() === 'PARQUET',
  )
  return new Set(deletes.map(({ data_file: { file_path } }) => file_path))
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

/** Writes an object unless an earlier attempt has. */
async function put(to: Storage, path: string, bytes: Uint8Array): Promise<void> {
  if (!(await to.stat(path))) await to.write(path, bytes)
}
