import { crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { compress } from 'snappyjs'
import { describe, expect, it } from 'vitest'
import { decodeContainer, encodeContainer } from '../spec/avro.js'
import { unpackBlock } from './block.js'
import { unSnappy } from './snappy.js'
import { unZstd } from './zstd.js'

const sync = Buffer.alloc(16, 7)
const schema = { type: 'record', name: 'r', fields: [{ name: 'path', type: 'string' }] }
const path = 'file:///lake/external/t/data/a.parquet'

/** The record as Avro has it: a length, and the text. */
const record = Buffer.concat([Buffer.from([path.length * 2]), Buffer.from(path)])

const magic = [0x28, 0xb5, 0x2f, 0xfd]
/** Headers of frames: one that says its size, and one that says only its window. */
const single = (size: number) => Buffer.from([...magic, 0xa0, ...u32(size)])
const windowed = (descriptor: number) => Buffer.from([...magic, 0x00, descriptor])
const u32 = (n: number) => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24]

/** A block of zstd: its bytes as they are, or one byte so many times (RFC 8878, 3.1.1.2). */
const block = (type: number, size: number, bytes: Uint8Array, isLast = false) =>
  Buffer.concat([Buffer.from(u32((size << 3) | (type << 1) | +isLast).slice(0, 3)), bytes])
const raw = (bytes: Uint8Array, isLast = false) => block(0, bytes.length, bytes, isLast)
const repeated = (size: number, isLast = false) => block(1, size, Buffer.from([65]), isLast)

const withSum = (bytes: Uint8Array, packed: Uint8Array) => {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(bytes))
  return Buffer.concat([packed, sum])
}
const snappy = (bytes: Buffer) => withSum(bytes, compress(bytes))

it.each([
  ['deflate', deflateRawSync(record)],
  ['snappy', snappy(record)],
  ['zstandard', Buffer.concat([single(record.length), raw(record, true)])],
  ['zstandard', Buffer.concat([windowed(0), raw(record, true)])],
])('manifests that other engines have packed with %s are read', (codec, packed) => {
  const header = encodeContainer(schema, { 'avro.codec': codec }, [], sync)
  const lengths = Buffer.from([2, packed.length * 2])
  // Lengths of up to 63 bytes take one byte.
  expect(packed.length).toBeLessThan(64)
  const file = Buffer.concat([header, lengths, packed, sync])
  expect(decodeContainer(file, unpackBlock).records).toEqual([{ path }])
  expect(() => decodeContainer(file)).toThrow(`Avro codec ${codec} is not supported`)
})

it('those packed otherwise are said to be', () => {
  const file = encodeContainer(schema, { 'avro.codec': 'bzip2' }, [], sync)
  expect(() => decodeContainer(file, unpackBlock)).toThrow('Avro codec bzip2 is not supported')
})

/** What the process holds besides the heap while something is done. */
function memoryOf(act: () => unknown): number {
  const before = process.memoryUsage().arrayBuffers
  act()
  return process.memoryUsage().arrayBuffers - before
}

describe('zstd', () => {
  it('gives up a few bytes of zstd that would be copied for minutes', () => {
    // 98,047 times 65,539 bytes, of a block that may have 128 KiB: one literal, and tables of one.
    const sequences = [0xff, 0xff, 0xff, 0b01010100, 0, 0, 52, 0xff, 0xff, 1]
    const body = [(1 << 3) | 1, 0x61, ...sequences]
    const block = (body.length << 3) | (2 << 1) | 1
    const frame = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0xff, block & 255, block >> 8, 0, ...body]
    expect(() => unpackBlock(Uint8Array.from(frame), 'zstandard')).toThrow('too long to unpack')
  })

  it('takes no memory for a window that a frame asks for and does not use', () => {
    // A window of 128 MiB, which the tightest level of the real program asks for.
    const packed = Buffer.concat([windowed(17 << 3), repeated(5), raw(Buffer.from('B'), true)])
    const taken = memoryOf(() => expect(String(unZstd(packed, 100))).toBe('AAAAAB'))
    expect(taken).toBeLessThan(2 ** 20)
  })

  it.each([
    ['a window of 8 GiB', Buffer.concat([windowed(23 << 3), repeated(1, true)]), /8192 MiB of mem/],
    ['a size of 4 GiB', Buffer.concat([single(2 ** 32 - 1), repeated(1, true)]), /4096 MiB of mem/],
    [
      'blocks that stand for more than is allowed',
      Buffer.concat([windowed(60), ...Array(50).fill(repeated(2 ** 17)), repeated(1, true)]),
      /more than 1000000 bytes/,
    ],
    [
      'frames that do so together',
      Buffer.concat(Array(10).fill(Buffer.concat([windowed(60), repeated(120_000, true)]))),
      /more than 40000 bytes/,
    ],
    ['more bytes than it says', Buffer.concat([single(4), raw(Buffer.alloc(5), true)]), /damaged/],
    ['fewer bytes than it says', Buffer.concat([single(6), repeated(5, true)]), /5 bytes instead/],
    ['a block beyond the largest', Buffer.concat([windowed(60), repeated(2 ** 18, true)]), /large/],
    ['a block of no kind', Buffer.concat([windowed(0), block(3, 0, Buffer.alloc(0), true)]), /./],
    ['no end', Buffer.concat([windowed(0), repeated(5)]), /cut off/],
    ['another header', Buffer.from('not zstd at all'), /wrong header/],
    ['a dictionary', Buffer.from([...magic, 0x01, 0, 7, ...repeated(1, true)]), /dictionary/],
  ])('refuses %s', (_, packed, message) => {
    const taken = memoryOf(() => expect(() => unZstd(packed, 1_000_000)).toThrow(message))
    expect(taken).toBeLessThan(2 ** 24)
  })
})

describe('snappy', () => {
  it('gives back what was packed, whatever it is', () => {
    const text = fc.stringMatching(/^[ab]{0,300}$/).map((s) => Buffer.from(s.repeat(20)))
    const bytes = fc.uint8Array({ maxLength: 5000 }).map((b) => Buffer.from(b))
    fc.assert(
      fc.property(fc.oneof(text, bytes), (plain) => {
        expect(unSnappy(snappy(plain), 2 ** 20).equals(plain)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('ends, with the same bytes or an error, whatever was changed on the way', () => {
    const plain = Buffer.from('moraine '.repeat(40) + path)
    const packed = snappy(plain)
    const edits = fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { maxLength: 6 })
    fc.assert(
      fc.property(edits, (changes) => {
        const bytes = Buffer.from(packed)
        for (const [at, byte] of changes) bytes[at] = byte
        let unpacked: Buffer
        try {
          unpacked = unSnappy(bytes, 2 ** 20)
        } catch {
          return
        }
        expect(unpacked.equals(plain)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    // Its length counts back to where it begins: a reader that adds it up stands still.
    ['a literal of a negative length', [5, 63 << 2, 0xfa, 0xff, 0xff, 0xff], /damaged/],
    ['4 GiB in ten bytes', [0xff, 0xff, 0xff, 0xff, 15, 0, 65, 0, 0, 0], /has 4294967295 bytes/],
    ['a megabyte in ten bytes', [0x80, 0x80, 0x40, 0, 65, 0xfe, 1, 0, 0xfe, 1], /damaged/],
    ['a copy from before its beginning', [8, 0, 65, 2 | (6 << 2), 9, 0], /damaged/],
    ['a copy from no distance', [8, 0, 65, 2 | (6 << 2), 0, 0], /damaged/],
    ['fewer bytes than it says', [9, 0, 65], /damaged/],
    ['a length without an end', [255, 255, 255, 255, 255, 255], /damaged/],
    ['nothing', [], /too short/],
  ])('refuses %s', (_, packed, message) => {
    expect(() => unSnappy(Buffer.from([...packed, 0, 0, 0, 0]), 2 ** 24)).toThrow(message)
  })
})

describe('a manifest', () => {
  it('has no more records than memory holds, however few bytes they take', () => {
    const none = { type: 'record', name: 'r', fields: [] }
    const header = encodeContainer(none, {}, [], sync)
    // 4,000,000 records of no bytes, twice.
    const empty = Buffer.concat([Buffer.from([0x80, 0xa4, 0xe8, 3, 0]), sync])
    expect(() => decodeContainer(Buffer.concat([header, empty, empty]))).toThrow('more records')
  })

  it('unpacks to no more than a limit, block by block', () => {
    const packed = deflateRawSync(Buffer.alloc(2 ** 28 + 1))
    expect(() => unpackBlock(packed, 'deflate')).toThrow()
  })
})
