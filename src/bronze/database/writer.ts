import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { DatabaseSource } from '../../define/source.js'
import { quoteName } from '../../define/sql/sql.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import { Pool } from '../../process/pool.js'
import { abortController, anySignal } from '../../signals.js'
import type { Extracted, Reader, RemoteColumn } from '../../source/database/reader.js'
import { STREAMS } from '../../source/database/streams.js'
import { type Kept, keepRecords, type Records } from '../../source/files/encode.js'
import { type BatchFile, sealFiles } from '../../step/batches.js'
import { type RunContext, withSession } from '../../step/context.js'
import { requestedTypes } from '../../step/requested-types.js'
import { sha256 } from '../../storage/checksum.js'
import { scratchFolder } from '../../storage/scratch.js'
import type { NewBatch } from '../batch-commit.js'
import type { Ingestion } from '../ingestion.js'
import { FEW } from '../shrink.js'
import { directColumns, directTypes, exactTypes, isFloat, isLong } from './direct.js'
import { aliveKeys, goneRows } from './gone.js'
import { bronzeRows, CHANGE, rowHash } from './known-rows.js'

/** How readers write their texts. */
const textOptions = { delimiter: ',', quote: '"', nulls: [''], newline: '\n' as const, skip: 0 }

/** A text that a reader wrote. */
interface Text {
  path: string
  /** Bytes of its longest record, at most. */
  longest: number
  columns?: readonly string[]
  types?: ReadonlyMap<string, string>
}

/** By what rows are read, which columns of them, and into which batch. */
interface ReadInto {
  reader: Reader
  columns: readonly RemoteColumn[]
  batch: NewBatch
}

/** How the keys of a source differ from those of the lake. */
interface Compared {
  gone: BatchFile | undefined
  known: number
  lacking: string[][]
  /** Hashes of those that it lacks as they were discarded. */
  stillOut: string[]
}

/** Writes rows of a database as files of a batch. */
export class RowsWriter {
  private readonly context: RunContext
  private readonly dataset: Bronze
  private readonly source: DatabaseSource
  private readonly reader: Reader
  private readonly columns: readonly RemoteColumn[]
  private readonly batch: NewBatch

  constructor(
    { context, dataset, source }: Ingestion<DatabaseSource>,
    { reader, columns, batch }: ReadInto,
    /** Whether the engine may read splits itself; `false` once that failed, as it would again. */
    private readonly byEngine: { on: boolean },
  ) {
    this.context = context
    this.dataset = dataset
    this.source = source
    this.reader = reader
    this.columns = columns
    this.batch = batch
  }

  /** Reads rows, a file for each list of conditions, and keeps them. */
  async extract(splits: readonly (readonly string[])[], first = 0): Promise<BatchFile[]> {
    const { context } = this
    const { number, folder } = this.batch
    const pool = new Pool(STREAMS)
    const columns = this.columns.map(({ name }) => name)
    // Where one split fails, the others end.
    const stop = abortController()
    const signal = anySignal([context.signal, stop.signal])
    return this.staged(async (staging) => {
      const free = Array.from({ length: STREAMS }, (_, i) => join(staging, String(i)))
      const one = async (conditions: readonly string[], i: number) => {
        signal.throwIfAborted()
        const path = free.pop() as string
        const split = `${first + i + 1}`
        const data = `${folder}/${split.padStart(5, '0')}.${this.dataset.format}`
        const what = { source: this.source, columns, conditions }
        try {
          const direct = splits.length > 1 ? await this.direct(conditions, split, data) : undefined
          if (direct) return direct
          const extracted = await this.reader.extract(what, path, signal)
          if (extracted.bytes === 0) return []
          const kept = await this.keep(path, extracted, data)
          return [this.fileOf(`${this.what}#${number}.${split}`, extracted, data, kept)]
        } catch (error) {
          stop.abort(error)
          throw error
        } finally {
          free.push(path)
        }
      }
      const reading = splits.map((split, i) => pool.run(() => one(split, i)))
      // Nobody may write into the folder any more when it goes.
      await Promise.allSettled(reading)
      if (stop.signal.aborted) throw stop.signal.reason
      const files = await Promise.all(reading)
      return sealFiles(context.storage, files.flat())
    })
  }

  /**
   * Lets the engine read a split itself, which is quicker, where it can; `undefined` where it
   * can't, or where it does not get on: the other way then says what is wrong.
   */
  private async direct(
    conditions: readonly string[],
    split: string,
    data: string,
  ): Promise<BatchFile[] | undefined> {
    const { context, reader, source, columns, batch } = this
    if (!reader.remote || !this.byEngine.on || this.dataset.format !== 'parquet') return undefined
    const requested = requestedTypes(context.lake.datasets, this.dataset, true)
    const exact = directTypes(columns, requested)
    const values = new Set(exact.keys())
    try {
      await context.storage.prepare(data)
      const kept = await withSession(context, fullName(this.dataset), async (session) => {
        const remote = (await session.files.loads('postgres_scanner'))
          ? await reader.remote?.({ source, columns, conditions }, values)
          : undefined
        return (
          remote &&
          session.files.remote(remote.session, remote.query, (rows) => {
            const relation = `(SELECT ${directColumns(columns, exact, session.dialect)}, ${this.nulls} FROM ${rows})`
            return keepRecords(session, { ...this.records(relation, data), exact }, new Map())
          })
        )
      })
      if (!kept) return undefined
      if (kept.rows === 0) return []
      const bytes = await context.storage.read(data)
      const extracted = { bytes: kept.bytes, longest: 0, sha256: sha256(bytes) }
      return [this.fileOf(`${this.what}#${batch.number}.${split}`, extracted, data, kept)]
    } catch {
      context.signal.throwIfAborted()
      this.byEngine.on = false
      return undefined
    }
  }

  /**
   * Reads rows of which some have been taken, and keeps the others. Of the last of the lists of
   * conditions it is told what they hold: those rows will be read again.
   *
   * @param know gives hashes (`_hash`) of the rows that have been taken, numbered (`_nth`) where
   *   several are the same.
   */
  async extractNew(
    parts: readonly (readonly string[])[],
    know: (session: Session) => Promise<Relation>,
    first: number,
  ): Promise<{ files: BatchFile[]; hashes: string[]; tail: Extracted | undefined }> {
    const { context, source, batch } = this
    const columns = this.columns.map(({ name }) => name)
    return this.staged(async (staging) => {
      const read: { path: string; extracted: Extracted; last: boolean }[] = []
      let tail: Extracted | undefined
      for (const [i, conditions] of parts.entries()) {
        const path = join(staging, String(i))
        const extracted = await this.reader.extract(
          { source, columns, conditions },
          path,
          context.signal,
        )
        const last = i === parts.length - 1
        if (last) tail = extracted
        if (extracted.bytes > 0) read.push({ path, extracted, last })
      }
      if (read.length === 0) return { files: [], hashes: [], tail }
      const data = `${batch.folder}/${String(first + 1).padStart(5, '0')}.${this.dataset.format}`
      return withSession(context, fullName(this.dataset), async (session) => {
        const known = await know(session)
        const arrived = await this.orElse(
          () => this.load(session, read, ({ longest }) => longest),
          () => this.load(session, read, ({ bytes }) => bytes),
        )
        const hashed = await session.rows(`SELECT _hash FROM ${arrived.sql} WHERE _last`)
        const hashes = hashed.map(({ _hash }) => String(_hash))
        const { antiJoin } = session.dialect.rows
        const fresh = antiJoin(arrived.sql, known.sql, { using: '_hash, _nth' })
        if ((await count(session, `SELECT count(*) AS n FROM ${fresh}`)) === 0)
          return { files: [], hashes, tail }
        await context.storage.prepare(data)
        const list = columns.map(quoteName).join(', ')
        const relation = `(SELECT ${list}, ${this.nulls} FROM ${fresh})`
        const kept = await this.write(session, relation, data)
        const bytes = await context.storage.read(data)
        const extracted = { bytes: kept.bytes, longest: 0, sha256: sha256(bytes) }
        const name = `${this.what}#${batch.number}.${first + 1}`
        const file = this.fileOf(name, extracted, data, kept)
        return { files: await sealFiles(context.storage, [file]), hashes, tail }
      })
    })
  }

  /** The rows of texts, with the hash of each, numbered where several are the same. */
  private async load(
    session: Session,
    read: readonly { path: string; extracted: Extracted; last: boolean }[],
    lineOf: (extracted: Extracted) => number,
  ): Promise<Relation> {
    const columns = this.columns.map(({ name }) => name)
    const texts = read.map(({ path, extracted, last }) => {
      const text = this.text(session, { path, longest: lineOf(extracted) })
      return `SELECT *, ${last} AS _last FROM ${text}`
    })
    return session.materialize(
      `SELECT *, row_number() OVER (PARTITION BY _hash) AS _nth
       FROM (SELECT *, ${rowHash(columns, session.dialect)} AS _hash FROM (${texts.join(' UNION ALL ')}))`,
    )
  }

  /** What rows hold that will be read again, and have just been taken. */
  async hashesOf(conditions: readonly string[]): Promise<{ hashes: string[]; tail: Extracted }> {
    const { context, source } = this
    const columns = this.columns.map(({ name }) => name)
    return this.staged(async (staging) => {
      const path = join(staging, 'tail')
      const tail = await this.reader.extract({ source, columns, conditions }, path, context.signal)
      if (tail.bytes === 0) return { hashes: [], tail }
      return withSession(context, fullName(this.dataset), async (session) => {
        const read = (longest: number) =>
          session.rows(
            `SELECT ${rowHash(columns, session.dialect)} AS _hash FROM ${this.text(session, { path, longest })}`,
          )
        const rows = await this.orElse(
          () => read(tail.longest),
          () => read(tail.bytes),
        )
        return { hashes: rows.map(({ _hash }) => String(_hash)), tail }
      })
    })
  }

  /** Uses a folder for texts on their way; nothing of it stays. */
  private async staged<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = await scratchFolder('rows')
    try {
      return await use(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  private get what(): string {
    return 'table' in this.source.reads ? this.source.reads.table : 'query'
  }

  /** @param name no other file is called so: rows are told apart by file and line. */
  private fileOf(name: string, { bytes, sha256 }: Extracted, data: string, kept: Kept): BatchFile {
    const modified = this.context.started.getTime()
    return { name, size: bytes, modified, sha256, data, firstLine: 1, bare: true, ...kept }
  }

  private async keep(path: string, { bytes, longest }: Extracted, data: string): Promise<Kept> {
    const { context } = this
    await context.storage.prepare(data)
    if (this.dataset.format !== 'parquet') return this.keepTexts(path, { bytes, longest }, data)
    const large = bytes >= context.valuesFrom
    const requested = large ? requestedTypes(context.lake.datasets, this.dataset) : new Map()
    return withSession(context, fullName(this.dataset), async (session) => {
      const write = (line: number, exact: ReadonlyMap<string, string>) => {
        const text = this.text(session, { path, longest: line, types: exact })
        const relation = `(SELECT *, ${this.nulls} FROM ${text})`
        return keepRecords(session, { ...this.records(relation, data), exact }, requested)
      }
      // A NaN is no decimal.
      return this.orElse(
        () => write(longest, exactTypes(this.columns, requested)),
        () => write(bytes, new Map()),
      )
    })
  }

  /**
   * Reads a text by its longest line, or else so that any record fits: values with line ends make
   * records longer than lines.
   */
  private async orElse<T>(byLines: () => Promise<T>, anyway: () => Promise<T>): Promise<T> {
    try {
      return await byLines()
    } catch {
      this.context.signal.throwIfAborted()
      return anyway()
    }
  }

  /**
   * SQL for the rows of a text. MySQL writes numbers of 32 bits in six digits, or in those of 64
   * bits: here they get their own.
   */
  private text(
    session: Session,
    { path, longest, columns = this.columns.map(({ name }) => name), types = new Map() }: Text,
  ): string {
    const text = session.files.text(path, { ...textOptions, columns, types, longest })
    const floats = this.columns.filter(({ name, type }) => isFloat(type) && columns.includes(name))
    if (this.source.database !== 'mysql' || floats.length === 0) return text
    const { patterns, rows, values } = session.dialect
    const short = floats.map(({ name }) => {
      const column = quoteName(name)
      const digits = values.text(`CAST(${column} AS ${values.type({ kind: 'float' })})`)
      return [column, patterns.replaceFirst(digits, '\\.0$', '')] as const
    })
    return `(SELECT ${rows.replacing(short)} FROM ${text})`
  }

  /** What a row of a database does not have. */
  private get nulls(): string {
    return ['_error', '_raw', ...this.change]
      .map((name) => `CAST(NULL AS VARCHAR) AS ${name}`)
      .join(', ')
  }

  private get change(): string[] {
    return this.source.compareKeys ? [CHANGE] : []
  }

  private records(relation: string, data: string): Records {
    const columns = [...this.columns.map(({ name }) => name), ...this.change]
    const location = this.context.storage.locate(data)
    return { relation, columns, lineage: [], location, compression: this.compression }
  }

  private get compression(): 'snappy' | 'zstd' {
    return this.dataset.compression === 'zstd' ? 'zstd' : 'snappy'
  }

  /** Keeps rows in a format for others: texts, and whole numbers as such. */
  private async keepTexts(
    path: string,
    { bytes, longest }: Pick<Extracted, 'bytes' | 'longest'>,
    data: string,
  ): Promise<Kept> {
    const { context } = this
    const columns = this.columns.map(({ name }) => name)
    const { change } = this
    const location = context.storage.locate(data)
    const long = this.columns.filter(({ type }) => isLong(type)).map(({ name }) => name)
    const types = new Map(long.map((name) => [name, 'BIGINT']))
    return withSession(context, fullName(this.dataset), async (session) => {
      const write = (line: number) => {
        const text = this.text(session, { path, longest: line, types })
        const relation = `(SELECT *${change.map((name) => `, CAST(NULL AS VARCHAR) AS ${name}`)} FROM ${text})`
        return this.writeTexts(session, relation, [...columns, ...change], location)
      }
      return this.orElse(
        () => write(longest),
        () => write(bytes),
      )
    })
  }

  private async writeTexts(
    session: Session,
    relation: string,
    columns: readonly string[],
    location: string,
  ): Promise<Kept> {
    const { compression } = this.dataset
    const sql = `SELECT ${columns.map(quoteName).join(', ')} FROM ${relation}`
    const codec = compression === 'snappy' ? 'snappy' : 'deflate'
    return { ...(await session.files.writeText(sql, location, codec)), broken: 0 }
  }

  /**
   * Compares the keys of the source with those of the lake: a file with a row for each that is
   * gone, and how many the lake has; the keys that the lake lacks; and those of them that are
   * discarded, by their hashes.
   */
  async compared(
    state: LakeState,
    cursor: string | undefined,
    discarded: readonly string[] = [],
  ): Promise<Compared> {
    const { context, source, reader, batch } = this
    const name = fullName(this.dataset)
    const { key } = source
    const keys = key.map(quoteName)
    const columns = this.columns.map((column) => column.name)
    return this.staged(async (staging) => {
      const path = join(staging, 'keys')
      const all = { source, columns: key, conditions: [] }
      const there = await reader.extract(all, path, context.signal)
      return withSession(context, name, async (session) => {
        const { storage } = context
        const known = await bronzeRows({ session, storage, state, dataset: this.dataset })
        const { antiJoin } = session.dialect.rows
        const { sql: alive } = await aliveKeys(session, known, key, cursor)
        const present =
          there.bytes > 0
            ? `SELECT * FROM ${this.text(session, { path, longest: there.longest, columns: key })}`
            : `SELECT * FROM ${alive} WHERE false`
        const same = { using: keys.join(', ') }
        const all = await session.rows(
          `SELECT DISTINCT ${keys.join(', ')}, ${rowHash(key, session.dialect)} AS _hash FROM ${antiJoin(`(${present})`, alive, same)} WHERE ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')}`,
        )
        const isOut = new Set(discarded)
        const stillOut = all.map(({ _hash }) => String(_hash)).filter((hash) => isOut.has(hash))
        const lacking = all
          .filter(({ _hash }) => !isOut.has(String(_hash)))
          .map((row) => key.map((column) => String(row[column])))
        const lost = await session.materialize(
          `SELECT * FROM ${antiJoin(alive, `(${present})`, same)}`,
        )
        const rows = await goneRows(session, known, lost, { key, cursor, columns })
        if ((await count(session, `SELECT count(*) AS n FROM ${rows.sql}`)) === 0)
          return { gone: undefined, known: 0, lacking, stillOut }
        const data = `${batch.folder}/deleted.${this.dataset.format}`
        await context.storage.prepare(data)
        const kept = await this.write(session, rows.sql, data)
        const about = this.fileOf(`${this.what}#${batch.number}.deleted`, there, data, kept)
        const [file] = await sealFiles(context.storage, [about])
        // How many there are matters only where many are gone.
        const before =
          kept.rows < FEW ? kept.rows : await count(session, `SELECT count(*) AS n FROM ${alive}`)
        return { gone: file, known: before, lacking, stillOut }
      })
    })
  }

  /** Writes a relation of texts in the dataset's format. */
  private write(session: Session, relation: string, data: string): Promise<Kept> {
    const columns = [...this.columns.map(({ name }) => name), ...this.change]
    const location = this.context.storage.locate(data)
    return this.dataset.format === 'parquet'
      ? keepRecords(session, this.records(relation, data), new Map())
      : this.writeTexts(session, relation, columns, location)
  }
}
