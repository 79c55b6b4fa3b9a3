import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Field } from '../define/column-type.js'
import { DuckDB } from '../engine/duckdb/duckdb.js'
import { fileList } from '../engine/duckdb/paths.js'
import type { ResultRow } from '../engine/engine.js'
import { filesSource } from './files.js'
import { settleKind } from './kind.js'
import { delimitedLayout } from './layout.js'
import { columnName, distinctNames, type Key, keysInOrder } from './names.js'
import type { TextRecord } from './records.js'

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
    return previewTable(`read_parquet(${list}, hive_partitioning = false)`, limit, (found) =>
      namesInFile(path, found),
    )
  if (/\.(json|jsonl|ndjson)$/i.test(path))
    return previewTable(`read_json(${list}, hive_partitioning = false)`, limit, (found) =>
      namesInFile(path, found),
    ).catch((error) => {
      if (/\.json$/i.test(path)) throw error
      return previewLines(path, limit)
    })
  if (isWorkbook(path)) return previewSheet(path, limit)
  // What is no text is not shown as if it were.
  settleKind({ path, name: basename(path), size: 0, modified: 0 }, filesSource([path], {}))
  return previewText(path, limit)
}

/** Whether a file is a workbook of Excel, by its name. */
export const isWorkbook = (path: string) => /\.(xlsx|xlsm|xls|xlsb)$/i.test(path)

async function previewSheet(path: string, limit: number): Promise<Preview> {
  const { excelSheet, withSheet } = await import('./formats/excel/rows.js')
  const file = { path, name: basename(path), size: 0, modified: 0 }
  return withSheet(
    file,
    { layout: excelSheet(), columns: undefined, nulls: [''] },
    async (sheet) => {
      const rows: ResultRow[] = []
      for await (const some of sheet.rows) {
        rows.push(...some.map(({ json = '{}' }) => JSON.parse(json) as ResultRow))
        if (rows.length >= limit) break
      }
      const shown = rows.slice(0, limit)
      const names = [...new Set([...sheet.columns, ...shown.flatMap((row) => Object.keys(row))])]
      return {
        columns: names.map((name) => ({ name, type: { kind: 'string' } })),
        rows: shown.map((row) =>
          Object.fromEntries(names.map((name) => [name, row[name] ?? null])),
        ),
        note: [`sheet '${sheet.name}'`, ...sheet.notes()].join('; '),
      }
    },
  )
}

/** The first rows of JSON lines of which some are no JSON, which are named. */
async function previewLines(path: string, limit: number): Promise<Preview> {
  const { parse, stringify } = await import('lossless-json')
  const { bytes, whole } = await firstBytes(path)
  const lines = bytes.toString('utf8').split(/\r?\n/)
  if (!whole) lines.pop()
  const rows: ResultRow[] = []
  const broken: number[] = []
  for (const [i, line] of lines.entries()) {
    if (rows.length >= limit) break
    if (line.trim() === '') continue
    const row = objectIn(line, parse)
    if (!row) broken.push(i + 1)
    else {
      const cells = Object.entries(row).map(([name, value]) => {
        const text = value === null || typeof value === 'string' ? value : stringify(value)
        return [columnName(name), text ?? null]
      })
      rows.push(Object.fromEntries(cells))
    }
  }
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const few = broken.slice(0, 5).join(', ')
  return {
    columns: names.map((name) => ({ name, type: { kind: 'string' } })),
    rows: rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null]))),
    ...(broken.length > 0
      ? { note: `no JSON object in line ${few}${broken.length > 5 ? ', …' : ''}` }
      : {}),
  }
}

function objectIn(line: string, parse: (text: string) => unknown): object | undefined {
  try {
    const value = parse(line)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** @param ownNames what columns are called in the file, by what the engine calls them. */
async function previewTable(
  relation: string,
  limit: number,
  ownNames: (found: readonly string[]) => Promise<readonly Key[]>,
): Promise<Preview> {
  const engine = await DuckDB.start()
  try {
    const session = await engine.open()
    const result = await session.stream(`SELECT * FROM ${relation} LIMIT ${limit}`)
    const rows: ResultRow[] = []
    for await (const batch of result.batches) rows.push(...batch)
    session.close()
    const found = result.columns.map(({ name }) => name)
    const names = distinctNames(await ownNames(found))
    return {
      columns: result.columns.map((column, i) => ({ ...column, name: names[i] as string })),
      rows: rows.map((row) =>
        Object.fromEntries(found.map((name, i) => [names[i] as string, row[name] ?? null])),
      ),
    }
  } finally {
    await engine.close()
  }
}

/** Names without the number that the engine gives those that it can't tell apart, which the file does not have. */
async function namesInFile(path: string, found: readonly string[]): Promise<readonly Key[]> {
  if (!found.some((name) => NUMBERED.test(name))) return keysInOrder(found)
  const { size } = await stat(path)
  const start = Math.max(0, /\.parquet$/i.test(path) ? size - ENOUGH : 0)
  const bytes = await bytesOf(path, start, ENOUGH)
  return keysInOrder(
    found.map((name) => (bytes.includes(name) ? name : name.replace(NUMBERED, ''))),
  )
}

const NUMBERED = /_\d+$/

async function bytesOf(path: string, start: number, most: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(most), 0, most, start)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

const ENOUGH = 1 << 18
const words: Record<string, string> = { ',': 'commas', '|': "'|'", '\t': 'tabs', ';': 'semicolons' }

async function previewText(path: string, limit: number): Promise<Preview> {
  const { bytes, whole } = await firstBytes(path)
  if (bytes.length === 0) return { columns: [], rows: [], note: 'the file is empty' }
  const { delimiter, header, names: found, records } = delimitedLayout(bytes, whole, limit)
  const names = header ? distinctNames(keysInOrder(found)) : found
  const width = names.length
  const rows = records.slice(0, limit)
  return {
    columns: names.map((name) => ({ name, type: { kind: 'string' } })),
    rows: rows.map((record) => rowOf(record, names)),
    note: `${width === 1 ? 'one column' : `separated by ${words[delimiter]}`}, ${header ? 'with' : 'without'} a header`,
  }
}

async function firstBytes(path: string): Promise<{ bytes: Buffer; whole: boolean }> {
  const bytes = await bytesOf(path, 0, ENOUGH)
  const bom = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))
  return { bytes: bom ? bytes.subarray(3) : bytes, whole: bytes.length < ENOUGH }
}

function rowOf(record: TextRecord, names: readonly string[]): ResultRow {
  const fields = record.error ? [record.raw()] : record.fields
  return Object.fromEntries(names.map((name, i) => [name, fields[i] ?? null]))
}
