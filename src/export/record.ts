import { createHash } from 'node:crypto'
import { type ColumnType, type Field, typeName } from '../define/types/column-type.js'
import type { ColumnFigures, Figures } from '../engine/export-io.js'

/** What a target has of a table, as the row says that was written together with its rows. */
export interface ExportRecord {
  /** The table's name in the target. */
  table: string
  /** Loads of the table so far, from 1 on: no two can write the same number. */
  number: number
  lake: string
  dataset: string
  /** The Iceberg snapshot that the rows are of, and the metadata file that has it. */
  snapshot: string
  metadata: string
  commit: number
  rows: bigint
  /** SHA-256 of columns and figures. */
  hash: string
  columns: readonly { name: string; type: string }[]
  figures: Figures
  mode: 'replace' | 'changes'
  /** Rows that were written. */
  written: bigint
}

/** Columns as they are compared with those of the next load. */
export function shapeOf(columns: readonly Field[]): ExportRecord['columns'] {
  return columns.map(({ name, type }) => ({ name, type: typeName(type as ColumnType) }))
}

/** Figures as text: rows, then values and sum of each column. */
export function figuresText({ rows, columns }: Figures): string {
  return JSON.stringify([
    String(rows),
    ...columns.map(({ values, sum }) => [String(values), sum ?? null]),
  ])
}

/** The figures in a text of a record; `undefined` where it is none. */
export function figuresIn(text: string): Figures | undefined {
  try {
    const [rows, ...columns] = JSON.parse(text) as [string, ...[string, string | null][]]
    return {
      rows: BigInt(rows),
      columns: columns.map(([values, sum]) => ({ values: BigInt(values), sum: sum ?? undefined })),
    }
  } catch {
    return undefined
  }
}

export function hashOf(columns: ExportRecord['columns'], figures: Figures): string {
  const text = JSON.stringify([
    columns.map(({ name, type }) => [name, type]),
    figuresText(normal(figures)),
  ])
  return createHash('sha256').update(text).digest('hex')
}

/** The figures of rows after some went and others came. */
export function afterChange(before: Figures, gone: Figures, come: Figures): Figures {
  const columns = before.columns.map((column, i): ColumnFigures => {
    const [less, more] = [gone.columns[i], come.columns[i]] as [ColumnFigures, ColumnFigures]
    const values = column.values - less.values + more.values
    const isSummed = [column, less, more].every(
      ({ values: n, sum }) => sum !== undefined || n === 0n,
    )
    if (!isSummed) return { values, sum: undefined }
    const sum = total([column.sum, negated(less.sum), more.sum])
    return { values, sum: values === 0n ? undefined : sum }
  })
  return { rows: before.rows - gone.rows + come.rows, columns }
}

const negated = (sum: string | undefined) =>
  sum === undefined ? undefined : sum.startsWith('-') ? sum.slice(1) : `-${sum}`

/** The sum of decimals that are texts, exactly. */
function total(sums: readonly (string | undefined)[]): string {
  const known = sums.filter((sum) => sum !== undefined)
  const scale = Math.max(0, ...known.map((sum) => sum.split('.')[1]?.length ?? 0))
  const whole = known.reduce((all, sum) => all + scaled(sum, scale), 0n)
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return `${whole < 0n ? '-' : ''}${text}`
}

function scaled(sum: string, scale: number): bigint {
  const [whole = '0', part = ''] = sum.split('.')
  return BigInt(`${whole}${part.padEnd(scale, '0')}`)
}

/** Figures whose sums are spelled as all engines do: no zeros at the end, none of no values. */
export function normal({ rows, columns }: Figures): Figures {
  return {
    rows,
    columns: columns.map(({ values, sum }) => ({
      values,
      sum: sum === undefined || values === 0n ? undefined : plain(sum),
    })),
  }
}

function plain(sum: string): string {
  const short = sum.includes('.') ? sum.replace(/\.?0+$/, '') : sum
  return short === '-0' ? '0' : short
}
