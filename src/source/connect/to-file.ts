import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Extracted } from './reader.js'

const NEWLINE = 10

/** Writes a stream of text to a file, and measures it on the way. */
export async function streamToFile(
  stream: Readable,
  path: string,
  signal: AbortSignal,
): Promise<Extracted> {
  const hash = createHash('sha256')
  let [bytes, longest, since] = [0, 0, 0]
  const measure = new Transform({
    highWaterMark: 1 << 20,
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      bytes += chunk.length
      const last = chunk.lastIndexOf(NEWLINE)
      if (last < 0) since += chunk.length
      else {
        longest = Math.max(longest, since + chunk.indexOf(NEWLINE), chunk.length)
        since = chunk.length - last - 1
      }
      done(null, chunk)
    },
  })
  await pipeline(stream, measure, createWriteStream(path, { highWaterMark: 1 << 20 }), { signal })
  return { bytes, longest: Math.max(longest, since), sha256: hash.digest('hex') }
}
