import { userInfo } from 'node:os'
import type { Lake } from '../define/lake.js'
import type { Gold, Silver } from '../define/model.js'
import type { Engine, Session } from '../engine/engine.js'
import type { CommitLog } from '../log/log.js'
import { isForgetting } from '../plan/decision.js'
import { variable } from '../settings.js'
import { sha256 } from '../storage/checksum.js'
import type { Storage } from '../storage/storage.js'
import type { JavaScript } from './javascript.js'
import type { Relations } from './relations.js'
import type { StepOutput } from './task/output.js'
import type { StepPart, StepSettings, StepTask } from './task/task.js'

/**
 * Who carries steps out, wherever that is: an engine, places for files, and what tables and batches
 * consist of.
 */
export interface StepResources {
  storage: Storage
  engine: Engine
  relations: Relations
  javascript: JavaScript
  signal: AbortSignal
  /** Tells how far a step has come. */
  progress: (dataset: string, how: { rows?: number; percent?: number }) => void
}

/**
 * What a step of silver or gold works with: it knows neither the log nor how a lake lies in
 * storage.
 */
export interface StepContext extends StepResources, StepSettings {
  /** The part of the step that is to be carried out, where not all of it is. */
  part?: StepPart | undefined
}

/** What the steps of one run share. */
export interface RunContext extends StepResources, Omit<StepSettings, 'folders' | 'rowsBefore'> {
  lake: Lake
  log: CommitLog
  /** The name of the branch whose log that is; absent for main. */
  branch?: string | undefined
  author: string
  /** Full names of datasets whose full extracts may have far fewer rows than before. */
  acceptShrink: ReadonlySet<string>
  /** Full names of datasets whose files are read again, whatever was taken of them. */
  reread: ReadonlySet<string>
  /** Bytes of files from which on it pays to keep values rather than texts. */
  valuesFrom: number
  /** Bytes of a database's table that are read as one part. */
  partBytes: number
  /** Failures after which an object in quarantine is not tried again by itself. */
  quarantineAfter: number
  /**
   * Reads an object of a quarantine in a process of its own; without it, such objects are read in
   * this one.
   */
  tryApart?: TryApart | undefined
  /** Who carries steps of silver and gold out; without one, this process does. */
  worker?: StepWorker | undefined
}

/** Carries a step out, here or elsewhere; `undefined` where a replay would change nothing. */
export type StepWorker = (
  resources: StepResources,
  dataset: Silver | Gold,
  task: StepTask,
) => Promise<StepOutput | undefined>

/** An object in quarantine that is read to see whether it ends the process. */
export interface TriedObject {
  /** Its dataset's full name. */
  dataset: string
  id: string
  /** The branch by whose log it is in quarantine; `undefined` for main. */
  branch?: string | undefined
}

/**
 * Reads an object in a process of its own: by which signal or code the process ended, or
 * `undefined` where it told what it found, be that an error.
 */
export type TryApart = (object: TriedObject, signal: AbortSignal) => Promise<string | undefined>

/** Who a commit is by, where nobody else is named. */
export function currentUser(): string {
  return variable('USER') ?? userInfo().username
}

/** Whether rows stay that are older than their dataset keeps them. */
export const isHeld = ({ relations }: Pick<StepResources, 'relations'>): boolean =>
  isForgetting(relations.view)

export const hash = (text: string): string => sha256(text).slice(0, 32)

const PROGRESS_INTERVAL = 200

/** Uses a session for a dataset's step and closes it; a cancelled run interrupts it. */
export async function withSession<T>(
  { engine, signal, progress }: Pick<StepResources, 'engine' | 'signal' | 'progress'>,
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
