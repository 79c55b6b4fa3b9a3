import { PATIENT, type Patience, patiently } from './retry.js'
import type { ObjectAccess, Staging } from './staging.js'
import {
  type Grant,
  type PurgedVersions,
  type RequestSigner,
  type Storage,
  type StoredObject,
  stagingOf,
} from './storage.js'

/**
 * A storage whose calls are tried again when their failure may pass. Only the create that decides
 * about a commit is not: the log itself looks what became of it.
 */
export class RetryingStorage implements Storage {
  readonly staging: Staging

  constructor(
    private readonly inner: Storage,
    private readonly patience: Patience = { total: PATIENT },
  ) {
    this.staging = stagingOf(inner)
  }

  /** The same storage, for whoever waits longer or shorter for it. */
  with(patience: Partial<Patience>): RetryingStorage {
    return new RetryingStorage(this.inner, { ...this.patience, ...patience })
  }

  get url(): string {
    return this.inner.url
  }

  get address(): string {
    return this.inner.address ?? this.inner.url
  }

  get origin(): object {
    return this.inner.origin ?? this.inner
  }

  get signer(): RequestSigner | undefined {
    return this.inner.signer
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const once = { ...this.patience, total: 0 }
    return patiently(this.url, once, () => this.inner.createIfAbsent(path, bytes))
  }

  /** An attempt whose answer was lost may have written the object. */
  async write(path: string, bytes: Uint8Array): Promise<void> {
    let lost = false
    await this.again(async () => {
      try {
        await this.inner.write(path, bytes)
      } catch (error) {
        const there = lost ? await this.inner.readIfPresent(path) : undefined
        lost = true
        if (!there || Buffer.compare(there, bytes) !== 0) throw error
      }
    })
  }

  read(path: string): Promise<Uint8Array> {
    return this.again(() => this.inner.read(path))
  }

  readIfPresent(path: string): Promise<Uint8Array | undefined> {
    return this.again(() => this.inner.readIfPresent(path))
  }

  range(path: string, from: number, length: number): Promise<Uint8Array> {
    return this.again(() => this.inner.range(path, from, length))
  }

  stat(path: string): Promise<StoredObject | undefined> {
    return this.again(() => this.inner.stat(path))
  }

  digest(path: string): Promise<string | undefined> {
    return this.again(() => this.inner.digest(path))
  }

  list(prefix: string): Promise<StoredObject[]> {
    return this.again(() => this.inner.list(prefix))
  }

  entries(prefix: string): Promise<StoredObject[]> {
    return this.again(() => this.inner.entries(prefix))
  }

  folders(prefix: string): Promise<string[]> {
    return this.again(() => this.inner.folders(prefix))
  }

  remove(path: string): Promise<void> {
    return this.again(() => this.inner.remove(path))
  }

  async strangeAmong(paths: readonly string[]): Promise<string | undefined> {
    return this.again(async () => this.inner.strangeAmong?.(paths))
  }

  locate(path: string): string {
    return this.inner.locate(path)
  }

  prepare(path: string): Promise<void> {
    return this.again(() => this.inner.prepare(path))
  }

  seal(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.again(() => this.inner.seal(paths))
  }

  restore(path: string, bytes: Uint8Array): Promise<void> {
    return this.again(() => this.inner.restore(path, bytes))
  }

  protect(paths: readonly string[], seconds?: number): Promise<void> {
    return this.again(() => this.inner.protect(paths, seconds))
  }

  async hinders(path: string): Promise<string | undefined> {
    return this.again(async () => this.inner.hinders?.(path))
  }

  async purge(folder: string): Promise<PurgedVersions> {
    return this.again(async () => (await this.inner.purge?.(folder)) ?? { versions: 0, kept: [] })
  }

  async vend(grants: readonly Grant[], seconds: number): Promise<ObjectAccess | undefined> {
    return this.again(async () => this.inner.vend?.(grants, seconds))
  }

  private again<T>(call: () => Promise<T>): Promise<T> {
    return patiently(this.url, this.patience, call)
  }
}
