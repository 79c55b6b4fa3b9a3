import { open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEngine } from '../../engine/open.js'
import { MoraineError, messageOf } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import type { FilesOptions } from '../declare/files.js'
import { objectAt } from '../files/bucket.js'
import type { Preview } from './first-rows.js'
import { isWorkbook, previewFile } from './preview.js'

/** Bytes that are read where nothing else is said. */
const CAP = 16 * 2 ** 20
/** Bytes at the start of a text, and at the end of a Parquet file. */
const START = 256 * 2 ** 10
const END = 64 * 2 ** 10

/** Reads a range of an object's bytes. */
type Ranges = (from: number, length: number) => Promise<Buffer>

/**
 * The first rows of an object in a bucket, by ranges of its bytes: of a text the start, of Parquet
 * its footer and its first row group.
 *
 * @throws MoraineError of kind `source` when more bytes than `cap` would have to be read.
 */
export async function previewObject(
  path: string,
  limit: number,
  said: FilesOptions<string> = {},
  cap = CAP,
): Promise<Preview> {
  const { key, size, range } = await objectAt(path)
  let read = 0
  const counted: Ranges = async (from, length) => {
    if (read + length > cap)
      throw new MoraineError(
        'source',
        `The preview would have to read more than ${cap} bytes of ${key}`,
        {
          hint: 'It is too large for a preview. Ingest it, and preview the dataset.',
        },
      )
    read += length
    return range(from, length)
  }
  const folder = await scratchFolder('preview')
  try {
    // Called as there: its ending tells what it is.
    const file = join(folder, `object${/\.[a-z]+$/i.exec(key)?.[0] ?? ''}`)
    const parquet = /\.parquet$/i.test(key)
    const placed = parquet
      ? await parquetParts(counted, size, file)
      : isWorkbook(key)
        ? await whole(counted, size, file)
        : await textStart(counted, size, file)
    const preview = await previewFile(placed, limit, said).catch((cause) => {
      throw new MoraineError(
        'source',
        `The first rows of ${key} can't be read: ${messageOf(cause)}`,
        {
          cause,
          hint: `Only ${read} of its ${size} bytes were read: a JSON document may continue after them.`,
        },
      )
    })
    return {
      ...preview,
      note: [preview.note, `${read} of ${size} bytes were read`].filter(Boolean).join('; '),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A zip says at its end what is in it. */
async function whole(range: Ranges, size: number, file: string): Promise<string> {
  await writeFile(file, size === 0 ? '' : await range(0, size))
  return file
}

async function textStart(range: Ranges, size: number, file: string): Promise<string> {
  const length = Math.min(size, START)
  const bytes = length === 0 ? Buffer.alloc(0) : await range(0, length)
  // A line that is cut off is not shown.
  const whole =
    length < size && bytes.includes(10) ? bytes.subarray(0, bytes.lastIndexOf(10) + 1) : bytes
  await place(file, whole.length, [[0, whole]])
  return file
}

/** A file of the object's size, with nothing in it but what is needed for the first rows. */
async function parquetParts(range: Ranges, size: number, file: string): Promise<string> {
  const tail = await range(Math.max(0, size - END), Math.min(size, END))
  const footer = tail.length < 12 ? 0 : tail.readUInt32LE(tail.length - 8) + 8
  if (footer === 0 || footer > size || tail.toString('latin1', tail.length - 4) !== 'PAR1')
    throw new MoraineError('source', 'The object is not a Parquet file', {
      hint: 'Is it complete?',
    })
  const end = footer <= tail.length ? tail : await range(size - footer, footer)
  // Its first bytes are those of its last: by them it is told what it is.
  await place(file, size, [
    [0, Buffer.from('PAR1')],
    [size - end.length, end],
  ])
  const engine = await openEngine()
  try {
    const session = await engine.open()
    const rows = await session.files.firstRows(file)
    session.close()
    if (rows) {
      const { start, stop } = rows
      await place(file, size, [[start, await range(start, stop - start)]])
    }
  } finally {
    await engine.close()
  }
  return file
}

async function place(
  file: string,
  size: number,
  parts: readonly (readonly [at: number, bytes: Buffer])[],
): Promise<void> {
  const opened = await open(file, 'a+').then(async (made) => {
    await made.close()
    return open(file, 'r+')
  })
  try {
    await opened.truncate(size)
    for (const [at, bytes] of parts) await opened.write(bytes, 0, bytes.length, at)
  } finally {
    await opened.close()
  }
}
