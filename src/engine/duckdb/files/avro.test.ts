import { crc32, inflateRawSync } from 'node:zlib'
import avro from 'avsc'
import fc from 'fast-check'
import { uncompress } from 'snappyjs'
import { describe, expect, it } from 'vitest'
import { amount } from '../../../../test/support/effort.js'
import { seed } from '../../../../test/support/seed.js'
import { AvroEncoder, readAvro } from './avro.js'

const text = fc.option(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom('', '\ufeff\u0000', 'ö'.repeat(90_000)),
  ),
)
const long = fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))

/** Longs as another library reads them. */
const bigLong = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: () => Buffer.alloc(8),
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: () => 0,
})

/** A union's value without the name of its branch. */
const unwrapped = (record: Record<string, Record<string, unknown> | null>) =>
  Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, value && Object.values(value)[0]]),
  )

/** The records of a container file, as another library reads them. */
async function foreign(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const decoder = new avro.streams.BlockDecoder({
    parseHook: (schema) =>
      avro.Type.forSchema(schema, {
        typeHook: (part: any) => (part === 'long' ? bigLong : undefined),
        wrapUnions: true,
      } as object),
    codecs: {
      deflate: (data: Buffer, done: any) => done(null, inflateRawSync(data)),
      snappy: (data: Buffer, done: any) => {
        const plain = Buffer.from(uncompress(data.subarray(0, -4)))
        done(crc32(plain) === data.readUInt32BE(data.length - 4) ? null : new Error('sum'), plain)
      },
    },
  })
  const records: Record<string, unknown>[] = []
  decoder.on('data', (record) => records.push(unwrapped(record)))
  const ended = new Promise((resolve, reject) => decoder.on('end', resolve).on('error', reject))
  decoder.end(Buffer.from(bytes))
  await ended
  return records
}

describe('rows as an Avro file', () => {
  it('are read back here and by others, whatever they hold', async () => {
    const rows = fc.array(fc.record({ s: text, n: long }), { maxLength: 60 })
    const codec = fc.constantFrom('deflate' as const, 'snappy' as const)
    await fc.assert(
      fc.asyncProperty(rows, codec, async (rows, codec) => {
        const columns = [
          { name: 'the text', long: false },
          { name: 'n', long: true },
        ]
        const encoder = new AvroEncoder(columns, codec, Buffer.alloc(16, 7))
        const values = [
          rows.map(({ s }) => (s === null ? null : Buffer.from(s))),
          rows.map(({ n }) => n),
        ]
        const parts = [
          encoder.header('public.orders'),
          ...encoder.add(values, rows.length),
          ...encoder.end(),
        ]
        const bytes = Buffer.concat(parts)
        const wellFormed = (s: string | null) => (s === null ? null : Buffer.from(s).toString())
        const { columns: names, blocks } = readAvro(bytes)
        const read = [...blocks].flatMap(([s = [], n = []]) => s.map((text, i) => [text, n[i]]))
        expect(names).toEqual(['the text', 'n'])
        expect(read).toEqual(rows.map(({ s, n }) => [wellFormed(s), n === null ? null : String(n)]))
        expect(await foreign(bytes)).toEqual(
          rows.map(({ s, n }) => ({ the_text: wellFormed(s), n })),
        )
      }),
      { seed, numRuns: amount(15, 60) },
    )
  })

  it('that are damaged are not read', () => {
    const encoder = new AvroEncoder([{ name: 'a', long: false }], 'snappy', Buffer.alloc(16, 7))
    const value = [Buffer.from('some text that is long enough to be damaged')]
    const bytes = Buffer.concat([encoder.header('a'), ...encoder.add([value], 1), ...encoder.end()])
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1
    expect(() => [...readAvro(bytes).blocks]).toThrow()
    expect(() => readAvro(Buffer.from('no such file'))).toThrow('not an Avro file')
  })
})
