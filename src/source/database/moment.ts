import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseSource } from '../../define/source.js'
import { relationOf } from './conditions.js'
import { counterKey } from './counters.js'
import { REPLICATED, type SourceDialect, type SourceSession, tableOf } from './dialect.js'
import type { Mark } from './reader.js'

/** Milliseconds that short transactions are waited for, and between two looks at them. */
const PATIENCE = 1000
const PAUSE = 50

/** When a snapshot was taken, and what is known of it. */
export interface Moment {
  /** Nobody who was at work when it was taken had begun before; microseconds since 1970. */
  time: number
  /** The server's clock once it was taken. */
  now: number
  notes: readonly string[]
  /** The newest values of cursors that count, before it was taken, by relation and column. */
  counters: ReadonlyMap<string, Mark>
  moving: boolean
}

/** Takes a snapshot: counters are looked at first, then the open transactions of others. */
export async function takeSnapshot(
  dialect: SourceDialect,
  session: SourceSession,
  sources: readonly DatabaseSource[],
): Promise<Moment> {
  const counters = await countersOf(dialect, session, sources)
  const { time, notes } = await settle(dialect, session)
  const {
    now,
    moving = false,
    notes: more = [],
  } = await session.begin(sources.flatMap((source) => tableOf(source) ?? []))
  return { time, now, counters, moving, notes: [...more, ...notes] }
}

async function countersOf(
  dialect: SourceDialect,
  session: SourceSession,
  sources: readonly DatabaseSource[],
): Promise<Map<string, Mark>> {
  const found = new Map<string, Mark>()
  for (const source of sources) {
    if (source.cursor === undefined || source.cursor === dialect.system?.name) continue
    const name = dialect.quote(source.cursor)
    const relation = relationOf(source)
    try {
      const [cursor] = await session.describe(`SELECT ${name} FROM ${relation}`, undefined)
      if (!cursor || !dialect.counts(cursor.type)) continue
      const max = dialect.cursorText(`MAX(${name})`, cursor)
      const [[newest, at] = []] = await session.ask(
        `SELECT ${max}, ${dialect.clock} FROM ${relation}`,
      )
      if (newest != null) found.set(counterKey(source), [Number(at), newest])
    } catch {
      // What is wrong with a source is told when it is read.
    }
  }
  return found
}

/** Looks which transactions are open, and waits a moment for those that are soon done. */
async function settle(
  { blind }: SourceDialect,
  session: SourceSession,
): Promise<Pick<Moment, 'time' | 'notes'>> {
  const start = Date.now()
  let first: number | undefined
  for (;;) {
    const { now, oldest, hidden, replicated } = await session.openTransactions()
    first ??= now
    const notes = [...(hidden ? [blind] : []), ...(replicated ? [REPLICATED] : [])]
    if (oldest === undefined || oldest > first) return { time: first, notes }
    if (Date.now() - start > PATIENCE) {
      const since = new Date(oldest / 1000).toISOString()
      const open = `rows from ${since} on will be read again next time: a transaction has been open since then`
      return { time: oldest, notes: [...notes, open] }
    }
    await sleep(PAUSE)
  }
}
