import { randomUUID } from 'node:crypto'
import { OTHER } from '../../storage/checked.js'
import { MovedChecksums } from '../../storage/moved.js'
import type { Storage } from '../../storage/storage.js'

/** What is wrong with an object. */
interface Wrong {
  is: 'missing' | 'damaged'
  why: string
}

/**
 * How closely objects are looked at: not at all, whether they are there with their sizes, or at all
 * of their bytes.
 */
export type Look = 'none' | 'sizes' | 'bytes'

/** Objects that were looked at, each once. */
export class Objects {
  private readonly found = new Map<string, { bytes: number; wrong: Wrong | undefined }>()
  private checked = 0
  /** Those whose checksum nobody has noted. */
  readonly unchecked = new Set<string>()
  /** Checksums of the others, as those who refer to them say. */
  readonly expected = new Map<string, string>()

  constructor(
    private readonly storage: Storage,
    private readonly look: Look,
    /** Those of which all bytes are looked at in any case. */
    private readonly suspicious: ReadonlySet<string> = new Set(),
  ) {}

  get totals() {
    const sizes = [...this.found.values()].map(({ bytes }) => bytes)
    return {
      files: sizes.length,
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      ...(this.look === 'bytes' ? { checked: this.checked, unchecked: this.unchecked.size } : {}),
    }
  }

  /**
   * Notes the checksums of what has none, beside the files that should say them; returns how many.
   */
  async record(but: ReadonlySet<string>): Promise<number> {
    const sums = new Map<string, string>()
    for (const path of this.unchecked) {
      const sum = but.has(path) ? undefined : await this.storage.digest(path)
      if (sum !== undefined) sums.set(path, sum)
    }
    if (sums.size > 0) await MovedChecksums.of(this.storage).add(`recorded-${randomUUID()}`, sums)
    return sums.size
  }

  damagedChecksums(): Promise<string[]> {
    return MovedChecksums.of(this.storage).damaged()
  }

  /** @returns what is wrong with an object; `undefined` when nothing is. */
  async check(path: string, size?: number, sha256?: string): Promise<Wrong | undefined> {
    const known = this.found.get(path)
    if (known) return known.wrong
    if (sha256) this.expected.set(path, sha256)
    if (this.look === 'none') return undefined
    const object = await this.storage.stat(path)
    const wrong = await this.wrongWith(path, object?.size, size, sha256)
    this.found.set(path, { bytes: object?.size ?? 0, wrong })
    return wrong
  }

  private async wrongWith(
    path: string,
    found: number | undefined,
    size: number | undefined,
    sha256: string | undefined,
  ): Promise<Wrong | undefined> {
    if (found === undefined) return { is: 'missing', why: 'is missing' }
    if (size !== undefined && found !== size)
      return { is: 'damaged', why: `has ${found} bytes instead of ${size}` }
    if (this.look !== 'bytes' && !this.suspicious.has(path)) return undefined
    const moved = await MovedChecksums.of(this.storage).get(path)
    if (sha256 === undefined && moved === undefined) {
      this.unchecked.add(path)
      return undefined
    }
    this.checked++
    // Once more, before it is told: what flips on the way does not lie there.
    for (let attempt = 0; attempt < 2; attempt++) {
      const sum = await this.storage.digest(path)
      if (sum === undefined) return { is: 'missing', why: 'is missing' }
      if (sum === sha256 || sum === moved) return undefined
    }
    return { is: 'damaged', why: `is damaged: ${OTHER}` }
  }
}
