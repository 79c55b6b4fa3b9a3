import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { DatabaseSource } from '../../define/source.js'
import { thousands } from '../../define/thousands.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import { openRows } from '../../source/database/conditions.js'
import { isBefore, nextWindow } from '../../source/database/cursor-text.js'
import type { Databases } from '../../source/database/open.js'
import type {
  Census,
  Horizon,
  Mark,
  Range,
  Reader,
  RemoteColumn,
  Window,
} from '../../source/database/reader.js'
import type { BatchFile } from '../../step/batches.js'
import { type RunContext, withSession } from '../../step/context.js'
import { scratchFolder } from '../../storage/scratch.js'
import { commitRows, type NewBatch, newBatch, noteWatermark, nothingYet } from '../batch-commit.js'
import type { Intake, Offer } from '../offer.js'
import { heldOf, holdBack, rowsOfFull } from '../shrink.js'
import {
  afterNow,
  chosen,
  contentOf,
  cursorOf,
  knownOf,
  type Load,
  readsOf,
  refuseBackfill,
  refuseDrift,
  seenOf,
  type Watermark,
} from './checkpoint.js'
import { compareColumns } from './drift.js'
import {
  CHANGE,
  HELD,
  HELD_ALONE,
  knownHashes,
  knownInBronze,
  newestInBronze,
} from './known-rows.js'
import { RowsWriter } from './writer.js'

/** Ranges of a first reading that are committed together. */
const TOGETHER = 8
/** Marks that are remembered. */
const MARKS = 20
/** Rows that are read again to see whether they are the same; of more, their number has to tell. */
const COMPARED = 100_000
/** Keys that are asked for at once. */
const LOT = 1000

/** Looks whether a database has rows that the lake has not. */
export async function discoverRows(
  dataset: Bronze,
  source: DatabaseSource,
  state: LakeState,
  databases: Databases,
  backfill?: Window,
  land?: Land,
): Promise<Offer> {
  const reader = await databases.reader(source)
  const work = await RowsIntake.begin(dataset, source, state, reader, backfill)
  work.land = land
  return { discovery: await work.look(), take: (context, base) => work.take(context, base) }
}

/** Puts files elsewhere instead of making them a batch. */
interface Land {
  /** As part of the commit of a number; returns what they are called there. */
  lay(context: RunContext, files: readonly BatchFile[], laid: number): Promise<string[]>
  /** Once that commit is there, and before the next one, which says nothing of them. */
  show(context: RunContext, names: readonly string[]): Promise<void>
}

/** What a feed notes beside how far it has read. */
export interface Laid {
  /** Files that the commit made part of the inbox. */
  landed: readonly string[]
  /** How many commits of the feed there were, this one included. */
  laid: number
}

/** One look at a source, and the intake that follows from it. */
class RowsIntake {
  land: Land | undefined
  private laid = 0
  private readonly byEngine = { on: true }

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
    private readonly backfill: Window | undefined,
  ) {}

  static async begin(
    dataset: Bronze,
    source: DatabaseSource,
    state: LakeState,
    reader: Reader,
    backfill: Window | undefined,
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
    if (backfill) refuseBackfill(dataset, cursor, before)
    const window = cursor && backfill
    const intake = new RowsIntake(
      dataset,
      source,
      reader,
      before,
      all,
      columns,
      cursor,
      horizon,
      notes,
      window,
    )
    intake.laid = (known as Partial<Laid> | undefined)?.laid ?? 0
    return intake
  }

  async look(): Promise<Offer['discovery']> {
    const { before, cursor, horizon, notes } = this
    const found = (news: string) => ({ news, none: '', notes })
    if (this.backfill) {
      const { from, until } = this.backfill
      return found(`rows with ${cursor?.name} from ${from} to ${until} are read again`)
    }
    if (!cursor || !horizon) return found('all of its rows are read each time')
    if (before?.from === undefined)
      return found(before?.load ? 'its first reading goes on' : 'all of its rows are to be read')
    if (before.taken === undefined)
      return found(`rows are read again from the newest ${cursor.name} that the lake has`)
    if (this.source.compareKeys) return found('its keys are compared each time')
    const census = await this.reader.census(this.source, cursor, before.from, horizon)
    const said = this.saidLater(census.later)
    if (await this.isSame(census))
      return { news: undefined, none: `no rows with a newer ${cursor.name}`, notes: said }
    const since = before.from === null ? '' : ` from ${before.from} on`
    return { ...found(`rows with ${cursor.name}${since}`), notes: said }
  }

  /** What is said of rows that lie after now, beside the other notes. */
  private saidLater(later = 0): readonly string[] {
    return [...this.notes, ...(later > 0 ? [afterNow(this.cursor?.name ?? '', later)] : [])]
  }

  /** Whether the rows from the last window's end on are those that have been taken. */
  private async isSame(census: Census): Promise<boolean> {
    const { rows } = census
    const { tail, from = null } = this.before as Watermark
    if (rows === 0) return tail?.rows === 0
    if (tail?.rows !== rows) return false
    // Very many rows are not read again only to see whether they are the same: what is counted of them has to tell.
    if (tail.sha256 === undefined) return rows > COMPARED && tail.seen === seenOf(census)
    const again = [openRows(this.reader, this.cursor as RemoteColumn, from)]
    const columns = this.columns.map(({ name }) => name)
    const folder = await scratchFolder('tail')
    try {
      const what = { source: this.source, columns, conditions: again }
      const never = new AbortController().signal
      return (await this.reader.extract(what, join(folder, 'tail'), never)).sha256 === tail.sha256
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async take(context: RunContext, base: LakeState): Promise<Intake> {
    const done = nothingYet(base)
    if (this.backfill) return this.takeAgain(context, done, this.backfill)
    if (!this.cursor) return this.takeWhole(context, done)
    const taken = await (this.before?.from === undefined
      ? this.takeFirst(context, done)
      : this.takeWindow(context, done))
    return this.source.compareKeys && !this.land ? this.takeCompared(context, taken) : taken
  }

  /** Rows that were read before, once more; how far the source was read stays. */
  private async takeAgain(context: RunContext, done: Intake, window: Window): Promise<Intake> {
    const batch = this.newBatch(context, done.state)
    const condition = this.reader.windowSql(this.cursor as RemoteColumn, window)
    const files = await this.extract(context, batch, [[condition]])
    if (files.length === 0) return { ...done, notes: ['there are no rows'] }
    const { reads: _, columns: __, ...position } = this.before as Watermark
    return this.commit(context, batch, files, position, done)
  }

  /** All rows of a source without a cursor, unless they are the same as before. */
  private async takeWhole(context: RunContext, done: Intake): Promise<Intake> {
    const { ranges } = await this.reader.ranges(this.source, context.partBytes)
    const batch = this.newBatch(context, done.state)
    const files = await this.extract(context, batch, ranges.map(conditionsOf))
    const open = contentOf(files)
    const name = fullName(this.dataset)
    if (open === this.before?.open) {
      const same = { ...done, notes: ['its rows are the same as before'] }
      if (!heldOf(done.state, name)) return same
      return { ...(await this.note(context, done, this.positionAt({ open }))), notes: same.notes }
    }
    const rows = files.reduce((sum, file) => sum + file.rows, 0)
    const held = await this.holdBack(context, done, rows, rowsOfFull(done.state, name), files)
    return held ?? this.commit(context, batch, files, { open }, done, { whole: true })
  }

  /** A first reading: range by range, each group of them committed, so that one that was stopped goes on. */
  private async takeFirst(context: RunContext, done: Intake): Promise<Intake> {
    const [cursor, horizon] = [this.cursor as RemoteColumn, this.horizon as Horizon]
    const before = this.before?.load
    // Earlier versions left rows out that lay after the end of a window.
    const going = before?.until === undefined ? before : undefined
    const bytes = going?.bytes ?? context.partBytes
    const { ranges, epoch } = await this.reader.ranges(this.source, bytes, going?.epoch)
    const marks = this.marks()
    if (horizon.next === undefined && !going) {
      // Nothing can be read yet; but where the cursor stands now lets the next run begin.
      return this.commit(context, this.newBatch(context, done.state), [], { marks }, done)
    }
    const resumed = going !== undefined && going.epoch === epoch
    const load: Load = resumed ? going : await this.beginLoad(cursor, horizon, bytes, epoch)
    const { next = null } = load
    let result = done
    for (let at = load.done; at < Math.max(ranges.length, load.done + 1); at += TOGETHER) {
      const group = ranges.slice(at, at + TOGETHER)
      const batch = this.newBatch(context, result.state)
      const files = await this.extract(context, batch, group.map(conditionsOf))
      const last = at + TOGETHER >= ranges.length
      const position = last
        ? { from: next, ...(await this.takenNow(context, batch, next, resumed)) }
        : { load: { ...load, done: at + TOGETHER } }
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
      if ('later' in position && position.later)
        result.notes.push(afterNow(cursor.name, position.later))
    }
    return result
  }

  /** A first reading ends where the newest row was, or the bound of open transactions, when it began. */
  private async beginLoad(
    cursor: RemoteColumn,
    horizon: Horizon,
    bytes: number,
    epoch: string,
  ): Promise<Load> {
    const { newest } = await this.reader.census(this.source, cursor, null, horizon)
    const next = this.nextFrom(newest, null)
    return { next, done: 0, bytes, epoch }
  }

  /** Where the next window begins, once the newest value below the bound is known. */
  private nextFrom(newest: string | undefined, before: string | null): string | null {
    const { bound, next } = this.horizon as Horizon
    // A cursor that only transactions move needs no row to say how far that is.
    if (bound === undefined) return next ?? before
    return nextWindow(newest, next, before, this.source.lag)
  }

  /** What a first reading has taken of the rows that will be read again. */
  private async takenNow(
    context: RunContext,
    batch: NewBatch,
    from: string | null,
    resumed: boolean,
  ): Promise<Partial<Watermark>> {
    const [cursor, horizon] = [this.cursor as RemoteColumn, this.horizon as Horizon]
    const census = await this.reader.census(this.source, cursor, from, horizon)
    const { rows, later } = census
    const common = { ...this.freshFrom(census), ...(later > 0 ? { later } : {}) }
    // What was read by other runs, or without a snapshot, may have changed since: the next run looks which of it bronze has.
    if (resumed || this.reader.moving) return { ...common, taken: this.takenOf(undefined) }
    // So it does for very many rows, where need be.
    if (rows > COMPARED)
      return { ...common, taken: this.takenOf(undefined), tail: { rows, seen: seenOf(census) } }
    const open = openRows(this.reader, cursor, from)
    const { hashes, tail } = await this.writer(context, batch).hashesOf([open])
    return {
      ...common,
      taken: this.takenOf(hashes),
      tail: { rows: hashes.length, sha256: tail.sha256 },
    }
  }

  /** Whether rows of bronze show which of them have been taken: those of a feed are elsewhere, and some do not show their cursor. */
  private get inBronze(): boolean {
    return !this.land && this.columns.some(({ name }) => name === this.cursor?.name)
  }

  /** Rows that are known by their hashes, or (`undefined`, or too many) by what bronze has. */
  private takenOf(hashes: readonly string[] | undefined): readonly string[] | 'bronze' {
    const most = this.inBronze ? HELD : HELD_ALONE
    if (hashes && hashes.length <= most) return hashes
    return this.inBronze ? 'bronze' : []
  }

  /** From which cursor on no row has been taken yet. */
  private freshFrom({ last }: Census): Pick<Watermark, 'fresh'> {
    const { later, bound } = this.horizon as Horizon
    // Without a snapshot, rows that are newer may have been taken with the others.
    if (this.reader.moving) return {}
    if (later !== undefined) return { fresh: later }
    return bound !== undefined && last !== undefined ? { fresh: String(BigInt(last) + 1n) } : {}
  }

  /**
   * All rows from the end of the last window on, and those that have no cursor. Those that may have been taken are compared by
   * what they hold, so that each comes once.
   */
  private async takeWindow(context: RunContext, done: Intake): Promise<Intake> {
    const [cursor, horizon] = [this.cursor as RemoteColumn, this.horizon as Horizon]
    const { reader } = this
    const before = await this.upgraded(context, done.state)
    const from = before.from ?? null
    const census = await reader.census(this.source, cursor, from, horizon)
    const next = this.nextFrom(census.newest, from)
    const batch = this.newBatch(context, done.state)
    const since = from === null ? {} : { from }
    const [settled, fresh] = this.partsOf(before, from, next)
    const news = fresh
      ? await this.extract(context, batch, [[reader.windowSql(cursor, fresh)]])
      : []
    const parts = [
      ...(settled ? [[reader.windowSql(cursor, { ...since, ...settled })]] : []),
      [openRows(reader, cursor, next)],
    ]
    const know = (session: Session) => this.know(context, session, done.state, before)
    const { files, hashes, tail } = await this.writer(context, batch).extractNew(parts, know, 1)
    const few = hashes.length <= COMPARED
    const compared = few ? tail && { sha256: tail.sha256 } : { seen: seenOf(census) }
    const position = {
      from: next,
      ...this.freshFrom(census),
      taken: this.takenOf(hashes),
      tail: { rows: hashes.length, ...compared },
      ...(census.later > 0 ? { later: census.later } : {}),
      marks: this.marks(),
    }
    const all = [...news, ...files]
    if (all.length > 0) return this.commit(context, batch, all, position, done)
    if (!isSamePosition(this.before, position))
      return this.note(context, done, this.positionAt(position))
    return { ...done, notes: ['its rows are the same as before'] }
  }

  /** Rows up to the next window: those that may have been taken, and those that certainly have not. */
  private partsOf(
    { fresh, later }: Watermark,
    from: string | null,
    next: string | null,
  ): [settled: Window | undefined, fresh: Window | undefined] {
    if (next === null || (from !== null && !isBefore(from, next))) return [undefined, undefined]
    // Of rows that lay after now, the time may have come.
    if (fresh === undefined || later || !isBefore(fresh, next)) return [{ until: next }, undefined]
    if (from !== null && !isBefore(from, fresh)) return [undefined, { from, until: next }]
    return [{ until: fresh }, { from: fresh, until: next }]
  }

  /** Tells an engine which of the rows that are read again have been taken. */
  private know(
    context: RunContext,
    session: Session,
    state: LakeState,
    { taken = 'bronze', from = null }: Watermark,
  ): Promise<Relation> {
    const { dataset, cursor } = this
    const columns = this.columns.map(({ name }) => name)
    // Where a column is gone, rows are compared by those that are left.
    const gone =
      this.before?.columns.some((was) => !this.all.some(({ name }) => name === was.name)) ?? false
    if (taken !== 'bronze' && !(gone && this.inBronze)) return knownHashes(session, taken)
    if (!this.inBronze) return knownHashes(session, [])
    const name = (cursor as RemoteColumn).name
    return knownInBronze(session, context.storage, state, dataset, columns, name, from)
  }

  /**
   * How far a source was read. Earlier versions noted the server's clock: rows that programs wrote with an earlier time were
   * missed, and are read from the newest time on that the lake has.
   */
  private async upgraded(context: RunContext, state: LakeState): Promise<Watermark> {
    const before = this.before as Watermark
    const { from } = before
    if (before.taken !== undefined || from == null || !this.inBronze) return before
    const { name } = this.cursor as RemoteColumn
    const newest = await withSession(context, fullName(this.dataset), (session) =>
      newestInBronze(session, context.storage, state, this.dataset, name, from),
    )
    const plain = newest?.replace(/\+00$/, '')
    return { ...before, ...(plain !== undefined && isBefore(plain, from) ? { from: plain } : {}) }
  }

  /** Keys that the lake has and the source has not any more, and the reverse: rows that say so, and rows, in a batch of their own. */
  private async takeCompared(context: RunContext, done: Intake): Promise<Intake> {
    const name = fullName(this.dataset)
    const watermark = done.state.watermarks[name] as Watermark | undefined
    if (watermark?.from === undefined) return done
    const batch = this.newBatch(context, done.state)
    const writer = this.writer(context, batch)
    const { gone, known, lacking } = await writer.compared(done.state, this.cursor?.name)
    const { reads: _, columns: __, held: before, ...position } = watermark
    const back = await this.extract(context, batch, this.keyConditions(lacking), 1)
    const held = gone && (await this.holdBack(context, done, known - gone.rows, known, [gone]))
    const files = [...(gone && !held ? [gone] : []), ...back]
    if (held && files.length === 0) return held
    if (files.length === 0)
      return before ? this.note(context, done, this.positionAt(position)) : done
    const found = back.reduce((sum, { rows }) => sum + rows, 0)
    const notes = [
      ...(done.files > 0 ? done.notes : []),
      ...(gone && !held ? [`${thousands(gone.rows)} keys are gone from its source`] : []),
      ...(found > 0 ? [`${thousands(found)} rows were there that the lake lacked`] : []),
    ]
    const still = held?.held ? { held: held.held } : {}
    return this.commit(
      context,
      batch,
      files,
      { ...position, ...still },
      { ...(held ?? done), notes },
    )
  }

  /** Conditions for the rows of keys; of very many, for all rows. */
  private keyConditions(keys: readonly (readonly string[])[]): string[][] {
    if (keys.length > COMPARED) return [[]]
    const columns = this.source.key.map(
      (name) => this.all.find((c) => c.name === name) ?? { name, type: '' },
    )
    const lots = Array.from({ length: Math.ceil(keys.length / LOT) }, (_, i) =>
      keys.slice(i * LOT, (i + 1) * LOT),
    )
    return lots.map((lot) => [this.reader.keysSql(columns, lot)])
  }

  /** Holds rows back that are far fewer than before, and removes their files again. */
  private async holdBack(
    context: RunContext,
    done: Intake,
    rows: number,
    before: number | undefined,
    files: readonly BatchFile[],
  ): Promise<Intake | undefined> {
    if (before === undefined) return undefined
    const { maxShrink } = this.source
    const known = this.before?.held
    const extract = { rows, before, maxShrink, known }
    const held = await holdBack(context, done, this.dataset, extract)
    if (held) for (const { data } of files) await context.storage.remove(data)
    return held
  }

  private positionAt(position: Omit<Watermark, 'reads' | 'columns'>): Watermark {
    const columns = knownOf(this.source, this.all, this.before)
    return { reads: readsOf(this.source), columns, ...position }
  }

  private marks(): readonly Mark[] {
    const { mark } = this.horizon ?? {}
    return [...(this.before?.marks ?? []), ...(mark ? [mark] : [])].slice(-MARKS)
  }

  private newBatch(context: RunContext, state: LakeState): NewBatch {
    return newBatch(context, state, this.dataset)
  }

  private writer(context: RunContext, batch: NewBatch): RowsWriter {
    const { dataset, source, reader, columns } = this
    return new RowsWriter(context, dataset, source, reader, columns, batch, this.byEngine)
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
    batch: NewBatch,
    files: readonly BatchFile[],
    position: Omit<Watermark, 'reads' | 'columns'>,
    done: Intake,
    more: { whole?: boolean } = {},
  ): Promise<Intake> {
    const name = fullName(this.dataset)
    const watermark = this.positionAt(position)
    if (this.land) {
      const landed = await this.land.lay(context, files, this.laid + 1)
      const noted = await this.note(context, done, watermark, landed)
      await this.land.show(context, landed)
      return noted
    }
    // A first batch without rows says which columns there are.
    const known = done.state.batches[name] !== undefined
    if (files.length === 0 && known && !more.whole) return this.note(context, done, watermark)
    const { database, reads, compareKeys } = this.source
    const columns = this.columns.map((column) => column.name)
    return commitRows(context, done, {
      dataset: this.dataset,
      batch,
      files,
      columns: [...columns, ...(compareKeys ? [CHANGE] : [])],
      source: { database, ...reads, columns: this.columns, from: this.before?.from ?? undefined },
      watermark,
      more,
    })
  }

  private note(
    context: RunContext,
    done: Intake,
    watermark: Watermark,
    landed: readonly string[] = [],
  ): Promise<Intake> {
    const laid: Laid | undefined = this.land && { landed, laid: ++this.laid }
    return noteWatermark(context, done, this.dataset, { ...watermark, ...laid })
  }
}

/** Whether nothing is to be noted: where the next window begins and what it will find are the same. */
function isSamePosition(before: Watermark | undefined, now: Partial<Watermark>): boolean {
  const told = ({ from, taken, tail, later }: Partial<Watermark>) =>
    JSON.stringify([from, taken, tail, later])
  return before !== undefined && told(before) === told(now)
}

const conditionsOf = ({ condition }: Range) => (condition === undefined ? [] : [condition])
