import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { chunksOf } from './chunks.js'
import { SignatureFailure } from './failure.js'
import type { Payload } from './verify.js'

const CHECKSUM = /^x-amz-checksum-(crc32|sha1|sha256|crc32c|crc64nvme|sha512|md5|xxhash\w*)$/

/**
 * A body while it is read: what its signature, its length and its checksums say of it is proved at
 * its end, so nothing of it may count before that.
 *
 * @param header of the request.
 * @param most bytes that it may have.
 * @throws SignatureFailure for a body that is another one.
 */
export async function* provedBody(
  source: AsyncIterable<Uint8Array>,
  payload: Payload,
  header: (name: string) => string | undefined,
  most: number,
): AsyncGenerator<Uint8Array> {
  const trailers = new Map<string, string>()
  const data = payload.kind === 'chunks' ? chunksOf(source, payload, trailers) : source
  const announced = CHECKSUMS.flatMap((name) => {
    const inTrailer = (header('x-amz-trailer') ?? '')
      .toLowerCase()
      .split(/\s*,\s*/)
      .includes(name)
    return header(name) !== undefined || inTrailer ? [name] : []
  })
  const sums = new Map(announced.map((name) => [name, sumFor(name)]))
  const sha = payload.kind === 'hash' ? createHash('sha256') : undefined
  const md5 = header('content-md5') === undefined ? undefined : createHash('md5')
  let size = 0
  for await (const part of data) {
    size += part.length
    if (size > most)
      throw new SignatureFailure('EntityTooLarge', `The body has more than ${most} bytes`, 400)
    sha?.update(part)
    md5?.update(part)
    for (const sum of sums.values()) sum.update(part)
    yield part
  }
  const decoded = header('x-amz-decoded-content-length')
  if (payload.kind === 'chunks' && decoded !== undefined && Number(decoded) !== size)
    throw new SignatureFailure(
      'IncompleteBody',
      `The body has ${size} bytes, and not ${decoded}`,
      400,
    )
  if (payload.kind === 'hash' && sha?.digest('hex') !== payload.sha256)
    throw new SignatureFailure(
      'XAmzContentSHA256Mismatch',
      'The body is not the one that was signed',
      400,
    )
  if (md5 && md5.digest('base64') !== header('content-md5')) throw badDigest('content-md5')
  for (const [name, sum] of sums)
    if (sum.digest() !== (trailers.get(name) ?? header(name))) throw badDigest(name)
}

const CHECKSUMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'].map(
  (name) => `x-amz-checksum-${name}`,
)

const badDigest = (name: string) =>
  new SignatureFailure('BadDigest', `The body does not have the checksum of ${name}`, 400)

interface Sum {
  update(part: Uint8Array): void
  digest(): string
}

function sumFor(name: string): Sum {
  const kind = CHECKSUM.exec(name)?.[1]
  if (kind === 'sha1' || kind === 'sha256') {
    const hash: Hash = createHash(kind)
    return { update: (part) => void hash.update(part), digest: () => hash.digest('base64') }
  }
  if (kind === 'crc32') {
    let value = 0
    return {
      update: (part) => {
        value = crc32(part, value)
      },
      digest: () => {
        const bytes = Buffer.alloc(4)
        bytes.writeUInt32BE(value >>> 0)
        return bytes.toString('base64')
      },
    }
  }
  throw new SignatureFailure(
    'NotImplemented',
    `Checksums of ${name} are not verified here: send crc32, sha1 or sha256`,
    400,
  )
}
