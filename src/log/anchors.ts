import { sha256 } from '../storage/checksum.js'
import type { Storage } from '../storage/storage.js'
import type { LakeState } from './commit.js'

/** Anchors that stay: those of the newest commits. */
const KEPT = 3

/** What an anchor says: which commit was made, and the SHA-256 of its entry. */
export interface Anchor {
  number: number
  hash: string
}

/**
 * Notes outside of a branch's log that its newest commits were made, whoever made them: a log whose
 * last entries were removed, or changed, is known by them. They are written behind a commit, which
 * is as good without: a crash in between costs nothing but the note.
 */
export class Anchors {
  constructor(
    private readonly storage: Storage,
    private readonly folder: string,
  ) {}

  pathOf(number: number): string {
    return `${this.folder}${String(number).padStart(20, '0')}.head`
  }

  async write({ number, hash }: Pick<LakeState, 'number' | 'hash'>): Promise<void> {
    if (hash === null) return
    await this.storage.createIfAbsent(this.pathOf(number), encodeAnchor({ number, hash }))
    if (number > KEPT) await this.storage.remove(this.pathOf(number - KEPT))
  }

  /** `undefined` when it is not what was written. */
  async read(number: number): Promise<Anchor | undefined> {
    const bytes = await this.storage.readIfPresent(this.pathOf(number))
    if (!bytes) return undefined
    try {
      const anchor = JSON.parse(new TextDecoder().decode(bytes).split('\n')[0] ?? '') as Anchor
      return Buffer.compare(bytes, encodeAnchor(anchor)) === 0 ? anchor : undefined
    } catch {
      return undefined
    }
  }

  async remove(number: number): Promise<void> {
    await this.storage.remove(this.pathOf(number))
  }
}

/** An anchor as it lies in storage. */
export function encodeAnchor({ number, hash }: Anchor): Uint8Array {
  const line = JSON.stringify({ format: 1, number, hash })
  return new TextEncoder().encode(`${line}\n${sha256(line)}\n`)
}
