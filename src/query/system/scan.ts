import { SYSTEM } from '../../define/sql/name.js'
import type { TableRef } from '../../sql/guard.js'
import type { Pushed } from '../pushdown.js'
import { type LinesFile, writeLines } from './lines.js'
import type { Records, SystemTable } from './system-table.js'
import { systemTableOf } from './tables.js'

export const isSystem = ({ tier }: Pick<TableRef, 'tier'>): boolean => tier === SYSTEM

/** What writes a table's rows to a file of a folder. */
export type WriteRows = (folder: string) => Promise<LinesFile>

/** What a query needs of a table that is computed. */
export async function scanSystem(records: Records, name: string, conditions: readonly Pushed[]) {
  const { columns, plan } = systemTableOf(name) as SystemTable
  const { bytes, rows } = await plan(records, conditions)
  const write: WriteRows = (folder) => writeLines(folder, rows())
  return {
    relation: { tier: SYSTEM, name, schema: null, columns: [], files: [], lines: columns },
    sizes: new Map(),
    ...{ total: 1, bytes, partitions: [], write },
    // It is another one each time.
    version: '',
  }
}
