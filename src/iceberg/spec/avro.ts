import avro from 'avsc'
import { keepRecent } from '../../recent.js'
import { AvroBytes, DamagedAvro, readHeader, SYNC } from './avro-bytes.js'
import { type CheckBlock, checkOf } from './avro-check.js'
import { withPlainNames } from './avro-names.js'

type AvroType = avro.Type

const MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 0x01)
const metadataType = avro.Type.forSchema({ type: 'map', values: 'bytes' })

/** Longs of all 64 bits: numbers where they are exact, bigint beyond. */
const longType = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => exact(bytes.readBigInt64LE()),
  toBuffer: (value: number | bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  },
  fromJSON: Number,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

function exact(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Schemas whose type is remembered at most, and how long the text of one may be. */
const REMEMBERED = 100
const LONGEST = 100_000

/**
 * What is made of the text of a schema, remembered: tables have few schemas of manifests among
 * them, and to make code for one takes longer than to write a short manifest with it.
 */
function remembered<T>(make: (schema: object) => T): (text: string) => T {
  const made = new Map<string, T>()
  return (text) => {
    const before = made.get(text)
    if (before !== undefined) return before
    const fresh = make(JSON.parse(text) as object)
    if (text.length > LONGEST) return fresh
    keepRecent(made, text, fresh, REMEMBERED)
    return fresh
  }
}

const plainType = remembered((schema) => avro.Type.forSchema(withPlainNames(schema) as avro.Schema))

const exactType = remembered((schema) => {
  const typeHook = (part: avro.Schema) => {
    const type = typeof part === 'object' && 'type' in part ? part.type : part
    return type === 'long' ? longType : undefined
  }
  return avro.Type.forSchema(withPlainNames(schema) as avro.Schema, { typeHook } as object)
})

const checkOfText = remembered((schema) => checkOf(schema))

/**
 * An Avro object container file (Avro specification, Object Container Files). The header carries
 * the schema as given, with its field ids, which readers of Iceberg look for.
 */
export function encodeContainer(
  schema: object,
  metadata: Readonly<Record<string, string>>,
  records: readonly unknown[],
  sync: Uint8Array,
): Uint8Array {
  const text = JSON.stringify(schema)
  const type = exactType(text)
  const texts = { 'avro.schema': text, 'avro.codec': 'null', ...metadata }
  const header = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]),
  )
  const parts: Uint8Array[] = [MAGIC, metadataType.toBuffer(header), sync]
  if (records.length > 0) {
    const body = Buffer.concat(records.map((record) => type.toBuffer(record)))
    parts.push(longType.toBuffer(records.length), longType.toBuffer(body.length), body, sync)
  }
  return Buffer.concat(parts)
}

/**
 * Unpacks a block: raw deflate data, which most writers of manifests use, or what another codec
 * packed.
 */
export type Inflate = (bytes: Uint8Array, codec: string) => Uint8Array

/**
 * Bytes that all blocks of a file may unpack to, and records in them: far more than manifests have.
 */
const MOST_UNPACKED = 2 ** 28
const MOST_RECORDS = 5_000_000

const CODECS = ['deflate', 'zstandard', 'snappy']

export interface Container {
  metadata: Record<string, string>
  records: unknown[]
}

/**
 * Reads an object container file.
 *
 * @throws Error when the bytes are not one, or are compressed in a way that can't be undone.
 */
export function decodeContainer(bytes: Uint8Array, inflate?: Inflate): Container {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { metadata, offset } = readHeader(buffer)
  const codec = metadata['avro.codec'] ?? 'null'
  if (codec !== 'null' && !(CODECS.includes(codec) && inflate))
    throw new Error(`Avro codec ${codec} is not supported`)
  const schema = metadata['avro.schema'] ?? ''
  const check = checkOfText(schema)
  const decode = (exactLongs: boolean) => {
    const type = exactLongs ? exactType(schema) : plainType(schema)
    const unpack =
      codec === 'null' || !inflate ? undefined : (packed: Uint8Array) => inflate(packed, codec)
    return [...blocks(type, buffer, offset, unpack, check)]
  }
  try {
    return { metadata, records: decode(false) }
  } catch (error) {
    // Longs beyond what a number holds exactly are rare, and reading all as if they were is slow.
    if (!/precision/.test(String(error))) throw error
    return { metadata, records: decode(true) }
  }
}

function* blocks(
  type: AvroType,
  buffer: Buffer,
  start: number,
  unpack: ((packed: Uint8Array) => Uint8Array) | undefined,
  check: CheckBlock,
): Generator<unknown> {
  const file = new AvroBytes(buffer, start)
  let [records, unpacked] = [0, 0]
  while (file.left > 0) {
    const count = file.long()
    const packed = Buffer.from(file.take(file.length()))
    file.skip(SYNC)
    const block = unpack ? Buffer.from(unpack(packed)) : packed
    records += count
    unpacked += block.length
    if (records > MOST_RECORDS || unpacked > MOST_UNPACKED)
      throw new DamagedAvro('it has more records than a manifest can have')
    check(block, count)
    let at = 0
    for (let i = 0; i < count; i++) {
      const { value, offset } = type.decode(block, at) as { value: unknown; offset: number }
      if (offset < 0) throw new DamagedAvro('the Avro file ends too early')
      yield value
      at = offset
    }
  }
}
