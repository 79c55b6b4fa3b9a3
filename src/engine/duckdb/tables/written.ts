import type { DuckDBMapValue, DuckDBValue } from '@duckdb/node-api'
import type { Staging } from '../../../storage/staging.js'
import type { Counts, WrittenText } from '../../engine.js'
import type { WrittenFile } from './write.js'

/** What the engine says of a file that it wrote. */
export function writtenFile(row: Record<string, DuckDBValue>): WrittenFile {
  const statistics = mapOf(row.column_statistics as DuckDBMapValue)
  return {
    filename: row.filename as string,
    count: row.count as bigint,
    file_size_bytes: row.file_size_bytes as bigint,
    column_statistics: new Map(
      [...statistics].map(([name, value]) => [
        name,
        mapOf(value as DuckDBMapValue) as Map<string, string>,
      ]),
    ),
    partition_keys: row.partition_keys
      ? (mapOf(row.partition_keys as DuckDBMapValue) as Map<string, string | null>)
      : null,
  }
}

function mapOf(map: DuckDBMapValue): Map<string, DuckDBValue> {
  return new Map(map.entries.map(({ key, value }) => [key as string, value]))
}

/** The location of a file that the engine wrote below a location. */
export function locationOf(staging: Staging, filename: string, location: string): string {
  return `${location}${filename.slice(staging.localPath(location).length)}`
}

/** The same of a file outside of a table, with the counts of its columns. */
export function writtenText(file: WrittenFile | undefined): WrittenText {
  const counts = [...(file?.column_statistics ?? [])].map(([name, statistics]) => {
    const [values, nulls] = ['num_values', 'null_count'].map((s) => Number(statistics.get(s) ?? 0))
    const [min, max] = [statistics.get('min'), statistics.get('max')]
    const bounds = min !== undefined && max !== undefined ? { min, max } : {}
    return [name, { values, nulls, ...bounds } as Counts] as const
  })
  const { count = 0n, file_size_bytes = 0n } = file ?? {}
  return { rows: Number(count), bytes: Number(file_size_bytes), counts: new Map(counts) }
}
