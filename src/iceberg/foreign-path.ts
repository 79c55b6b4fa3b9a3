import { MoraineError } from '../errors.js'
import { isBelow } from '../storage/paths.js'
import { normalLocation, pathOf, plainLocation, type Storage } from '../storage/storage.js'
import { tableFolder } from './table-folder.js'

/** The folder of what other engines keep in the lake. */
export const FOREIGN = 'external/'

/**
 * The path of a file that a table of another engine names; `undefined` for one that is not among
 * what other engines keep. A lake that was moved still finds them.
 */
export function foreignPath(
  storage: Storage,
  { folder, metadata: { location: table } }: { folder: string; metadata: { location: string } },
  location: string,
): string | undefined {
  const plain = plainLocation(location)
  const lay = normalLocation(table).replace(/\/+$/, '')
  const root = lay.endsWith(`/${folder}`) ? lay.slice(0, -folder.length) : undefined
  const path =
    pathOf(storage, plain) ??
    (root !== undefined && plain.startsWith(root) ? plain.slice(root.length) : undefined)
  return path?.startsWith(FOREIGN) && isBelow(path) ? path : undefined
}

/**
 * The folder of a table of another engine, whose metadata may lie apart from it; `undefined` for
 * one that lies elsewhere. In a lake that was moved it is where its metadata are.
 */
export function foreignFolder(
  storage: Storage,
  file: string,
  location: string,
): string | undefined {
  const plain = plainLocation(location).replace(/\/+$/, '')
  const beside = tableFolder(file)
  return pathOf(storage, plain) ?? (plain.endsWith(`/${beside}`) ? beside : undefined)
}

/** That a table of another engine can't be read: why, and what to do. */
export function unreadable(name: string, why: string, hint: string): MoraineError {
  return new MoraineError('source', `${name} cannot be read: ${why}`, { hint })
}
