import avro from 'avsc'

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

function typeOf(schema: object, exactLongs = true): AvroType {
  if (!exactLongs) return avro.Type.forSchema(schema as avro.Schema)
  const typeHook = (part: avro.Schema) => {
    const type = typeof part === 'object' && 'type' in part ? part.type : part
    return type === 'long' ? longType : undefined
  }
  return avro.Type.forSchema(schema as avro.Schema, { typeHook } as object)
}

/**
 * An Avro object container file (Avro specification, Object Container Files). The header carries the
 * schema as given, with its field ids, which readers of Iceberg look for.
 */
export function encodeContainer(
  schema: object,
  metadata: Readonly<Record<string, string>>,
  records: readonly unknown[],
  sync: Uint8Array,
): Uint8Array {
  const type = typeOf(structuredClone(schema))
  const texts = { 'avro.schema': JSON.stringify(schema), 'avro.codec': 'null', ...metadata }
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

/** Unpacks raw deflate data, which most writers of manifests use. */
export type Inflate = (bytes: Uint8Array) => Uint8Array

export interface Container {
  metadata: Record<string, string>
  records: unknown[]
}

/**
 * The metadata of an object container file, and where its first block begins.
 *
 * @throws Error when the bytes are no such file.
 */
export function readHeader(buffer: Buffer): { metadata: Record<string, string>; offset: number } {
  if (!buffer.subarray(0, 4).equals(MAGIC)) throw new Error('not an Avro file')
  const { value, offset } = decodeAt(metadataType, buffer, 4)
  const metadata = Object.fromEntries(
    Object.entries(value as Record<string, Buffer>).map(([k, v]) => [k, v.toString()]),
  )
  return { metadata, offset: offset + 16 }
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
  if (codec !== 'null' && !(codec === 'deflate' && inflate))
    throw new Error(`Avro codec ${codec} is not supported`)
  const decode = (exactLongs: boolean) => {
    const type = typeOf(JSON.parse(metadata['avro.schema'] as string), exactLongs)
    const unpack = codec === 'null' ? undefined : inflate
    return [...blocks(type, buffer, offset, unpack)]
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
  inflate: Inflate | undefined,
): Generator<unknown> {
  let offset = start
  while (offset < buffer.length) {
    const count = decodeAt(longType, buffer, offset)
    const size = decodeAt(longType, buffer, count.offset)
    const end = size.offset + (size.value as number)
    const packed = buffer.subarray(size.offset, end)
    const block = inflate ? Buffer.from(inflate(packed)) : packed
    let at = 0
    for (let i = 0; i < (count.value as number); i++) {
      const record = decodeAt(type, block, at)
      yield record.value
      at = record.offset
    }
    offset = end + 16
  }
}

function decodeAt(type: AvroType, buffer: Buffer, offset: number) {
  const result = type.decode(buffer, offset)
  if (result.offset < 0) throw new Error('the Avro file ends too early')
  return result as { value: unknown; offset: number }
}
