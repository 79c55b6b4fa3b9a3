import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { constants, deflateRaw } from 'node:zlib'
import { sha256 } from '../../storage/checksum.js'
import { replaceFile } from '../../storage/replace-file.js'
import { cacheFolder } from '../../storage/s3/cache.js'

const deflate = promisify(deflateRaw)

/** More takes four times as long for DuckDB's library, and saves half a percent. */
const LEVEL = constants.Z_DEFAULT_COMPRESSION
/** Bytes from which on it is faster to find the result of the last time. */
const LARGE = 2 ** 20

/** Deflated bytes (RFC 1951); those of large files, such as DuckDB's library, are kept. */
export async function deflated(content: Uint8Array): Promise<Buffer> {
  if (content.length < LARGE) return deflate(content, { level: LEVEL })
  // Another zlib may give other bytes.
  const name = `${sha256(content)}-${process.versions.zlib}`
  const kept = join(cacheFolder(), 'deflated', name)
  const before = await readFile(kept).catch(() => undefined)
  if (before) return before
  const bytes = await deflate(content, { level: LEVEL })
  // What can't be kept is deflated again.
  await mkdir(dirname(kept), { recursive: true })
    .then(() => replaceFile(kept, bytes))
    .catch(() => {})
  return bytes
}
