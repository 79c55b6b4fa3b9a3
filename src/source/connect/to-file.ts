import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { MoraineError, messageOf } from '../../errors.js'
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
  const file = createWriteStream(path, { highWaterMark: 1 << 20 })
  let unwritten: Error | undefined
  file.on('error', (error) => {
    unwritten = error
  })
  try {
    await pipeline(stream, measure, file, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw unwritten && error === unwritten ? cannotWrite(unwritten, dirname(path)) : error
  }
  return { bytes, longest: Math.max(longest, since), sha256: hash.digest('hex') }
}

function cannotWrite(error: Error, folder: string): MoraineError {
  const full = ['ENOSPC', 'EDQUOT'].includes((error as { code?: string }).code ?? '')
  const what = full ? 'The disk for temporary files is full' : 'Temporary files can not be written'
  return new MoraineError('storage', `${what}: ${messageOf(error)}`, {
    doing: `write to ${folder}`,
    hint: 'Free some space there, or set TMPDIR to another folder, and run again: what was taken in stays.',
  })
}
