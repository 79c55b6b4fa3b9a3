import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { MoraineError, messageOf } from '../errors.js'
import type { SourceFile } from './discover.js'

/**
 * Uses a file that may be compressed with gzip: it is unpacked to a place of its own for as long as it is used.
 *
 * @throws MoraineError of kind `source` when it is cut off or damaged.
 */
export async function withUnpacked<T>(
  file: SourceFile,
  signal: AbortSignal,
  use: (file: SourceFile) => Promise<T>,
): Promise<T> {
  if (!(await isGzip(file.path))) return use(file)
  const folder = await mkdtemp(join(tmpdir(), 'moraine-unpacked-'))
  try {
    const unpacked = join(folder, 'text')
    await pipeline(createReadStream(file.path), createGunzip(), createWriteStream(unpacked), {
      signal,
    }).catch((cause) => {
      signal.throwIfAborted()
      throw new MoraineError('source', `${file.name} can't be unpacked: ${messageOf(cause)}`, {
        cause,
        hint: 'It may not be complete: check it with gzip -t, and get it again.',
      })
    })
    return await use({ ...file, unpacked })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Files of gzip begin with these bytes, whatever they are called (RFC 1952, 2.3.1). */
async function isGzip(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined)
  if (!file) return false
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}
