import { createHash } from 'node:crypto'
import { type TextLayout, ValueTexts } from './value-texts.js'

/** What only going through all bytes of a file tells. */
export interface Digest {
  sha256: string
  /**
   * Columns that can be read as values, with their types; where they were looked for, and lines
   * have as many fields as there are columns.
   */
  values: ReadonlyMap<string, string> | undefined
}

/** Goes through bytes that come in chunks. */
export class BytesDigest {
  private readonly hash = createHash('sha256')
  private readonly texts: ValueTexts | undefined

  constructor(layout: TextLayout | undefined) {
    this.texts = layout && ValueTexts.of(layout)
  }

  update(chunk: Uint8Array): void {
    this.hash.update(chunk)
    this.texts?.take(chunk)
  }

  result(): Digest {
    return { sha256: this.hash.digest('hex'), values: this.texts?.result() }
  }
}
