import { existsSync } from 'node:fs'
import { filesOf, type ScanTask } from '../iceberg/deletes.js'
import type { TableVersion } from '../iceberg/version.js'
import { notAsWritten } from '../storage/checked.js'
import { fileSha256 } from '../storage/checksum.js'
import { type Storage, stagingOf } from '../storage/storage.js'

/**
 * Holds files of a table against their checksums before they are rewritten: what is wrong with them
 * would be right in the new ones.
 *
 * @throws MoraineError of kind `corrupt` that names the first which is not what was written.
 */
export async function checkFiles(
  storage: Storage,
  table: TableVersion,
  tasks: readonly ScanTask[],
): Promise<void> {
  for (const { path: location, sha256 } of filesOf(tasks)) {
    if (sha256 === undefined) continue
    const path = table.pathOf(location)
    // What the engine is about to read: of an object in a bucket, its copy here.
    const staging = stagingOf(storage)
    const place = staging.localPath(storage.locate(path))
    await staging.fetch([storage.locate(path)])
    const sum = existsSync(place) ? await fileSha256(place) : await storage.digest(path)
    if (sum !== sha256) throw notAsWritten(path)
  }
}
