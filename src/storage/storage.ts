import { posix } from 'node:path'
import { type ObjectAccess, Staging } from './staging.js'

/** An object in storage; `path` is relative to the storage's root, with `/` between its parts. */
export interface StoredObject {
  path: string
  /** Bytes. */
  size: number
  /** When it was created, in milliseconds since 1970. */
  modified: number
  /** What changes with its content, where the storage tells. */
  etag?: string
}

/** What credentials allow in a folder, and in whatever lies below it. */
export interface Grant {
  /** A path without a slash at its ends. */
  folder: string
  /** Nothing allows to remove objects. */
  may: 'read' | 'write'
  /** How names end that nobody may write who may write others. */
  except?: readonly string[]
}

/** A request that somebody is about to send to the storage. */
export interface PlainRequest {
  method: string
  url: string
  headers: Readonly<Record<string, readonly string[]>>
}

/** What a request does with an object, or with those whose paths begin with a text. */
export interface ObjectCall {
  does: 'read' | 'create' | 'list'
  path: string
}

/** Signs requests to the storage for who has no credentials of it. */
export interface RequestSigner {
  /** Where requests go. */
  address(): Promise<Pick<ObjectAccess, 'region' | 'endpoint' | 'pathStyle'>>
  /**
   * Signs a request that reads or lists objects, or creates one where there is none.
   *
   * @param check refuses what this one may not do, by throwing.
   * @returns headers to be added to its own.
   * @throws MoraineError of kind `usage` for any other request, before `check` is asked.
   */
  sign(
    request: PlainRequest,
    check: (call: ObjectCall) => void,
  ): Promise<Readonly<Record<string, string>>>
}

/** Earlier versions of objects that are gone, and objects of which some could not be removed. */
export interface PurgedVersions {
  versions: number
  kept: readonly { path: string; why: string }[]
}

/**
 * A folder or a bucket that holds a lake. Objects are written once, under names that were never
 * used before, and are never changed.
 */
export interface Storage {
  /** The root as a URL, without a trailing slash: `file:///data/lake`. */
  readonly url: string
  /** The root with the settings that lead to it, where the URL alone does not. */
  readonly address?: string
  /** What all ways to the same storage lead to, where this is one of several. */
  readonly origin?: object
  /** What readies its objects for engines, where they do not lie on this machine. */
  readonly staging?: Staging
  /**
   * Creates an object if there is none of that name, atomically and durably: of several callers
   * exactly one gets `true`, and nobody ever sees a part of it.
   */
  createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean>
  /** Writes an object under a name that was never used before, durably. */
  write(path: string, bytes: Uint8Array): Promise<void>
  /** @throws MoraineError of kind `storage` when there is no such object. */
  read(path: string): Promise<Uint8Array>
  /** The object's bytes; `undefined` when there is no such object. */
  readIfPresent(path: string): Promise<Uint8Array | undefined>
  /**
   * Some of an object's bytes, fewer where it ends before.
   *
   * @param from in bytes from its beginning, of which there must be more.
   * @throws MoraineError of kind `storage` when there is no such object.
   */
  range(path: string, from: number, length: number): Promise<Uint8Array>
  /** `undefined` when there is no such object. */
  stat(path: string): Promise<StoredObject | undefined>
  /**
   * SHA-256 of the bytes that lie in storage, in hex, without keeping them; `undefined` when there
   * is no such object.
   */
  digest(path: string): Promise<string | undefined>
  /** All objects whose path begins with the prefix, ordered by path. */
  list(prefix: string): Promise<StoredObject[]>
  /**
   * The objects directly below a prefix that ends with `/`, ordered by path; what lies deeper is
   * not looked at.
   */
  entries(prefix: string): Promise<StoredObject[]>
  /** The names of what lies directly below a prefix and has something below it, in order. */
  folders(prefix: string): Promise<string[]>
  /** Removes an object; there being none is no error. */
  remove(path: string): Promise<void>
  /** What the engine and other readers open: an absolute URL for a path. */
  locate(path: string): string
  /** Readies the place for a file that the engine is going to write at `path`. */
  prepare(path: string): Promise<void>
  /**
   * Makes files durable that the engine wrote by itself; returns the SHA-256 of each, in hex, by
   * its path.
   */
  seal(paths: readonly string[]): Promise<ReadonlyMap<string, string>>
  /**
   * Puts an object in the place of one whose bytes are not those that were written, or that is
   * gone: it is there as it was or as it should be, never in between. What is protected is replaced
   * too.
   */
  restore(path: string, bytes: Uint8Array): Promise<void>
  /**
   * Keeps objects from being changed or removed, as far as the storage can: read-only files, a
   * legal hold in a bucket with object lock.
   *
   * @param seconds from now on, in a bucket in the place of a hold, which has no end; one that
   * can't do it refuses.
   */
  protect(paths: readonly string[], seconds?: number): Promise<void>
  /**
   * Why an object can't be removed now, such as a lock and until when; only where objects can be.
   */
  hinders?(path: string): Promise<string | undefined>
  /**
   * Removes earlier versions of objects below a folder for good: of those that were removed, and of
   * those that were replaced; and what else is left of objects that are not there. Storages that
   * keep nothing have no such method.
   */
  purge?(folder: string): Promise<PurgedVersions>
  /**
   * Credentials of the storage for somebody who is to reach some folders and nothing else;
   * `undefined` where it has none to give. Storages whose objects nobody reaches by credentials
   * have no such method.
   *
   * @param seconds how long they are to be valid, 900 at least.
   * @throws MoraineError of kind `usage` for folders to which they can't be limited.
   */
  vend?(grants: readonly Grant[], seconds: number): Promise<ObjectAccess | undefined>
  /**
   * The first of some paths that is no plain file of its own: a link, a device, or what lies behind
   * a link, which may lead out of the storage. What is not there is none. Storages that know no
   * such things have no such method. The folders at the top may be links.
   */
  strangeAmong?(paths: readonly string[]): Promise<string | undefined>
  /** Signs requests of others; storages to which nobody sends requests have none. */
  readonly signer?: RequestSigner | undefined
}

/** The path of a located object, relative to the root; `undefined` when it lies elsewhere. */
export function pathOf(storage: Storage, location: string): string | undefined {
  const root = `${storage.url}/`
  return location.startsWith(root) ? location.slice(root.length) : undefined
}

/** A location as this program writes it: engines write `file:/x` and `/x` for `file:///x`. */
export function normalLocation(location: string): string {
  const path = /^(?:file:\/*)?(\/.*)$/.exec(location)?.[1]
  return path === undefined ? location : `file://${path}`
}

/**
 * The same for one that others wrote: a folder's system takes `a//b` and `a/./b` for `a/b`; to a
 * bucket they are other objects.
 */
export function plainLocation(location: string): string {
  const normal = normalLocation(location)
  const local = /^file:\/\/(.*)$/s.exec(normal)?.[1]
  return local === undefined ? normal : `file://${posix.normalize(local)}`
}

/**
 * What readies a storage's objects for engines; where they lie on this machine there is nothing to
 * do.
 */
export function stagingOf({ staging = new Staging() }: Pick<Storage, 'staging'>): Staging {
  return staging
}
