import { unpackBlock } from '../iceberg/codecs/block.js'
import { decodeContainer } from '../iceberg/spec/avro.js'
import { sha256 } from '../storage/checksum.js'

type Bounds = { key: number; value: Buffer }[] | null

export interface EntryRecord {
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

export interface ListRecord {
  manifest_path: string
  manifest_length: number
}

/** An Avro file of a table's metadata, taken apart. */
export interface Opened {
  path: string
  isList: boolean
  schema: object
  metadata: Record<string, string>
  records: unknown[]
  sync: Uint8Array
  /** SHA-256 of the file as it was. */
  sum: string
}

export function open(path: string, bytes: Uint8Array): Opened {
  const { metadata, records } = decodeContainer(bytes, unpackBlock)
  const schema = JSON.parse(metadata['avro.schema'] as string) as { name?: string }
  const { 'avro.schema': _, 'avro.codec': __, ...rest } = metadata
  const sync = bytes.slice(-16)
  const isList = schema.name === 'manifest_file'
  return { path, isList, schema, metadata: rest, records, sync, sum: sha256(bytes) }
}

/** Whether a file holds positions of deleted rows, beside the names of the files they are in. */
export function namesFiles({ data_file: { content, file_format } }: EntryRecord): boolean {
  // Deletion vectors (Puffin) hold positions alone; what other formats hold is not written here.
  return content === 1 && (file_format ?? 'PARQUET').toUpperCase() === 'PARQUET'
}
