import type { TablePointer } from '../iceberg/table.js'
import type { TableVersion } from '../iceberg/version.js'
import type { Storage } from '../storage/storage.js'

/** Versions of a table that are kept: queries may still ask for the one before the newest. */
const VERSIONS = 2
/** Tables of a lake of which some are kept. */
const TABLES = 10_000

type Versions = Map<string, Promise<TableVersion>>

const known = new WeakMap<Storage, LoadedTables>()

/**
 * Tables as queries have found them. What describes a version lies in a file that never changes, so
 * it is read once, however many queries ask, and whatever is committed to other tables meanwhile.
 */
export class LoadedTables {
  private readonly tables = new Map<string, Versions>()

  /** Those of a lake. */
  static of(storage: Storage): LoadedTables {
    const found = known.get(storage) ?? new LoadedTables()
    known.set(storage, found)
    return found
  }

  /**
   * @param name the table's, and in what way it is read.
   * @param load reads it.
   */
  once<T extends TableVersion>(
    name: string,
    { metadata, sha256 = '' }: TablePointer,
    load: () => Promise<T>,
  ): Promise<T> {
    const versions: Versions = this.tables.get(name) ?? new Map()
    const key = `${metadata} ${sha256}`
    const found = (versions.get(key) as Promise<T> | undefined) ?? load()
    // What could not be read may be there the next time.
    found.catch(() => versions.delete(key))
    put(versions, key, found, VERSIONS)
    put(this.tables, name, versions, TABLES)
    return found
  }
}

/** Puts an entry last, and drops the first one where there are too many. */
function put<V>(entries: Map<string, V>, key: string, value: V, most: number): void {
  entries.delete(key)
  entries.set(key, value)
  if (entries.size <= most) return
  const [first] = entries.keys()
  if (first !== undefined) entries.delete(first)
}
