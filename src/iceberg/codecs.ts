import { inflateRawSync } from 'node:zlib'
import { decompress } from 'fzstd'
import { uncompress } from 'snappyjs'

/** Bytes that one block of an Avro file may unpack to. */
const MOST = 2 ** 30
/** A checksum follows what snappy packs (Avro specification, Required Codecs). */
const CRC = 4

/**
 * Unpacks a block of an Avro file, as writers of manifests pack them:
 * `write.avro.compression-codec`.
 *
 * @throws Error when it can't be unpacked.
 */
export function unpackBlock(bytes: Uint8Array, codec: string): Uint8Array {
  if (codec === 'deflate') return inflateRawSync(bytes, { maxOutputLength: MOST })
  if (codec === 'zstandard') return decompress(bytes)
  if (codec === 'snappy') return uncompress(bytes.subarray(0, -CRC), MOST)
  throw new Error(`Avro codec ${codec} is not supported`)
}
