import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DuckDBBlobValue, DuckDBConnection } from '@duckdb/node-api'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { Staging } from '../../../storage/staging.js'
import type { AvroCodec } from '../../engine.js'
import { BIGINT, DuckDBDataChunk, VARCHAR } from '../driver.js'
import { fileList } from '../paths.js'
import { Streamed } from '../streamed.js'

/*
 * Bronze files in other formats than Parquet. They are written for others to read; what reads them
 * here first holds them as tables of texts, with the number of each row in its file, from 0, as the
 * engine has it for Parquet.
 */

/** Rows that are handed to the engine at a time. */
const CHUNK = 2048

type Format = 'parquet' | 'avro' | 'csv' | 'jsonl'

/** The format of a file, by its name. */
export function formatOf(location: string): Format {
  const [, ending = ''] = /\.(\w+)$/.exec(location) ?? []
  return ending === 'avro' || ending === 'csv' || ending === 'jsonl' ? ending : 'parquet'
}

/** The table that holds a file. */
export function heldTable(staging: Staging, location: string): string {
  return `held.${quoteName(staging.localPath(location))}`
}

/** Makes a file readable as {@link heldTable}. */
export async function holdFile(
  staging: Staging,
  connection: DuckDBConnection,
  location: string,
): Promise<void> {
  const format = formatOf(location)
  if (format === 'parquet') return
  const table = heldTable(staging, location)
  if (format === 'avro') await holdAvro(connection, staging.localPath(location), table)
  else
    await connection.run(
      `CREATE TABLE ${table} AS ${await textsSql(staging, connection, location, format)}`,
    )
}

const own = (column: string) => `CAST(NULL AS VARCHAR) AS ${column}`

async function textsSql(
  staging: Staging,
  connection: DuckDBConnection,
  location: string,
  format: 'csv' | 'jsonl',
): Promise<string> {
  const file = fileList(staging, [location])
  const columns = `row_number() OVER () - 1 AS file_row_number, ${own('_error')}, ${own('_raw')}, *`
  if (format === 'csv') {
    const longest = await longestRecord(staging.localPath(location))
    const settings = [
      "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', new_line = '\\n'",
      "nullstr = '', allow_quoted_nulls = false, strict_mode = true, hive_partitioning = false",
      `max_line_size = ${longest}, buffer_size = ${2 * longest}`,
    ]
    return `SELECT ${columns} FROM read_csv(${file}, ${settings.join(', ')})`
  }
  const names = await connection.runAndReadAll(
    `SELECT unnest(json_keys(json)) FROM (FROM read_json_objects(${file}, format = 'newline_delimited', hive_partitioning = false) LIMIT 1)`,
  )
  const types = names.getRows().map(([name]) => `${quoteText(String(name))}: 'VARCHAR'`)
  // The engine takes twice as much memory for each thread as a record may have bytes.
  const { size } = await stat(staging.localPath(location))
  const longest = Math.max(2 ** 24, Math.min(size + 16, 2 ** 30))
  return `SELECT ${columns} FROM read_json(${file}, format = 'newline_delimited', maximum_object_size = ${longest}, hive_partitioning = false, columns = {${types.join(', ')}})`
}

/**
 * Bytes that a record may have: what lies between two line ends, and more where values have line
 * ends of their own.
 */
async function longestRecord(path: string): Promise<number> {
  const { size } = await stat(path)
  return Math.max(2 ** 21, Math.min(size + 16, 2 ** 28))
}

async function holdAvro(connection: DuckDBConnection, path: string, table: string): Promise<void> {
  const { readAvro } = await import('./avro.js')
  const { columns, blocks } = readAvro(await readFile(path))
  const own = ['_error', '_raw', ...columns].map((name) => `${quoteName(name)} VARCHAR`)
  await connection.run(`CREATE TABLE ${table} (file_row_number BIGINT, ${own.join(', ')})`)
  const appender = await connection.createAppender(path, 'held')
  const types = [BIGINT, VARCHAR, VARCHAR, ...columns.map(() => VARCHAR)]
  let first = 0
  for (const values of blocks) {
    const rows = values[0]?.length ?? 0
    for (let start = 0; start < rows; start += CHUNK) {
      const count = Math.min(CHUNK, rows - start)
      const chunk = DuckDBDataChunk.create(types, count)
      const numbers = Array.from({ length: count }, (_, i) => BigInt(first + start + i))
      const nothing = new Array<null>(count).fill(null)
      const texts = values.map((column) => column.slice(start, start + count))
      chunk.setColumns([numbers, nothing, nothing, ...texts])
      appender.appendDataChunk(chunk)
    }
    first += rows
  }
  appender.closeSync()
}

/** COPY's options for a format. */
export function copyOptions(format: 'csv' | 'jsonl'): string {
  return format === 'csv' ? "FORMAT csv, HEADER, NULLSTR ''" : 'FORMAT json'
}

/**
 * Writes the rows of a query, texts and longs, as an Avro file.
 *
 * @returns how many rows there were, and how many bytes the file has.
 */
export async function writeAvro(
  connection: DuckDBConnection,
  sql: string,
  path: string,
  codec: AvroCodec,
): Promise<{ rows: number; bytes: number }> {
  const described = await connection.prepare(sql)
  const columns = Array.from({ length: described.columnCount }, (_, i) => {
    return { name: described.columnName(i), long: String(described.columnType(i)) === 'BIGINT' }
  })
  described.destroySync()
  // As bytes: the driver would drop a byte order mark at the start of a text.
  const list = columns.map(({ name, long }) =>
    long ? quoteName(name) : `encode(${quoteName(name)}) AS ${quoteName(name)}`,
  )
  const streamed = await Streamed.open(connection, `SELECT ${list.join(', ')} FROM (${sql})`)
  const { AvroEncoder } = await import('./avro.js')
  const encoder = new AvroEncoder(columns, codec, randomBytes(16))
  const counted = { rows: 0, bytes: 0 }
  async function* pieces() {
    yield encoder.header('row')
    for (let chunk = await streamed.next(); chunk; chunk = await streamed.next()) {
      const values = chunk
        .getColumns()
        .map((column, i) =>
          columns[i]?.long
            ? (column as (bigint | null)[])
            : (column as (DuckDBBlobValue | null)[]).map((value) => value?.bytes ?? null),
        )
      yield* encoder.add(values, chunk.rowCount)
      counted.rows += chunk.rowCount
    }
    yield* encoder.end()
  }
  const measured = async function* () {
    for await (const piece of pieces()) {
      counted.bytes += piece.length
      yield piece
    }
  }
  await pipeline(Readable.from(measured(), { objectMode: true }), createWriteStream(path))
  return counted
}
