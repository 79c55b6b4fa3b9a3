/**
 * What an Avro file does not let one read: its bytes, or its schema, are not what the specification
 * says.
 */
export class DamagedAvro extends Error {}

const MAGIC = [0x4f, 0x62, 0x6a, 0x01]
/** Bytes of the marker that ends the header and each block. */
export const SYNC = 16
/** Bytes of a header: its schema above all. */
export const LONGEST_HEADER = 16 * 2 ** 20

/** Reads bytes that may be anything: whatever lies beyond their end is an error. */
export class AvroBytes {
  constructor(
    private readonly bytes: Uint8Array,
    public at = 0,
  ) {}

  get left(): number {
    return this.bytes.length - this.at
  }

  /** A zigzag number of up to 64 bits; beyond 2^53 it is near enough to compare with a limit. */
  long(): number {
    let [value, scale] = [0, 1]
    for (let length = 1; length <= 10; length++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new DamagedAvro('it ends too early')
      value += (byte & 127) * scale
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    throw new DamagedAvro('a number has more than 64 bits')
  }

  byte(): number {
    const byte = this.bytes[this.at++]
    if (byte === undefined) throw new DamagedAvro('it ends too early')
    return byte
  }

  /** A length, of bytes that are all there. */
  length(): number {
    const length = this.long()
    if (length < 0) throw new DamagedAvro('a length is negative')
    if (length > this.left) throw new DamagedAvro('it ends too early')
    return length
  }

  skip(length: number): void {
    if (length > this.left) throw new DamagedAvro('it ends too early')
    this.at += length
  }

  take(length: number): Uint8Array {
    this.skip(length)
    return this.bytes.subarray(this.at - length, this.at)
  }

  /**
   * How many items of an array or a map come next; 0 at its end. Blocks of a negative count say
   * their size.
   */
  items(): number {
    const count = this.long()
    if (count >= 0) return count
    this.length()
    return -count
  }
}

/** What a container file says of itself. */
export interface AvroHeader {
  metadata: Record<string, string>
  sync: Uint8Array
  /** Where the first block begins. */
  offset: number
}

/**
 * The header of an object container file (Avro specification, Object Container Files).
 *
 * @throws DamagedAvro when the bytes do not begin with one.
 */
export function readHeader(bytes: Uint8Array): AvroHeader {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw new DamagedAvro('not an Avro file')
  const from = new AvroBytes(bytes, MAGIC.length)
  const text = new TextDecoder('utf-8', { fatal: true })
  const found = new Map<string, string>()
  for (let items = from.items(); items > 0; items = from.items())
    // Each has two bytes at least, so that a count beyond those ends soon.
    for (let i = 0; i < items; i++) {
      const name = textOf(text, from.take(from.length()))
      found.set(name, textOf(text, from.take(from.length())))
    }
  const sync = from.take(SYNC)
  return { metadata: Object.fromEntries(found), sync, offset: from.at }
}

function textOf(decoder: { decode(bytes: Uint8Array): string }, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new DamagedAvro('its header is not valid UTF-8')
  }
}
