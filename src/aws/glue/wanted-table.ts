import type { WantedPartitions } from './bronze/partitions.js'
import type { TableInput } from './client.js'
import type { Wanted } from './decide.js'

/** A table as the log has it, with its place in the catalog. */
export interface WantedTable extends Wanted {
  database: string
  table: string
  partitions?: WantedPartitions
  /**
   * All that is written of it; read of storage only where something is to be written. `undefined`
   * where it can't be shown, which is noted.
   */
  describe(pointer: string | undefined): Promise<TableInput | undefined>
}
