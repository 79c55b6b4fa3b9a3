import { stat } from 'node:fs/promises'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { type ColumnType, type Field, sameType } from '../../../define/types/column-type.js'
import { sqlType } from '../../../define/types/sql-type.js'
import { MoraineError } from '../../../errors.js'
import type { JsFunction } from '../../../quality/functions.js'
import type { ObjectAccess, Staging } from '../../../storage/staging.js'
import type {
  AvroCodec,
  BatchParts,
  BronzeFile,
  Extension,
  FileEngine,
  RemoteSession,
  TextOptions,
  WriteFileOptions,
  WrittenFormat,
  WrittenText,
} from '../../engine.js'
import { fileList } from '../paths.js'
import type { Statements } from '../statements.js'
import { writtenFile, writtenText } from '../tables/written.js'
import { batchParts, batchSql, keptSql } from './batch.js'
import { copyOptions, formatOf, holdFile, writeAvro } from './formats.js'
import { attach, remoteName, secretSql } from './remote.js'

/** Bytes of a line that are allowed in any case. */
const LINE = 2 ** 21

/** Bytes of a text that are read at a time, and so go to one thread. */
const BUFFER = 2 ** 23

/**
 * Rows of a row group: several files are written side by side, each with a row group of every
 * thread in memory.
 */
const ROW_GROUP = 40_960

/** Reads and writes files of whatever format, and runs JavaScript. */
export class DuckDBFiles implements FileEngine {
  constructor(private readonly statements: Statements) {}

  private get staging(): Staging {
    return this.statements.shared.staging
  }

  place(location: string): string {
    return this.staging.localPath(location)
  }

  batches(files: readonly BronzeFile[]): string {
    return batchSql(this.staging, files)
  }

  keptRows(file: BronzeFile): string {
    return keptSql(this.staging, file)
  }

  batchParts(files: readonly BronzeFile[], wanted: ReadonlyMap<string, string>): BatchParts {
    return batchParts(this.staging, files, wanted)
  }

  text(path: string, options: TextOptions): string {
    const { columns, delimiter, quote, nulls, skip, longest } = options
    const types = columns.map((name) => {
      return `${quoteText(name)}: ${quoteText(options.types?.get(name) ?? 'VARCHAR')}`
    })
    const line = Math.max(longest + 16, LINE)
    const settings = [
      ...(options.newline ? ["new_line = '\\n'"] : []),
      `columns = {${types.join(', ')}}`,
      `delim = ${quoteText(delimiter)}`,
      `quote = ${quoteText(quote ?? '')}, escape = ${quoteText(quote ?? '')}`,
      `header = false, skip = ${skip}, allow_quoted_nulls = false`,
      `nullstr = [${nulls.map(quoteText).join(', ')}]`,
      `max_line_size = ${line}, buffer_size = ${Math.max(2 * line, BUFFER)}`,
      'auto_detect = false, strict_mode = true, hive_partitioning = false',
    ]
    return `read_csv(${fileList(this.staging, [path])}, ${settings.join(', ')})`
  }

  lines(path: string | undefined, columns: readonly Field[], longest = LINE): string {
    if (path === undefined) {
      const nulls = columns.map(
        ({ name, type }) => `CAST(NULL AS ${sqlType(type)}) AS ${quoteName(name)}`,
      )
      return `SELECT ${nulls.join(', ')} WHERE false`
    }
    const types = columns.map(({ name, type }) => {
      return `${quoteText(name)}: ${quoteText(sqlType(escaped(type)))}`
    })
    // The reader takes texts for bytes as they are; a cast reads what is escaped in them.
    const cells = columns.map(({ name, type }) => {
      const cell = quoteName(name)
      return sameType(type, escaped(type)) ? cell : `CAST(${cell} AS ${sqlType(type)}) AS ${cell}`
    })
    return `SELECT ${cells.join(', ')} FROM read_json(${fileList(this.staging, [path])}, format = 'newline_delimited', columns = {${types.join(', ')}}, maximum_object_size = ${Math.max(longest + 16, LINE)}, hive_partitioning = false)`
  }

  parquet(path: string): string {
    return `read_parquet(${fileList(this.staging, [path])}, hive_partitioning = false)`
  }

  addFunction(call: JsFunction['call']): string {
    const name = `js_${this.statements.shared.functions.size}`
    this.statements.register([{ name, call }])
    return name
  }

  async firstRows(path: string): Promise<{ start: number; stop: number } | undefined> {
    const begin = 'least(coalesce(dictionary_page_offset, data_page_offset), data_page_offset)'
    const [found] = await this.statements.rows(
      `SELECT min(${begin}) AS start, max(${begin} + total_compressed_size) AS stop
       FROM parquet_metadata(${fileList(this.staging, [path])}) WHERE row_group_id = 0`,
    )
    if (found?.start === null || found?.start === undefined) return undefined
    return { start: Number(found.start), stop: Number(found.stop) }
  }

  async writeFile(
    sql: string,
    location: string,
    { words = true, compression = 'snappy' }: WriteFileOptions = {},
  ): Promise<WrittenText> {
    const target = quoteText(this.staging.localPath(location))
    const dictionaries = words ? '' : ', DICTIONARY_SIZE_LIMIT 1'
    const copy = `COPY (${sql}) TO ${target} (FORMAT parquet, COMPRESSION ${compression}, PARQUET_VERSION V2, ROW_GROUP_SIZE ${ROW_GROUP}${dictionaries}, RETURN_STATS)`
    const reader = await this.statements.try(
      copy,
      (text) => this.statements.connection.runAndReadAll(text),
      location,
    )
    const [file] = reader.getRowObjects().map(writtenFile)
    return writtenText(file)
  }

  async writeText(sql: string, location: string, codec: AvroCodec): Promise<WrittenFormat> {
    const format = formatOf(location)
    if (format === 'avro')
      return this.statements.try(
        sql,
        (text) =>
          writeAvro(this.statements.connection, text, this.staging.localPath(location), codec),
        location,
      )
    const options = copyOptions(format === 'csv' ? 'csv' : 'jsonl')
    const path = this.staging.localPath(location)
    const copy = `COPY (${sql}) TO ${quoteText(path)} (${options})`
    const counted = await this.statements.try(
      copy,
      (text) => this.statements.connection.runAndReadAll(text),
      location,
    )
    return { rows: Number(counted.getRows()[0]?.[0]), bytes: (await stat(path)).size }
  }

  async hold(files: readonly { location: string }[]): Promise<void> {
    await this.staging.fetch(
      files.map(({ location }) => location).filter((l) => formatOf(l) !== 'parquet'),
    )
    for (const { location } of files) {
      if (formatOf(location) === 'parquet') continue
      await this.statements.once('schema held', () =>
        this.statements.run('CREATE SCHEMA IF NOT EXISTS held'),
      )
      await this.statements.once(`held ${location}`, () =>
        this.statements.try(location, () =>
          holdFile(this.staging, this.statements.connection, location),
        ),
      )
    }
  }

  loads(extension: Extension): Promise<boolean> {
    const known = this.statements.shared.loaded.get(extension)
    if (known) return known
    const found = this.statements.connection.run(`LOAD ${extension}`).then(
      () => true,
      () => false,
    )
    this.statements.shared.loaded.set(extension, found)
    return found
  }

  async reach(access: ObjectAccess): Promise<void> {
    // What the engine says of a statement may have its text.
    await this.statements.connection.run(secretSql(access)).catch(() => {
      throw new MoraineError('engine', `DuckDB cannot be given access to ${access.url}`, {
        hint: "Use local copies instead: add reads=copies to the lake's URL.",
      })
    })
  }

  async remote<T>(
    session: RemoteSession,
    query: string,
    use: (relation: string) => Promise<T>,
  ): Promise<T> {
    const name = remoteName(session)
    await this.statements.once(name, () =>
      attach(session, name, (sql) => this.statements.connection.run(sql)),
    )
    await this.statements.run('BEGIN')
    try {
      for (const statement of session.begin)
        await this.statements.run(
          `CALL postgres_execute(${quoteText(name)}, ${quoteText(statement)})`,
        )
      const result = await use(`postgres_query(${quoteText(name)}, ${quoteText(query)})`)
      await this.statements.run('COMMIT')
      return result
    } catch (error) {
      await this.statements.run('ROLLBACK').catch(() => {})
      throw error
    }
  }
}

/** The type that values have in JSON, which has none for bytes. */
function escaped(type: ColumnType): ColumnType {
  if (type.kind === 'binary') return { kind: 'string' }
  if (type.kind === 'list') return { kind: 'list', element: escaped(type.element) }
  if (type.kind !== 'struct') return type
  const fields = type.fields.map((field) => ({ ...field, type: escaped(field.type) }))
  return { kind: 'struct', fields }
}
