import { quoteText } from '../../../define/sql/sql.js'
import type { DataFile } from '../../../iceberg/spec/manifest.js'
import { positionsSchema } from '../../../iceberg/spec/positions.js'
import type { Staging } from '../../../storage/staging.js'
import type { DeletesTarget } from '../../engine.js'
import { fileList } from '../paths.js'
import type { WrittenFile } from './write.js'

const [filePath, pos] = positionsSchema.fields.map(({ id }) => id) as [number, number]

/** The COPY statement that writes positions of one data file, in their order. */
export function copyDeletesSql(
  staging: Staging,
  query: string,
  { location, of, before }: DeletesTarget,
): string {
  const lists = before.map(
    (list) =>
      ` UNION SELECT pos FROM read_parquet(${fileList(staging, [list])}, hive_partitioning = false)`,
  )
  const rows = `SELECT ${quoteText(of.path)} AS file_path, CAST(pos AS BIGINT) AS pos FROM (${query}${lists.join('')}) ORDER BY pos`
  return `COPY (${rows}) TO ${quoteText(staging.localPath(location))} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS,
    FIELD_IDS {file_path: ${filePath}, pos: ${pos}})`
}

/** The COPY statement that writes a list again, with data files named otherwise. */
export function relocateDeletesSql(
  staging: Staging,
  from: string,
  to: string,
  moves: readonly (readonly [from: string, to: string])[],
): string {
  const cases = moves.map(
    ([old, now]) =>
      `WHEN starts_with(file_path, ${quoteText(`${old}/`)}) THEN ${quoteText(now)} || file_path[${[...old].length + 1}:]`,
  )
  const rows = `SELECT CASE ${cases.join(' ')} ELSE file_path END AS file_path, pos FROM read_parquet(${fileList(staging, [from])}, hive_partitioning = false)`
  return `COPY (${rows}) TO ${quoteText(staging.localPath(to))} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS,
    FIELD_IDS {file_path: ${filePath}, pos: ${pos}})`
}

/** The file of positions that COPY has written. */
export function toDeletesFile(file: WrittenFile, { location, of }: DeletesTarget): DataFile {
  const path = Buffer.from(of.path)
  return {
    content: 'position deletes',
    referenced: of.path,
    path: location,
    rows: Number(file.count),
    bytes: Number(file.file_size_bytes),
    partition: of.partition,
    // Readers that do not know `referenced` see by equal bounds that the list is about one file.
    columns: new Map([[filePath, { lower: path, upper: path }]]),
  }
}
