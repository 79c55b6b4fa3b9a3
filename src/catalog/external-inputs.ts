import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { External } from '../define/model.js'
import { typeName } from '../define/types/column-type.js'
import type { ColumnSource } from '../plan/lineage.js'
import type { Externals } from '../step/external/externals.js'
import type { CatalogColumn, CatalogEntry } from './describe.js'
import { externalEntry } from './external.js'

/**
 * What other engines keep, with what `lake.ts` says of it: who reads it, and what it declares.
 * Tables that are named there and that nobody keeps come first.
 *
 * @param foreign what is known of each by its metadata.
 * @param datasets what is known of datasets, by whose columns the lineage is told.
 */
export function withInputs(
  lake: Lake,
  externals: Externals,
  foreign: readonly CatalogEntry[],
  datasets: readonly CatalogEntry[],
): CatalogEntry[] {
  const own = new Map(lake.externals.map((table) => [fullName(table), table]))
  const there = new Set(foreign.map(({ name }) => name))
  const missing = lake.externals
    .filter((table) => !there.has(fullName(table)))
    .map((table) => externalEntry({ fullName: fullName(table), namespace: table.namespace }))
  return [...missing, ...foreign].map((entry) => {
    const table = own.get(entry.name)
    if (!table) return entry
    const { description, owner, tags = [] } = table.about
    const problem = externals.problemWith(table)
    return {
      ...entry,
      description: description ?? entry.description,
      owner: owner ?? entry.owner,
      tags,
      columns: columnsOf(table, externals, entry).map((column) => {
        return { ...column, to: computedFrom(`${entry.name}.${column.name}`, datasets) }
      }),
      to: lake.datasets.filter((other) => inputsOf(other).includes(table)).map(fullName),
      ...(problem ? { problem: problem.message } : {}),
    }
  })
}

/** The columns as the table has them; those that are declared, where it can't be read. */
function columnsOf(table: External, externals: Externals, entry: CatalogEntry): CatalogColumn[] {
  if (entry.columns.length > 0) return entry.columns
  return (externals.columnsOf(table) ?? []).map(({ name, type, description = null }) => {
    return { name, type: typeName(type), description, from: [], to: [] }
  })
}

function computedFrom(column: string, datasets: readonly CatalogEntry[]) {
  return datasets.flatMap(({ name, columns }) =>
    columns
      .filter(({ from }) => from.some((one) => isColumn(one, column)))
      .map((one) => ({ table: name, column: one.name })),
  )
}

const isColumn = ({ table, column }: ColumnSource, name: string) =>
  `${table}.${column}`.toLowerCase() === name.toLowerCase()
