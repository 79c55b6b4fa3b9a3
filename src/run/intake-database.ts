import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bronze, fullName } from '../define/dataset.js'
import { nearest } from '../define/nearest.js'
import type { DatabaseSource } from '../define/source.js'
import { quoteName, quoteText } from '../define/sql.js'
import { MoraineError } from '../errors.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import type { Databases } from '../source/connect/open.js'
import type {
  Extracted,
  Horizon,
  Mark,
  Range,
  Reader,
  RemoteColumn,
  Window,
} from '../source/connect/reader.js'
import { type Kept, keepRecords } from '../source/keep.js'
import type { BatchFile, BatchManifest } from './batches.js'
import { hash, type RunContext, withSession } from './context.js'
import { type Change, compareColumns } from './drift.js'
import type { Intake, Offer } from './intake.js'
import { Pool } from './pool.js'
import { Relations } from './relations.js'
import { wantedTypes } from './wanted.js'

/** How far a database's table has been read; visible in the same commit as its rows. */
interface Watermark {
  /** What decides which rows are read, as a hash: with another one the reading begins anew. */
  reads: string
  /** The columns that the source had. */
  columns: readonly RemoteColumn[]
  /** All rows with earlier cursors have been read. */
  from?: string
  marks?: readonly Mark[]
  /** A first reading of all rows that is under way. */
  load?: Load
  /** SHA-256 of what is read again each time: rows without a cursor, and windows without an end. */
  nulls?: string
  open?: string
}

/** A first reading, in ranges that are committed one after the other. */
interface Load {
  until?: string
  next?: string
  /** Ranges that are done, of about so many bytes each. */
  done: number
  bytes: number
  /** While it is the same, the ranges are the same. */
  epoch: string
}

/** Parts of a table that are read side by side. */
const SIDE_BY_SIDE = 2
/** Ranges of a first reading that are committed together. */
const TOGETHER = 8
/** Marks that are remembered. */
const MARKS = 20

/** Looks whether a database has rows that the lake has not. */
export async function discoverRows(
  dataset: Bronze,
  source: DatabaseSource,
  state: LakeState,
  databases: Databases,
): Promise<Offer> {
  const reader = await databases.reader(source)
  const work = await RowsIntake.begin(dataset, source, state, reader)
  return { discovery: await work.look(), take: (context, base) => work.take(context, base) }
}

/** One look at a source, and the intake that follows from it. */
class RowsIntake {
  private constructor(
    private readonly dataset: Bronze,
    private readonly source: DatabaseSource,
    private readonly reader: Reader,
    private readonly before: Watermark | undefined,
    private readonly all: readonly RemoteColumn[],
    private readonly columns: readonly RemoteColumn[],
    private readonly cursor: RemoteColumn | undefined,
    private readonly horizon: Horizon | undefined,
    private readonly notes: readonly string[],
  ) {}

  static async begin(
    dataset: Bronze,
    source: DatabaseSource,
    state: LakeState,
    reader: Reader,
  ): Promise<RowsIntake> {
    const known = state.watermarks[fullName(dataset)] as Watermark | undefined
    const before = known?.reads === readsOf(source) ? known : undefined
    const all = await reader.columns(source)
    const changes = before ? compareColumns(before.columns, all) : []
    refuseDrift(dataset, source, changes)
    const columns = chosen(source, all, before)
    const cursor = cursorOf(source, all)
    const horizon = cursor && (await reader.horizon(source, cursor, before?.marks ?? []))
    const notes = [...(horizon?.notes ?? []), ...changes.map(({ said }) => said)]
    return new RowsIntake(dataset, source, reader, before, all, columns, cursor, horizon, notes)
  }

  async look(): Promise<Offer['discovery']> {
    const { before, cursor, horizon, notes } = this
    const found = (news: string) => ({ news, none: '', notes })
    if (!cursor) return found('all of its rows are read each time')
    if (before?.from === undefined)
      return found(before?.load ? 'its first reading goes on' : 'all of its rows are to be read')
    if (this.source.compareKeys) return found('its keys are compared each time')
    const none = `no rows with a newer ${cursor.name}`
    if (horizon?.waiting) return found('rows are there that wait for an open transaction')
    if (horizon?.next === undefined) return { news: undefined, none, notes }
    const window = this.reader.windowSql(cursor, this.window())
    const some =
      (await this.reader.any(this.source, [window])) ||
      (await this.reader.any(this.source, [this.reader.nullSql(cursor)]))
    return some
      ? found(`rows with ${cursor.name} from ${before.from} on`)
      : { news: undefined, none, notes }
  }

  async take(context: RunContext, base: LakeState): Promise<Intake> {
    const done: Intake = {
      state: base,
      commits: [],
      rows: 0,
      broken: 0,
      files: 0,
      bytes: 0,
      notes: [],
    }
    if (!this.cursor) return this.takeWhole(context, done)
    const taken = await (this.before?.from === undefined
      ? this.takeFirst(context, done)
      : this.takeWindow(context, done))
    return this.source.compareKeys ? this.takeDeleted(context, taken) : taken
  }

  private window(): Window {
    return { from: this.before?.from, until: this.horizon?.until }
  }

  /** All rows of a source without a cursor, unless they are the same as before. */
  private async takeWhole(context: RunContext, done: Intake): Promise<Intake> {
    const { ranges } = await this.reader.ranges(this.source, context.partBytes)
    const batch = this.newBatch(context, done.state)
    const files = await this.extract(context, batch, ranges.map(conditionsOf))
    const open = contentOf(files)
    if (open === this.before?.open) return { ...done, notes: ['its rows are the same as before'] }
    return this.commit(context, batch, files, { open }, done, { whole: true })
  }

  /** A first reading: range by range, each group of them committed, so that one that was stopped goes on. */
  private async takeFirst(context: RunContext, done: Intake): Promise<Intake> {
    const cursor = this.cursor as RemoteColumn
    const { ranges, epoch } = await this.reader.ranges(
      this.source,
      this.before?.load?.bytes ?? context.partBytes,
      this.before?.load?.epoch,
    )
    const going = this.before?.load
    const same = going && going.epoch === epoch ? going : undefined
    const load: Load = same ?? {
      ...(this.horizon?.until === undefined ? {} : { until: this.horizon.until }),
      ...(this.horizon?.next === undefined ? {} : { next: this.horizon.next }),
      done: 0,
      bytes: context.partBytes,
      epoch,
    }
    const marks = this.marks()
    if (load.next === undefined) {
      // Nothing can be read yet; but where the cursor stands now lets the next run begin.
      return this.commit(context, this.newBatch(context, done.state), [], { marks }, done)
    }
    const early =
      load.until === undefined
        ? []
        : [
            `${this.reader.windowSql(cursor, { until: load.until })} OR ${this.reader.nullSql(cursor)}`,
          ]
    let result = done
    for (let at = load.done; at < ranges.length; at += TOGETHER) {
      const group = ranges.slice(at, at + TOGETHER)
      const batch = this.newBatch(context, result.state)
      const files = await this.extract(
        context,
        batch,
        group.map((range) => [...conditionsOf(range), ...early]),
      )
      const last = at + TOGETHER >= ranges.length
      const position = last ? { from: load.next } : { load: { ...load, done: at + TOGETHER } }
      const whole = at === 0 && result.state.batches[fullName(this.dataset)] !== undefined
      result = await this.commit(
        context,
        batch,
        files,
        { ...position, marks },
        result,
        whole ? { whole } : {},
      )
      context.progress(fullName(this.dataset), { rows: result.rows })
    }
    return result
  }

  /** The rows of a window, and those that have no cursor, where they are not the same as before. */
  private async takeWindow(context: RunContext, done: Intake): Promise<Intake> {
    const cursor = this.cursor as RemoteColumn
    const { reader, before, horizon } = this
    if (horizon?.next === undefined)
      return this.note(context, done, { ...(before as Watermark), marks: this.marks() })
    const batch = this.newBatch(context, done.state)
    const window = reader.windowSql(cursor, this.window())
    const [rows = [], nulls = []] = await Promise.all([
      this.extract(context, batch, [[window]]),
      this.extract(context, batch, [[reader.nullSql(cursor)]], 1),
    ])
    const open = horizon?.until === undefined ? contentOf(rows) : undefined
    const fresh = open !== undefined && open === before?.open ? [] : rows
    const nullsNow = nulls.length > 0 ? contentOf(nulls) : undefined
    const files = [...fresh, ...(nullsNow === before?.nulls ? [] : nulls)]
    const position = {
      from: horizon.next,
      marks: this.marks(),
      ...(nullsNow === undefined ? {} : { nulls: nullsNow }),
      ...(open === undefined ? {} : { open }),
    }
    if (files.length > 0) return this.commit(context, batch, files, position, done)
    // Where the counter stands lets a later run go so far.
    if (horizon?.waiting)
      return this.note(context, done, {
        reads: readsOf(this.source),
        columns: this.all,
        ...position,
      })
    return { ...done, notes: ['its rows are the same as before'] }
  }

  /** Keys that the lake has and the source has not any more: rows that say so, in a batch of their own. */
  private async takeDeleted(context: RunContext, done: Intake): Promise<Intake> {
    const { source, cursor, horizon } = this
    const name = fullName(this.dataset)
    const watermark = done.state.watermarks[name] as Watermark | undefined
    const pointers = done.state.batches[name] ?? []
    if (!watermark || watermark.load || pointers.length === 0) return done
    const batch = this.newBatch(context, done.state)
    const keys = source.key.map(quoteName)
    const at = horizon?.until ?? horizon?.next
    const names = this.columns.map((column) => column.name)
    const valueOf = (column: string) =>
      source.key.includes(column)
        ? quoteName(column)
        : `${column === cursor?.name && at !== undefined ? quoteText(at) : 'CAST(NULL AS VARCHAR)'} AS ${quoteName(column)}`
    const files = await this.staged(async (staging) => {
      const path = join(staging, 'keys')
      const all = { source, columns: source.key, conditions: [] }
      const there = await this.reader.extract(all, path, context.signal)
      return withSession(context, name, async (session) => {
        const relations = new Relations(context.storage, done.state)
        const known = await relations.bronzeRelation(session, pointers, [])
        const text = session.text(path, {
          ...textOptions,
          columns: source.key,
          longest: there.longest,
        })
        const present =
          there.bytes > 0
            ? `SELECT * FROM ${text}`
            : `SELECT ${keys.join(', ')} FROM alive WHERE false`
        const gone = `(WITH alive AS (
            SELECT ${keys.join(', ')} FROM (${known.sql}) GROUP BY ALL HAVING arg_max(coalesce(_change, ''), _batch) <> 'delete')
          SELECT CAST(NULL AS VARCHAR) AS _error, CAST(NULL AS VARCHAR) AS _raw, ${names.map(valueOf).join(', ')}, 'delete' AS _change
          FROM (FROM alive ANTI JOIN (${present}) USING (${keys.join(', ')})))`
        const data = `${batch.folder}/deleted.parquet`
        await context.storage.prepare(data)
        const columns = [...names, CHANGE]
        const location = context.storage.locate(data)
        const kept = await keepRecords(
          session,
          { relation: gone, columns, lineage: [], location },
          new Map(),
        )
        if (kept.rows === 0) return []
        await context.storage.seal([data])
        return [this.fileOf(context, `${this.what}#${batch.number}.deleted`, there, data, kept)]
      })
    })
    if (files.length === 0) return done
    const { reads: _, columns: __, ...position } = watermark
    const result = await this.commit(context, batch, files, position, done)
    const rows = result.rows - done.rows
    return {
      ...result,
      notes: [...result.notes, `${rows.toLocaleString('en-US')} keys are gone from its source`],
    }
  }

  private marks(): readonly Mark[] {
    const { mark } = this.horizon ?? {}
    return [...(this.before?.marks ?? []), ...(mark ? [mark] : [])].slice(-MARKS)
  }

  private newBatch(context: RunContext, state: LakeState): NewBatch {
    const { name } = this.dataset
    const number = (state.batches[fullName(this.dataset)]?.at(-1)?.number ?? 0) + 1
    const batch = `${String(number).padStart(6, '0')}-${randomBytes(4).toString('hex')}`
    const folder = `bronze/${name}/${context.started.toISOString().slice(0, 10)}/${batch}`
    return { number, batch, folder }
  }

  /** Reads rows, a file for each list of conditions, and keeps them as Parquet. */
  private async extract(
    context: RunContext,
    { number, folder }: NewBatch,
    parts: readonly (readonly string[])[],
    first = 0,
  ): Promise<BatchFile[]> {
    const pool = new Pool(SIDE_BY_SIDE)
    const columns = this.columns.map(({ name }) => name)
    return this.staged(async (staging) => {
      const one = async (conditions: readonly string[], i: number) => {
        context.signal.throwIfAborted()
        const path = join(staging, String(i))
        const part = `${first + i + 1}`
        const data = `${folder}/${part.padStart(5, '0')}.parquet`
        const what = { source: this.source, columns, conditions }
        const extracted = await this.reader.extract(what, path, context.signal)
        if (extracted.bytes === 0) return []
        const kept = await this.keep(context, path, extracted, data)
        await rm(path)
        return [this.fileOf(context, `${this.what}#${number}.${part}`, extracted, data, kept)]
      }
      const files = await Promise.all(parts.map((part, i) => pool.run(() => one(part, i))))
      await context.storage.seal(files.flat().map(({ data }) => data))
      return files.flat()
    })
  }

  /** Uses a folder for texts on their way; nothing of it stays. */
  private async staged<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-rows-'))
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
  private fileOf(
    context: RunContext,
    name: string,
    { bytes, sha256 }: Extracted,
    data: string,
    kept: Kept,
  ): BatchFile {
    const modified = context.started.getTime()
    return { name, size: bytes, modified, sha256, data, firstLine: 1, bare: true, ...kept }
  }

  private async keep(
    context: RunContext,
    path: string,
    { bytes, longest }: Extracted,
    data: string,
  ): Promise<Kept> {
    await context.storage.prepare(data)
    const columns = this.columns.map(({ name }) => name)
    const large = bytes >= context.valuesFrom
    const wanted = large ? wantedTypes(context.lake.datasets, this.dataset) : new Map()
    const location = context.storage.locate(data)
    const change = this.source.compareKeys ? [CHANGE] : []
    const nulls = ['_error', '_raw', ...change].map((name) => `CAST(NULL AS VARCHAR) AS ${name}`)
    return withSession(context, fullName(this.dataset), async (session) => {
      const write = (line: number) => {
        const text = session.text(path, { ...textOptions, columns, longest: line })
        const relation = `(SELECT *, ${nulls.join(', ')} FROM ${text})`
        const records = { relation, columns: [...columns, ...change], lineage: [], location }
        return keepRecords(session, records, wanted)
      }
      try {
        return await write(longest)
      } catch (error) {
        // Values with line ends make records longer than lines.
        if (!/maximum line size/i.test(String((error as Error).message))) throw error
        return write(bytes)
      }
    })
  }

  private async commit(
    context: RunContext,
    { number, batch, folder }: NewBatch,
    files: readonly BatchFile[],
    position: Omit<Watermark, 'reads' | 'columns'>,
    done: Intake,
    more: { whole?: boolean } = {},
  ): Promise<Intake> {
    const name = fullName(this.dataset)
    const watermark: Watermark = { reads: readsOf(this.source), columns: this.all, ...position }
    // A first batch without rows says which columns there are.
    const known = done.state.batches[name] !== undefined
    if (files.length === 0 && known && !more.whole) return this.note(context, done, watermark)
    const total = (of: 'rows' | 'bytes') => files.reduce((sum, file) => sum + file[of], 0)
    const manifest: BatchManifest = {
      format: 1,
      dataset: name,
      batch,
      number,
      created: context.started.toISOString(),
      columns: [
        ...this.columns.map((column) => column.name),
        ...(this.source.compareKeys ? [CHANGE] : []),
      ],
      files: [...files],
      source: {
        database: this.source.database,
        ...this.source.reads,
        columns: this.columns,
        ...this.window(),
      },
    }
    const path = `${folder}/manifest.json`
    await context.storage.write(path, new TextEncoder().encode(JSON.stringify(manifest, null, 1)))
    const pointer: BatchPointer = {
      dataset: name,
      number,
      batch,
      manifest: path,
      rows: total('rows'),
      bytes: total('bytes'),
      ...more,
    }
    const state = await context.log.commit(
      done.state,
      { batches: [pointer], watermarks: { [name]: watermark } },
      {
        author: context.author,
        run: context.run,
        message: `take in ${pointer.rows.toLocaleString('en-US')} rows of ${name}`,
      },
    )
    return {
      ...done,
      state,
      commits: [...done.commits, state.number],
      rows: done.rows + pointer.rows,
      bytes: done.bytes + pointer.bytes,
      files: done.files + files.length,
      notes: files.length > 0 ? done.notes : [...done.notes, 'there are no rows'],
    }
  }

  /** Commits how far a source was read where there were no rows. */
  private async note(context: RunContext, done: Intake, watermark: Watermark): Promise<Intake> {
    const name = fullName(this.dataset)
    const state = await context.log.commit(
      done.state,
      { watermarks: { [name]: watermark } },
      { author: context.author, run: context.run, message: `note how far ${name} was read` },
    )
    return {
      ...done,
      state,
      commits: [...done.commits, state.number],
      notes: ['there are no rows'],
    }
  }
}

/** The column that says that a key is gone. */
const CHANGE = '_change'

/** How readers write their texts. */
const textOptions = { delimiter: ',', quote: '"', nulls: [''], skip: 0 }

interface NewBatch {
  number: number
  batch: string
  folder: string
}

const conditionsOf = ({ condition }: Range) => (condition === undefined ? [] : [condition])

/** What decides which rows are read: the lag and what is done about other columns do not. */
function readsOf({ database, reads, columns, where, cursor }: DatabaseSource): string {
  return hash(JSON.stringify([database, reads, columns ?? null, where ?? null, cursor ?? null]))
}

/** The content of files, whatever they are called. */
function contentOf(files: readonly BatchFile[]): string {
  const sum = createHash('sha256')
  for (const { sha256 } of files) sum.update(sha256)
  return sum.digest('hex')
}

function refuseDrift(dataset: Bronze, source: DatabaseSource, changes: readonly Change[]): void {
  if (source.drift !== 'freeze' || changes.length === 0) return
  const said = changes.map((change) => change.said).join(', ')
  throw new MoraineError('source', `The columns of its source have changed: ${said}`, {
    doing: `read ${fullName(dataset)}`,
    hint: "Nothing was read. Take the change over with drift: 'evolve' (or leave new columns out with drift: 'discard').",
    place: dataset.place,
  })
}

/** The columns to read, of those that there are. */
function chosen(
  source: DatabaseSource,
  all: readonly RemoteColumn[],
  before: Watermark | undefined,
): readonly RemoteColumn[] {
  for (const name of source.columns ?? [])
    if (!all.some((c) => c.name === name)) throw noColumn(name, all)
  const known = source.drift === 'discard' ? before?.columns : undefined
  return all.filter(
    ({ name }) =>
      (source.columns?.includes(name) ?? true) && (known?.some((c) => c.name === name) ?? true),
  )
}

function cursorOf(source: DatabaseSource, all: readonly RemoteColumn[]): RemoteColumn | undefined {
  if (source.cursor === undefined) return undefined
  if (source.cursor === 'xmin' && source.database === 'postgres')
    return { name: 'xmin', type: 'xid' }
  const found = all.find(({ name }) => name === source.cursor)
  if (found) return found
  throw noColumn(source.cursor, all)
}

function noColumn(name: string, all: readonly RemoteColumn[]): MoraineError {
  const names = all.map((column) => column.name)
  const similar = nearest(name, names)
  return new MoraineError('source', `The source has no column '${name}'`, {
    hint: similar ? `Did you mean '${similar}'?` : `It has: ${names.join(', ')}`,
  })
}
