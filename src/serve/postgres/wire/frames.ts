import { PgError } from '../pg-error.js'

/** One message of a client: its type, and what follows its length. */
export interface Frame {
  /** A letter; empty for the first packets of a connection, which have none. */
  type: string
  body: Buffer
}

/** Bytes of a packet before a client has shown who it is, as PostgreSQL has it. */
const LONGEST_START = 10_000
/** Bytes of a message that are neither a statement nor values. */
const LONGEST_SMALL = 10_000

/** Messages that may be long: statements, their values, and what is copied. */
const LONG = 'QPBFd'

/**
 * Cuts what a client sends into messages. What is longer than it may be is refused before it has
 * arrived, so that no client can have memory held for it.
 */
export class Frames {
  private readonly parts: Buffer[] = []
  private size = 0
  /** Whether packets of the start are read, which have no type. */
  isStarting = true

  /** @param longest bytes that a message may have. */
  constructor(private readonly longest: number) {}

  add(chunk: Buffer): void {
    this.parts.push(chunk)
    this.size += chunk.length
  }

  /** Bytes that wait to be read. */
  get held(): number {
    return this.size
  }

  /**
   * The next message; `undefined` until all of it is here.
   *
   * @throws PgError for one that is too long, or of a length that cannot be.
   */
  next(): Frame | undefined {
    const head = this.isStarting ? 4 : 5
    if (this.size < head) return undefined
    const bytes = this.joined()
    const type = this.isStarting ? '' : String.fromCharCode(bytes[0] as number)
    const length = bytes.readInt32BE(head - 4)
    this.check(type, length)
    const end = head - 4 + length
    if (this.size < end) return undefined
    const body = bytes.subarray(head, end)
    this.parts[0] = bytes.subarray(end)
    this.size -= end
    return { type, body }
  }

  /** What has arrived beyond the messages that were read; it is not here any more. */
  rest(): Buffer {
    const bytes = this.joined()
    this.parts.length = 0
    this.size = 0
    return bytes
  }

  private joined(): Buffer {
    if (this.parts.length !== 1) {
      const all = Buffer.concat(this.parts)
      this.parts.length = 0
      this.parts.push(all)
    }
    return this.parts[0] as Buffer
  }

  private check(type: string, length: number): void {
    const most = this.isStarting
      ? LONGEST_START
      : LONG.includes(type)
        ? this.longest
        : Math.min(LONGEST_SMALL, this.longest)
    if (length >= 4 && length <= most) return
    throw new PgError('08P01', `A message of ${length} bytes is longer or shorter than it may be`, {
      fatal: true,
      hint: `A message may have ${most} bytes.`,
    })
  }
}
