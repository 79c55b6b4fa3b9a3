import { rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type {
  DuckDBBlobValue,
  DuckDBConnection,
  DuckDBDoubleVector,
  DuckDBMapValue,
  DuckDBValue,
} from '@duckdb/node-api'
import { quoteName, quoteText } from '../../define/sql.js'
import { MoraineError } from '../../errors.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { Schema } from '../../iceberg/spec/types.js'
import { machineMemory } from '../../process/memory.js'
import type { JsFunction } from '../../quality/functions.js'
import { diskOf, roomToSpill } from '../../storage/disk.js'
import { scratchFolder } from '../../storage/scratch.js'
import {
  fetchMentioned,
  fetchStaged,
  type ObjectAccess,
  readableRoots,
  readInPlace,
} from '../../storage/staging.js'
import type {
  AvroCodec,
  BatchParts,
  Counts,
  DeletesTarget,
  Engine,
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
import { BIGINT, DuckDBDataChunk, DuckDBInstance, VARCHAR } from './driver.js'
import { copyOptions, formatOf, holdFile, writeAvro } from './formats.js'
import { type Life, Lives } from './lives.js'
import { MemoryGuard } from './memory-guard.js'
import { confinedTo, enginePath, fileList, sourcePath } from './paths.js'
import { attach, remoteName, secretSql } from './remote.js'
import { batchesOf, plainRow, resultColumns, scalarFunction, textOf } from './results.js'
import { tableSql } from './scan.js'
import { kibibytes, limitSpill } from './sizes.js'
import { StatementGuard, wasStopped } from './statement-guard.js'
import { partitionSql } from './transforms.js'
import { columnTypeOf } from './types.js'
import { copySql, toDataFile, type WrittenFile } from './write.js'

export interface DuckDBOptions {
  /** Bytes that the engine may use; beyond it spills to disk. Default: 60 % of the machine's. */
  memory?: number
  /** Bytes of disk that it may spill. Default, and at most: half of what is free. */
  spill?: number | undefined
  threads?: number
  /** The folder with DuckDB's extensions, where it is not DuckDB's own. */
  extensions?: string | undefined
  /** Looks at the memory of the whole process; without it, that leaves the machine a tenth. */
  guard?: MemoryGuard
  /** What tells of disks. */
  disk?: typeof diskOf
  /** Further settings; they are given to DuckDB as they are. */
  settings?: Readonly<Record<string, string>>
}

/** How many statements are planned quickly at the moment, and the optimizers that are off otherwise. */
interface QuickPlans {
  statements: number
  otherwise: string
}

/** Extensions that could be loaded, or could not, each tried once. */
type Loaded = Map<Extension, Promise<boolean>>

/** The embedded engine: everything in this process, larger than memory through a folder for spilling. */
export class DuckDB implements Engine {
  private readonly functions = new Set<string>()
  private readonly done = new Map<string, Promise<void>>()
  private readonly loaded: Loaded = new Map()
  /** Until when the roots of buckets can be read with the credentials that were given last. */
  private readonly reached = new Map<string, number>()
  private readonly lives: Lives

  private constructor(
    instance: DuckDBInstance,
    begin: () => Promise<DuckDBInstance>,
    private readonly temporary: string,
    private readonly quick: QuickPlans,
    private readonly guard: StatementGuard,
  ) {
    this.lives = new Lives(instance, begin, () => {
      for (const made of [this.functions, this.done, this.loaded, this.reached]) made.clear()
      quick.statements = 0
    })
  }

  static async start(options: DuckDBOptions = {}): Promise<DuckDB> {
    const temporary = await scratchFolder('engine')
    const { disk = diskOf } = options
    const memory = options.memory ?? Math.floor(machineMemory() * 0.6)
    const room = roomToSpill(disk(temporary))
    const spill = Math.min(
      room ?? Number.POSITIVE_INFINITY,
      options.spill ?? Number.POSITIVE_INFINITY,
    )
    const settings = {
      threads: String(options.threads ?? availableParallelism()),
      memory_limit: kibibytes(memory),
      temp_directory: temporary,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      // None of the user's: the folder is empty. Databases can't be attached where there may be none at all.
      secret_directory: join(temporary, 'secrets'),
      partitioned_write_max_open_files: '1000',
      // Giving memory back to the system after each query, to ask for it again, costs more than it saves.
      allocator_flush_threshold: '1GiB',
      allocator_bulk_deallocation_flush_threshold: '1GiB',
      ...(options.extensions ? { extension_directory: options.extensions } : {}),
      ...options.settings,
    }
    const begin = async () => {
      const instance = await DuckDBInstance.create(':memory:', settings)
      if (spill < Number.POSITIVE_INFINITY) await limitSpill(instance, spill)
      return instance
    }
    const otherwise = options.settings?.disabled_optimizers ?? ''
    const memoryGuard = options.guard ?? MemoryGuard.within()
    const guard = new StatementGuard(temporary, disk, memoryGuard)
    return new DuckDB(await begin(), begin, temporary, { statements: 0, otherwise }, guard)
  }

  async open(): Promise<DuckDBSession> {
    const session = new DuckDBSession(
      await this.lives.connect(),
      async (lost) => {
        session.goOn(await this.lives.after(lost))
        await this.reachObjects(session)
      },
      this.functions,
      this.done,
      this.loaded,
      this.quick,
      this.guard,
    )
    await this.reachObjects(session)
    return session
  }

  /** Lets Parquet files in buckets be read where they lie, where that can be; otherwise copies are read. */
  private async reachObjects(session: DuckDBSession): Promise<void> {
    const roots = readableRoots()
    if (roots.length === 0 || !(await session.loads('httpfs'))) return
    for (const { url, access } of roots) {
      if ((this.reached.get(url) ?? 0) > Date.now()) continue
      const given = await access()
      await session.reach(given)
      const end = given.expires?.getTime() ?? Number.POSITIVE_INFINITY
      this.reached.set(url, end - RENEWED)
    }
    readInPlace()
  }

  async confine(locations: readonly string[]): Promise<void> {
    // What reads buckets where they lie is loaded now or never.
    if (locations.length > 0) (await this.open()).close()
    await this.lives.confine(locations.flatMap(confinedTo))
  }

  async close(): Promise<void> {
    this.lives.close()
    await rm(this.temporary, { recursive: true, force: true })
  }
}

/** Milliseconds before their end from which credentials are asked for anew. */
const RENEWED = 15 * 60_000

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
    const reader = await this.try(
      copySql(sql, target),
      (text) => this.connection.runAndReadAll(text),
      target.location,
    )
    return reader
      .getRowObjects()
      .map(writtenFile)
      .filter((file) => file.count > 0n)
      .sort((a, b) => (a.filename < b.filename ? -1 : 1))
      .map((file) => toDataFile(file, target, locationOf(file.filename, target.location)))
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
    const counts = [...(file?.column_statistics ?? [])].map(([name, statistics]) => {
      const [values, nulls] = ['num_values', 'null_count'].map((s) =>
        Number(statistics.get(s) ?? 0),
      )
      const [min, max] = [statistics.get('min'), statistics.get('max')]
      const bounds = min !== undefined && max !== undefined ? { min, max } : {}
      return [name, { values, nulls, ...bounds } as Counts] as const
    })
    const { count = 0n, file_size_bytes = 0n } = file ?? {}
    return { rows: Number(count), bytes: Number(file_size_bytes), counts: new Map(counts) }
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

function writtenFile(row: Record<string, DuckDBValue>): WrittenFile {
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
function locationOf(filename: string, location: string): string {
  return `${location}${filename.slice(enginePath(location).length)}`
}
