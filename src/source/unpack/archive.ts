import { Readable } from 'node:stream'
import type { Entry, ZipFile } from 'yauzl'
import { MoraineError, messageOf } from '../../errors.js'
import { decode } from '../decoder/client.js'
import type { SourceFile } from '../files/source-file.js'
import { withChecksum } from './zip-checksum.js'

/** Files that one archive may hold. */
const MOST = 100_000

/**
 * The files in a zip, each a file of its own. Their names are names alone: nothing is ever written
 * by them.
 *
 * @throws MoraineError of kind `source` when it is no zip, is damaged, or holds names that lead out
 *   of it.
 */
export async function entriesOf(file: SourceFile): Promise<SourceFile[]> {
  const { remote } = file
  const found = await decode('entries', file, {})
  return found.map((entry) => (remote ? { ...entry, remote } : entry) as SourceFile)
}

/** The same, in the process that asks. */
export async function readEntries(file: SourceFile): Promise<SourceFile[]> {
  const zip = await openZip(file)
  const found: SourceFile[] = []
  const names = new Set<string>()
  try {
    for await (const entry of eachEntry(zip)) {
      const { fileName, uncompressedSize, compressedSize } = entry
      if (fileName.endsWith('/') || fileName.split('/').some((part) => part.startsWith('.')))
        continue
      if (names.has(fileName)) throw new Error(`it holds two files called ${fileName}`)
      names.add(fileName)
      if (found.length >= MOST) throw new Error(`it holds more than ${MOST} files`)
      const { size, modified } = file
      found.push({
        ...file,
        name: `${file.name}/${fileName}`,
        size: uncompressedSize,
        packed: compressedSize,
        archive: { size, modified, entry: fileName },
      })
    }
    return found
  } catch (cause) {
    throw broken(file, cause)
  } finally {
    zip.close()
  }
}

/** The bytes of a file in a zip. */
export async function entryStream(file: SourceFile): Promise<Readable> {
  const zip = await openZip(file)
  try {
    for await (const entry of eachEntry(zip)) {
      if (entry.fileName !== file.archive?.entry) continue
      if (entry.isEncrypted())
        throw new MoraineError('source', `${file.name} is encrypted`, {
          hint: 'Nothing was ingested from it. Unpack it with its password first.',
        })
      const stream = await new Promise<Readable>((resolve, reject) =>
        zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream))),
      )
      stream.on('close', () => zip.close())
      return withChecksum(stream, entry.crc32)
    }
    throw new Error('the file is no longer in it')
  } catch (cause) {
    zip.close()
    throw cause instanceof MoraineError ? cause : broken(file, cause)
  }
}

async function openZip(file: SourceFile): Promise<ZipFile> {
  const yauzl = (await import('yauzl')).default
  const { path, remote, archive, size } = file
  const options = { lazyEntries: true, autoClose: false, validateEntrySizes: true } as const
  return new Promise((resolve, reject) => {
    const opened = (error: Error | null, zip: ZipFile) =>
      error ? reject(broken(file, error)) : resolve(zip)
    if (!remote || remote.here) return yauzl.open(remote?.here ?? path, options, opened)
    // Its end says what is in it; of the rest only what is asked for is brought.
    class Ranges extends yauzl.RandomAccessReader {
      override _readStreamForRange(from: number, end: number): Readable {
        return Readable.from(pieces(remote as Remote, from, end))
      }
    }
    yauzl.fromRandomAccessReader(new Ranges(), archive?.size ?? size, options, opened)
  })
}

type Remote = NonNullable<SourceFile['remote']>

/** Bytes that are asked for at a time. */
const PIECE = 4 * 2 ** 20

async function* pieces(remote: Remote, from: number, end: number): AsyncGenerator<Buffer> {
  for (let at = from; at < end; at += PIECE) yield remote.range(at, Math.min(PIECE, end - at))
}

/** Whether a file is taken apart, by its name. */
export function isZip(path: string): boolean {
  return /\.zip$/i.test(path)
}

async function* eachEntry(zip: ZipFile): AsyncGenerator<Entry> {
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      const settle = () => {
        zip.removeAllListeners('entry').removeAllListeners('end').removeAllListeners('error')
      }
      zip.once('entry', (entry) => {
        settle()
        resolve(entry)
      })
      zip.once('end', () => {
        settle()
        resolve(undefined)
      })
      zip.once('error', (error) => {
        settle()
        reject(error)
      })
      zip.readEntry()
    })
    if (!entry) return
    yield entry
  }
}

function broken(file: SourceFile, cause: unknown): MoraineError {
  return new MoraineError('source', `${file.name} can't be unpacked: ${messageOf(cause)}`, {
    cause,
    hint: 'Nothing was ingested from it. Is it complete, and a zip?',
  })
}
