import { createHash, randomUUID } from 'node:crypto'
import type { Caller } from '../../../query/service/request.js'
import { AwsError } from '../protocol/failure.js'
import type { ObjectHead, ObjectStore, StoredObject } from './store.js'

interface Part {
  blob: string
  size: number
  md5: string
}

/** An upload in parts, which is no object yet. */
export interface Upload {
  id: string
  caller: string
  bucket: string
  key: string
  head: ObjectHead
  begun: string
  /** When something was last asked of it, in milliseconds since 1970. */
  touched: number
  parts: Map<number, Part>
  /** Bytes of its parts. */
  bytes: number
}

/** Uploads that each principal may have begun, their parts, and the bytes of these. */
const MOST = 1000
const MOST_PARTS = 100_000
const MOST_BYTES = 64 * 2 ** 30
const LARGEST_PART = 5 * 2 ** 30
/** Milliseconds after which an upload of which nothing is heard has been given up. */
const GIVEN_UP = 86_400_000

/** Uploads that have begun, for as long as the server runs: their parts go with it. */
export class Uploads {
  private readonly all = new Map<string, Upload>()

  constructor(private readonly now: () => number = Date.now) {}

  async begin(
    { name: caller }: Caller,
    at: { bucket: string; key: string },
    head: ObjectHead,
    store: ObjectStore,
  ): Promise<string> {
    const now = this.now()
    for (const one of this.of(caller))
      if (now - one.touched > GIVEN_UP) await this.abort(one, store)
    if (this.of(caller).length >= MOST) throw tooMany()
    const upload: Upload = {
      ...{ id: randomUUID(), caller, ...at, head },
      ...{ begun: new Date(now).toISOString(), touched: now, parts: new Map(), bytes: 0 },
    }
    this.all.set(upload.id, upload)
    return upload.id
  }

  private of(caller: string): Upload[] {
    return [...this.all.values()].filter((one) => one.caller === caller)
  }

  get({ name }: Caller, id: string, bucket: string, key: string): Upload {
    const found = this.all.get(id)
    if (found?.caller === name && found.bucket === bucket && found.key === key) {
      found.touched = this.now()
      return found
    }
    throw new AwsError('NoSuchUpload', 'The specified upload does not exist.', { status: 404 })
  }

  list({ name }: Caller, bucket: string) {
    return this.of(name)
      .filter((one) => one.bucket === bucket)
      .map(({ key: Key, id: UploadId, begun: Initiated }) => ({ Key, UploadId, Initiated }))
  }

  parts({ parts }: Upload) {
    return [...parts]
      .sort(([a], [b]) => a - b)
      .map(([PartNumber, { size: Size, md5 }]) => ({ PartNumber, Size, ETag: `"${md5}"` }))
  }

  async addPart(
    upload: Upload,
    number: number,
    bytes: AsyncIterable<Uint8Array>,
    store: ObjectStore,
  ): Promise<string> {
    const { parts } = upload
    const own = this.of(upload.caller)
    const used = own.reduce((sum, one) => sum + one.bytes, 0)
    const count = own.reduce((sum, one) => sum + one.parts.size, 0)
    if (used >= MOST_BYTES || count >= MOST_PARTS) throw tooMany()
    const part = await store.write(bytes, Math.min(LARGEST_PART, MOST_BYTES - used))
    const before = parts.get(number)
    parts.set(number, part)
    upload.bytes += part.size - (before?.size ?? 0)
    if (before) await store.removeBlob(before.blob)
    return part.md5
  }

  async abort({ id, parts }: Upload, store: ObjectStore): Promise<void> {
    this.all.delete(id)
    for (const { blob } of parts.values()) await store.removeBlob(blob)
  }

  /** Puts the parts together, in the order of their numbers. */
  async complete(
    upload: Upload,
    numbers: readonly number[],
    etags: readonly string[],
    store: ObjectStore,
  ): Promise<StoredObject> {
    const { bucket, key, head, parts } = upload
    const found = numbers.map((number, i) => {
      const part = parts.get(number)
      if (!part || part.md5 !== etags[i])
        throw new AwsError('InvalidPart', 'One or more of the specified parts could not be found.')
      return part
    })
    if (found.length === 0) throw new AwsError('MalformedXML', 'There are no parts')
    if (numbers.some((number, i) => i > 0 && number <= (numbers[i - 1] as number)))
      throw new AwsError('InvalidPartOrder', 'The list of parts was not in ascending order.')
    const bytes = (async function* () {
      for (const { blob } of found) yield* store.readBlob(blob)
    })()
    const sums = Buffer.concat(found.map(({ md5 }) => Buffer.from(md5, 'hex')))
    const etag = `${createHash('md5').update(sums).digest('hex')}-${found.length}`
    const object = await store.put(bucket, key, bytes, { ...head, etag })
    await this.abort(upload, store)
    return object
  }
}

const tooMany = () =>
  new AwsError('SlowDown', 'There are too many uploads: complete or abort some', { status: 503 })
