import type { Lake } from '../define/lake.js'
import type { Engine, Session } from '../engine/engine.js'
import type { CommitLog } from '../log/log.js'
import { sha256 } from '../log/log.js'
import type { Storage } from '../storage/storage.js'
import type { Relations } from './relations.js'

/** What the steps of one run share. */
export interface RunContext {
  lake: Lake
  storage: Storage
  log: CommitLog
  engine: Engine
  /** The run's id; sorts by time. */
  run: string
  /** When the run began. */
  started: Date
  author: string
  signal: AbortSignal
  relations: Relations
  /** Tells how far a step has come. */
  progress: (dataset: string, rows: number, percent: number | null) => void
}

export const hash = (text: string): string => sha256(text).slice(0, 32)

/** Uses a session and closes it; a cancelled run interrupts it. */
export async function withSession<T>(
  { engine, signal }: Pick<RunContext, 'engine' | 'signal'>,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const session = await engine.open()
  const stop = () => session.interrupt()
  signal.addEventListener('abort', stop)
  try {
    return await use(session)
  } finally {
    signal.removeEventListener('abort', stop)
    session.close()
  }
}
