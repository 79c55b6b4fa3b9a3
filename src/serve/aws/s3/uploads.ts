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
  parts: Map<number, Part>
}

/** Uploads that each principal may have begun. */
const MOST = 1000
const LARGEST_PART = 5 * 2 ** 30

/** Uploads that have begun, for as long as the server runs: their parts go with it. */
export class Uploads {
  private readonly all = new Map<string, Upload>()

  begin({ name: caller }: Caller, bucket: string, key: string, head: ObjectHead): string {
    const own = [...this.all.values()].filter((one) => one.caller === caller)
    if (own.length >= MOST)
      throw new AwsError('SlowDown', 'There are too many uploads: complete or abort some', {
        status: 503,
      })
    const upload = {
      id: randomUUID(),
      caller,
      bucket,
      key,
      head,
      begun: new Date().toISOString(),
      parts: new Map(),
    }
    this.all.set(upload.id, upload)
    return upload.id
  }

  get({ name }: Caller, id: string, bucket: string, key: string): Upload {
    const found = this.all.get(id)
    if (found?.caller === name && found.bucket === bucket && found.key === key) return found
    throw new AwsError('NoSuchUpload', 'The specified upload does not exist.', { status: 404 })
  }

  list({ name }: Caller, bucket: string) {
    return [...this.all.values()]
      .filter((one) => one.caller === name && one.bucket === bucket)
      .map(({ key: Key, id: UploadId, begun: Initiated }) => ({ Key, UploadId, Initiated }))
  }

  parts({ parts }: Upload) {
    return [...parts]
      .sort(([a], [b]) => a - b)
      .map(([PartNumber, { size: Size, md5 }]) => ({ PartNumber, Size, ETag: `"${md5}"` }))
  }

  async addPart(
    { parts }: Upload,
    number: number,
    bytes: AsyncIterable<Uint8Array>,
    store: ObjectStore,
  ): Promise<string> {
    const part = await store.write(bytes, LARGEST_PART)
    const before = parts.get(number)
    parts.set(number, part)
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
