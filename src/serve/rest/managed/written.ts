import { MoraineError, messageOf } from '../../../errors.js'
import type { DataFile } from '../../../iceberg/spec/manifest.js'
import type { Table } from '../../../iceberg/table.js'
import { isBelow } from '../../../storage/paths.js'
import type { Storage } from '../../../storage/storage.js'

/** Files that are looked at together. */
const TOGETHER = 16

/** A file that a client names, and the bytes that it says it has. */
interface Named {
  location: string
  bytes?: number
}

/**
 * When a file was written that a client names.
 *
 * @param folder in which it must lie, with a slash behind it.
 * @throws Error for one that is not there, has another size, or lies elsewhere.
 */
export async function writtenAt(
  storage: Storage,
  table: Table,
  folder: string,
  { location, bytes }: Named,
): Promise<number> {
  const path = table.pathOf(location)
  if (!path.startsWith(folder) || !isBelow(path) || /[?#]/.test(path))
    throw new Error(`${location} is not below ${storage.locate(folder.replace(/\/$/, ''))}`)
  const found = await storage.stat(path)
  if (!found) throw new Error(`${location} is missing`)
  if (bytes !== undefined && found.size !== bytes)
    throw new Error(`${location} has ${found.size} bytes instead of ${bytes}`)
  return found.modified
}

/**
 * Says in an answer what is wrong; what may pass by itself is nobody's mistake and stays as it is.
 */
export function refusing(refuse: (why: string) => Error) {
  return (error: unknown): never => {
    throw error instanceof MoraineError && error.retryable ? error : refuse(messageOf(error))
  }
}

/** When the first of new data files was written, or files of deletes. */
export async function firstWritten(
  storage: Storage,
  table: Table,
  files: readonly DataFile[],
): Promise<number> {
  let first = Date.now()
  for (let at = 0; at < files.length; at += TOGETHER) {
    const times = files
      .slice(at, at + TOGETHER)
      .map(({ path: location, bytes }) =>
        writtenAt(storage, table, `${table.dataFolder}/`, { location, bytes }),
      )
    first = Math.min(first, ...(await Promise.all(times)))
  }
  return first
}
