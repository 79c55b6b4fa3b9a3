import type { Field } from '../../define/types/column-type.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { ownValue } from '../../own-value.js'
import { plain } from '../../query/formats/json-values.js'
import type { TypedRows } from '../../query/formats/typed-rows.js'
import colors from '../output/colors.js'
import { csvRecord } from '../output/csv.js'
import { plural, toJson } from '../output/format.js'
import { MAX_CELL, textTable } from '../output/table.js'
import { show } from '../output/terminal.js'

/** A result that is shown or written. */
export interface Rows {
  /** With the engine's name of their types, where the engine has said it. */
  columns: readonly (Field & { sqlType?: string })[]
  batches: AsyncIterable<ResultRow[]>
}

/** A result as data, in parts. */
type DataFormat = (rows: Rows, asked: DataOptions) => AsyncGenerator<string | Uint8Array>

interface DataOptions {
  signal?: AbortSignal
  /** Texts that a spreadsheet would run are written so that it does not. */
  escapeFormulas?: boolean
}

const dataFormats: Readonly<Record<string, DataFormat>> = {
  csv,
  json,
  jsonl,
  ndjson: jsonl,
  arrow,
  parquet,
}

/** Formats that are no text. */
export const binaryFormats: readonly string[] = ['arrow', 'parquet']

/** How a result is written as data; `undefined` for a table, which people read. */
export function dataFormat(name: string): DataFormat | undefined {
  const found = ownValue(dataFormats, name)
  if (found || name === 'table') return found
  throw new MoraineError('usage', `Unknown format '${name}'`, {
    hint: 'Use table, csv, json, jsonl, arrow or parquet.',
  })
}

/** Shows the first rows as a table. */
export async function showTable({ columns, batches }: Rows, limit: number): Promise<void> {
  const rows: ResultRow[] = []
  for await (const batch of batches) {
    rows.push(...batch)
    if (rows.length > limit) break
  }
  show(`${textTable(columns.map(tableColumn), rows.slice(0, limit), { longest: MAX_CELL })}\n`)
  if (rows.length > limit)
    show(
      colors.dim(
        `The first ${plural(limit, 'row')}; show more with --limit N, or all with --format csv\n`,
      ),
    )
  else show(colors.dim(`${plural(rows.length, 'row')}\n`))
}

const numbers = ['int', 'bigint', 'float', 'double', 'decimal']

export function tableColumn({ name, type }: Field) {
  return { name, right: numbers.includes(type.kind) }
}

async function* csv({ columns, batches }: Rows, asked: DataOptions): AsyncGenerator<string> {
  yield csvRecord(
    columns.map((c) => c.name),
    asked,
  )
  for await (const batch of batches)
    yield batch
      .map((row) =>
        csvRecord(
          columns.map((c) => row[c.name]),
          asked,
        ),
      )
      .join('')
}

async function* json({ batches }: Rows): AsyncGenerator<string> {
  let before = '\n'
  yield '['
  for await (const batch of batches) {
    yield before + batch.map((row) => toJson(plain(row))).join(',\n')
    before = ',\n'
  }
  yield '\n]\n'
}

async function* jsonl({ batches }: Rows): AsyncGenerator<string> {
  for await (const batch of batches) yield batch.map((row) => `${toJson(plain(row))}\n`).join('')
}

async function* arrow(rows: Rows): AsyncGenerator<Uint8Array> {
  const { arrow: write } = await import('../../query/formats/arrow.js')
  yield* write(typed(rows))
}

async function* parquet(rows: Rows, { signal }: DataOptions): AsyncGenerator<Uint8Array> {
  const { parquet: write } = await import('../../query/formats/parquet.js')
  yield* write(typed(rows), signal)
}

function typed({ columns, batches }: Rows): TypedRows {
  const names = columns.map(({ name }) => name)
  async function* rows() {
    for await (const batch of batches)
      yield batch.map((row) => names.map((name) => row[name] as RowValue))
  }
  return {
    columns: columns.map(({ name, type, sqlType = type }) => ({ name, type: sqlType })),
    rows: rows(),
  }
}
