import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DiskRoom } from '../../../query/disk-room.js'
import type { diskOf } from '../../../storage/disk.js'
import { AwsError } from '../protocol/failure.js'

/** An object, as it is described. */
export interface StoredObject {
  bucket: string
  key: string
  size: number
  etag: string
  /** ISO 8601. */
  modified: string
  contentType: string
  metadata: Readonly<Record<string, string>>
  /** The file that has its bytes; empty for a link. */
  blob: string
  /** A file of the lake that has its bytes: one of a table that a statement of the caller wrote. */
  link?: LakeLink
}

/** A file of a table of the lake: who may not read the table any more can't read it. */
export interface LakeLink {
  path: string
  /** The levels of the table's name. */
  levels: readonly string[]
}

export interface ObjectHead {
  contentType?: string | undefined
  metadata?: Readonly<Record<string, string>>
  /** Where it is not the MD5 of its bytes. */
  etag?: string
  /** What it takes the place of, where only that will do. */
  expected?: Expected | undefined
}

/** What has to be under a name for an object to take its place. */
export type Expected = 'nothing' | { etag: string }

/** Bytes of all objects of a principal, and how many there may be. */
const MOST_BYTES = 64 * 2 ** 30
const MOST_OBJECTS = 100_000

/**
 * The objects of one principal, in a folder that nobody else's requests reach: results of queries,
 * and what its programs put beside them. An object is a file of bytes, and one that describes it,
 * which comes last: one that was half written is not there.
 */
export class ObjectStore {
  private objects: Promise<Map<string, StoredObject>> | undefined
  /** Objects are described, and forgotten, one after the other. */
  private writing: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly folder: string,
    private readonly disk?: typeof diskOf,
  ) {}

  private all(): Promise<Map<string, StoredObject>> {
    this.objects ??= this.load()
    // What could not be read now may be next time.
    this.objects.catch(() => {
      this.objects = undefined
    })
    return this.objects
  }

  private async load(): Promise<Map<string, StoredObject>> {
    const found = new Map<string, StoredObject>()
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    const names = await readdir(this.folder)
    for (const name of names.filter((one) => one.endsWith('.json'))) {
      const object = await describedIn(join(this.folder, name))
      if (object) found.set(nameOf(object.bucket, object.key), object)
    }
    // What nothing describes was left by a process that ended.
    const known = new Set([...found.values()].map(({ blob }) => blob))
    for (const name of names)
      if (!name.endsWith('.json') && !known.has(name))
        await rm(join(this.folder, name), { force: true })
    return found
  }

  async get(bucket: string, key: string): Promise<StoredObject | undefined> {
    return (await this.all()).get(nameOf(bucket, key))
  }

  /** The bytes of an object, from one on to another (both included). */
  read({ blob }: StoredObject, from: number, to: number): AsyncIterable<Buffer> {
    if (to < from) return (async function* () {})()
    return createReadStream(join(this.folder, blob), { start: from, end: to })
  }

  /** Objects of a bucket whose keys begin so, in order of their bytes. */
  async list(bucket: string, prefix: string): Promise<StoredObject[]> {
    const all = [...(await this.all()).values()]
    return all
      .filter((one) => one.bucket === bucket && one.key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  }

  async buckets(): Promise<string[]> {
    return [...new Set([...(await this.all()).values()].map(({ bucket }) => bucket))].sort()
  }

  /** Puts an object there once all of its bytes are: before, what was there is. */
  async put(
    bucket: string,
    key: string,
    bytes: AsyncIterable<Uint8Array>,
    head: ObjectHead = {},
  ): Promise<StoredObject> {
    const all = await this.all()
    const used = [...all.values()].reduce((sum, { size }) => sum + size, 0)
    if (all.size >= MOST_OBJECTS || used > MOST_BYTES)
      throw new AwsError('SlowDown', 'There is no room for more objects: delete some', {
        status: 503,
      })
    const { blob, size, md5 } = await this.write(bytes, MOST_BYTES - used)
    const object: StoredObject = {
      ...{ bucket, key, size, blob },
      etag: head.etag ?? md5,
      modified: new Date().toISOString(),
      contentType: head.contentType ?? 'binary/octet-stream',
      metadata: head.metadata ?? {},
    }
    return this.inTurn(async () => {
      try {
        checkExpected(all.get(nameOf(bucket, key)), head.expected)
      } catch (error) {
        await this.removeBlob(blob)
        throw error
      }
      return this.described(object)
    })
  }

  /** Shows a file of the lake as an object. */
  async link(at: { bucket: string; key: string }, link: LakeLink, size: number): Promise<void> {
    const object = {
      ...{ ...at, link, size, blob: '', etag: hashOf(link.path).slice(0, 32) },
      modified: new Date().toISOString(),
      ...{ contentType: 'application/octet-stream', metadata: {} },
    }
    await this.inTurn(() => this.described(object))
  }

  private inTurn<T>(write: () => Promise<T>): Promise<T> {
    const done = this.writing.then(write)
    this.writing = done.catch(() => {})
    return done
  }

  private async described(object: StoredObject): Promise<StoredObject> {
    const all = await this.all()
    const name = nameOf(object.bucket, object.key)
    const file = join(this.folder, `${hashOf(name)}.json`)
    await writeFile(`${file}.part`, JSON.stringify(object), { mode: 0o600 })
    await rename(`${file}.part`, file)
    const before = all.get(name)
    all.set(name, object)
    if (before?.blob) await rm(join(this.folder, before.blob), { force: true })
    return object
  }

  /** Bytes of a part of an object that is not there yet. */
  async write(
    bytes: AsyncIterable<Uint8Array>,
    most: number,
  ): Promise<{ blob: string; size: number; md5: string }> {
    await this.all()
    const blob = `${randomUUID()}.bytes`
    const file = await open(join(this.folder, blob), 'wx', 0o600)
    const hash = createHash('md5')
    const room = new DiskRoom(this.folder, this.disk)
    let size = 0
    try {
      for await (const part of bytes) {
        size += part.length
        if (size > most) throw new AwsError('EntityTooLarge', 'The object is too large')
        takeRoom(room, part.length)
        hash.update(part)
        await file.write(part)
      }
      await file.close()
      return { blob, size, md5: hash.digest('hex') }
    } catch (error) {
      await file.close()
      await rm(join(this.folder, blob), { force: true })
      throw error
    }
  }

  readBlob(blob: string): AsyncIterable<Buffer> {
    return createReadStream(join(this.folder, blob))
  }

  async removeBlob(blob: string): Promise<void> {
    await rm(join(this.folder, blob), { force: true })
  }

  delete(bucket: string, key: string): Promise<void> {
    return this.inTurn(() => this.removed(bucket, key))
  }

  private async removed(bucket: string, key: string): Promise<void> {
    const all = await this.all()
    const name = nameOf(bucket, key)
    const found = all.get(name)
    if (!found) return
    all.delete(name)
    await rm(join(this.folder, `${hashOf(name)}.json`), { force: true })
    if (found.blob !== '') await rm(join(this.folder, found.blob), { force: true })
  }
}

/** @throws AwsError where something else is there than what is expected. */
export function checkExpected(found: StoredObject | undefined, expected: Expected | undefined) {
  if (expected === undefined) return
  if (expected !== 'nothing' && !found) throw noSuchKey()
  if (expected === 'nothing' ? !found : found?.etag === expected.etag) return
  throw new AwsError(
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold',
    { status: 412 },
  )
}

/** What a file describes; one that was being written when the machine went down is removed. */
async function describedIn(path: string): Promise<StoredObject | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as StoredObject
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    await rm(path, { force: true })
    return undefined
  }
}

/** @throws AwsError where the disk would be nearly full, which the lake may lie on as well. */
function takeRoom(room: DiskRoom, bytes: number): void {
  try {
    room.take(bytes)
  } catch {
    throw new AwsError('SlowDown', 'The disk of the server is nearly full: delete some objects', {
      status: 503,
    })
  }
}

const nameOf = (bucket: string, key: string) => `${bucket}/${key}`
const hashOf = (name: string) => createHash('sha256').update(name).digest('hex')

export const noSuchKey = () =>
  new AwsError('NoSuchKey', 'The specified key does not exist.', { status: 404 })

/** The stores of all principals, each in a folder of its own. */
export class ObjectStores {
  private readonly known = new Map<string, ObjectStore>()

  constructor(
    private readonly folder: string,
    private readonly disk?: typeof diskOf,
  ) {}

  of({ name }: { name: string }): ObjectStore {
    const known = this.known.get(name)
    if (known) return known
    const store = new ObjectStore(join(this.folder, hashOf(name).slice(0, 32)), this.disk)
    this.known.set(name, store)
    return store
  }
}

/** The bucket and the key of an address. */
export function addressIn(url: string): { bucket: string; key: string } | undefined {
  const [, bucket, key = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(url) ?? []
  return bucket === undefined ? undefined : { bucket, key }
}
