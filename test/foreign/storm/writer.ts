import { setTimeout as sleep } from 'node:timers/promises'
import { type Action, type Deed, type Row, touched } from './deeds.js'

/** Tables that writers have in common: one is partitioned by its writers. */
export const SHARED = ['shared', 'parted'] as const

/** Nothing was done, whatever got lost on the way. */
export class Refusal extends Error {}

/** Somebody who can carry actions out. */
export interface Hand {
  /** Kinds of actions, each as often as it is there. */
  readonly can: readonly Action['do'][]
  /** New tables have no rows: they come with another request. */
  readonly createsEmpty: boolean
  /** @throws Refusal where it was refused; of other errors the answers that were lost tell. */
  perform(action: Action): Promise<void>
}

/** Rows of one action at most. */
const ROWS = 5
const OWN = 3

/**
 * A writer: draws what it does next, has it done, and remembers what it was told. What it got no
 * answer for it leaves alone.
 */
export class Writer {
  readonly deeds: Deed[] = []
  private seq = 0
  private tables = 0
  private readonly own: string[] = []
  /** Rows of its own in tables of all that it may change. */
  private readonly known = new Map<string, Row[]>()

  constructor(
    readonly name: string,
    private readonly hand: Hand,
    private readonly chance: () => number,
    /** Answers to it that were lost, so far. */
    private readonly losses: () => number,
  ) {}

  /** Appends something, however slowly its engine starts, so that it is at work from here on. */
  async begin(): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const [table] = SHARED
      await this.act({ do: 'append', table, rows: this.fresh(1) })
      const last = this.deeds.at(-1)
      if (last?.ending === 'done') return
      if (attempt === 9) throw new Error(`${this.name} can't write: ${last?.error}`)
    }
  }

  async write(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const action = this.draw()
      if (action) await this.act(action)
      await sleep(this.chance() * 200)
    }
  }

  private async act(action: Action): Promise<void> {
    const before = this.losses()
    const begun = Date.now()
    const ended = (ending: Deed['ending'], error?: string) => {
      const took = Date.now() - begun
      this.deeds.push({
        writer: this.name,
        action,
        ending,
        took,
        ...(error === undefined ? {} : { error }),
      })
      if (ending === 'done') this.note(action)
      if (ending === 'unknown') this.leave(action)
    }
    try {
      await this.hand.perform(action)
      ended('done')
    } catch (error) {
      const isLost = !(error instanceof Refusal) && this.losses() > before
      ended(isLost ? 'unknown' : 'refused', (error as Error).message)
    }
  }

  private below(n: number): number {
    return Math.floor(this.chance() * n)
  }

  private pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)]
  }

  private fresh(most = ROWS): Row[] {
    return Array.from({ length: 1 + this.below(most) }, () => ({
      writer: this.name,
      seq: ++this.seq,
      value: this.below(1000),
    }))
  }

  /** What it does next; nothing where what was drawn needs something that is not there. */
  private draw(): Action | undefined {
    const kind = this.pick(this.hand.can)
    const shared = this.pick(SHARED) as string
    const own = this.pick(this.own)
    switch (kind) {
      case 'append':
        return {
          do: kind,
          table: this.chance() < 0.7 || own === undefined ? shared : own,
          rows: this.fresh(),
        }
      case 'update': {
        const rows = this.some(shared)
        const value = this.below(1000)
        return rows && { do: kind, table: shared, rows: rows.map((row) => ({ ...row, value })) }
      }
      case 'delete': {
        const rows = this.some(shared)
        return rows && { do: kind, table: shared, rows }
      }
      case 'create':
        if (this.own.length >= OWN)
          return own === undefined ? undefined : { do: 'drop', table: own }
        return { do: kind, table: this.named(), rows: this.hand.createsEmpty ? [] : this.fresh() }
      case 'replace':
        return own === undefined ? undefined : { do: kind, table: own, rows: this.fresh() }
      case 'rename':
        return own === undefined ? undefined : { do: kind, table: own, to: this.named() }
      case 'drop':
        return own === undefined ? undefined : { do: kind, table: own }
      case 'together': {
        const other = SHARED.find((table) => table !== shared)
        const rows = this.fresh(2)
        return other === undefined
          ? undefined
          : { do: kind, parts: [shared, other].map((table) => ({ table, rows })) }
      }
      case 'compact':
        return { do: kind, table: shared }
      default:
        return undefined
    }
  }

  private named(): string {
    return `${this.name}_${++this.tables}`
  }

  /** Some rows of its own in a table of all. */
  private some(table: string): Row[] | undefined {
    const rows = this.known.get(table) ?? []
    const first = this.below(rows.length)
    const some = rows.slice(first, first + 1 + this.below(ROWS))
    return some.length > 0 ? some : undefined
  }

  private note(action: Action): void {
    switch (action.do) {
      case 'append':
        this.add(action.table, action.rows)
        break
      case 'together':
        for (const { table, rows } of action.parts) this.add(table, rows)
        break
      case 'delete':
        this.forget(action)
        break
      case 'create':
        this.own.push(action.table)
        break
      case 'rename':
        this.own[this.own.indexOf(action.table)] = action.to
        break
      case 'drop':
        this.leave(action)
        break
    }
  }

  private add(table: string, rows: readonly Row[]): void {
    if (!SHARED.some((one) => one === table)) return
    this.known.set(table, [...(this.known.get(table) ?? []), ...rows])
  }

  private forget(action: Action): void {
    const gone = touched(action)
    for (const [table, rows] of this.known)
      this.known.set(
        table,
        rows.filter((row) => !gone.has(`${table} ${row.writer}:${row.seq}`)),
      )
  }

  /** It does nothing more with what it got no answer for. */
  private leave(action: Action): void {
    this.forget(action)
    const names = touched(action)
    for (const name of [...this.own])
      if (names.has(name)) this.own.splice(this.own.indexOf(name), 1)
  }
}
