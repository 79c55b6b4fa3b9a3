import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { PutObjectCommandInput } from '@aws-sdk/client-s3'
import { OrderedSha256 } from '../checksum.js'
import type { clientsFor } from './settings.js'

/** Bytes of a part, where an object is sent in parts. */
const PART = 16 * 2 ** 20
const PARTS_AT_ONCE = 3

type Clients = Pick<Awaited<ReturnType<typeof clientsFor>>, 's3' | 'client'>

/** Which object a file is sent to. */
interface Target {
  named: { Bucket: string; Key: string; RequestPayer?: 'requester' }
  /** The same, and how it is encrypted. */
  put: PutObjectCommandInput
}

/** Sends a file, in parts where it is large; returns its SHA-256. */
export async function sendFile(
  clients: Clients,
  file: FileHandle,
  target: Target,
): Promise<string> {
  const { s3, client } = clients
  const { size } = await file.stat()
  const hash = new OrderedSha256()
  const read = (at: number, length: number) => hash.next(() => partOf(file, at, length))
  if (size > PART) await sendParts(clients, target, size, read)
  else {
    const body = await read(0, size)
    const sum = hash.digest()
    await client.send(new s3.PutObjectCommand({ ...target.put, ...proven(body, sum) }))
    return sum
  }
  return hash.digest()
}

async function sendParts(
  { s3, client }: Clients,
  { named, put }: Target,
  size: number,
  read: (at: number, length: number) => Promise<Uint8Array>,
): Promise<void> {
  const { UploadId } = await client.send(
    new s3.CreateMultipartUploadCommand({ ...put, ChecksumAlgorithm: 'SHA256' }),
  )
  const upload = { ...named, UploadId }
  try {
    const starts = Array.from({ length: Math.ceil(size / PART) }, (_, i) => i * PART)
    const parts: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = []
    const next = starts.entries()
    const work = async () => {
      for (const [i, at] of next) {
        const body = proven(await read(at, Math.min(PART, size - at)))
        const PartNumber = i + 1
        const { ETag } = await client.send(
          new s3.UploadPartCommand({ ...upload, PartNumber, ...body }),
        )
        parts.push({ PartNumber, ETag, ChecksumSHA256: body.ChecksumSHA256 })
      }
    }
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, work))
    parts.sort((a, b) => a.PartNumber - b.PartNumber)
    await client.send(
      new s3.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }),
    )
  } catch (error) {
    await client.send(new s3.AbortMultipartUploadCommand(upload)).catch(() => {})
    throw error
  }
}

/** A body with its checksum, by which the storage knows that it came whole, and which it keeps. */
export function proven(
  bytes: Uint8Array,
  sum?: string,
): { Body: Uint8Array; ChecksumSHA256: string } {
  const hash = sum ? Buffer.from(sum, 'hex') : createHash('sha256').update(bytes).digest()
  return { Body: bytes, ChecksumSHA256: hash.toString('base64') }
}

async function partOf(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, at + done)
    if (bytesRead === 0) throw new Error('the file is shorter than before')
    done += bytesRead
  }
  return buffer
}
