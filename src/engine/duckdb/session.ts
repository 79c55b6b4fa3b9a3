import { stat } from 'node:fs/promises'
import type { DuckDBBlobValue, DuckDBConnection, DuckDBDoubleVector } from '@duckdb/node-api'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { Schema } from '../../iceberg/spec/types.js'
import type { JsFunction } from '../../quality/functions.js'
import { fetchMentioned, fetchStaged, type ObjectAccess } from '../../storage/staging.js'
import type {
  AvroCodec,
  BatchParts,
  DeletesTarget,
  Extension,
  KeptFile,
  MaterializeOptions,
  Relation,
  RemoteSession,
  Result,
  ResultColumn,
  ResultRow,
  Session,
  TableFile,
  TextOptions,
  WriteFileOptions,
  WriteTarget,
  WrittenFormat,
  WrittenText,
} from '../engine.js'
import { isEngineLost, SqlError } from '../sql-error.js'
import { batchParts, batchSql } from './batch.js'
import { copyDeletesSql, relocateDeletesSql, toDeletesFile } from './deletes.js'
import { BIGINT, DuckDBDataChunk, type DuckDBInstance, VARCHAR } from './driver.js'
import { copyOptions, formatOf, holdFile, writeAvro } from './formats.js'
import type { Life } from './lives.js'
import { enginePath, fileList, sourcePath } from './paths.js'
import { attach, remoteName, secretSql } from './remote.js'
import { batchesOf, plainRow, resultColumns, scalarFunction, textOf } from './results.js'
import { tableSql } from './scan.js'
import { type StatementGuard, wasStopped } from './statement-guard.js'
import { partitionSql } from './transforms.js'
import { columnTypeOf } from './types.js'
import { copySql, isTooLong, longTextsSql, toDataFile, type WrittenFile } from './write.js'
import { locationOf, writtenFile, writtenText } from './written.js'

/** How many statements are planned quickly at the moment, and the optimizers that are off otherwise. */
export interface QuickPlans {
  statements: number
  otherwise: string
}

/** Extensions that could be loaded, or could not, each tried once. */
export type Loaded = Map<Extension, Promise<boolean>>

/** Bytes of a line that are allowed in any case. */
const LINE = 2 ** 21

/** Bytes of a text that are read at a time, and so go to one thread. */
const BUFFER = 2 ** 23

/** Rows of a row group: several files are written side by side, each with a row group of every thread in memory. */
const ROW_GROUP = 40_960

/** Rows that the engine handles at a time. */
const CHUNK = 2048

export class DuckDBSession implements Session {
  private relations = 0
  /** Materialized relations that are asked for again, by their queries. */
  private readonly kept = new Map<string, Relation>()

  constructor(
    private life: Life,
    /** Has it go on with another instance of the engine. */
    private readonly renew: (lost: DuckDBInstance) => Promise<void>,
    private readonly functions: Set<string>,
    /** What all sessions share and one of them makes: who comes later waits for it. */
    private readonly done: Map<string, Promise<void>>,
    private readonly loaded: Loaded,
    private readonly quick: QuickPlans,
    private readonly guard: StatementGuard,
  ) {}

  private get connection(): DuckDBConnection {
    return this.life.connection
  }

  goOn(life: Life): void {
    this.life = life
    this.kept.clear()
  }

  async run(sql: string): Promise<void> {
    await this.try(sql, (text) => this.connection.run(text))
  }

  async materialize(
    sql: string,
    { quicklyPlanned = false, again = false }: MaterializeOptions = {},
  ): Promise<Relation> {
    const known = again ? this.kept.get(sql) : undefined
    if (known) return known
    const relation = this.nextRelation()
    const make = () => this.run(`CREATE TEMP TABLE ${relation.sql} AS ${sql}`)
    await (quicklyPlanned ? this.planQuickly(make) : make())
    if (again) this.kept.set(sql, relation)
    return relation
  }

  async view(sql: string): Promise<Relation> {
    const relation = this.nextRelation()
    await this.run(`CREATE TEMP VIEW ${relation.sql} AS ${sql}`)
    return relation
  }

  async insert({ sql: into }: Relation, sql: string): Promise<void> {
    await this.run(`INSERT INTO ${into} BY NAME SELECT * FROM (${sql})`)
  }

  async drop(relations: readonly Relation[]): Promise<void> {
    for (const { sql } of relations) await this.run(`DROP TABLE ${sql}`)
  }

  private nextRelation(): Relation {
    return { sql: `_relation_${++this.relations}` }
  }

  private async planQuickly(plan: () => Promise<void>): Promise<void> {
    const { connection, quick } = this
    // It is a setting of all sessions: statements of others are planned like this one meanwhile.
    const turnOff = (names: readonly string[]) =>
      connection.run(
        `SET disabled_optimizers = ${quoteText(names.filter((name) => name !== '').join(','))}`,
      )
    if (quick.statements++ === 0) await turnOff([quick.otherwise, 'common_subexpressions'])
    try {
      await plan()
    } finally {
      if (--quick.statements === 0) await turnOff([quick.otherwise])
    }
  }

  async rows(sql: string): Promise<ResultRow[]> {
    const reader = await this.try(sql, (text) => this.connection.runAndReadAll(text))
    return reader.getRowObjects().map(plainRow)
  }

  async stream(sql: string): Promise<Result> {
    const result = await this.try(sql, (text) => this.connection.stream(text))
    const names = result.deduplicatedColumnNames()
    const columns = resultColumns(result, names)
    const read = () => result.fetchChunk()
    const attempt = <T>(use: () => Promise<T>) => this.try(sql, use)
    return { columns, batches: batchesOf(attempt, read, names) }
  }

  async numbers(sql: string, take: (value: number) => boolean): Promise<void> {
    await this.try(sql, async (text) => {
      const result = await this.connection.stream(text)
      for (;;) {
        const chunk = await result.fetchChunk()
        if (!chunk || chunk.rowCount === 0) return
        const column = chunk.getColumnVector(0) as DuckDBDoubleVector
        for (let row = 0; row < column.itemCount; row++)
          if (!take(column.getItem(row) as number)) return
      }
    })
  }

  async texts(sql: string): Promise<(string | null)[][]> {
    // As bytes: the driver would drop a byte order mark at the start of a text.
    const encoded = `SELECT encode(COLUMNS(*)) FROM (${sql})`
    const reader = await this.try(encoded, (text) => this.connection.runAndReadAll(text))
    const columns = reader.getColumns() as (DuckDBBlobValue | null)[][]
    return columns.map((column) => column.map(textOf))
  }

  async append(
    { sql: table }: Relation,
    first: number,
    columns: readonly (readonly (string | null)[])[],
  ): Promise<void> {
    const types = [BIGINT, ...columns.map(() => VARCHAR)]
    const rows = columns[0]?.length ?? 0
    const appender = await this.connection.createAppender(table, 'main', 'temp')
    for (let start = 0; start < rows; start += CHUNK) {
      const count = Math.min(CHUNK, rows - start)
      const chunk = DuckDBDataChunk.create(types, count)
      const numbers = Array.from({ length: count }, (_, i) => BigInt(first + start + i))
      chunk.setColumns([numbers, ...columns.map((column) => column.slice(start, start + count))])
      appender.appendDataChunk(chunk)
    }
    appender.closeSync()
  }

  async describe(sql: string): Promise<ResultColumn[]> {
    // The optimizer would compute what is constant, and nobody asked for values: that may take any time.
    await this.connection.run('PRAGMA disable_optimizer')
    const statement = await this.try(sql, (text) => this.connection.prepare(text)).finally(() =>
      this.connection.run('PRAGMA enable_optimizer'),
    )
    try {
      return Array.from({ length: statement.columnCount }, (_, i) => {
        const type = statement.columnType(i)
        return { name: statement.columnName(i), type: columnTypeOf(type), sqlType: String(type) }
      })
    } finally {
      statement.destroySync()
    }
  }

  async define(tier: string, name: string, relation: string): Promise<void> {
    await this.once(`schema ${tier}`, () =>
      this.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(tier)}`),
    )
    await this.run(`CREATE OR REPLACE VIEW ${quoteName(tier)}.${quoteName(name)} AS ${relation}`)
  }

  async defineHere(name: string, relation: string): Promise<void> {
    await this.run(`CREATE OR REPLACE TEMP VIEW ${quoteName(name)} AS ${relation}`)
  }

  table(schema: Schema, files: readonly TableFile[]): string {
    return tableSql(schema, files, false)
  }

  tableWithFiles(schema: Schema, files: readonly TableFile[]): string {
    return tableSql(schema, files, true)
  }

  fileName(location: string): string {
    return sourcePath(location)
  }

  batches(files: readonly KeptFile[]): string {
    return batchSql(files)
  }

  batchParts(files: readonly KeptFile[], wanted: ReadonlyMap<string, string>): BatchParts {
    return batchParts(files, wanted)
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
    return `read_csv(${fileList([path])}, ${settings.join(', ')})`
  }

  parquet(path: string): string {
    return `read_parquet(${fileList([path])}, hive_partitioning = false)`
  }

  addFunction(call: JsFunction['call']): string {
    const name = `js_${this.functions.size}`
    this.register([{ name, call }])
    return name
  }

  private register(functions: readonly JsFunction[]): void {
    for (const { name, call } of functions) {
      if (this.functions.has(name)) continue
      this.functions.add(name)
      this.connection.registerScalarFunction(scalarFunction(name, call))
    }
  }

  async write(sql: string, target: WriteTarget): Promise<DataFile[]> {
    const partitions = target.spec.fields.map((field) => partitionSql(field, target.schema))
    this.register(partitions.flatMap((p) => (p.function ? [p.function] : [])))
    const copied = (isShort: boolean) =>
      this.try(
        copySql(sql, target, isShort),
        (text) => this.connection.runAndReadAll(text),
        target.location,
      )
    const long = new Map<string, string>()
    const reader = await copied(false).catch(async (error) => {
      const texts = isTooLong(error) ? longTextsSql(sql, target) : undefined
      if (texts === undefined) throw error
      // What is a folder's name can't be as long as a value: such have shorter names.
      for (const { name, short, text } of await this.rows(texts))
        long.set(`${name} ${short}`, String(text))
      if (long.size === 0) throw error
      return copied(true)
    })
    const textOf = (name: string, short: string) => long.get(`${name} ${short}`) ?? short
    return reader
      .getRowObjects()
      .map(writtenFile)
      .filter((file) => file.count > 0n)
      .sort((a, b) => (a.filename < b.filename ? -1 : 1))
      .map((file) => toDataFile(file, target, locationOf(file.filename, target.location), textOf))
  }

  async writeDeletes(sql: string, target: DeletesTarget): Promise<DataFile> {
    const reader = await this.try(
      copyDeletesSql(sql, target),
      (text) => this.connection.runAndReadAll(text),
      target.location,
    )
    const [file] = reader.getRowObjects().map(writtenFile)
    return toDeletesFile(file as WrittenFile, target)
  }

  async relocateDeletes(
    from: string,
    to: string,
    moves: readonly (readonly [from: string, to: string])[],
  ): Promise<number> {
    const reader = await this.try(relocateDeletesSql(from, to, moves), (text) =>
      this.connection.runAndReadAll(text),
    )
    const [file] = reader.getRowObjects().map(writtenFile)
    return Number(file?.file_size_bytes)
  }

  async writeFile(
    sql: string,
    location: string,
    { words = true, compression = 'snappy' }: WriteFileOptions = {},
  ): Promise<WrittenText> {
    const target = quoteText(enginePath(location))
    const dictionaries = words ? '' : ', DICTIONARY_SIZE_LIMIT 1'
    const copy = `COPY (${sql}) TO ${target} (FORMAT parquet, COMPRESSION ${compression}, PARQUET_VERSION V2, ROW_GROUP_SIZE ${ROW_GROUP}${dictionaries}, RETURN_STATS)`
    const reader = await this.try(copy, (text) => this.connection.runAndReadAll(text), location)
    const [file] = reader.getRowObjects().map(writtenFile)
    return writtenText(file)
  }

  async writeText(sql: string, location: string, codec: AvroCodec): Promise<WrittenFormat> {
    const format = formatOf(location)
    if (format === 'avro')
      return this.try(sql, (text) => writeAvro(this.connection, text, location, codec), location)
    const options = copyOptions(format === 'csv' ? 'csv' : 'jsonl')
    const path = enginePath(location)
    const copy = `COPY (${sql}) TO ${quoteText(path)} (${options})`
    const counted = await this.try(copy, (text) => this.connection.runAndReadAll(text), location)
    return { rows: Number(counted.getRows()[0]?.[0]), bytes: (await stat(path)).size }
  }

  async hold(files: readonly { location: string }[]): Promise<void> {
    await fetchStaged(
      files.map(({ location }) => location).filter((l) => formatOf(l) !== 'parquet'),
    )
    for (const { location } of files) {
      if (formatOf(location) === 'parquet') continue
      await this.once('schema held', () => this.run('CREATE SCHEMA IF NOT EXISTS held'))
      await this.once(`held ${location}`, () =>
        this.try(location, () => holdFile(this.connection, location)),
      )
    }
  }

  loads(extension: Extension): Promise<boolean> {
    const known = this.loaded.get(extension)
    if (known) return known
    const found = this.connection.run(`LOAD ${extension}`).then(
      () => true,
      () => false,
    )
    this.loaded.set(extension, found)
    return found
  }

  async reach(access: ObjectAccess): Promise<void> {
    // What the engine says of a statement may have its text.
    await this.connection.run(secretSql(access)).catch(() => {
      throw new MoraineError('engine', `DuckDB can't be given access to ${access.url}`, {
        hint: 'Read copies instead: add reads=copies to the address of the lake.',
      })
    })
  }

  async remote<T>(
    session: RemoteSession,
    query: string,
    use: (relation: string) => Promise<T>,
  ): Promise<T> {
    const name = remoteName(session)
    await this.once(name, () => attach(session, name, (sql) => this.connection.run(sql)))
    await this.run('BEGIN')
    try {
      for (const statement of session.begin)
        await this.run(`CALL postgres_execute(${quoteText(name)}, ${quoteText(statement)})`)
      const result = await use(`postgres_query(${quoteText(name)}, ${quoteText(query)})`)
      await this.run('COMMIT')
      return result
    } catch (error) {
      await this.run('ROLLBACK').catch(() => {})
      throw error
    }
  }

  progress(): number {
    return Math.max(0, this.connection.progress.percentage)
  }

  interrupt(): void {
    this.connection.interrupt()
  }

  close(): void {
    this.connection.closeSync()
  }

  /** Two sessions that make the same thing at the same time would be refused. */
  private once(what: string, make: () => Promise<void>): Promise<void> {
    const known = this.done.get(what)
    if (known) return known
    const made = make()
    this.done.set(what, made)
    made.catch(() => this.done.delete(what))
    return made
  }

  /** Runs something and turns what the engine throws into an error that says what was run. */
  private async try<T>(
    sql: string,
    use: (sql: string) => Promise<T>,
    /** Where it writes. */
    to?: string,
  ): Promise<T> {
    await fetchMentioned(sql)
    try {
      const path = to && enginePath(to)
      return await this.guard.during(
        () => this.interrupt(),
        path,
        () => use(sql),
      )
    } catch (cause) {
      const { instance } = this.life
      if (isEngineLost(cause)) await this.renew(instance).catch(() => {})
      throw wasStopped(cause) ? cause : new SqlError(sql, cause)
    }
  }
}
