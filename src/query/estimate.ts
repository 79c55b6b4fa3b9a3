import type { Levels, TableRules } from '../define/access/rights.js'
import type { LakeState } from '../log/commit.js'
import type { TableRef } from '../sql/guard.js'
import type { Found } from './reads.js'
import type { Scan } from './scan.js'

/** What a query will read, as manifests tell it before anything is read. */
export interface Estimate {
  /** Bytes of the columns that are asked for, in the files that may have rows. */
  bytes: number
  tables: readonly TableEstimate[]
  /** Tables and views that it reads, directly or through views. */
  refs: readonly TableRef[]
  /** The state that they are read of. */
  state: LakeState
  /** Whether it gives the same rows again, as long as its tables are the same. */
  isRepeatable: boolean
}

export interface TableEstimate {
  name: string
  levels: Levels
  /** Whether the query names it, rather than a view that it reads. */
  isNamed: boolean
  rules: TableRules | undefined
  bytes: number
  files: number
  /** Files that the table has. */
  total: number
  /** What version of the table it is. */
  version: string
  columns: readonly string[]
  /** Source columns of its partitions. */
  partitions: readonly string[]
  /** Columns that the query's conditions choose files by. */
  chosenBy: readonly string[]
}

/**
 * @param named columns that the query names, in lower case; `undefined`: all of something.
 */
export function estimateOf(
  scans: readonly Scan[],
  found: readonly Found[],
  named: readonly string[] | undefined,
): Pick<Estimate, 'bytes' | 'tables'> {
  const tables = scans.map((scan, i) => {
    const { relation, total } = scan
    const { times, predicates, ofPartitions = [], levels, isNamed, rules } = found[i] as Found
    return {
      ...{ levels, isNamed, rules },
      name: `${relation.tier}.${relation.name}`,
      bytes: bytesOf(scan, named) * times,
      files: relation.files.length,
      total,
      version: scan.version,
      columns: relation.schema?.fields.map((field) => field.name) ?? relation.columns,
      partitions: scan.partitions,
      chosenBy: [...predicates, ...ofPartitions].map(({ column }) => column.toLowerCase()),
    }
  })
  return { bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0), tables }
}

function bytesOf({ relation, sizes, bytes }: Scan, named: readonly string[] | undefined): number {
  const fields = relation.schema?.fields
  if (!fields || !named) return bytes
  const ids = fields.filter(({ name }) => named.includes(name.toLowerCase())).map(({ id }) => id)
  let sum = 0
  for (const file of sizes.values()) {
    // Where a file does not say how large its columns are, all of it may be read.
    const known = ids.map((id) => file.columns.get(id)?.size)
    sum += known.some((size) => size === undefined)
      ? file.bytes
      : known.reduce<number>((all, size = 0) => all + size, 0)
  }
  return sum
}
