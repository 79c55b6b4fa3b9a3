import { deflateRawSync } from 'node:zlib'
import { compress } from 'snappyjs'
import { expect, it } from 'vitest'
import { unpackBlock } from './codecs.js'
import { decodeContainer, encodeContainer } from './spec/avro.js'

const sync = Buffer.alloc(16, 7)
const schema = { type: 'record', name: 'r', fields: [{ name: 'path', type: 'string' }] }
const path = 'file:///lake/external/t/data/a.parquet'

/** The record as Avro has it: a length, and the text. */
const record = Buffer.concat([Buffer.from([path.length * 2]), Buffer.from(path)])

/** A frame of zstd with its bytes as they are (RFC 8878: a raw block, which is the last). */
function zstd(bytes: Buffer): Buffer {
  const header = (bytes.length << 3) | 1
  const frame = [0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length]
  return Buffer.concat([Buffer.from([...frame, header & 255, header >> 8, 0]), bytes])
}

it.each([
  ['deflate', deflateRawSync(record)],
  ['snappy', Buffer.concat([compress(record), Buffer.alloc(4)])],
  ['zstandard', zstd(record)],
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
