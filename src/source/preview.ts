import { open } from 'node:fs/promises'
import type { Field } from '../define/column-type.js'
import { quoteText } from '../define/sql.js'
import { DuckDB, fileList } from '../engine/duckdb/duckdb.js'
import type { ResultRow } from '../engine/engine.js'

/** The first rows of something. */
export interface Preview {
  columns: Field[]
  rows: ResultRow[]
  note?: string
}

/**
 * The first rows of a raw file, without reading the whole of it. The layout of delimited text is
 * guessed; what can't be guessed is shown line by line.
 */
export async function previewFile(path: string, limit: number): Promise<Preview> {
  const engine = await DuckDB.start()
  try {
    const session = await engine.open()
    try {
      const result = await session.stream(`SELECT * FROM ${reader(path)} LIMIT ${limit}`)
      const rows: ResultRow[] = []
      for await (const batch of result.batches) rows.push(...batch)
      if (rows.length > 0) return { columns: result.columns, rows }
    } catch {
      // Not a table as it stands: its lines tell more than the reader's complaint.
    } finally {
      session.close()
    }
  } finally {
    await engine.close()
  }
  return firstLines(path, limit)
}

function reader(path: string): string {
  const list = fileList([path])
  if (/\.parquet$/i.test(path)) return `read_parquet(${list}, hive_partitioning = false)`
  if (/\.(json|jsonl|ndjson)$/i.test(path)) return `read_json(${list}, hive_partitioning = false)`
  const delimiter = /\.(tsv|tab)$/i.test(path) ? `, delim = ${quoteText('\t')}` : ''
  return `read_csv(${list}, hive_partitioning = false, ignore_errors = true, null_padding = true, sample_size = 2000${delimiter})`
}

const ENOUGH = 1 << 16

async function firstLines(path: string, limit: number): Promise<Preview> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(ENOUGH), 0, ENOUGH, 0)
    const text = buffer.subarray(0, bytesRead).toString('utf8')
    const lines = text === '' ? [] : text.split(/\r?\n/).slice(0, limit)
    return {
      columns: [{ name: 'line', type: { kind: 'string' } }],
      rows: lines.map((line) => ({ line })),
      note: bytesRead === 0 ? 'the file is empty' : 'its layout could not be guessed',
    }
  } finally {
    await file.close()
  }
}
