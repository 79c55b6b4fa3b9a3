import { userInfo } from 'node:os'
import type { Lake } from '../define/lake.js'
import type { Engine, Session } from '../engine/engine.js'
import type { CommitLog } from '../log/log.js'
import { variable } from '../settings.js'
import { sha256 } from '../storage/checksum.js'
import type { Storage } from '../storage/storage.js'
import type { JavaScript } from './javascript.js'
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
  /** Full names of datasets whose full extracts may have far fewer rows than before. */
  acceptShrink: ReadonlySet<string>
  /** Full names of datasets whose files are read again, whatever was taken of them. */
  reread: ReadonlySet<string>
  /** Whether columns may change in ways that break readers. */
  allowBreaking: boolean
  /** Rows of each bronze input that silver reads at most; all when not given. */
  sample: number | undefined
  /** Bytes of files from which on it pays to keep values rather than texts. */
  valuesFrom: number
  /** Bytes of files up to which rows are replaced by writing their files again. */
  rewriteUpTo: number
  /** Bytes of a database's table that are read as one part. */
  partBytes: number
  /** Failures after which an object in quarantine is not tried again by itself. */
  quarantineAfter: number
  /** Reads an object of a quarantine in a process of its own; without it, such objects are read in this one. */
  tryApart?: TryApart | undefined
  relations: Relations
  javascript: JavaScript
  /** Tells how far a step has come. */
  progress: (dataset: string, how: { rows?: number; percent?: number }) => void
}

/**
 * Reads an object in a process of its own, by its dataset's full name and its id: by which signal or code the process ended, or
 * `undefined` where it told what it found, be that an error.
 */
export type TryApart = (
  dataset: string,
  id: string,
  signal: AbortSignal,
) => Promise<string | undefined>

/** Who a commit is by, where nobody else is named. */
export function currentUser(): string {
  return variable('USER') ?? userInfo().username
}

export const hash = (text: string): string => sha256(text).slice(0, 32)

const PROGRESS_INTERVAL = 200

/** Uses a session for a dataset's step and closes it; a cancelled run interrupts it. */
export async function withSession<T>(
  { engine, signal, progress }: RunContext,
  dataset: string,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const session = await engine.open()
  let again: NodeJS.Timeout | undefined
  // Again and again: what catches the error of one statement may begin another.
  const stop = () => {
    session.interrupt()
    again ??= setInterval(() => session.interrupt(), PROGRESS_INTERVAL)
  }
  const timer = setInterval(() => {
    const percent = session.progress()
    if (percent > 0) progress(dataset, { percent })
  }, PROGRESS_INTERVAL)
  signal.addEventListener('abort', stop)
  try {
    return await use(session)
  } finally {
    clearInterval(timer)
    clearInterval(again)
    signal.removeEventListener('abort', stop)
    session.close()
  }
}
