import { timeAs } from '../define/retention.js'
import { quoteName, quoteText } from '../define/sql/sql.js'
import { type ColumnType, type Field, typeName } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import type { ScanTask } from '../iceberg/deletes.js'
import type { Predicate } from '../iceberg/spec/prune.js'
import { compareValues, decodeValue, parseValue, type Value } from '../iceberg/spec/values.js'
import type { TableVersion } from '../iceberg/version.js'
import type { PartRange } from '../log/commit.js'
import type { Proof } from '../plan/incremental.js'
import { monotonicColumn } from '../plan/monotonic.js'
import type { TimeDialect } from '../sql/dialect.js'

/** A part's proof with the SQL for the part of a row of its driving input. */
export interface PartProof extends Proof {
  sql: string
}

/** Parts of a dataset, by the values of their column. */
export interface PartValues {
  column: Field
  texts: readonly string[]
  /** Whether the rows without a value are one of them. */
  hasNull: boolean
}

/** The parts that are not final, where some are. */
export interface OpenParts {
  column: Field
  /** The last part that is final, as text. */
  after: string
}

interface Range {
  low: Value
  high: Value
}

/** The touched parts, as SQL and as ranges of values. */
export class Part {
  count = 0
  private ranges: Range[] = []
  private hasNull = false
  private readonly type: string
  private readonly icebergType: string
  private readonly before: number
  private readonly after: number
  private ordered = true
  /** The relation of touched parts, from `low` to `high`. */
  private touched = ''
  /** The last part that is final, as the engine writes it. */
  private last: string | undefined
  /** Values as the engine writes them. */
  private readonly texts = new Map<Value, string>()

  constructor(
    private readonly session: Session,
    readonly column: Field,
    affects: { before?: number; after?: number } | undefined,
  ) {
    this.type = session.dialect.values.type(column.type)
    this.icebergType = { bigint: 'long' }[column.type.kind as string] ?? typeName(column.type)
    this.before = affects?.before ?? 0
    this.after = affects?.after ?? 0
  }

  /** SQL for the part of a row of a driving input. */
  private valueOf({ sql }: PartProof): string {
    return `CAST((${sql}) AS ${this.type})`
  }

  /** SQL for the last part that is final. */
  private get final(): string | undefined {
    return this.last === undefined ? undefined : `CAST(${quoteText(this.last)} AS ${this.type})`
  }

  private get wide(): boolean {
    return this.before + this.after > 0
  }

  private shifted(value: string, by: number): string {
    const days = this.column.type.kind === 'date' || this.column.type.kind === 'timestamp'
    const step = days ? this.session.dialect.times.days(Math.abs(by)) : String(Math.abs(by))
    return by === 0 ? value : `CAST(${value} ${by < 0 ? '-' : '+'} ${step} AS ${this.type})`
  }

  /**
   * Makes the parts final that look at rows of a driving input from before a time: those rows are
   * gone.
   */
  async close(
    gone: readonly { until: Date; proof: PartProof; column: string; type: ColumnType }[],
  ): Promise<void> {
    if (gone.length === 0) return
    const { times, values } = this.session.dialect
    const last = gone.map(({ until, proof, column, type }) => {
      const step = type.kind === 'date' ? times.days(1) : times.micros(1)
      const time = `CAST(${timeAs(until, type)} - ${step} AS ${values.type(type)})`
      return `(SELECT ${this.valueOf(proof)} FROM (SELECT ${time} AS ${quoteName(column)}))`
    })
    const [row] = await this.session.rows(
      `SELECT CAST(${this.shifted(`greatest(${last.join(', ')})`, this.after)} AS VARCHAR) AS v`,
    )
    this.last = String(row?.v)
  }

  /**
   * Finds, for each touched part, the parts that look at its rows.
   *
   * @param there SQL for parts that are touched in any case.
   */
  async find(
    changes: readonly { rows: string; proof: PartProof }[],
    there?: string,
  ): Promise<void> {
    const values = changes.map(
      ({ rows, proof }) => `SELECT ${this.valueOf(proof)} AS v FROM (${rows})`,
    )
    if (there) values.push(there)
    const all = `SELECT ${this.shifted('v', -this.before)} AS low, ${this.shifted('v', this.after)} AS high
       FROM (SELECT DISTINCT v FROM (${values.join(' UNION ALL ')}))`
    const open = this.final
      ? `SELECT * FROM (${all}) WHERE (high <= ${this.final}) IS NOT true`
      : all
    this.touched = (await this.session.materialize(open)).sql
    const rows = await this.session.rows(
      `SELECT CAST(low AS VARCHAR) AS low, CAST(high AS VARCHAR) AS high FROM ${this.touched}`,
    )
    this.count = rows.length
    this.hasNull = rows.some(({ low }) => low === null)
    const parse = (text: unknown) => {
      const value = parseValue(String(text), this.icebergType)
      if (value !== undefined) this.texts.set(value, String(text))
      return value
    }
    const ranges = rows
      .filter(({ low }) => low !== null)
      .map(({ low, high }) => ({ low: parse(low), high: parse(high) }))
    // A value that can't be ordered here leaves no file out.
    this.ordered = ranges.every(({ low, high }) => low !== undefined && high !== undefined)
    this.ranges = this.ordered ? (ranges as Range[]) : []
  }

  /**
   * The touched parts one by one, as texts: for engines that are told which. `undefined` where they
   * are ranges, or where values are none that every engine reads.
   */
  get values(): PartValues | undefined {
    if (this.wide || !this.ordered) return undefined
    const texts = this.ranges.map(({ low }) => this.texts.get(low) as string)
    const isPlain = this.column.type.kind !== 'date' && this.column.type.kind !== 'timestamp'
    const isRead = isPlain || texts.every((text) => /^\d{4}-\d\d-\d\d( [\d:.]+)?$/.test(text))
    return isRead ? { column: this.column, texts, hasNull: this.hasNull } : undefined
  }

  /** The parts that can still be computed, where others can't be any more. */
  get open(): OpenParts | undefined {
    return this.last === undefined ? undefined : { column: this.column, after: this.last }
  }

  /** SQL that a value of `by` is a part that is not final. */
  isOpen(value: string): string {
    return this.final ? `coalesce(${value} > ${this.final}, true)` : 'true'
  }

  /** SQL that a value of `by` is one of the touched parts. */
  isTouched(value: string): string {
    const found = this.wide
      ? this.within(value, 't.low', 't.high')
      : this.orNull(value, `${value} IN (SELECT low FROM ${this.touched} WHERE low IS NOT NULL)`)
    return this.final ? `(${found} AND ${this.isOpen(value)})` : found
  }

  /** SQL that a row of a driving input is one that touched parts look at. */
  isRead(proof: PartProof): string {
    if (!this.wide) return this.isTouched(this.valueOf(proof))
    const low = this.shifted('t.low', -this.after)
    return this.within(this.valueOf(proof), low, this.shifted('t.high', this.before))
  }

  private within(value: string, low: string, high: string): string {
    const found = `EXISTS (SELECT 1 FROM ${this.touched} AS t WHERE ${value} BETWEEN ${low} AND ${high})`
    return this.orNull(value, found)
  }

  /** NULL is a part of its own. */
  private orNull(value: string, found: string): string {
    const isNull = this.hasNull ? `${value} IS NULL` : 'false'
    return `coalesce(${found} OR ${isNull}, ${isNull})`
  }

  /** Whether touched parts lie within ranges of values, or may. */
  touchesAny(ranges: readonly PartRange[]): boolean {
    if (this.count === 0) return false
    return ranges.some(({ low, high, nulls, any }) => {
      if (any || (nulls && this.hasNull)) return true
      if (low === undefined || high === undefined) return false
      const [from, to] = [low, high].map((bound) =>
        decodeValue(Buffer.from(bound, 'base64'), this.icebergType),
      ) as [Value, Value]
      return !this.ordered || this.ranges.some((one) => overlap(one, { low: from, high: to }))
    })
  }

  /** Whether parts that are not final lie within ranges of values, or may. */
  opensAny(ranges: readonly PartRange[]): boolean {
    return ranges.some(
      ({ high, nulls, any }) => any || nulls || (high !== undefined && this.mayBeBehind(high)),
    )
  }

  /** Whether a bound lies behind the last part that is final, or may. */
  private mayBeBehind(bound: string | Uint8Array): boolean {
    const last = this.last === undefined ? undefined : parseValue(this.last, this.icebergType)
    if (last === undefined) return true
    const bytes = typeof bound === 'string' ? Buffer.from(bound, 'base64') : bound
    return compareValues(decodeValue(bytes, this.icebergType), last) > 0
  }

  /** What rows of touched parts have in common, where it can be said in a few words. */
  predicates(): Predicate[] {
    if (!this.ordered || this.hasNull || this.ranges.length === 0) return []
    const { low } = this.ranges.reduce((a, b) => (compareValues(b.low, a.low) < 0 ? b : a))
    const { high } = this.ranges.reduce((a, b) => (compareValues(b.high, a.high) > 0 ? b : a))
    const column = this.column.name
    const text = (value: Value) => this.texts.get(value) as string
    return [
      { column, op: '>=', values: [text(low)] },
      { column, op: '<=', values: [text(high)] },
    ]
  }

  /** Whether a file of the gold table may hold rows of touched parts. */
  mayHold({ file }: ScanTask, table: TableVersion, name: string): boolean {
    const field = table.schema.fields.find((f) => f.name === name)
    const statistics = field && file.columns.get(field.id)
    if (!this.ordered || !field || typeof field.type !== 'string' || !statistics) return true
    const { lower, upper, nulls } = statistics
    if (this.hasNull && nulls !== 0) return true
    if (nulls === file.rows) return false
    if (!lower || !upper) return true
    const [low, high] = [decodeValue(lower, field.type), decodeValue(upper, field.type)]
    return this.ranges.some((range) => overlap(range, { low, high }))
  }

  /** Whether a file of the gold table may hold rows of parts that are not final. */
  mayHoldOpen({ file }: ScanTask, table: TableVersion, name: string): boolean {
    const field = table.schema.fields.find((f) => f.name === name)
    const statistics = field && file.columns.get(field.id)
    // Bounds say nothing of NaN.
    const isBounded = field?.type === this.icebergType && !/^(float|double)$/.test(this.icebergType)
    if (!isBounded || !statistics?.upper || statistics.nulls !== 0) return true
    return this.mayBeBehind(statistics.upper)
  }

  /** The files of a driving input that may hold rows that touched parts look at. */
  async filesToRead(
    proof: PartProof,
    tasks: readonly ScanTask[],
    table: TableVersion,
  ): Promise<readonly ScanTask[]> {
    const name = monotonicColumn(proof.expression)
    const field = table.schema.fields.find((f) => f.name.toLowerCase() === name?.toLowerCase())
    if (!field || !['date', 'timestamp'].includes(String(field.type)) || this.wide || !this.ordered)
      return tasks
    const type = String(field.type)
    const { aggregates, times } = this.session.dialect
    const bounds = tasks.map(({ file }) => file.columns.get(field.id))
    const chosen = new Set<number>()
    const known = bounds.flatMap((b, i) => {
      if (b?.lower && b.upper && b.nulls === 0)
        return [`(${i}, ${timeSql(b.lower, type, times)}, ${timeSql(b.upper, type, times)})`]
      chosen.add(i)
      return []
    })
    if (known.length === 0) return tasks
    const value = (bound: string) =>
      `(SELECT ${this.valueOf(proof)} FROM (SELECT ${bound} AS ${quoteName(field.name)}))`
    const [row] = await this.session.rows(
      `SELECT ${aggregates.list('i')} AS i FROM (VALUES ${known.join(', ')}) AS f(i, low, high)
       WHERE EXISTS (SELECT 1 FROM ${this.touched} AS t WHERE t.low BETWEEN ${value('f.low')} AND ${value('f.high')})`,
    )
    for (const i of (row?.i ?? []) as (number | bigint)[]) chosen.add(Number(i))
    return tasks.filter((_, i) => chosen.has(i))
  }
}

const overlap = (a: Range, b: Range) =>
  compareValues(a.low, b.high) <= 0 && compareValues(a.high, b.low) >= 0

function timeSql(bound: Uint8Array, type: string, times: TimeDialect): string {
  const value = String(decodeValue(bound, type))
  return type === 'date' ? times.fromDays(value) : times.fromMicros(value)
}
