import type { SourceFile } from '../../source/files/source-file.js'
import type { KnownFile } from '../../step/batches.js'
import { fileSha256 } from '../../storage/checksum.js'

/** Files and bytes that are read to see whether they are another content. */
const MOST = { files: 64, bytes: 4 * 2 ** 20 }

/**
 * Those of a few small files that have another time than before, and the same content: they come
 * with each checkout, copy or package of the project, so that a commit would note it each time.
 */
export async function sameContent(
  files: readonly SourceFile[],
  known: ReadonlyMap<string, KnownFile>,
): Promise<Set<SourceFile>> {
  const alike = files.filter(({ name, size, remote, archive }) => {
    const before = known.get(name)
    return !remote && !archive && before?.size === size && before.unread === undefined
  })
  const bytes = alike.reduce((sum, { size }) => sum + size, 0)
  if (alike.length > MOST.files || bytes > MOST.bytes) return new Set()
  const same = await Promise.all(
    alike.map(async (file) => {
      // One that can't be read is told where it is read.
      const sum = await fileSha256(file.path).catch(() => undefined)
      return sum === known.get(file.name)?.sha256 ? [file] : []
    }),
  )
  return new Set(same.flat())
}
