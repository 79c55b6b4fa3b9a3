import { fullName } from '../../define/dataset.js'
import type { DatabaseSource } from '../../define/source.js'
import { countOf } from '../../define/thousands.js'
import type { Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import { openRows } from '../../source/database/conditions.js'
import type { Horizon, Mark, Range, RemoteColumn, Window } from '../../source/database/reader.js'
import type { BatchFile } from '../../step/batches.js'
import type { RunContext } from '../../step/context.js'
import { commitRows, type NewBatch, newBatch, noteWatermark, nothingYet } from '../batch-commit.js'
import type { Lookup } from '../ingestion.js'
import type { Intake, Offer } from '../offer.js'
import { heldOf, holdBack, rowsOfFull } from '../shrink.js'
import {
  afterNow,
  contentOf,
  discardedOf,
  freshFrom,
  isSamePosition,
  knownOf,
  type Landings,
  type Load,
  nextFrom,
  readsOf,
  seenOf,
  stillDiscarded,
  type Watermark,
  windowsOf,
} from './checkpoint.js'
import { noteOlder } from './gone.js'
import { CHANGE, ingestedOf, knownRows, upgraded } from './known-rows.js'
import { COMPARED, lookAt, newsOf, type Seen } from './look.js'
import { RowsWriter } from './writer.js'

/** Ranges of a first reading that are committed together. */
const TOGETHER = 8
/** Marks that are remembered. */
const MARKS = 20
/** Keys that are asked for at once. */
const LOT = 1000

/** Looks whether a database has rows that the lake has not. */
export async function discoverRows(
  of: Lookup<DatabaseSource>,
  { backfill, land }: { backfill?: Window | undefined; land?: Land },
): Promise<Offer> {
  const reader = await of.databases.reader(of.source)
  const seen = await lookAt(of, reader, backfill)
  const work = new RowsIngest(seen, land)
  return { discovery: await newsOf(seen), ingest: (context, base) => work.ingest(context, base) }
}

/** Puts files elsewhere instead of making them a batch. */
interface Land {
  /** As part of the commit of a number; returns what they are called there. */
  write(context: RunContext, files: readonly BatchFile[], feedCommit: number): Promise<string[]>
  /** Once that commit is there, and before the next one, which says nothing of them. */
  show(context: RunContext, names: readonly string[]): Promise<void>
}

/** Rows that were read, and how far that was. */
interface RowsRead {
  batch: NewBatch
  files: readonly BatchFile[]
  position: Omit<Watermark, 'reads' | 'columns'>
  /** They are all rows that there are now. */
  fullExtract?: boolean
}

/** The ingestion that follows from a look at a source. */
class RowsIngest {
  private feedCommits: number
  private readonly byEngine = { on: true }

  constructor(
    private readonly seen: Seen,
    private readonly land: Land | undefined,
  ) {
    this.feedCommits = seen.feedCommits
  }

  async ingest(context: RunContext, base: LakeState): Promise<Intake> {
    const done = nothingYet(base)
    if (this.seen.backfill) return this.backfill(context, done, this.seen.backfill)
    if (!this.seen.cursor) return this.ingestFull(context, done)
    const ingested = await (this.seen.before?.from === undefined
      ? this.ingestFirst(context, done)
      : this.ingestWindow(context, done))
    return this.seen.source.compareKeys && !this.land
      ? this.ingestCompared(context, ingested)
      : ingested
  }

  /** Rows that were read before, once more; how far the source was read stays. */
  private async backfill(context: RunContext, done: Intake, window: Window): Promise<Intake> {
    const batch = this.newBatch(context, done.state)
    const condition = this.seen.reader.windowSql(this.seen.cursor as RemoteColumn, window)
    const files = await this.extract(context, batch, [[condition]])
    if (files.length === 0) return { ...done, notes: ['there are no rows'] }
    const { reads: _, columns: __, ...position } = this.seen.before as Watermark
    return this.commit(context, done, { batch, files, position })
  }

  /** All rows of a source without a cursor, unless they are the same as before. */
  private async ingestFull(context: RunContext, done: Intake): Promise<Intake> {
    const { ranges } = await this.seen.reader.ranges(this.seen.source, context.partBytes)
    const batch = this.newBatch(context, done.state)
    const files = await this.extract(context, batch, ranges.map(conditionsOf))
    const open = contentOf(files)
    const name = fullName(this.seen.dataset)
    if (open === this.seen.before?.open) {
      // No commit leads to them, and a row of somebody's may be among them that was forgotten.
      for (const data of new Set(files.map((file) => file.data))) await context.storage.remove(data)
      const same = { ...done, notes: ['its rows are unchanged'] }
      if (!heldOf(done.state, name)) return same
      return { ...(await this.note(context, done, this.positionAt({ open }))), notes: same.notes }
    }
    const rows = files.reduce((sum, file) => sum + file.rows, 0)
    const held = await this.holdBack(context, done, files, {
      rows,
      before: rowsOfFull(done.state, name),
    })
    return (
      held ?? this.commit(context, done, { batch, files, position: { open }, fullExtract: true })
    )
  }

  /**
   * A first reading: range by range, each group of them committed, so that one that was stopped
   * goes on.
   */
  private async ingestFirst(context: RunContext, done: Intake): Promise<Intake> {
    const [cursor, horizon] = [this.seen.cursor as RemoteColumn, this.seen.horizon as Horizon]
    const before = this.seen.before?.load
    // Earlier versions left rows out that lay after the end of a window.
    const going = before?.until === undefined ? before : undefined
    const bytes = going?.bytes ?? context.partBytes
    const { ranges, epoch } = await this.seen.reader.ranges(this.seen.source, bytes, going?.epoch)
    const marks = this.marks()
    if (horizon.next === undefined && !going) {
      // Nothing can be read yet; but where the cursor stands now lets the next run begin.
      const batch = this.newBatch(context, done.state)
      return this.commit(context, done, { batch, files: [], position: { marks } })
    }
    const resumed = going !== undefined && going.epoch === epoch
    const load: Load = resumed ? going : await this.beginLoad(cursor, horizon, bytes, epoch)
    const { next = null } = load
    const discarded = resumed ? stillDiscarded(this.seen.before as Watermark) : {}
    let result = done
    for (let at = load.done; at < Math.max(ranges.length, load.done + 1); at += TOGETHER) {
      const group = ranges.slice(at, at + TOGETHER)
      const batch = this.newBatch(context, result.state)
      const again = resumed && at === load.done ? this.moved(load, ranges[at], cursor) : []
      const files = await this.extract(context, batch, [...group.map(conditionsOf), ...again])
      const last = at + TOGETHER >= ranges.length
      const position = last
        ? { from: next, ...(await this.seenNow(context, batch, next, resumed)) }
        : { load: { ...load, done: at + TOGETHER } }
      const fullExtract =
        at === 0 && result.state.batches[fullName(this.seen.dataset)] !== undefined
      const read = { batch, files, position: { ...position, ...discarded, marks }, fullExtract }
      result = await this.commit(context, result, read)
      context.progress(fullName(this.seen.dataset), { rows: result.rows })
      if ('later' in position && position.later)
        result.notes.push(afterNow(cursor.name, position.later))
    }
    return result
  }

  /**
   * Rows that may have come among those that were read before they were read themselves: one that
   * is changed lies elsewhere then. A later window has those alone whose cursor says so.
   */
  private moved({ next, epoch }: Load, first: Range | undefined, cursor: RemoteColumn): string[][] {
    const { reader } = this.seen
    const moved = reader.movedSql?.(epoch)
    if (next == null || moved === undefined) return []
    const read = first?.before === undefined ? [] : [first.before]
    return [[moved, ...read, reader.windowSql(cursor, { until: next })]]
  }

  /**
   * A first reading ends where the newest row was, or the bound of open transactions, when it
   * began.
   */
  private async beginLoad(
    cursor: RemoteColumn,
    horizon: Horizon,
    bytes: number,
    epoch: string,
  ): Promise<Load> {
    const { newest } = await this.seen.reader.census(this.seen.source, cursor, null, horizon)
    const next = nextFrom(horizon, newest, null, this.seen.source.lag)
    return { next, done: 0, bytes, epoch }
  }

  /** What a first reading has taken of the rows that will be read again. */
  private async seenNow(
    context: RunContext,
    batch: NewBatch,
    from: string | null,
    resumed: boolean,
  ): Promise<Partial<Watermark>> {
    const [cursor, horizon] = [this.seen.cursor as RemoteColumn, this.seen.horizon as Horizon]
    const census = await this.seen.reader.census(this.seen.source, cursor, from, horizon)
    const { rows, later } = census
    const common = {
      ...freshFrom(census, horizon, this.seen.reader),
      ...(later > 0 ? { later } : {}),
    }
    // What was read by other runs, or without a snapshot, may have changed since: the next run
    // looks which of it bronze has.
    if (resumed || this.seen.reader.moving)
      return { ...common, knownRows: ingestedOf(this.inBronze, undefined) }
    // So it does for very many rows, where need be.
    if (rows > COMPARED)
      return {
        ...common,
        knownRows: ingestedOf(this.inBronze, undefined),
        tail: { rows, seen: seenOf(census) },
      }
    const open = openRows(this.seen.reader, cursor, from)
    const { hashes, tail } = await this.writer(context, batch).hashesOf([open])
    return {
      ...common,
      knownRows: ingestedOf(this.inBronze, hashes),
      tail: { rows: hashes.length, sha256: tail.sha256 },
    }
  }

  /**
   * All rows from the end of the last window on, and those that have no cursor. Those that may have
   * been taken are compared by what they hold, so that each comes once.
   */
  private async ingestWindow(context: RunContext, done: Intake): Promise<Intake> {
    const [cursor, horizon] = [this.seen.cursor as RemoteColumn, this.seen.horizon as Horizon]
    const { reader } = this.seen
    const before = await upgraded(context, done.state, this.seen, this.inBronze)
    const from = before.from ?? null
    const census = await reader.census(this.seen.source, cursor, from, horizon)
    const next = nextFrom(horizon, census.newest, from, this.seen.source.lag)
    const batch = this.newBatch(context, done.state)
    const since = from === null ? {} : { from }
    const [settled, fresh] = windowsOf(before, from, next)
    const news = fresh
      ? await this.extract(context, batch, [[reader.windowSql(cursor, fresh)]])
      : []
    const parts = [
      ...(settled ? [[reader.windowSql(cursor, { ...since, ...settled })]] : []),
      [openRows(reader, cursor, next)],
    ]
    const know = (session: Session) =>
      knownRows(
        { session, storage: context.storage, state: done.state, dataset: this.seen.dataset },
        this.seen,
        before,
        this.inBronze,
      )
    const { files, hashes, tail } = await this.writer(context, batch).extractNew(parts, know, 1)
    const few = hashes.length <= COMPARED
    const compared = few ? tail && { sha256: tail.sha256 } : { seen: seenOf(census) }
    const position = {
      from: next,
      ...freshFrom(census, horizon, reader),
      knownRows: ingestedOf(this.inBronze, hashes),
      tail: { rows: hashes.length, ...compared },
      ...(census.later > 0 ? { later: census.later } : {}),
      ...stillDiscarded(before, hashes),
      marks: this.marks(),
    }
    const all = [...news, ...files]
    if (all.length > 0) return this.commit(context, done, { batch, files: all, position })
    if (!isSamePosition(this.seen.before, position))
      return this.note(context, done, this.positionAt(position))
    return { ...done, notes: ['its rows are unchanged'] }
  }

  /**
   * Keys that the lake has and the source has not any more, and the reverse: rows that say so, and
   * rows, in a batch of their own.
   */
  private async ingestCompared(context: RunContext, done: Intake): Promise<Intake> {
    const { cursor, dataset, source } = this.seen
    const watermark = done.state.watermarks[fullName(dataset)] as Watermark | undefined
    if (watermark?.from === undefined) return done
    const batch = this.newBatch(context, done.state)
    const writer = this.writer(context, batch)
    const { reads: _, columns: __, held: before, discarded, ...others } = watermark
    const compared = await writer.compared(done.state, cursor?.name, discarded?.keys)
    const { gone, known, lacking, stillOut } = compared
    const position = { ...others, ...discardedOf(discarded?.rows, stillOut) }
    const back = await this.extract(context, batch, this.keyConditions(lacking), 1)
    const held =
      gone &&
      (await this.holdBack(context, done, [gone], { rows: known - gone.rows, before: known }))
    const files = [...(gone && !held ? [gone] : []), ...back]
    if (held && files.length === 0) return held
    if (files.length === 0)
      return before ? this.note(context, done, this.positionAt(position)) : done
    const found = back.reduce((sum, { rows }) => sum + rows, 0)
    const notes = [
      ...(done.files > 0 ? done.notes : []),
      ...(gone && !held
        ? [
            `${countOf(gone.rows, 'key')} no longer ${gone.rows === 1 ? 'exists' : 'exist'} in its source`,
          ]
        : []),
      ...(found > 0
        ? [
            `${countOf(found, 'row')} ${found === 1 ? 'was' : 'were'} in its source but not in the lake`,
          ]
        : []),
    ]
    const still = held?.held ? { held: held.held } : {}
    const ingested = await this.commit(
      context,
      { ...(held ?? done), notes },
      { batch, files, position: { ...position, ...still } },
    )
    if (found === 0 || !cursor) return ingested
    const about = { batch: batch.batch, key: source.key, cursor: cursor.name }
    const older = await noteOlder(context, ingested.state, dataset, about)
    return { ...ingested, notes: [...ingested.notes, ...older] }
  }

  /** Conditions for the rows of keys; of very many, for all rows. */
  private keyConditions(keys: readonly (readonly string[])[]): string[][] {
    if (keys.length > COMPARED) return [[]]
    const columns = this.seen.source.key.map(
      (name) => this.seen.all.find((c) => c.name === name) ?? { name, type: '' },
    )
    const lots = Array.from({ length: Math.ceil(keys.length / LOT) }, (_, i) =>
      keys.slice(i * LOT, (i + 1) * LOT),
    )
    return lots.map((lot) => [this.seen.reader.keysSql(columns, lot)])
  }

  /**
   * Whether rows of bronze show which of them have been taken: those of a feed are elsewhere, and
   * some do not show their cursor.
   */
  private get inBronze(): boolean {
    return !this.land && this.seen.columns.some(({ name }) => name === this.seen.cursor?.name)
  }

  /** Holds rows back that are far fewer than before, and removes their files again. */
  private async holdBack(
    context: RunContext,
    done: Intake,
    files: readonly BatchFile[],
    { rows, before }: { rows: number; before: number | undefined },
  ): Promise<Intake | undefined> {
    if (before === undefined) return undefined
    const { maxShrink } = this.seen.source
    const known = this.seen.before?.held
    const extract = { rows, before, maxShrink, known }
    const held = await holdBack(context, done, this.seen.dataset, extract)
    if (held) for (const { data } of files) await context.storage.remove(data)
    return held
  }

  private positionAt(position: Omit<Watermark, 'reads' | 'columns'>): Watermark {
    const columns = knownOf(this.seen.source, this.seen.all, this.seen.before)
    return { reads: readsOf(this.seen.source), columns, ...position }
  }

  private marks(): readonly Mark[] {
    const { mark } = this.seen.horizon ?? {}
    return [...(this.seen.before?.marks ?? []), ...(mark ? [mark] : [])].slice(-MARKS)
  }

  private newBatch(context: RunContext, state: LakeState): NewBatch {
    return newBatch(context, state, this.seen.dataset)
  }

  private writer(context: RunContext, batch: NewBatch): RowsWriter {
    const { dataset, source, reader, columns } = this.seen
    return new RowsWriter({ context, dataset, source }, { reader, columns, batch }, this.byEngine)
  }

  private extract(
    context: RunContext,
    batch: NewBatch,
    parts: readonly (readonly string[])[],
    first?: number,
  ): Promise<BatchFile[]> {
    return this.writer(context, batch).extract(parts, first)
  }

  private async commit(
    context: RunContext,
    done: Intake,
    { batch, files, position, fullExtract = false }: RowsRead,
  ): Promise<Intake> {
    const name = fullName(this.seen.dataset)
    const watermark = this.positionAt(position)
    if (this.land) {
      const landed = await this.land.write(context, files, this.feedCommits + 1)
      const noted = await this.note(context, done, watermark, landed)
      await this.land.show(context, landed)
      return noted
    }
    // A first batch without rows says which columns there are.
    const known = done.state.batches[name] !== undefined
    if (files.length === 0 && known && !fullExtract) return this.note(context, done, watermark)
    const { database, reads, compareKeys } = this.seen.source
    const columns = this.seen.columns.map((column) => column.name)
    return commitRows(context, done, {
      dataset: this.seen.dataset,
      batch,
      files,
      columns: [...columns, ...(compareKeys ? [CHANGE] : [])],
      source: {
        database,
        ...reads,
        columns: this.seen.columns,
        from: this.seen.before?.from ?? undefined,
      },
      watermark,
      more: fullExtract ? { fullExtract } : {},
    })
  }

  private note(
    context: RunContext,
    done: Intake,
    watermark: Watermark,
    landed: readonly string[] = [],
  ): Promise<Intake> {
    const landings: Landings | undefined = this.land && { landed, feedCommits: ++this.feedCommits }
    return noteWatermark(context, done, this.seen.dataset, { ...watermark, ...landings })
  }
}

const conditionsOf = ({ condition }: Range) => (condition === undefined ? [] : [condition])
