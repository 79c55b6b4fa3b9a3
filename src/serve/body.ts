import { BrokenDocument, JsonSplitter } from '../source/formats/json-records.js'

/** A body that can't be taken, and the status that says so. */
export class BadBody extends Error {
  constructor(
    readonly status: 400 | 413,
    message: string,
  ) {
    super(message)
  }
}

/** Reads a request's body, but never more of it than is allowed. */
export async function readBody(
  body: ReadableStream<Uint8Array> | null,
  most: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > most) throw new BadBody(413, `a request may have up to ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * The rows of a body, JSON objects as they came, each without line ends: JSON lines, or a list.
 *
 * @throws BadBody when one of them is none; none is taken then.
 */
export function rowsIn(body: Buffer): string[] {
  let texts: string[]
  try {
    texts = new JsonSplitter([]).push(body, true).map(({ json = '' }) => json)
  } catch (error) {
    if (!(error instanceof BrokenDocument)) throw error
    throw new BadBody(400, `line ${error.line}: ${error.message}`)
  }
  return texts.map((text, i) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw new BadBody(400, `row ${i + 1} is no JSON: ${text.slice(0, 60)}`)
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new BadBody(400, `row ${i + 1} is no JSON object: ${text.slice(0, 60)}`)
    // Within strings JSON has no line ends.
    return text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, ' ') : text
  })
}
