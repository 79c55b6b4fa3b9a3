import type { Problem } from '../../errors.js'
import { fullName } from '../dataset.js'
import type { AnyInput } from '../model.js'
import { nearest } from '../nearest.js'

/** Columns that Moraine writes itself. */
export const reservedColumns = [
  '_loaded_at',
  '_batch',
  '_source_file',
  '_source_line',
  '_error',
  '_raw',
]

/** Names that say of a row which file it lies in, and where, while rows of a table change. */
const placeColumns = ['_data_file', '_data_row']

/**
 * Names that Iceberg keeps for itself (spec, Reserved Field IDs): Spark refuses tables with them.
 */
export const icebergColumns = [
  '_file',
  '_pos',
  '_deleted',
  '_spec_id',
  '_partition',
  '_row_id',
  '_change_type',
]

/** Collects what is wrong with a dataset, with its place. */
export class Collector {
  readonly problems: Problem[] = []
  constructor(private readonly dataset: AnyInput) {}

  add(message: string, near?: string, hint?: string): void {
    const { place } = this.dataset
    this.problems.push({
      message: `${fullName(this.dataset)}: ${message}`,
      hint,
      place: place && (near === undefined ? place : { ...place, near }),
    })
  }

  unknown(what: string, name: string, known: readonly string[], near = `'${name}'`): void {
    const similar = nearest(name, known)
    this.add(
      `${what} '${name}' is not a column of the schema`,
      near,
      similar ? `Did you mean '${similar}'?` : `The columns are: ${known.join(', ')}`,
    )
  }
}

/** What is wrong with names of columns. */
export function columnNameProblems(
  names: readonly string[],
  collect: Collector,
  spelt: (name: string) => string,
): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name.toLowerCase())) collect.add(`column '${name}' appears twice`, spelt(name))
    if ([...reservedColumns, ...placeColumns].includes(name.toLowerCase()))
      collect.add(
        `column '${name}' has a name that is reserved by Moraine`,
        spelt(name),
        'Give it another name',
      )
    if (icebergColumns.includes(name.toLowerCase()))
      collect.add(
        `column '${name}' has a name that is reserved by Iceberg`,
        spelt(name),
        'Give it another name',
      )
    if (name.trim() === '') collect.add('a column has an empty name', "''")
    seen.add(name.toLowerCase())
  }
}
