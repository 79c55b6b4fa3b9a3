import { createHash, type Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { Arrived } from './copies.js'

const CHECKSUMS = [
  ...(['ChecksumSHA256', 'ChecksumCRC64NVME', 'ChecksumCRC32C'] as const),
  ...(['ChecksumCRC32', 'ChecksumSHA1'] as const),
]

/**
 * Writes the body of an answer to a file, and hashes it as it comes.
 *
 * @param isAws whether the ETag of an object that came in one part is its MD5: in other storages it
 *   may be something else.
 * @throws Error when less came than was announced.
 */
export async function receiveBody(
  sent: GetObjectCommandOutput,
  file: string,
  isAws: boolean,
  signal?: AbortSignal,
): Promise<Arrived> {
  const sha256 = createHash('sha256')
  const etag = hasChecksum(sent) ? undefined : md5Of(sent)
  const md5 = etag === undefined ? undefined : createHash('md5')
  let size = 0
  const measured = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      size += chunk.length
      for (const hash of [sha256, md5] as (Hash | undefined)[]) hash?.update(chunk)
      yield chunk
    }
  }
  const to = createWriteStream(file, { mode: 0o600 })
  try {
    await pipeline(sent.Body as Readable, measured, to, signal ? { signal } : {})
  } catch (error) {
    if (!isMismatch(error)) throw error
    return { sha256: sha256.digest('hex'), proof: 'is not' }
  }
  if (size !== sent.ContentLength)
    throw new Error(`${size} bytes arrived instead of ${sent.ContentLength}`)
  const differs = isAws ? 'is not' : 'likely not'
  return {
    sha256: sha256.digest('hex'),
    // The client library has compared it.
    ...(hasChecksum(sent) ? { proof: 'is' } : {}),
    ...(md5 ? { proof: md5.digest('hex') === etag ? 'is' : differs } : {}),
  }
}

/**
 * Whether an answer had a checksum of the whole object; that of one sent in parts may be one of
 * their checksums.
 */
function hasChecksum(sent: GetObjectCommandOutput): boolean {
  return CHECKSUMS.some((name) => sent[name] !== undefined && !/-\d+$/.test(sent[name]))
}

/**
 * The MD5 that an ETag is: not of what came in parts, nor of what is encrypted by a key that is not
 * S3's.
 */
function md5Of({ ETag = '', ServerSideEncryption = 'AES256', ...sent }: GetObjectCommandOutput) {
  if (ServerSideEncryption !== 'AES256' || sent.SSECustomerAlgorithm !== undefined) return undefined
  return /^"([0-9a-f]{32})"$/.exec(ETag)?.[1]
}

/**
 * What the client library says of bytes that do not fit the checksum that the storage sends with
 * them.
 */
function isMismatch(error: unknown): boolean {
  return error instanceof Error && /^Checksum mismatch/i.test(error.message)
}
