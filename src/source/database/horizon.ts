import type { DatabaseSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { counterHorizon, counterKey } from './counters.js'
import { dayAfter } from './cursor-text.js'
import type { Ends, SourceDialect, SourceSession } from './dialect.js'
import type { Moment } from './moment.js'
import type { Horizon, Mark, RemoteColumn } from './reader.js'
import { microsText, windowEnds } from './times.js'

/** How far the rows of a source can be read by its cursor. */
export async function horizonOf(
  dialect: SourceDialect,
  session: SourceSession,
  { time, now, notes, counters }: Moment,
  {
    source,
    cursor,
    marks,
  }: { source: DatabaseSource; cursor: RemoteColumn; marks: readonly Mark[] },
): Promise<Horizon> {
  const own = session.horizon?.(cursor)
  if (own) return own
  if (dialect.counts(cursor.type)) {
    const mark = counters.get(counterKey(source))
    return counterHorizon(source, { mark, marks, time, notes })
  }
  const times = dialect.timesOf(cursor.type)
  if (!times) throw notACursor(cursor, dialect.cursors)
  const { until, next } = windowEnds(time, source.lag, times.grain)
  const ends = { bound: until, next, later: windowEnds(now, 0, times.grain).until }
  const shown = times.clock === 'utc' ? inUtc(ends, dialect.utc) : await session.onClock(ends)
  return { ...(times.day ? inDays(shown) : shown), notes }
}

function inUtc({ bound, next, later }: Ends<number>, suffix: string): Ends<string> {
  const text = (micros: number) => `${microsText(micros)}${suffix}`
  return { bound: text(bound), next: text(next), later: text(later) }
}

/** A day goes on: it is read again until it is over. */
function inDays({ bound, next, later }: Ends<string>): Ends<string> {
  return { bound: dayAfter(bound), next: next.slice(0, 10), later: dayAfter(later) }
}

function notACursor({ name, type }: RemoteColumn, cursors: string): MoraineError {
  return new MoraineError(
    'source',
    `The cursor ${name} is a ${type}, which does not tell what is new`,
    { hint: `Choose ${cursors}.` },
  )
}
