import type { Batched } from './bronze/partitions.js'
import type { TableInput } from './client.js'
import type { Wanted } from './decide.js'

/** A table as the log has it, with its place in the catalog. */
export type WantedTable = DescribedTable | BatchedTable

interface Placed extends Wanted {
  database: string
  table: string
}

export interface DescribedTable extends Placed {
  /**
   * All that is written of it; read of storage only where something is to be written. `undefined`
   * where it can't be shown, which is noted.
   */
  describe(pointer: string | undefined): Promise<TableInput | undefined>
  batched?: undefined
}

/** A table whose rows are batches, each a partition. */
export interface BatchedTable extends Placed {
  description: string | undefined
  batched: Batched
}
