import { type Bronze, fullName } from '../define/dataset.js'
import type { DatabaseSource } from '../define/source.js'
import { thousands } from '../define/thousands.js'
import type { LakeState } from '../log/commit.js'
import type { Databases } from '../source/connect/open.js'
import type {
  Horizon,
  Mark,
  Range,
  Reader,
  RemoteColumn,
  Window,
} from '../source/connect/reader.js'
import type { BatchFile } from './batches.js'
import type { RunContext } from './context.js'
import { compareColumns } from './drift.js'
import type { Intake, Offer } from './intake.js'
import { commitRows, type NewBatch, newBatch, noteWatermark, nothingYet } from './rows-commit.js'
import {
  chosen,
  contentOf,
  cursorOf,
  type Load,
  readsOf,
  refuseBackfill,
  refuseDrift,
  type Watermark,
} from './rows-position.js'
import { CHANGE, RowsWriter } from './rows-writer.js'
import { heldOf, holdBack, rowsOfFull } from './shrink.js'

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
  backfill?: Window,
  land?: Land,
): Promise<Offer> {
  const reader = await databases.reader(source)
  const work = await RowsIntake.begin(dataset, source, state, reader, backfill)
  work.land = land
  return { discovery: await work.look(), take: (context, base) => work.take(context, base) }
}

/** Puts files elsewhere instead of making them a batch, as part of the commit of a number; returns what they are called there. */
type Land = (context: RunContext, files: readonly BatchFile[], laid: number) => Promise<string[]>

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
    const done = nothingYet(base)
    if (this.backfill) return this.takeAgain(context, done, this.backfill)
    if (!this.cursor) return this.takeWhole(context, done)
    const taken = await (this.before?.from === undefined
      ? this.takeFirst(context, done)
      : this.takeWindow(context, done))
    return this.source.compareKeys ? this.takeDeleted(context, taken) : taken
  }

  private window(): Window {
    return { from: this.before?.from, until: this.horizon?.until }
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
    if (load.done >= ranges.length)
      return this.note(context, done, this.positionAt({ from: load.next, marks }))
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
    const { until, next } = horizon
    const from = reader.windowSql(cursor, { from: before?.from })
    const overlaps = until !== next
    const [settled = [], again = [], nulls = []] = await Promise.all([
      this.extract(context, batch, [[from, reader.windowSql(cursor, { until: next })]]),
      // Where windows overlap, these rows come again.
      overlaps
        ? this.extract(context, batch, [[from, reader.windowSql(cursor, { from: next, until })]], 1)
        : [],
      this.extract(context, batch, [[reader.nullSql(cursor)]], 2),
    ])
    const rows = [...settled, ...again]
    const writer = this.writer(context, batch)
    const held = await writer.fingerprint(again)
    const open = overlaps ? String(held) : undefined
    const same =
      before?.open !== undefined &&
      String(held + (await writer.fingerprint(settled))) === before.open
    const fresh = same ? [] : rows
    const nullsNow = nulls.length > 0 ? contentOf(nulls) : undefined
    const files = [...fresh, ...(nullsNow === before?.nulls ? [] : nulls)]
    const position = {
      from: horizon.next,
      marks: this.marks(),
      ...(nullsNow === undefined ? {} : { nulls: nullsNow }),
      ...(open === undefined ? {} : { open }),
    }
    if (files.length > 0) return this.commit(context, batch, files, position, done)
    // Where the counter stands lets a later run go so far; and what was the same need not be read again.
    if (horizon?.waiting || (rows.length > 0 && horizon.next !== before?.from))
      return this.note(context, done, this.positionAt(position))
    return { ...done, notes: ['its rows are the same as before'] }
  }

  /** Keys that the lake has and the source has not any more: rows that say so, in a batch of their own. */
  private async takeDeleted(context: RunContext, done: Intake): Promise<Intake> {
    const name = fullName(this.dataset)
    const watermark = done.state.watermarks[name] as Watermark | undefined
    if (watermark?.from === undefined) return done
    const batch = this.newBatch(context, done.state)
    const stamp =
      this.cursor && this.horizon?.stamp !== undefined
        ? { column: this.cursor.name, text: this.horizon.stamp }
        : undefined
    const { file, known } = await this.writer(context, batch).deleted(done.state, stamp)
    const { reads: _, columns: __, held: before, ...position } = watermark
    if (!file) return before ? this.note(context, done, this.positionAt(position)) : done
    const held = await this.holdBack(context, done, known - file.rows, known, [file])
    if (held) return held
    const notes = [
      ...(done.files > 0 ? done.notes : []),
      `${thousands(file.rows)} keys are gone from its source`,
    ]
    return this.commit(context, batch, [file], position, { ...done, notes })
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
    return { reads: readsOf(this.source), columns: this.all, ...position }
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
      const landed = await this.land(context, files, this.laid + 1)
      return this.note(context, done, watermark, landed)
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
      source: { database, ...reads, columns: this.columns, ...this.window() },
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

const conditionsOf = ({ condition }: Range) => (condition === undefined ? [] : [condition])
