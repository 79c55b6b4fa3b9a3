import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import { compress } from 'snappyjs'
import { unSnappy } from '../../../iceberg/codecs/snappy.js'
import { encodeContainer } from '../../../iceberg/spec/avro.js'
import { readHeader } from '../../../iceberg/spec/avro-bytes.js'
import type { AvroCodec } from '../../engine.js'

/*
 * Rows of bronze as Avro object container files (Avro specification 1.11): a record of fields that
 * are NULL, a string or a long. Written and read by the column, as millions of rows go through
 * here.
 */

export interface AvroColumn {
  name: string
  long: boolean
}

/** A column's values in a block: UTF-8 of strings. */
export type AvroValues = readonly (Uint8Array | bigint | null)[]

/** Bytes of a block before it is compressed, about. */
const BLOCK = 1 << 16

const codecs: Record<
  AvroCodec,
  { pack(bytes: Buffer): Uint8Array; unpack(b: Buffer): Uint8Array }
> = {
  deflate: { pack: (bytes) => deflateRawSync(bytes), unpack: (bytes) => inflateRawSync(bytes) },
  // The CRC-32 of the bytes follows them.
  snappy: {
    pack: (bytes) => {
      const sum = Buffer.alloc(4)
      sum.writeUInt32BE(crc32(bytes))
      return Buffer.concat([compress(bytes), sum])
    },
    unpack: (bytes) => unSnappy(bytes, Number.POSITIVE_INFINITY),
  },
}

/** Encodes a container file piece by piece. */
export class AvroEncoder {
  private buffer = Buffer.allocUnsafe(2 * BLOCK)
  private size = 0
  private rows = 0

  constructor(
    private readonly columns: readonly AvroColumn[],
    private readonly codec: AvroCodec,
    private readonly sync: Uint8Array,
  ) {}

  /** @param name of the record: a dataset's. */
  header(name: string): Uint8Array {
    const names = fieldNames(this.columns.map((column) => column.name))
    const schema = {
      type: 'record',
      name: fieldName(name),
      fields: this.columns.map((column, i) => ({
        name: names[i],
        type: ['null', column.long ? 'long' : 'string'],
        default: null,
        ...(names[i] === column.name ? {} : { column: column.name }),
      })),
    }
    return encodeContainer(schema, { 'avro.codec': this.codec }, [], this.sync)
  }

  /** Blocks that are full once these rows are added. */
  *add(values: readonly AvroValues[], rows: number): Generator<Uint8Array> {
    for (let row = 0; row < rows; row++) {
      for (const column of values) this.value(column[row] ?? null)
      this.rows++
      if (this.size >= BLOCK) yield* this.end()
    }
  }

  /** The last block. */
  *end(): Generator<Uint8Array> {
    if (this.rows === 0) return
    const body = codecs[this.codec].pack(this.buffer.subarray(0, this.size))
    const head = Buffer.alloc(20)
    const length = writeLong(head, writeLong(head, 0, this.rows), body.length)
    yield Buffer.concat([head.subarray(0, length), body, this.sync])
    this.size = 0
    this.rows = 0
  }

  private value(value: Uint8Array | bigint | null): void {
    this.room(value instanceof Uint8Array ? value.length + 12 : 12)
    if (value === null) {
      this.buffer[this.size++] = 0
      return
    }
    this.buffer[this.size++] = 2
    if (typeof value === 'bigint') {
      this.size = writeLong(this.buffer, this.size, value)
      return
    }
    this.size = writeLong(this.buffer, this.size, value.length)
    this.buffer.set(value, this.size)
    this.size += value.length
  }

  private room(bytes: number): void {
    if (this.size + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(2 * (this.size + bytes))
    this.buffer.copy(larger, 0, 0, this.size)
    this.buffer = larger
  }
}

/** Writes a zigzag number; gives the place after it. */
function writeLong(buffer: Buffer, at: number, value: number | bigint): number {
  let place = at
  if (typeof value === 'bigint' && (value > 2n ** 30n || value < -(2n ** 30n))) {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    for (; rest > 127n; rest >>= 7n) buffer[place++] = Number(rest & 127n) | 128
    buffer[place++] = Number(rest)
    return place
  }
  const number = Number(value)
  let rest = number < 0 ? -2 * number - 1 : 2 * number
  for (; rest > 127; rest = Math.floor(rest / 128)) buffer[place++] = (rest % 128) | 128
  buffer[place++] = rest
  return place
}

/**
 * The columns of a container file that was written here, and its rows as texts, column by column.
 */
export function readAvro(bytes: Uint8Array): {
  columns: string[]
  blocks: Iterable<(string | null)[][]>
} {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { metadata, offset } = readHeader(buffer)
  const { fields } = JSON.parse(metadata['avro.schema'] ?? '{}') as {
    fields: { name: string; column?: string; type: [string, string] }[]
  }
  const codec = codecs[metadata['avro.codec'] as AvroCodec]
  if (!codec) throw new Error(`Avro codec ${metadata['avro.codec']} is not supported`)
  return {
    columns: fields.map(({ name, column }) => column ?? name),
    blocks: blocksOf(
      buffer,
      offset,
      codec.unpack,
      fields.map(({ type }) => type[1] === 'long'),
    ),
  }
}

function* blocksOf(
  buffer: Buffer,
  start: number,
  unpack: (bytes: Buffer) => Uint8Array,
  longs: readonly boolean[],
): Generator<(string | null)[][]> {
  const file = new Reader(buffer, start)
  while (file.at < buffer.length) {
    const rows = Number(file.long())
    const size = Number(file.long())
    if (!(rows >= 0 && size >= 0 && file.at + size + 16 <= buffer.length))
      throw new Error('the Avro file ends too early')
    const plain = unpack(buffer.subarray(file.at, file.at + size))
    // A field of a row has a byte at least.
    if (rows * longs.length > plain.length) throw new Error('the Avro file ends too early')
    file.at += size + 16
    const block = new Reader(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength), 0)
    const columns = longs.map(() => new Array<string | null>(rows))
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < longs.length; i++)
        (columns[i] as (string | null)[])[row] =
          block.long() === 0 ? null : longs[i] ? String(block.long()) : block.text()
    yield columns
  }
}

class Reader {
  constructor(
    private readonly buffer: Buffer,
    public at: number,
  ) {}

  /** A zigzag number; bigint where a number would not be exact. */
  long(): number | bigint {
    const start = this.at
    let [value, scale] = [0, 1]
    for (;;) {
      if (this.at - start >= 10) throw new Error('a number has more than 64 bits')
      const byte = this.buffer[this.at++]
      if (byte === undefined) throw new Error('the Avro file ends too early')
      value += (byte & 127) * scale
      if (byte < 128) break
      scale *= 128
    }
    if (value <= Number.MAX_SAFE_INTEGER) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    let exact = 0n
    for (let i = this.at - 1; i >= start; i--)
      exact = (exact << 7n) | BigInt((this.buffer[i] ?? 0) & 127)
    return (exact >> 1n) ^ -(exact & 1n)
  }

  text(): string {
    const length = Number(this.long())
    if (length < 0 || this.at + length > this.buffer.length)
      throw new Error('the Avro file ends too early')
    const text = this.buffer.toString('utf8', this.at, this.at + length)
    this.at += length
    return text
  }
}

/** Names as Avro has them: letters, digits and underscores, each once. */
function fieldNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let found = fieldName(name)
    while (taken.has(found)) found += '_'
    taken.add(found)
    return found
  })
}

const fieldName = (name: string) => name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d|$)/, '_')
