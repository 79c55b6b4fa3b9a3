import { realEffects } from '../../iceberg/effects.js'
import { Manifests } from '../../iceberg/manifests.js'
import { Table, type TablePointer } from '../../iceberg/table.js'
import type { TableVersion } from '../../iceberg/version.js'
import type { Storage } from '../../storage/storage.js'

/** Tells what versions of tables consist of. */
export interface TableSource {
  load(at: TablePointer): Promise<TableVersion>
  has(metadata: string): Promise<boolean>
}

/** Reads versions of tables, which share most of their manifests. */
export function tablesIn(storage: Storage): TableSource {
  const manifests = new Manifests(storage)
  return {
    load: (at) => Table.load(storage, at, realEffects, manifests),
    has: async (metadata) => (await storage.stat(metadata)) !== undefined,
  }
}
