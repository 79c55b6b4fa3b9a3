import { isUtf8 } from 'node:buffer'
import { type FileHandle, open } from 'node:fs/promises'
import { inflateRawSync } from 'node:zlib'
import avro from 'avsc'
import { MoraineError, messageOf } from '../../errors.js'
import { unSnappy } from '../../iceberg/codecs/snappy.js'
import {
  AvroBytes,
  type AvroHeader,
  LONGEST_HEADER,
  readHeader,
  SYNC,
} from '../../iceberg/spec/avro-bytes.js'
import { checkOf } from '../../iceberg/spec/avro-check.js'
import { ownValue } from '../../own-value.js'
import { progressed } from '../decoder/progress.js'
import { textOf } from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'
import { shortFloat } from '../text/float-text.js'
import type { JsonRecord } from './json-records.js'

/** Rows, and characters of them, that are given on at a time. */
const TOGETHER = { rows: 1000, length: 2 ** 20 }
/** Bytes of a block once it is unpacked. */
const LARGEST_BLOCK = 2 ** 28

/**
 * The rows of an Avro object container file, as JSON: numbers that JSON would bend are texts, bytes
 * `\x00ff`, moments in UTC.
 */
export async function* avroRecords(
  file: SourceFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<JsonRecord[]> {
  const input = await open(textOf(file))
  let line = 0
  try {
    for await (const { values, shown } of blocksOf(input)) {
      let rows: JsonRecord[] = []
      let length = 0
      for (const value of values) {
        signal?.throwIfAborted()
        const json = JSON.stringify(value, shown)
        rows.push({ line: ++line, json })
        length += json.length
        if (rows.length < TOGETHER.rows && length < TOGETHER.length) continue
        yield rows
        rows = []
        length = 0
      }
      if (rows.length > 0) yield rows
    }
  } catch (cause) {
    signal?.throwIfAborted()
    throw new MoraineError('source', `${file.name} can't be read as Avro: ${messageOf(cause)}`, {
      cause,
      hint: 'Is it complete? Nothing was ingested from it.',
    })
  } finally {
    await input.close()
  }
}

interface Block {
  values: Iterable<unknown>
  /** What a value is in JSON. */
  shown: (key: string, value: unknown) => unknown
}

/**
 * The values of each block, which was checked before it is decoded: decoders believe what a block
 * says of itself.
 */
async function* blocksOf(input: FileHandle): AsyncGenerator<Block> {
  const { size } = await input.stat()
  const { metadata, sync, offset } = await headerOf(input, size)
  const codec = metadata['avro.codec'] ?? 'null'
  const unpack = ownValue(codecs, codec)
  if (!unpack) throw new Error(`its codec ${codec.slice(0, 40)} is not supported`)
  const schema = JSON.parse(metadata['avro.schema'] ?? 'null')
  const check = checkOf(schema, isUtf8)
  const { taken, names } = plainFields(named(schema))
  const type = avro.Type.forSchema(taken, { typeHook, logicalTypes } as never)
  const shown = names.size === 0 ? plain : withNames(names)
  for (let at = offset; at < size; ) {
    const start = new AvroBytes(await bytesAt(input, at, Math.min(20, size - at)))
    const records = start.long()
    const length = start.long()
    const body = at + start.at
    if (length < 0) throw new Error('the size of a block is negative')
    if (body + length + SYNC > size) throw new Error('it ends in the middle of a block')
    if (length > LARGEST_BLOCK) throw TOO_LARGE
    const bytes = await bytesAt(input, body, length + SYNC)
    if (!bytes.subarray(length).equals(sync)) throw new Error('a block has no end')
    const block = await unpack(bytes.subarray(0, length))
    progressed()
    check(block, records)
    progressed()
    yield { values: valuesOf(type, block, records), shown }
    at = body + length + SYNC
  }
}

/**
 * A schema, known to be of few levels, whose records have names: polars leaves them without one,
 * which the decoder refuses.
 */
function named(schema: unknown): any {
  let count = 0
  return JSON.parse(JSON.stringify(schema), (_, value) =>
    value?.name === '' && ['record', 'enum', 'fixed'].includes(value.type)
      ? { ...value, name: `unnamed_${++count}` }
      : value,
  )
}

/**
 * A schema whose fields have names that the decoder takes, and what those are called that it does
 * not: Java's writers allow letters of all languages.
 */
function plainFields(schema: any): { taken: any; names: ReadonlyMap<string, string> } {
  const text = JSON.stringify(schema)
  const names = new Map<string, string>()
  let prefix = '_name'
  while (text.includes(prefix)) prefix += '_'
  const taken = JSON.parse(text, (key, value) => {
    if (key !== 'fields' || !Array.isArray(value)) return value
    return value.map((field) => {
      if (typeof field?.name !== 'string' || /^[A-Za-z_][A-Za-z0-9_]*$/.test(field.name))
        return field
      const name = `${prefix}${names.size}`
      names.set(name, field.name)
      return { ...field, name }
    })
  })
  // Defaults would name fields, too; nobody reads by them what a file has.
  const isDefault = (key: string) => key === 'default' && names.size > 0
  const bare = (key: string, value: unknown) => (isDefault(key) ? undefined : value)
  return { taken: JSON.parse(JSON.stringify(taken), bare), names }
}

/** The same as `plain`, with names of fields as the file has them; keys of maps are data. */
function withNames(names: ReadonlyMap<string, string>) {
  return (key: string, value: unknown): unknown => {
    const found = plain(key, value)
    const isRecord =
      typeof found === 'object' &&
      found !== null &&
      ![Object.prototype, Array.prototype].includes(Object.getPrototypeOf(found))
    if (!isRecord) return found
    return Object.fromEntries(
      Object.entries(found).map(([name, inside]) => [names.get(name) ?? name, inside]),
    )
  }
}

function* valuesOf(type: avro.Type, block: Buffer, records: number): Generator<unknown> {
  let at = 0
  for (let i = 0; i < records; i++) {
    const { value, offset } = type.decode(block, at)
    if (offset < 0) throw new Error('a record ends too early')
    yield value
    at = offset
  }
}

/** Most headers are short, and only some are longer than what is read at first. */
async function headerOf(input: FileHandle, size: number): Promise<AvroHeader> {
  for (let bytes = 2 ** 16; ; bytes *= 16)
    try {
      return readHeader(await bytesAt(input, 0, Math.min(bytes, size)))
    } catch (error) {
      if (bytes >= size || bytes >= LONGEST_HEADER) throw error
    }
}

async function bytesAt(input: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  for (let read = 0; read < length; ) {
    const { bytesRead } = await input.read(bytes, read, length - read, at + read)
    if (bytesRead === 0) throw new Error('it ends too early')
    read += bytesRead
  }
  return bytes
}

const TOO_LARGE = new Error(`a block has more than ${LARGEST_BLOCK / 2 ** 20} MiB`)

const codecs: Record<string, (bytes: Buffer) => Promise<Buffer>> = {
  null: async (bytes) => bytes,
  deflate: inflate,
  snappy: async (bytes) => unSnappy(bytes, LARGEST_BLOCK),
}

async function inflate(bytes: Buffer): Promise<Buffer> {
  try {
    return inflateRawSync(bytes, { maxOutputLength: LARGEST_BLOCK })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? TOO_LARGE : error
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

/**
 * A two's complement number, big end first, with so many digits after the point (Avro 1.12,
 * Decimal).
 */
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
