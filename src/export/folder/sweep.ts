import { notePath, type TableFolder, versionPath } from './table-folder.js'
import type { Version } from './version.js'

/**
 * Removes what no version has that is younger than `keep`: files and manifests of earlier versions,
 * and what exports have written that were ended. The newest version stays whatever its age, and
 * whatever may belong to an export that is at work.
 *
 * @param keep milliseconds.
 */
export async function sweep(
  table: TableFolder,
  newest: Version,
  keep: number,
  now: number,
): Promise<void> {
  const { storage } = table
  const before = now - keep
  const used = new Set(newest.files.map(({ path }) => path))
  const ids = new Set(newest.files.map(({ id }) => id))
  const numbers = (await table.numbers()).filter((number) => number < newest.number)
  // A version was read until the one after it was there.
  let replacedAt = Date.parse(newest.writtenAt)
  for (const number of numbers.reverse()) {
    const version = await table.version(number)
    if (replacedAt >= before)
      for (const { path, id } of version.files) {
        used.add(path)
        ids.add(id)
      }
    else await storage.remove(table.at(versionPath(number)))
    replacedAt = Date.parse(version.writtenAt)
  }
  const old = (modified: number) => modified < before
  for (const [path, { modified }] of await table.sizes())
    if (!used.has(path) && old(modified)) await storage.remove(table.at(path))
  for (const { path, modified } of await storage.list(table.at('_files/')))
    if (![...ids].some((id) => path === table.at(notePath(id))) && old(modified))
      await storage.remove(path)
}
