import { inflateRawSync } from 'node:zlib'
import type { Session } from '../engine/engine.js'
import { decodeContainer, encodeContainer } from '../iceberg/spec/avro.js'
import { positionsSchema } from '../iceberg/spec/positions.js'
import type { Storage, StoredObject } from '../storage/storage.js'

const inflate = (bytes: Uint8Array): Uint8Array => inflateRawSync(bytes)

/** The field of position deletes that names data files. */
const [filePath] = positionsSchema.fields.map(({ id }) => id)

type Bounds = { key: number; value: Buffer }[] | null

interface EntryRecord {
  data_file: {
    content?: number
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
}

/**
 * Writes a table's metadata to another place: all that names files names them where they lie there. Lists of deleted rows name
 * files as well, and are written anew.
 *
 * @param folder of the table, the same in both storages.
 */
export async function relocateTable(
  from: Storage,
  to: Storage,
  session: Session,
  folder: string,
  objects: readonly StoredObject[],
): Promise<void> {
  const paths = objects.map(({ path }) => path)
  const texts = paths.filter((path) => path.endsWith('.metadata.json'))
  const newest = texts.at(-1)
  if (newest === undefined) return
  const decode = async (path: string) => new TextDecoder().decode(await from.read(path))
  const old = String(JSON.parse(await decode(newest)).location)
  const move = new Move(old, to.locate(folder), from.url, to.url)
  const opened = await Promise.all(
    paths
      .filter((path) => path.endsWith('.avro'))
      .map(async (path) => open(path, await from.read(path))),
  )
  const sizes = new Map<string, number>()
  const manifests = opened.filter(({ isList }) => !isList)
  for (const path of deleteFiles(manifests)) {
    const there = move.path(path, folder)
    if (there === undefined) continue
    await to.prepare(there)
    const bytes = await session.relocateDeletes(from.locate(there), to.locate(there), move.pairs)
    await to.seal([there])
    sizes.set(path, bytes)
  }
  for (const manifest of manifests) {
    for (const record of manifest.records as EntryRecord[]) moveEntry(record, move, sizes)
    sizes.set(manifest.path, await write(to, manifest))
  }
  for (const list of opened.filter(({ isList }) => isList)) {
    for (const record of list.records as ListRecord[]) {
      const path = move.path(record.manifest_path, folder)
      record.manifest_length = sizes.get(path ?? '') ?? record.manifest_length
      record.manifest_path = move.location(record.manifest_path)
    }
    await write(to, list)
  }
  for (const path of texts)
    await put(to, path, new TextEncoder().encode(move.json(await decode(path))))
}

/** Where locations of a table lead after it was moved. */
class Move {
  readonly pairs: readonly (readonly [from: string, to: string])[]

  constructor(
    private readonly table: string,
    private readonly newTable: string,
    fromUrl: string,
    toUrl: string,
  ) {
    this.pairs = [
      [table, newTable],
      [fromUrl, toUrl],
    ]
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
    const whole = text.replaceAll(`${quoted(this.table)}"`, `${quoted(this.newTable)}"`)
    return this.pairs.reduce(
      (moved, [from, to]) => moved.replaceAll(`${quoted(from)}/`, `${quoted(to)}/`),
      whole,
    )
  }
}

function open(path: string, bytes: Uint8Array): Opened {
  const { metadata, records } = decodeContainer(bytes, inflate)
  const schema = JSON.parse(metadata['avro.schema'] as string) as { name?: string }
  const { 'avro.schema': _, 'avro.codec': __, ...rest } = metadata
  const sync = bytes.slice(-16)
  return { path, isList: schema.name === 'manifest_file', schema, metadata: rest, records, sync }
}

function deleteFiles(manifests: readonly Opened[]): Set<string> {
  const records = manifests.flatMap((manifest) => manifest.records as EntryRecord[])
  const deletes = records.filter(({ data_file: { content } }) => content === 1)
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
): Promise<number> {
  const bytes = encodeContainer(schema, metadata, records, sync)
  await put(to, path, bytes)
  return bytes.length
}

/** Writes an object unless an earlier attempt has. */
async function put(to: Storage, path: string, bytes: Uint8Array): Promise<void> {
  if (!(await to.stat(path))) await to.write(path, bytes)
}
