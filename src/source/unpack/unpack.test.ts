import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { temporaryFolder } from '../../../test/support/project.js'
import { seed } from '../../../test/support/seed.js'
import { zip } from '../../../test/support/zip.js'
import { Xxh64 } from '../../iceberg/codecs/xxh64.js'
import { readEntries } from './archive.js'
import { unpackInto } from './unpack.js'
import { unZstd } from './zstd.js'

const text = [
  'id,name,note',
  ...Array.from({ length: 60 }, (_, i) => `${i},name ${(i * 7919) % 1000},n${(i * i) % 97}`),
  '',
].join('\n')

/** The same as `zstd -19` packs it, with its checksum. */
const zstd = Buffer.from(
  `
  KLUv/WSyAg0LAMbjShSgl+QBiKwjpVBVuZAipJQ7/IVnCEcAQwBDAJXbDCkqdx/lRI9uFImS3BkiOnfICNHAO06yZLfU
  YJPuGbra3BTWkruyqha3nVHzvrop3TgojTsjo+EOAKEDBwb3QEHALUAQdkdZSvGWOZSGuidOSnlTokmH7rosaeRtRVKi
  +yZGanljiHTqzpSQStwBJ0jD3WGU0ZlbqDBaeY/YRcVuChaNuQuvIrcNEdXui6Fi3JglVJk7z4KKdAe7QDW7gzCnhrdI
  4jTinpvW3IQ2DbvLoqaJt5HQVOQ+mZlS3RhkingnUkxP7nAVphU1vEMkq2a3BKwi3YNzVZmbjKyKcRdVVe02MapO3hem
  WngjnlTz7jSMat0dKkPFJHXulkBq3T0ZR8276cSohXfVFHUyPagQEmEEUT4HQDkcEBL7rcQ6SmYAkGLE0VYLxK3mPKwT
  F7wAwCro1Lyako0cFhXuwU4ByvEANg==`,
  'base64',
)

async function unpackedOf(name: string, bytes: Buffer): Promise<Buffer | undefined> {
  const folder = await temporaryFolder()
  const path = join(folder, name)
  await writeFile(path, bytes)
  const file = { path, name, size: bytes.length, modified: 0 }
  const source = { layout: undefined, encoding: undefined }
  try {
    const [entry = file] = name.endsWith('.zip') ? await readEntries(file) : []
    await mkdir(join(folder, 'out'))
    return await readFile(await unpackInto(entry, source, join(folder, 'out')))
  } catch {
    return undefined
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('a packed file', () => {
  const files: [string, Buffer][] = [
    ['a.csv.gz', gzipSync(text)],
    ['a.csv.zst', zstd],
    ['a.zip', zip({ 'a.csv': text })],
    ['b.zip', zip({ 'a.csv': text }, 0, 'stored')],
  ]

  it.each(files)('%s is unpacked as it was', async (name, bytes) => {
    expect((await unpackedOf(name, bytes))?.toString()).toBe(text)
  })

  it.each(files)(
    '%s of which a bit has flipped is refused, or holds the same',
    async (name, bytes) => {
      // What a file is, is told by its first bytes.
      const bit = fc.integer({ min: 32, max: bytes.length * 8 - 1 })
      const holds = async (bit: number) => {
        const flipped = Buffer.from(bytes)
        flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7))
        const found = await unpackedOf(name, flipped)
        if (found) expect(found.toString()).toBe(text)
      }
      await fc.assert(fc.asyncProperty(bit, holds), { seed, numRuns: amount(30, 300) })
    },
  )

  it.each(files)('%s that is cut off is refused', async (name, bytes) => {
    for (let end = 5; end < bytes.length; end += 7)
      expect(await unpackedOf(name, bytes.subarray(0, end))).toBeUndefined()
  })
})

describe('zstd', () => {
  const unpack = (...pieces: Buffer[]) => Readable.from(pieces).pipe(unZstd())
  const all = async (...pieces: Buffer[]) => Buffer.concat(await unpack(...pieces).toArray())
  /** A frame with neither size nor checksum, by the descriptor of its window. */
  const frame = (window: number, blocks: Buffer) =>
    Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window]), blocks])
  /** 128 KiB of one byte, in four. */
  const repeated = (isLast = false) => Buffer.from([(isLast ? 1 : 0) | 2, 0, 0x10, 0x61])

  it('comes in pieces of any length, and in frames after one another with others between', async () => {
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    const frames = Buffer.concat([zstd, skipped, zstd, frame(56, repeated(true)), skipped])
    const expected = text + text + 'a'.repeat(2 ** 17)
    for (const length of [1, 2, 19, 1000]) {
      const pieces = []
      for (let at = 0; at < frames.length; at += length)
        pieces.push(frames.subarray(at, at + length))
      expect((await all(...pieces)).toString() === expected).toBe(true)
    }
  })

  it('of a few bytes that stand for many is unpacked as it is read', async () => {
    const blocks = Array.from({ length: 16_000 }, () => repeated())
    const stream = unpack(frame(56, Buffer.concat([...blocks, repeated(true)])))
    for await (const chunk of stream) {
      expect(chunk).toHaveLength(2 ** 17)
      expect(stream.readableLength).toBeLessThan(2 ** 22)
      break
    }
  })

  it('takes no more memory for its window than other programs allow', async () => {
    const last = repeated(true)
    expect(await all(frame((17 << 3) | 0, last))).toHaveLength(2 ** 17)
    await expect(all(frame((17 << 3) | 1, last))).rejects.toThrow('it needs 144 MiB of memory')
    // The library takes this for a small one.
    await expect(all(frame(31 << 3, last))).rejects.toThrow('it needs 2097152 MiB')
    const single = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0])
    await expect(all(Buffer.concat([single, last]))).rejects.toThrow('it needs 4096 MiB')
  })

  it('that needs what is not there says so', async () => {
    const named = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 9, 0, 0, 0x61])
    await expect(all(named)).rejects.toThrow('it was compressed with a dictionary')
    await expect(all(zstd, Buffer.from('more'))).rejects.toThrow('a zstd frame has a wrong header')
    await expect(all(zstd.subarray(0, -1))).rejects.toThrow('it is cut off')
  })
})

describe('XXH64', () => {
  const hash = (pieces: Buffer[]) => {
    const sum = new Xxh64()
    for (const piece of pieces) sum.update(piece)
    return sum.digest().toString(16)
  }

  it.each([
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['abc', '44bc2cf5ad770999'],
  ])('of %j is what others say', (text, expected) => {
    expect(hash([Buffer.from(text)])).toBe(expected)
  })

  it('is the same in pieces', () => {
    const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 8 })
    const bytes = fc.uint8Array({ maxLength: 400 })
    const holds = (bytes: Uint8Array, cuts: number[]) => {
      const whole = Buffer.from(bytes)
      const pieces = []
      let at = 0
      for (const cut of [...cuts, 400]) {
        pieces.push(whole.subarray(at, at + cut))
        at += cut
      }
      if (at < whole.length) pieces.push(whole.subarray(at))
      expect(hash(pieces)).toBe(hash([whole]))
    }
    fc.assert(fc.property(bytes, cuts, holds), { seed })
  })
})
