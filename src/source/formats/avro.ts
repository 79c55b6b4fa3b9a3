import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import avro from 'avsc'
import { MoraineError, messageOf } from '../../errors.js'
import type { SourceFile } from '../discover.js'
import { shortFloat } from '../float-text.js'
import { textOf } from '../taken.js'
import type { JsonRecord } from './json-records.js'

const TOGETHER = 1000

/** The rows of an Avro object container file, as JSON: numbers that JSON would bend are texts, bytes `\x00ff`, moments in UTC. */
export async function* avroRecords(
  file: SourceFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<JsonRecord[]> {
  const decoder = new avro.streams.BlockDecoder({
    parseHook: (schema) => avro.Type.forSchema(schema, { typeHook, logicalTypes } as never),
    codecs: {
      snappy,
      deflate: inflate,
      null: (bytes: Buffer, done: Done) => done(null, bytes),
    } as never,
  })
  const input = createReadStream(textOf(file), { signal })
  input.on('error', (error) => decoder.destroy(error))
  input.pipe(decoder)
  let sync: Buffer | undefined
  decoder.on('metadata', (_type, _codec, header: { sync: Buffer }) => {
    sync = header.sync
  })
  let line = 0
  let rows: JsonRecord[] = []
  try {
    for await (const value of decoder) {
      rows.push({ line: ++line, json: JSON.stringify(value, plain) })
      if (rows.length < TOGETHER) continue
      yield rows
      rows = []
    }
    // Every block ends with the same bytes; the decoder passes over one that does not.
    if (!sync || !(await lastBytes(textOf(file), sync.length)).equals(sync))
      throw new Error('it ends in the middle of a block')
    if (rows.length > 0) yield rows
  } catch (cause) {
    signal?.throwIfAborted()
    throw new MoraineError('source', `${file.name} can't be read as Avro: ${messageOf(cause)}`, {
      cause,
      hint: 'Is it complete? Nothing of it was taken in.',
    })
  }
}

async function lastBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(count),
      0,
      count,
      Math.max(0, size - count),
    )
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

type Done = (error: Error | null, bytes?: Buffer) => void

async function inflate(bytes: Buffer, done: Done): Promise<void> {
  const { inflateRaw } = await import('node:zlib')
  inflateRaw(bytes, done)
}

async function snappy(bytes: Buffer, done: Done): Promise<void> {
  try {
    const { uncompress } = await import('snappyjs')
    // A checksum of four bytes is at the end of each block.
    done(null, Buffer.from(uncompress(bytes.subarray(0, -4))))
  } catch (error) {
    done(error as Error)
  }
}

/** Whole numbers of 64 bits, exactly. */
const long = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (n: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(n)
    return bytes
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (n: unknown) => typeof n === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
})

/** Numbers that mean moments fit a double for some centuries, or else the file is refused. */
function typeHook(schema: unknown): unknown {
  const { type = schema, logicalType } = schema as { type?: unknown; logicalType?: unknown }
  if (logicalType !== undefined) return undefined
  if (type === 'float') return new ShortFloat({ type: 'float', logicalType: 'short' } as never)
  return type === 'long' ? long : undefined
}

/** Numbers of 32 bits, in their own digits. */
class ShortFloat extends avro.types.LogicalType {
  protected override _fromValue(value: number): number {
    return shortFloat(value)
  }
  protected override _toValue(value: number): number {
    return value
  }
}

/** A logical type whose values are read as texts. */
function textual(read: (value: never, options: { scale: number }) => string) {
  return class extends avro.types.LogicalType {
    private readonly options: { scale: number }
    constructor(schema: avro.Schema, options: unknown) {
      super(schema, options as never)
      this.options = { scale: Number((schema as { scale?: number }).scale ?? 0) }
    }
    protected override _fromValue(value: unknown): string {
      return read(value as never, this.options)
    }
    protected override _toValue(): undefined {
      return undefined
    }
  }
}

const micros = (value: bigint, zone: string): string => {
  const seconds = value >= 0n ? value / 1000000n : (value - 999999n) / 1000000n
  const rest = value - seconds * 1000000n
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ')
  return `${text}${rest === 0n ? '' : `.${String(rest).padStart(6, '0')}`}${zone}`
}

const logicalTypes = {
  decimal: textual((bytes: Buffer, { scale }) => decimalText(bytes, scale)),
  date: textual((days: number) => new Date(days * 864e5).toISOString().slice(0, 10)),
  'time-millis': textual((n: number) => new Date(n).toISOString().slice(11, 23)),
  'time-micros': textual((n: number) => micros(BigInt(n), '').slice(11)),
  'timestamp-millis': textual((n: number) => micros(BigInt(n) * 1000n, '+00')),
  'timestamp-micros': textual((n: number) => micros(BigInt(n), '+00')),
  'local-timestamp-millis': textual((n: number) => micros(BigInt(n) * 1000n, '')),
  'local-timestamp-micros': textual((n: number) => micros(BigInt(n), '')),
}

/** A two's complement number, big end first, with so many digits after the point (Avro 1.12, Decimal). */
function decimalText(bytes: Buffer, scale: number): string {
  const number =
    bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
  const digits = String(number < 0n ? -number : number).padStart(scale + 1, '0')
  const cut = digits.length - scale
  const text = scale === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`
  return number < 0n ? `-${text}` : text
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  const bytes = value as { type?: string; data?: number[] }
  if (bytes?.type === 'Buffer' && Array.isArray(bytes.data))
    return `\\x${Buffer.from(bytes.data).toString('hex')}`
  return value
}
