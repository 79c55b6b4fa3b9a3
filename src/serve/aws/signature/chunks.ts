import { timingSafeEqual } from 'node:crypto'
import { hmac, scopeText, sha256 } from './canonical.js'
import { mismatch, SignatureFailure } from './failure.js'
import { type ChunkSigning, EMPTY } from './verify.js'

/** Bytes of one chunk, and of a line between them. */
const LONGEST_CHUNK = 16 * 2 ** 20
const LONGEST_LINE = 1024

const broken = (why: string) =>
  new SignatureFailure('IncompleteBody', `The chunks of the body are broken: ${why}`, 400)

/** Reads exact numbers of bytes, and lines, of a stream. */
class Bytes {
  private held: Buffer = Buffer.alloc(0)
  private isDone = false
  private readonly source: AsyncIterator<Uint8Array>

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]()
  }

  private async more(): Promise<boolean> {
    if (this.isDone) return false
    const { value, done } = await this.source.next()
    this.isDone = done === true
    if (value)
      this.held = this.held.length === 0 ? Buffer.from(value) : Buffer.concat([this.held, value])
    return !this.isDone
  }

  /** A line without its end; `undefined` where nothing is left. */
  async line(): Promise<string | undefined> {
    let at = this.held.indexOf('\r\n')
    while (at < 0) {
      if (this.held.length > LONGEST_LINE) throw broken('a line is too long')
      const isMore = await this.more()
      at = this.held.indexOf('\r\n')
      if (at < 0 && !isMore) {
        if (this.held.length === 0) return undefined
        throw broken('it ends within a line')
      }
    }
    if (at > LONGEST_LINE) throw broken('a line is too long')
    const line = this.held.subarray(0, at).toString('latin1')
    this.held = this.held.subarray(at + 2)
    return line
  }

  async exactly(size: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let missing = size
    for (;;) {
      const part = this.held.subarray(0, missing)
      this.held = this.held.subarray(part.length)
      parts.push(part)
      missing -= part.length
      if (missing === 0) return parts.length === 1 ? part : Buffer.concat(parts)
      if (!(await this.more()) && this.held.length === 0) throw broken('it ends within a chunk')
    }
  }

  async isAtEnd(): Promise<boolean> {
    while (this.held.length === 0) if (!(await this.more())) return this.held.length === 0
    return false
  }
}

/**
 * The data of a body in chunks (`aws-chunked`), whose signatures hang on each other. What follows
 * the last chunk is put into `trailers`.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  { signed, trailer }: { signed?: ChunkSigning; trailer: boolean },
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const bytes = new Bytes(source)
  let before = signed?.seed ?? ''
  const prove = (kind: string, parts: readonly string[], given: string | undefined) => {
    if (!signed) return
    const text = [
      `AWS4-HMAC-SHA256-${kind}`,
      signed.time,
      scopeText(signed.scope),
      before,
      ...parts,
    ]
    before = proved(hmac(signed.key, text.join('\n')), given)
  }
  for (;;) {
    const line = await bytes.line()
    const [, size, signature] =
      /^([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line ?? '') ?? []
    if (size === undefined) throw broken('a chunk does not say how long it is')
    const length = Number.parseInt(size, 16)
    if (length > LONGEST_CHUNK) throw broken(`a chunk has more than ${LONGEST_CHUNK} bytes`)
    const data = await bytes.exactly(length)
    prove('PAYLOAD', [EMPTY, sha256(data)], signature)
    if (length === 0) break
    if ((await bytes.line()) !== '') throw broken('a chunk is longer than it says')
    yield data
  }
  await readTrailers(
    bytes,
    trailers,
    trailer ? (text, given) => prove('TRAILER', [sha256(text)], given) : undefined,
  )
}

async function readTrailers(
  bytes: Bytes,
  trailers: Map<string, string>,
  prove: ((text: string, given: string | undefined) => void) | undefined,
): Promise<void> {
  let signature: string | undefined
  for (let line = await bytes.line(); line; line = await bytes.line()) {
    const colon = line.indexOf(':')
    if (!prove || colon < 1 || trailers.size > 8) throw broken('it goes on after its last chunk')
    const name = line.slice(0, colon).trim().toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === 'x-amz-trailer-signature') signature = value
    else trailers.set(name, value)
  }
  prove?.([...trailers].map(([name, value]) => `${name}:${value}\n`).join(''), signature)
  if (!(await bytes.isAtEnd())) throw broken('it goes on after its end')
}

function proved(right: Buffer, given = ''): string {
  const bytes = Buffer.from(given, 'hex')
  if (bytes.length !== right.length || !timingSafeEqual(bytes, right)) throw mismatch()
  return given
}
