import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PutObjectCommandInput } from '@aws-sdk/client-s3'
import { MoraineError } from '../../errors.js'
import { streamSha256 } from '../checksum.js'
import { MovedChecksums } from '../moved.js'
import { checkPath, isBelow } from '../paths.js'
import { missing } from '../remedy.js'
import { type ObjectAccess, Staging } from '../staging.js'
import type { Grant, PurgedVersions, RequestSigner, Storage, StoredObject } from '../storage.js'
import { receiveBody } from './body.js'
import { type Given, ObjectLock, setLifecycle, versionOf } from './bucket.js'
import { cacheFolder } from './cache.js'
import { type Arrived, Copies } from './copies.js'
import { ExpectedSums } from './expected.js'
import { type S3Action, s3Failure, statusOf } from './failures.js'
import { OwnWrites } from './own-writes.js'
import { addressOf, clientsFor, lastingCredentials, type S3Place, s3Place } from './settings.js'
import { signerFor } from './signing.js'
import { proven, sendFile } from './upload.js'
import { Vendor } from './vend.js'

/** How often a create is tried that another one is in the way of. */
const CONFLICTS = 10

type Clients = Awaited<ReturnType<typeof clientsFor>>

/** An object that was received: which one it was. */
interface Received extends Arrived {
  etag: string | undefined
  /** Where the bucket keeps versions. */
  version: string | undefined
}

/**
 * A lake in a bucket of S3, or of what speaks its protocol. The engine reads and writes copies in a
 * folder of this machine: objects never change, so a copy stays good.
 */
export class S3Storage implements Storage {
  readonly url: string
  private readonly place: S3Place
  private readonly copies: Copies
  private connected: Promise<Clients> | undefined
  private readonly lock: ObjectLock
  private readonly vendor: Vendor
  private readonly own = new OwnWrites()
  private readonly isLake: boolean

  readonly staging: Staging
  readonly signer: RequestSigner | undefined

  /**
   * @param staging where engines find its objects; `null` for a source, whose objects they need not
   * find.
   */
  constructor(
    readonly address: string,
    staging: Staging | null = new Staging(),
  ) {
    this.staging = staging ?? new Staging()
    this.isLake = staging !== null
    const root = address
    this.place = s3Place(root)
    this.lock = new ObjectLock(this.place.bucket, () => this.clients())
    this.vendor = new Vendor(this.place, () => this.clients())
    this.signer = signerFor(this.place, () => this.access())
    const { bucket, prefix, endpoint } = this.place
    this.url = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
    const id = createHash('sha256')
      .update(`${endpoint ?? ''} ${this.url}`)
      .digest('hex')
    const folder = join(cacheFolder(), 's3', id.slice(0, 16))
    const { url } = this
    const { reads } = this.place
    this.copies = new Copies({
      url,
      folder,
      download: (path, file, isKnown) => this.copyTo(path, file, isKnown),
      noted: (path) => MovedChecksums.of(this).get(path),
      sums: staging?.sums ?? new ExpectedSums(),
      isGone,
    })
    const fetch = (path: string, asItIs?: boolean) => this.copies.fetch(path, asItIs)
    const isReady = (path: string) => this.copies.isReady(path)
    const access = (least?: number) => this.access(least)
    const always = reads === 'ranges'
    const inPlace = reads === 'copies' ? {} : { access, always }
    staging?.mount({ url, folder, fetch, isReady, ...inPlace })
  }

  async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const { s3, once } = await this.clients()
    for (let attempt = 1; ; attempt++) {
      try {
        await once.send(
          new s3.PutObjectCommand({ ...this.put(path), ...proven(bytes), IfNoneMatch: '*' }),
        )
        this.own.note(path, bytes)
        return true
      } catch (error) {
        const status = statusOf(error)
        if (status === 412) return false
        // Another one is at it at the same moment: who wins is not decided yet.
        if (status !== 409 || attempt >= CONFLICTS) throw this.failed('create', path, error)
        await sleep(Math.random() * 50 * attempt)
      }
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    if (!(await this.createIfAbsent(path, bytes)))
      throw new MoraineError('storage', `${path} already exists; objects are never overwritten`)
  }

  async read(path: string): Promise<Uint8Array> {
    const found = await this.readIfPresent(path)
    if (found) return found
    throw missing(path)
  }

  async readIfPresent(path: string): Promise<Uint8Array | undefined> {
    const own = this.own.get(path)
    if (own) return own
    const { s3, client } = await this.clients()
    try {
      const { Body } = await client.send(new s3.GetObjectCommand(this.named(path)))
      return await Body?.transformToByteArray()
    } catch (error) {
      if (isMissing(error)) return undefined
      throw this.failed('read', path, error)
    }
  }

  async stat(path: string): Promise<StoredObject | undefined> {
    const { s3, client } = await this.clients()
    try {
      const { ContentLength = 0, LastModified } = await client.send(
        new s3.HeadObjectCommand(this.named(path)),
      )
      return { path, size: ContentLength, modified: LastModified?.getTime() ?? 0 }
    } catch (error) {
      if (statusOf(error) === 404 && !isNoBucket(error)) return undefined
      throw this.failed('look at', path, error)
    }
  }

  /** Which version of an object is there, where the bucket keeps versions, and its tag. */
  readonly versionOf = async (path: string) => versionOf(await this.clients(), this.named(path))

  async digest(path: string): Promise<string | undefined> {
    const { s3, client } = await this.clients()
    try {
      const { Body } = await client.send(new s3.GetObjectCommand(this.named(path)))
      return await streamSha256(Body as Readable)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw this.failed('read', path, error)
    }
  }

  list(prefix: string): Promise<StoredObject[]> {
    return this.objects(prefix)
  }

  entries(prefix: string): Promise<StoredObject[]> {
    return this.objects(prefix, '/')
  }

  private async objects(prefix: string, delimiter?: string): Promise<StoredObject[]> {
    const found: StoredObject[] = []
    for await (const { Contents = [] } of this.pages(prefix, delimiter))
      for (const { Key = '', Size = 0, LastModified, ETag } of Contents) {
        const path = this.pathOf(Key)
        // What stands for a folder is nothing of a lake; sources know it themselves.
        if (this.isLake && !isBelow(path)) continue
        const modified = LastModified?.getTime() ?? 0
        found.push({ path, size: Size, modified, ...(ETag ? { etag: ETag } : {}) })
      }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  async folders(prefix: string): Promise<string[]> {
    const found: string[] = []
    for await (const { CommonPrefixes = [] } of this.pages(prefix, '/'))
      for (const { Prefix = '' } of CommonPrefixes)
        found.push(this.pathOf(Prefix).slice(prefix.length).replace(/\/$/, ''))
    return found.sort()
  }

  async remove(path: string): Promise<void> {
    this.own.forget(path)
    const { s3, client } = await this.clients()
    try {
      await client.send(new s3.DeleteObjectCommand(this.named(path)))
    } catch (error) {
      if (!isMissing(error)) throw this.failed('remove', path, error)
    }
    await this.copies.remove(path)
  }

  locate(path: string): string {
    return `${this.url}/${checkPath(path)}`
  }

  async prepare(path: string): Promise<void> {
    await this.copies.prepare(path)
  }

  async seal(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const next = paths.values()
    const sums = new Map<string, string>()
    const work = async () => {
      for (const path of next) {
        const sum = await this.send(path)
        sums.set(path, sum)
        await this.copies.note(path, sum)
      }
    }
    await Promise.all(Array.from({ length: Math.min(4, paths.length) }, work))
    return sums
  }

  async restore(path: string, bytes: Uint8Array): Promise<void> {
    this.own.forget(path)
    const { s3, client } = await this.clients()
    try {
      await client.send(new s3.PutObjectCommand({ ...this.put(path), ...proven(bytes) }))
    } catch (error) {
      throw this.failed('write', path, error)
    }
    // A copy on this machine may be of the bytes that were replaced.
    await this.copies.remove(path)
  }

  async protect(paths: readonly string[], seconds?: number): Promise<void> {
    const [first] = paths
    if (first === undefined) return
    const until = seconds === undefined ? undefined : new Date(Date.now() + seconds * 1000)
    try {
      await this.lock.protect(
        paths.map((path) => this.named(path)),
        until,
      )
    } catch (error) {
      throw this.failed(until ? 'lock' : 'protect', first, error)
    }
  }

  async hinders(path: string): Promise<string | undefined> {
    try {
      return await this.lock.hinders(this.named(path))
    } catch (error) {
      throw this.failed('look at', path, error)
    }
  }

  async purge(folder: string): Promise<PurgedVersions> {
    try {
      const { versions, kept } = await this.lock.purge(this.named(folder).Key)
      return { versions, kept: kept.map(({ path, why }) => ({ path: this.pathOf(path), why })) }
    } catch (error) {
      throw this.failed('remove a version of', folder, error)
    }
  }

  async vend(grants: readonly Grant[], seconds: number): Promise<ObjectAccess | undefined> {
    try {
      const found = await this.vendor.vend(grants, seconds)
      return found && { url: this.url, ...found }
    } catch (error) {
      throw this.failed('give credentials for', '', error)
    }
  }

  /** Gives the bucket rules for its objects, beside those that others gave it. */
  async setLifecycle(
    rules: Parameters<typeof setLifecycle>[2],
    isOwn: (id: string) => boolean,
  ): Promise<Given> {
    try {
      return await setLifecycle(await this.clients(), this.place.bucket, rules, isOwn)
    } catch (error) {
      throw this.failed('give rules to', '', error)
    }
  }

  /** Sends what the engine wrote, in parts where it is large; returns its SHA-256. */
  private async send(path: string): Promise<string> {
    const clients = await this.clients()
    const file = await open(this.copies.at(path))
    try {
      return await sendFile(clients, file, { named: this.named(path), put: this.put(path) })
    } catch (error) {
      throw this.failed('write', path, error)
    } finally {
      await file.close()
    }
  }

  private async access(least = 0): Promise<ObjectAccess> {
    try {
      const { client } = await this.clients()
      const found = await lastingCredentials(client, least)
      return {
        url: this.url,
        keyId: found.accessKeyId,
        secret: found.secretAccessKey,
        token: found.sessionToken,
        region: await client.config.region(),
        ...addressOf(this.place),
        expires: found.expiration,
      }
    } catch (error) {
      throw this.failed('read', '', error)
    }
  }

  async range(path: string, from: number, length: number): Promise<Buffer> {
    const { s3, client } = await this.clients()
    try {
      const Range = `bytes=${from}-${from + length - 1}`
      const { Body } = await client.send(new s3.GetObjectCommand({ ...this.named(path), Range }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    } catch (error) {
      throw this.failed('read', path, error)
    }
  }

  /** Writes an object to a file; what flips on the way is asked for once more. */
  async download(path: string, file: string, signal?: AbortSignal): Promise<Received> {
    const receive = () => this.receive(path, file, signal ? { signal } : {})
    const first = await receive()
    if (first.proof !== 'is not' && first.proof !== 'likely not') return first
    const second = await receive()
    const isSame = second.sha256 === first.sha256 && first.proof === 'likely not'
    if (isSame || second.proof === 'is') return second
    throw new MoraineError(
      'source',
      `${this.url}/${path} is damaged: it does not match the checksum stored by the bucket`,
      { doing: 'read', hint: 'Upload it again.' },
    )
  }

  private async copyTo(path: string, file: string, isKnown: boolean): Promise<Arrived> {
    const { sha256, proof } = await this.receive(path, file, { isKnown })
    return { sha256, proof }
  }

  /** Removes one version of an object: one that was written since stays. */
  async removeVersion(path: string, VersionId: string): Promise<void> {
    const { s3, client } = await this.clients()
    try {
      await client.send(new s3.DeleteObjectCommand({ ...this.named(path), VersionId }))
    } catch (error) {
      if (isMissing(error)) return
      const asked = this.lock.hinders({ ...this.named(path), VersionId })
      const why = await asked.catch(() => undefined)
      throw this.failed('remove a version of', path, why === undefined ? error : new Error(why))
    }
  }

  private async receive(
    path: string,
    file: string,
    { signal, isKnown = false }: { signal?: AbortSignal; isKnown?: boolean },
  ): Promise<Received> {
    const { s3, client } = await this.clients()
    const { endpoint, bucket } = this.place
    try {
      const sent = await client.send(
        new s3.GetObjectCommand({
          ...this.named(path),
          ...(isKnown ? {} : { ChecksumMode: 'ENABLED' }),
        }),
        signal ? { abortSignal: signal } : {},
      )
      // Directory buckets have ETags of another kind.
      const isAws = endpoint === undefined && !bucket.endsWith('--x-s3')
      const version = sent.VersionId === 'null' ? undefined : sent.VersionId
      return { etag: sent.ETag, version, ...(await receiveBody(sent, file, isAws, signal)) }
    } catch (error) {
      signal?.throwIfAborted()
      throw this.failed('read', path, error)
    }
  }

  private async *pages(prefix: string, delimiter?: string) {
    const { s3, client } = await this.clients()
    const root = this.place.prefix === '' ? '' : `${this.place.prefix}/`
    const input = {
      Bucket: this.place.bucket,
      Prefix: root + prefix,
      ...this.payer,
      ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
    }
    try {
      yield* s3.paginateListObjectsV2({ client }, input)
    } catch (error) {
      throw this.failed('list', prefix, error)
    }
  }

  private clients(): Promise<Clients> {
    this.connected ??= clientsFor(this.place)
    return this.connected
  }

  private named(path: string): { Bucket: string; Key: string; RequestPayer?: 'requester' } {
    const { bucket, prefix } = this.place
    const key = checkPath(path)
    return { Bucket: bucket, Key: prefix === '' ? key : `${prefix}/${key}`, ...this.payer }
  }

  private get payer(): { RequestPayer?: 'requester' } {
    return this.place.requesterPays ? { RequestPayer: 'requester' } : {}
  }

  private put(path: string): PutObjectCommandInput {
    return { ...this.named(path), ...this.place.encryption }
  }

  private pathOf(key: string): string {
    const { prefix } = this.place
    return prefix === '' ? key : key.slice(prefix.length + 1)
  }

  private failed(action: S3Action, path: string, cause: unknown): MoraineError {
    if (cause instanceof MoraineError) return cause
    const { anonymous, encryption } = this.place
    const encrypted = encryption.ServerSideEncryption === 'aws:kms'
    return s3Failure({ action, what: `${this.url}/${path}`, anonymous, encrypted }, cause)
  }
}

/** Whether a call failed because the object is not there (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof MoraineError && isMissing(error.cause)
}

function isNoBucket(error: unknown): boolean {
  return (error as { name?: string }).name === 'NoSuchBucket'
}

function isMissing(error: unknown): boolean {
  return error instanceof Object && statusOf(error) === 404 && !isNoBucket(error)
}
