import { createReadStream } from 'node:fs'
import { open, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { MoraineError, messageOf } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { kindOf } from '../files/kind.js'
import type { SourceFile } from '../files/source-file.js'
import { entryStream } from '../unpack/archive.js'
import { unZstd } from '../unpack/zstd.js'

/** Bytes at the start of a file that are looked at to find out what it is. */
const START = 1 << 18

/** A file that can be looked at: itself, or a place with the start of its text. */
export interface Sample {
  file: SourceFile
  /** It is all of the file. */
  complete: boolean
  /** Its first bytes. */
  start: Buffer
}

/** How much of a file is looked at, and what is known of it. */
export interface SampleOptions {
  /** Bytes of a text that are looked at. */
  most: number
  /** The file here is only the start of what it stands for. */
  isCut?: boolean
}

/**
 * Uses a file, or the whole lines at the start of its text where it is larger than `most`. Parquet,
 * Avro and Excel are used as they are.
 *
 * @throws MoraineError of kind `source` when it can't be opened, or is damaged.
 */
export async function withSample<T>(
  file: SourceFile,
  { most, isCut = false }: SampleOptions,
  use: (sample: Sample) => Promise<T>,
): Promise<T> {
  const start = file.archive ? Buffer.alloc(0) : await startOf(file)
  const packed = file.archive ? 'zip' : packingOf(start)
  const isTable = !packed && ['parquet', 'avro', 'xlsx'].includes(kindOf(start)?.ending ?? '')
  if (!packed && (isTable || file.size <= most) && !isCut)
    return use({ file, complete: true, start })
  if (isTable) return use({ file, complete: false, start })
  const folder = await scratchFolder('sample')
  try {
    const { text, complete } = await readStart(file, packed, most, isCut)
    const path = join(folder, 'text')
    await writeFile(path, text)
    const { size, mtimeMs } = await stat(path)
    const { archive: _, packed: __, remote: ___, ...about } = file
    const placed = { ...about, path, size, modified: Math.floor(mtimeMs) }
    return await use({ file: placed, complete, start: text.subarray(0, START) })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function startOf({ path, name }: SourceFile): Promise<Buffer> {
  const opened = await open(path).catch((cause) => {
    throw new MoraineError('source', `${name} can't be opened: ${messageOf(cause)}`, {
      cause,
      hint: 'Does it still exist, and are you allowed to read it?',
    })
  })
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(START), 0, START, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await opened.close()
  }
}

type Packing = 'gzip' | 'zstd' | 'zip'

function packingOf(start: Buffer): Packing | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  return start.length >= 4 && start.readUInt32LE() === 0xfd2fb528 ? 'zstd' : undefined
}

/** Up to so many bytes of a file's text, cut behind its last whole line. */
async function readStart(
  file: SourceFile,
  packed: Packing | undefined,
  most: number,
  isCut: boolean,
): Promise<{ text: Buffer; complete: boolean }> {
  const from: Readable = file.archive ? await entryStream(file) : createReadStream(file.path)
  const through = packed === 'gzip' ? createGunzip() : packed === 'zstd' ? unZstd() : undefined
  const input = through ? from.pipe(through) : from
  if (through) from.on('error', (error) => through.destroy(error))
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of input) {
      chunks.push(chunk as Buffer)
      length += (chunk as Buffer).length
      if (length > most) break
    }
  } catch (cause) {
    // What is cut off ends in the middle of what it was packed into.
    if (!isCut || length === 0)
      throw cause instanceof MoraineError
        ? cause
        : new MoraineError('source', `${file.name} can't be unpacked: ${messageOf(cause)}`, {
            cause,
            hint: 'It may be incomplete: download it again.',
          })
  } finally {
    from.destroy()
  }
  const all = Buffer.concat(chunks)
  if (length <= most && !isCut) return { text: all, complete: true }
  return { text: wholeLines(all.subarray(0, most)), complete: false }
}

/** Bytes up to the end of the last line, of which there may be two bytes a character. */
function wholeLines(bytes: Buffer): Buffer {
  const [a, b] = bytes
  const isBig = (a === 0xfe && b === 0xff) || (a === 0 && b !== 0)
  const isWide = isBig || (a === 0xff && b === 0xfe) || (b === 0 && a !== 0)
  if (!isWide) {
    const end = bytes.lastIndexOf(10)
    return end < 0 ? bytes : bytes.subarray(0, end + 1)
  }
  const line = Buffer.from(isBig ? [0, 10] : [10, 0])
  for (let at = bytes.lastIndexOf(line); at >= 0; at = bytes.lastIndexOf(line, at - 1)) {
    if (at % 2 === 0) return bytes.subarray(0, at + 2)
    if (at === 0) break
  }
  return bytes.subarray(0, bytes.length - (bytes.length % 2))
}
