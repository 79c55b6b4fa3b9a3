import type { JsonRecord } from '../json-records.js'
import type { XmlReader } from './reader.js'

const PIECE = 1 << 16

/** Reads the bytes of a document in UTF-8, in chunks that may begin within a character. */
export class XmlChunks {
  private readonly decoder = new TextDecoder()

  constructor(private readonly xml: XmlReader) {}

  push(chunk: Buffer, last: boolean): JsonRecord[] {
    if (last) return this.xml.push(this.decoder.decode(chunk), true)
    // Small texts: large ones are allocated one by one.
    const found: JsonRecord[][] = []
    for (let at = 0; at < chunk.length; at += PIECE) {
      const text = this.decoder.decode(chunk.subarray(at, at + PIECE), { stream: true })
      found.push(this.xml.push(text, false))
    }
    return found.flat()
  }
}
