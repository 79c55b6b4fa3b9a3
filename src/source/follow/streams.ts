import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { textOf } from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'

/** A log that was read up to somewhere, whatever its file is called by now. */
export interface Stream {
  /** The name of the file that it was in last, that file's number, and how it was then. */
  name: string
  inode: number
  size: number
  modified: number
  /** SHA-256 of its first bytes, and of those before the place up to which it was read. */
  head: string
  headLength: number
  tail: string
  /** Bytes of text that were read, and lines. */
  offset: number
  line: number
}

/** A file whose text can be looked at. */
export interface Readable {
  file: SourceFile
  inode: number
  /** Bytes of its text. */
  size: number
  packed: boolean
}

/** Bytes by which a log is known again. */
const MARK = 1024

export async function readableOf(file: SourceFile): Promise<Readable> {
  const { ino } = await stat(file.path)
  const { size } = await stat(textOf(file))
  return { file, inode: ino, size, packed: file.unpacked !== undefined }
}

/** Whether a file is as it was when its stream was read last. */
export async function isAsItWas({ path, name, size, modified }: SourceFile, stream: Stream) {
  if (stream.name !== name || stream.size !== size || stream.modified !== modified) return false
  return (await stat(path)).ino === stream.inode
}

/**
 * Whether a file begins with what was read of a stream: the same log goes on, under whatever name.
 */
export async function continues({ file, size }: Readable, stream: Stream): Promise<boolean> {
  if (size < stream.offset) return false
  return (
    (await hashOf(file, 0, stream.headLength)) === stream.head &&
    (await hashOf(file, Math.max(0, stream.offset - MARK), stream.offset)) === stream.tail
  )
}

/**
 * Whether one file is a copy of another, or of its first part: a log that is being rotated is there
 * twice for a while.
 */
export async function isCopy(one: Readable, of: Readable): Promise<boolean> {
  if (one.size === 0 || one.size > of.size) return false
  const at = Math.max(0, one.size - MARK)
  const same = async (from: number, to: number) =>
    (await hashOf(one.file, from, to)) === (await hashOf(of.file, from, to))
  return (await same(0, Math.min(MARK, one.size))) && (await same(at, one.size))
}

/** How a stream is known again, once it was read up to a place. */
export async function streamAt(
  { file, inode }: Readable,
  { offset, line }: Pick<Stream, 'offset' | 'line'>,
): Promise<Stream> {
  const { name, size, modified } = file
  const headLength = Math.min(MARK, offset)
  const head = await hashOf(file, 0, headLength)
  const tail = await hashOf(file, Math.max(0, offset - MARK), offset)
  return { name, inode, size, modified, head, headLength, tail, offset, line }
}

async function hashOf(file: SourceFile, from: number, to: number): Promise<string> {
  const opened = await open(textOf(file))
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(to - from), 0, to - from, from)
    return createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex')
  } finally {
    await opened.close()
  }
}
