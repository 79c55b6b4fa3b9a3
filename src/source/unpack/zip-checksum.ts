import { pipeline, type Readable, Transform } from 'node:stream'
import { crc32 } from 'node:zlib'

/** The bytes of an entry, which fail at their end where they are not those that were packed. */
export function withChecksum(stream: Readable, expected: number): Readable {
  let sum = 0
  const checked = new Transform({
    transform(chunk, _, done) {
      sum = crc32(chunk, sum)
      done(null, chunk)
    },
    flush(done) {
      done(sum === expected ? null : new Error('it is damaged: its checksum differs'))
    },
  })
  // An error of either ends both, and whoever reads is told.
  return pipeline(stream, checked, () => {})
}
