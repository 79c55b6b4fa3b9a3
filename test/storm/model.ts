import { KEPT_DAYS, type Settings } from './lake.js'

/** A row as it is delivered: texts, of which `tag` is its alone. */
export interface Row {
  tag: string
  id: string
  version: string
  /** A day for items, a time for readings. */
  day: string
  amount: string
  code: string
  op: string
  /** Its line has too few fields. */
  torn: boolean
}

export type Source = 'dropped' | 'sent' | 'listed' | 'asked'

/**
 * Where a delivery is: on its way, part of the lake, taken out by `discard-batch`, or undone by a
 * rollback that was told to. A request without an answer is `unknown`: all of it may be in the
 * lake, or nothing.
 */
export type Where = 'waiting' | 'unknown' | 'in' | 'discarded' | 'undone'

/** Rows that come together: a file, a request, what an API has at once. */
export interface Delivery {
  number: number
  source: Source
  /** The file's name, or the request's key. */
  name: string
  /** What lies in the file or was sent. */
  body: string
  rows: readonly Row[]
  where: Where
}

/** Where the deliveries were when the lake had a commit. */
export type Point = ReadonlyMap<number, 'in' | 'discarded'>

/** All rows of the tables of a lake, by table: each as one text. */
export type Tables = Record<string, string[]>

const isInt = (text: string) =>
  /^[+-]?\d+$/.test(text) && BigInt(text) < 2n ** 31n && BigInt(text) >= -(2n ** 31n)
const isBigint = (text: string) => /^[+-]?\d+$/.test(text)

function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const time = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text)
}

/**
 * What a lake holds, from nothing but what was delivered to it and what it was told: plain
 * JavaScript, which knows nothing of Moraine.
 */
export class Model {
  readonly deliveries: Delivery[] = []

  add(delivery: Omit<Delivery, 'number'>): Delivery {
    const added = { ...delivery, number: this.deliveries.length }
    this.deliveries.push(added)
    return added
  }

  point(): Point {
    const kept = this.deliveries.flatMap(({ number, where }) =>
      where === 'in' || where === 'discarded' ? [[number, where] as const] : [],
    )
    return new Map(kept)
  }

  /** A run has gone through: what was on its way has arrived. */
  arrive(): void {
    for (const delivery of this.deliveries) if (delivery.where === 'waiting') delivery.where = 'in'
  }

  /**
   * A rollback to a commit; `undoIntake` takes what arrived since out, too, of which files and APIs
   * give all again.
   */
  rollBack(to: Point, undoIntake: boolean): void {
    for (const delivery of this.deliveries) {
      const then = to.get(delivery.number)
      const { where, source } = delivery
      if (then) delivery.where = then
      else if (undoIntake && (where === 'in' || where === 'discarded'))
        delivery.where = source === 'listed' || source === 'asked' ? 'waiting' : 'undone'
    }
  }

  /** Rows that are in the lake, in the order of their versions. */
  private rowsOf(...sources: Source[]): Row[] {
    return this.deliveries
      .filter(({ source, where }) => sources.includes(source) && where === 'in')
      .flatMap(({ rows }) => rows)
  }

  /** All tables as they are when everything that arrived has been read. */
  tables(settings: Settings, now: Date): Tables {
    const items = this.items(settings)
    const readings = this.readings(now)
    const [current, old] = [items['silver.items'] ?? [], readings['silver.readings'] ?? []]
    const versions = (rows: string[]) =>
      rows.length === 0 ? '' : rows.reduce((sum, row) => sum + BigInt(row.split(' ')[2] ?? 0), 0n)
    const totals = [
      ...[current.length, versions(current), items['history.items']?.length],
      ...[old.length, versions(old)],
    ]
    const bronze = Object.fromEntries(
      (['dropped', 'sent', 'listed', 'asked'] as const).map((source) => [
        `bronze.${source}`,
        this.rowsOf(source).map(({ tag }) => tag),
      ]),
    )
    return { ...bronze, ...items, ...readings, 'gold.totals': [totals.join(' ')] }
  }

  private items({ limit }: Settings): Tables {
    const rows = this.rowsOf('dropped', 'sent')
    const isDeletion = (row: Row) =>
      !row.torn && row.op === 'D' && isInt(row.id) && isBigint(row.version)
    const isValid = (row: Row) =>
      !row.torn &&
      row.op !== 'D' &&
      row.tag !== '' &&
      isInt(row.id) &&
      isBigint(row.version) &&
      isDay(row.day) &&
      isInt(row.amount) &&
      Number(row.amount) >= 0 &&
      Number(row.amount) < limit &&
      row.code === [...row.code].reverse().join('')
    // A row that comes in two files is one version.
    const versions = new Map<string, Map<string, Row>>()
    for (const row of rows)
      if (isDeletion(row) || isValid(row)) {
        const of = versions.get(row.id) ?? new Map<string, Row>()
        versions.set(row.id, of.set(row.version, row))
      }
    const [current, history, deleted]: [Row[], string[], string[]] = [[], [], []]
    for (const [id, of] of versions) {
      const ordered = [...of.values()].sort((a, b) => Number(BigInt(a.version) - BigInt(b.version)))
      ordered.forEach((row, i) => {
        const until = ordered[i + 1]?.version ?? ''
        if (row.op !== 'D') history.push(`${row.tag} ${row.version} ${row.version} ${until}`)
      })
      const last = ordered.at(-1) as Row
      if (last.op === 'D') deleted.push(`${id} ${last.version}`)
      else current.push(last)
    }
    const days = new Map<string, { n: number; amount: number }>()
    for (const { day, amount } of current) {
      const of = days.get(day) ?? { n: 0, amount: 0 }
      days.set(day, { n: of.n + 1, amount: of.amount + Number(amount) })
    }
    const discarded = rows.filter((row) => !isDeletion(row) && !isValid(row))
    return {
      'silver.items': current.map(
        ({ tag, id, version, day, amount, code }) =>
          `${tag} ${Number(id)} ${version} ${day} ${Number(amount)} ${code}`,
      ),
      'history.items': history,
      'deleted.items': deleted,
      'discarded.items': discarded.map(({ tag }) => tag),
      'gold.days': [...days].map(([day, { n, amount }]) => `${day} ${n} ${amount}`),
      'gold.dear': current.filter(({ amount }) => Number(amount) > 100).map(({ tag }) => tag),
      'counts.items': [`${rows.length} ${current.length} ${discarded.length}`],
    }
  }

  private readings(now: Date): Tables {
    const rows = this.rowsOf('listed', 'asked')
    const isValid = (row: Row) =>
      !row.torn && isInt(row.id) && isBigint(row.version) && row.tag !== '' && isInt(row.amount)
    const oldest = new Date(now.getTime() - KEPT_DAYS * 86_400_000).toISOString().slice(0, 10)
    const newest = new Map<string, Row>()
    for (const row of rows) {
      const before = newest.get(row.id)
      if (isValid(row) && (!before || BigInt(row.version) > BigInt(before.version)))
        newest.set(row.id, row)
    }
    // All versions of a key have its time, so that all of them go or stay.
    const kept = [...newest.values()].filter(({ day }) => day.slice(0, 10) >= oldest)
    const discarded = rows.filter((row) => !isValid(row))
    return {
      'silver.readings': kept.map(
        ({ tag, id, version, day, amount }) =>
          `${tag} ${Number(id)} ${version} ${day} ${Number(amount)}`,
      ),
      'discarded.readings': discarded.map(({ tag }) => tag),
      'counts.readings': [`${rows.length} ${kept.length} ${discarded.length}`],
    }
  }
}
