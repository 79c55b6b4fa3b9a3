import { checksumsIn, LIST_CHECKSUM } from '../iceberg/spec/checksums.js'
import type { Storage } from '../storage/storage.js'
import { type EntryRecord, type ListRecord, namesFiles, type Opened, open } from './opened.js'

/**
 * What an earlier copy of a table says of its files, by path. Its log may lead to them, so they
 * stay as they are, and what else comes to name them says the same.
 */
export interface EarlierCopy {
  /** Bytes of manifests and of lists of deleted rows. */
  sizes: Map<string, number>
  /** SHA-256 of these, and of manifest lists. */
  sums: Map<string, string>
  /** Lists of deleted rows. */
  deletes: Set<string>
}

interface Metadata {
  snapshots?: { 'manifest-list'?: string; summary?: Record<string, string> }[]
}

/**
 * @param folder of the table.
 * @param pathOf where a file lies, by the location that names it.
 */
export async function earlierCopy(
  to: Storage,
  folder: string,
  pathOf: (location: string) => string | undefined,
): Promise<EarlierCopy> {
  const found: EarlierCopy = { sizes: new Map(), sums: new Map(), deletes: new Set() }
  const say = (location: string, { size, sum }: { size?: number; sum?: string | undefined }) => {
    const path = pathOf(location)
    if (path === undefined) return undefined
    if (size !== undefined) found.sizes.set(path, size)
    if (sum !== undefined) found.sums.set(path, sum)
    return path
  }
  const look = async (path: string) => {
    const bytes = await to.read(path)
    if (path.endsWith('.metadata.json'))
      for (const { 'manifest-list': list, summary } of metadataIn(bytes).snapshots ?? [])
        say(list ?? '', { sum: summary?.[LIST_CHECKSUM] })
    const file = path.endsWith('.avro') ? opened(path, bytes) : undefined
    const sums = file ? checksumsIn(file.metadata, file.records.length) : []
    for (const [i, record] of file?.records.entries() ?? []) {
      const sum = sums[i]?.sha256
      if (file?.isList) {
        const { manifest_path, manifest_length } = record as ListRecord
        say(manifest_path, { size: manifest_length, sum })
      } else if (namesFiles(record as EntryRecord)) {
        const { file_path, file_size_in_bytes } = (record as EntryRecord).data_file
        const path = say(file_path, { size: file_size_in_bytes, sum })
        if (path !== undefined) found.deletes.add(path)
      }
    }
  }
  const objects = await to.list(`${folder}/metadata/`)
  await Promise.all(objects.map(({ path }) => look(path)))
  return found
}

/** One that is damaged says nothing; whoever verifies the copy is told. */
function opened(path: string, bytes: Uint8Array): Opened | undefined {
  try {
    return open(path, bytes)
  } catch {
    return undefined
  }
}

function metadataIn(bytes: Uint8Array): Metadata {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Metadata
  } catch {
    return {}
  }
}
