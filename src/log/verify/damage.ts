import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { Schema } from '../../iceberg/spec/types.js'
import type { LakeState } from '../commit.js'

/** What an object is a part of. */
export type Part =
  | { kind: 'log'; branch: string; number?: number }
  | { kind: 'checkpoint' | 'anchor'; branch: string; number: number }
  | { kind: 'checksums' }
  | {
      kind: 'table'
      table: string
      file: 'metadata' | 'manifest list' | 'manifest' | 'data' | 'statistics'
      /** The tag that leads to it, where the current rows of the table don't. */
      tag?: string
    }
  | {
      kind: 'batch'
      dataset: string
      number: number
      file: 'manifest' | 'data' | 'original' | 'archived manifest'
    }
  /** What another engine keeps, with all that its metadata lead to. */
  | { kind: 'external'; relation: string }
  | { kind: 'index'; dataset: string }
  | { kind: 'quarantine'; dataset: string; name: string }
  | { kind: 'landed'; dataset: string }
  | { kind: 'note' }

/** An object that is not as it was written. */
export interface Damage {
  path: string
  /**
   * `missing`: there is no such object. `damaged`: its bytes are others. `wrong`: it can be read,
   * and does not hold what it should.
   */
  is: 'missing' | 'damaged' | 'wrong'
  /** What is wrong, for people. */
  why: string
  part: Part
  /** Whether the newest commit shows it. */
  head: boolean
  /** SHA-256 of what was written, where it is known. */
  sha256?: string
  /** Bytes of what was written, where they are known. */
  bytes?: number
}

/** An object of which nobody knows whether it is as it was written, as it could not be read. */
export interface Unread {
  path: string
  /** What the storage said. */
  why: string
}

/** What was looked at, and what is wrong. */
export interface Verification {
  commits: number
  /** The oldest commit that was looked at; earlier ones were let go by vacuum. */
  since: number
  /** Tables and batches of the newest commit. */
  tables: number
  batches: number
  /** Tables and views of other engines, where there are any. */
  external?: number
  /** Files that the commits which were looked at refer to, and their bytes. */
  files: number
  bytes: number
  /** How many of them were held against their checksums; of a deep look. */
  checked?: number
  /** How many have no checksum: another engine or an earlier version of Moraine wrote them. */
  unchecked?: number
  /** How many of those got one now. */
  recorded?: number
  /** What could not be read and is not part of any table: it is kept, and can be put back. */
  quarantined: { dataset: string; name: string; held: boolean; reason: string }[]
  /** Receipts of rows that were forgotten, by their ids, where some were. */
  forgotten?: NonNullable<LakeState['forgotten']>
  problems: string[]
  /** How many of the problems are of the newest commit: they come first. */
  problemsNow: number
  /** The same, object by object. */
  damaged: Damage[]
  /** What could not be looked at, which is a problem too: of these objects nothing is known. */
  unread: Unread[]
}

/** In the words that everybody reads. */
export const couldNotRead = (why: string): string => `could not be read: ${why}; try again`

/**
 * Reads a data file in full; returns what is wrong with it, and throws when it can't be read.
 * `file` is what a manifest says of it, for files of tables.
 */
export type ReadDeep = (
  location: string,
  rows: number,
  table?: { schema: Schema; file: DataFile },
) => Promise<string[]>
