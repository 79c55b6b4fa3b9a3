import { inflateRawSync } from 'node:zlib'
import { unSnappy } from './snappy.js'
import { unZstd } from './zstd.js'

/** Bytes that one block of an Avro file may unpack to. */
const MOST = 2 ** 28

/**
 * Unpacks a block of an Avro file, as writers of manifests pack them:
 * `write.manifest.compression-codec`, or `write.avro.compression-codec`.
 *
 * @throws Error when it can't be unpacked, or would take more than 256 MiB.
 */
export function unpackBlock(bytes: Uint8Array, codec: string): Uint8Array {
  if (codec === 'deflate') return inflateRawSync(bytes, { maxOutputLength: MOST })
  if (codec === 'zstandard') return unZstd(bytes, MOST)
  if (codec === 'snappy') return unSnappy(bytes, MOST)
  throw new Error(`Avro codec ${codec} is not supported`)
}
