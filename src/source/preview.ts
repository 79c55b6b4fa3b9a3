import { open } from 'node:fs/promises'
import type { Field } from '../define/column-type.js'
import { DuckDB } from '../engine/duckdb/duckdb.js'
import { fileList } from '../engine/duckdb/paths.js'
import type { ResultRow } from '../engine/engine.js'
import { RecordReader, type TextRecord } from './records.js'

/** The first rows of something. */
export interface Preview {
  columns: Field[]
  rows: ResultRow[]
  note?: string
}

/**
 * The first rows of a raw file, without reading the whole of it. Delimited text is read as an intake
 * reads it; its layout is guessed.
 */
export async function previewFile(path: string, limit: number): Promise<Preview> {
  const list = fileList([path])
  if (/\.parquet$/i.test(path))
    return previewTable(`read_parquet(${list}, hive_partitioning = false)`, limit)
  if (/\.(json|jsonl|ndjson)$/i.test(path))
    return previewTable(`read_json(${list}, hive_partitioning = false)`, limit)
  return previewText(path, limit)
}

async function previewTable(relation: string, limit: number): Promise<Preview> {
  const engine = await DuckDB.start()
  try {
    const session = await engine.open()
    const result = await session.stream(`SELECT * FROM ${relation} LIMIT ${limit}`)
    const rows: ResultRow[] = []
    for await (const batch of result.batches) rows.push(...batch)
    session.close()
    return { columns: result.columns, rows }
  } finally {
    await engine.close()
  }
}

const ENOUGH = 1 << 18
const delimiters = [',', '|', '\t', ';']
const words: Record<string, string> = { ',': 'commas', '|': "'|'", '\t': 'tabs', ';': 'semicolons' }

async function previewText(path: string, limit: number): Promise<Preview> {
  const { bytes, whole } = await firstBytes(path)
  if (bytes.length === 0) return { columns: [], rows: [], note: 'the file is empty' }
  const layouts = delimiters.map((delimiter) => {
    const records = recordsOf(bytes, delimiter, whole)
    return { delimiter, records, fit: fitOf(records) }
  })
  const best = layouts.reduce((a, b) => (b.fit > a.fit ? b : a))
  const width = Math.max(...best.records.slice(0, limit + 1).map((r) => r.fields.length), 1)
  const [first] = best.records
  const header = first && isHeader(best.records) ? first.fields : undefined
  const names = Array.from({ length: width }, (_, i) => header?.[i] || `column ${i + 1}`)
  const rows = best.records.slice(header ? 1 : 0).slice(0, limit)
  return {
    columns: names.map((name) => ({ name, type: { kind: 'string' } })),
    rows: rows.map((record) => rowOf(record, names)),
    note: `${width === 1 ? 'one column' : `separated by ${words[best.delimiter]}`}, ${header ? 'with' : 'without'} a header`,
  }
}

async function firstBytes(path: string): Promise<{ bytes: Buffer; whole: boolean }> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(ENOUGH), 0, ENOUGH, 0)
    const bytes = buffer.subarray(0, bytesRead)
    const bom = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))
    return { bytes: bom ? bytes.subarray(3) : bytes, whole: bytesRead < ENOUGH }
  } finally {
    await file.close()
  }
}

function recordsOf(bytes: Buffer, delimiter: string, whole: boolean): TextRecord[] {
  const facts = {
    clean: false,
    controls: true,
    carriageReturns: !bytes.includes(10) && bytes.includes(13),
  }
  const reader = new RecordReader({ delimiter, quote: '"' }, facts, false)
  const records = reader.push(bytes, whole)
  return records.length > 0 ? records : reader.push(Buffer.alloc(0), true)
}

/** How well a delimiter explains the first records: fields, times the share of records that agree. */
function fitOf(records: readonly TextRecord[]): number {
  const widths = records.slice(0, 50).map((record) => record.fields.length)
  const counts = new Map<number, number>()
  for (const width of widths) counts.set(width, (counts.get(width) ?? 0) + 1)
  const [width, agreeing] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0])
  return width < 2 ? 0 : (agreeing / widths.length) * (10 + width)
}

const isNumber = (text: string) => /^[+-]?[\d.,]+$/.test(text)

/** Names are words, each once, over columns of which some hold something else. */
function isHeader([first, ...rest]: readonly TextRecord[]): boolean {
  if (!first || first.error) return false
  const names = first.fields
  const wordy = names.every((name) => /^[\p{L}_][\p{L}\p{N}_ .-]*$/u.test(name.trim()))
  if (!wordy || new Set(names).size < names.length) return false
  const sample = rest.slice(0, 50).filter((record) => record.fields.length === names.length)
  return (
    names.some((_, i) => sample.some(({ fields }) => isNumber(fields[i] as string))) ||
    sample.length === 0
  )
}

function rowOf(record: TextRecord, names: readonly string[]): ResultRow {
  const fields = record.error ? [record.raw()] : record.fields
  return Object.fromEntries(names.map((name, i) => [name, fields[i] ?? null]))
}
