import type { Field } from '../../define/types/column-type.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { ownValue } from '../../own-value.js'
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
type DataFormat = (rows: Rows, signal?: AbortSignal) => AsyncGenerator<string | Uint8Array>

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

async function* csv({ columns, batches }: Rows): AsyncGenerator<string> {
  yield csvRecord(columns.map((c) => c.name))
  for await (const batch of batches)
    yield batch.map((row) => csvRecord(columns.map((c) => row[c.name]))).join('')
}

async function* json({ batches }: Rows): AsyncGenerator<string> {
  let before = '\n'
  yield '['
  for await (const batch of batches) {
    yield before + batch.map((row) => toJson(inJson(row))).join(',\n')
    before = ',\n'
  }
  yield '\n]\n'
}

async function* jsonl({ batches }: Rows): AsyncGenerator<string> {
  for await (const batch of batches) yield batch.map((row) => `${toJson(inJson(row))}\n`).join('')
}

/** A row as JSON has it: bytes in Base64; NaN and infinities as texts, which are no NULL. */
function inJson(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(inJson)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inJson(one)]))
}

async function* arrow(rows: Rows): AsyncGenerator<Uint8Array> {
  const { arrow: write } = await import('../../query/formats/arrow.js')
  yield* write(typed(rows))
}

async function* parquet(rows: Rows, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
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
