import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Duplex, type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { FilesSource } from '../../define/source.js'
import { MoraineError, messageOf } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { decode } from '../decoder/client.js'
import { progressed } from '../decoder/progress.js'
import { isWorkbook } from '../files/kind.js'
import type { SourceFile } from '../files/source-file.js'
import { entryStream } from './archive.js'
import { unZstd } from './zstd.js'

/** What is unpacked may be so many bytes, and beyond that so many times what it was packed into. */
const FREE = 2 ** 28
const RATIO = 250

/** What has to be known of a source to unpack its files. */
export type Unpacking = Pick<FilesSource, 'layout' | 'encoding'>

/**
 * Uses a file as the text or table that it is. What is packed (gzip, zstd, a file in a zip), or in
 * another encoding than UTF-8, gets a place of its own for as long as it is used.
 *
 * @throws MoraineError of kind `source` when it is cut off, damaged, locked, or would unpack to
 *   more than anybody means.
 */
export async function withUnpacked<T>(
  file: SourceFile,
  source: Unpacking,
  signal: AbortSignal,
  use: (file: SourceFile) => Promise<T>,
): Promise<T> {
  // Of a zip that is elsewhere only the file itself is brought.
  if (!file.remote || file.archive) return withText(file, source, signal, use)
  const { remote } = file
  const { here } = remote
  if (here !== undefined) return withText({ ...file, path: here }, source, signal, use)
  const folder = await scratchFolder('object')
  try {
    const path = join(folder, 'object')
    await remote.download(path, signal)
    return await withText({ ...file, path }, source, signal, use)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The same of a file that is here. */
async function withText<T>(
  file: SourceFile,
  source: Unpacking,
  signal: AbortSignal,
  use: (file: SourceFile) => Promise<T>,
): Promise<T> {
  const start = file.archive ? Buffer.alloc(0) : await firstBytes(file.path)
  // What a workbook is read as is told with the other kinds of files.
  if (beginsAsZip(start) && source.layout?.kind !== 'excel' && !isWorkbook(start))
    throw new MoraineError('source', `${file.name} is a zip`, {
      hint: 'Only files whose names end with .zip are unpacked. Rename it.',
    })
  const packed = packingOf(file, start)
  const { layout, encoding } = source
  // What a packed text begins with is seen once it is unpacked.
  if (!packed && !(isText(source) && encodingOf(source, start) !== undefined)) return use(file)
  const folder = await scratchFolder('unpacked')
  try {
    const unpacked = await decode('unpack', file, { source: { layout, encoding }, folder }, signal)
    return await use({ ...file, unpacked })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Unpacks a file into a folder, in UTF-8 where it is text; gives the path of what it is then. */
export async function unpackInto(
  file: SourceFile,
  source: Unpacking,
  folder: string,
): Promise<string> {
  const packed = packingOf(file, file.archive ? Buffer.alloc(0) : await firstBytes(file.path))
  const write = (path: string, from: Readable, through: Duplex[]) =>
    pipeline([from, ...through, createWriteStream(path)]).catch((cause) => {
      if (cause instanceof MoraineError) throw cause
      throw new MoraineError('source', `${file.name} can't be unpacked: ${messageOf(cause)}`, {
        cause,
        hint: 'It may be incomplete: download it again, and run again.',
      })
    })
  let unpacked = file.path
  if (packed) {
    unpacked = join(folder, 'text')
    const counted = new Counted()
    const from = file.archive ? await entryStream(file) : createReadStream(file.path)
    const unpack = packed === 'gzip' ? [createGunzip()] : packed === 'zstd' ? [unZstd()] : []
    await write(unpacked, from, [counted, ...unpack, new Bounded(file, counted)])
  }
  const found = isText(source) ? encodingOf(source, await firstBytes(unpacked)) : undefined
  if (found === undefined) return unpacked
  const decoded = join(folder, 'decoded')
  await write(decoded, createReadStream(unpacked), [new Decoded(found, file)])
  return decoded
}

const isText = ({ layout }: Unpacking) => !['parquet', 'avro', 'excel'].includes(layout?.kind ?? '')

const packingOf = (file: SourceFile, start: Buffer) => (file.archive ? 'zip' : packing(start))

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path).catch(() => undefined)
  if (!file) return Buffer.alloc(0)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

const beginsAsZip = (start: Buffer) => start.length >= 4 && start.readUInt32LE() === 0x04034b50

/** By the first bytes, whatever a file is called (RFC 1952, 2.3.1; RFC 8878, 3.1.1). */
function packing(start: Buffer): 'gzip' | 'zstd' | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  return start.length >= 4 && start.readUInt32LE() === 0xfd2fb528 ? 'zstd' : undefined
}

/**
 * An encoding other than UTF-8: as the source says, a byte order mark, or the declaration of XML.
 */
function encodingOf(
  { layout, encoding }: Unpacking,
  start: Buffer | undefined,
): string | undefined {
  const [a, b] = start ?? []
  const marked =
    a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : undefined
  const declared =
    layout?.kind === 'xml'
      ? /^<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']/.exec(start?.toString('latin1') ?? '')?.[1]
      : undefined
  const found = marked ?? encoding ?? declared
  if (found === undefined || start === undefined) return undefined
  return /^utf-?8$/i.test(found) ? undefined : found
}

/** Counts the bytes that pass. */
class Counted extends Transform {
  bytes = 0
  override _transform(chunk: Buffer, _: string, done: (error: null, chunk: Buffer) => void): void {
    this.bytes += chunk.length
    progressed()
    done(null, chunk)
  }
}

/**
 * Refuses to grow without end: files that unpack to thousands of times their size are made to fill
 * disks.
 */
class Bounded extends Transform {
  private bytes = 0

  constructor(
    private readonly file: SourceFile,
    private readonly packed: Counted,
  ) {
    super()
  }

  override _transform(
    chunk: Buffer,
    _: string,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.bytes += chunk.length
    progressed()
    const packed = this.file.archive ? (this.file.packed ?? 0) : this.packed.bytes
    const fits = this.bytes <= FREE || this.bytes <= packed * RATIO
    const error = new MoraineError(
      'source',
      `${this.file.name} unpacks to more than ${RATIO} times its size`,
      { hint: 'Nothing was ingested from it. If this is expected, unpack it yourself.' },
    )
    if (fits) done(null, chunk)
    else done(error)
  }
}

/** Turns text of an encoding into UTF-8; bytes that are no characters end it. */
class Decoded extends Transform {
  private readonly decoder: InstanceType<typeof TextDecoder>

  constructor(
    encoding: string,
    private readonly file: SourceFile,
  ) {
    super()
    try {
      this.decoder = new TextDecoder(encoding, { fatal: true })
    } catch {
      throw new MoraineError('source', `${file.name}: unknown encoding '${encoding}'`, {
        hint: 'Use a label such as latin1, windows-1252, utf-16le or shift_jis.',
      })
    }
  }

  override _transform(
    chunk: Buffer,
    _: string,
    done: (error: Error | null, text?: string) => void,
  ): void {
    this.decode(() => this.decoder.decode(chunk, { stream: true }), done)
  }

  override _flush(done: (error: Error | null, text?: string) => void): void {
    this.decode(() => this.decoder.decode(), done)
  }

  private decode(decode: () => string, done: (error: Error | null, text?: string) => void): void {
    try {
      done(null, decode())
    } catch {
      const { encoding } = this.decoder
      done(
        new MoraineError(
          'source',
          `${this.file.name} contains bytes that are not valid ${encoding}`,
          {
            hint: 'Nothing was ingested from it. Is this its encoding?',
          },
        ),
      )
    }
  }
}
