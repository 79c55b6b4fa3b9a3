import type { Levels, TableRules } from '../define/access/rights.js'
import type { LakeState } from '../log/commit.js'
import type { TableRef } from '../sql/guard.js'
import type { NamedColumn } from './pushdown.js'
import type { Found } from './reads.js'
import type { AskedColumns, Scan } from './scan.js'

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

/** @param named columns that the query names; `undefined`: all of something. */
export function askedOf(
  { tier, schema }: Scan['relation'],
  { aliases }: Pick<Found, 'aliases'>,
  named: readonly NamedColumn[] | undefined,
): AskedColumns {
  if (!schema || !named) return undefined
  const ids = new Map(schema.fields.map(({ name, id }) => [name.toLowerCase(), id]))
  const asked = new Set<number>()
  for (const parts of named) {
    const [first = '', second = ''] = parts
    const depth = aliases.includes(first) ? 1 : first === tier && aliases.includes(second) ? 2 : 0
    const own = depth > 0 ? ids.get(parts[depth] ?? '') : undefined
    // Where it is not clear which part is the column, all of them count.
    const found = own === undefined ? parts.flatMap((part) => ids.get(part) ?? []) : [own]
    // The name of the table alone is a whole row.
    if (found.length === 0 && depth === parts.length) return undefined
    for (const id of found) asked.add(id)
  }
  return [...asked]
}

/** @param asked what of each table is read. */
export function estimateOf(
  scans: readonly Scan[],
  found: readonly Found[],
  asked: readonly AskedColumns[],
): Pick<Estimate, 'bytes' | 'tables'> {
  const tables = scans.map((scan, i) => {
    const { relation, total } = scan
    const { times, predicates, ofPartitions = [], levels, isNamed, rules } = found[i] as Found
    return {
      ...{ levels, isNamed, rules },
      name: `${relation.tier}.${relation.name}`,
      bytes: bytesOf(scan, asked[i]) * times,
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

function bytesOf({ sizes, bytes }: Scan, ids: AskedColumns): number {
  if (!ids) return bytes
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
