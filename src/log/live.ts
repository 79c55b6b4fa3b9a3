import { randomBytes } from 'node:crypto'
import { isThere, ownIdentity, type ProcessIdentity } from '../storage/alive.js'
import { encodeSealed, parseSealed } from '../storage/sealed.js'
import type { Storage } from '../storage/storage.js'
import type { CommitLog } from './log.js'

/** A process at work in a lake, as it says itself. */
export interface LiveEntry extends ProcessIdentity {
  format: 1
  /** `run` writes files that no commit leads to yet; `read` only reads. */
  kind: 'run' | 'read'
  /** The run's id, or what tells one reader from another. */
  id: string
  author: string
  /** The command, where it is no run. */
  command?: string
  /** The branch that it works on, where that is not main. */
  branch?: string
  /** ISO, UTC. */
  started: string
  /** The commit whose state it reads. */
  commit: number
}

/** One that may still be at work. */
export interface Live extends LiveEntry {
  /** Milliseconds since it was last heard of. */
  silent: number
  /**
   * Whether it is known to be there, or was heard of lately: others may have been killed, or be
   * stopped, on another machine.
   */
  certain: boolean
}

const FOLDER = '_moraine/live/'
/** Milliseconds from one sign of life to the next. */
const BEAT = 30_000
/** Milliseconds without a sign after which nobody knows. */
const SILENT = 5 * 60_000
/** Milliseconds without a sign after which nobody waits any more. */
const FORGOTTEN = 7 * 86_400_000

const pathOf = (id: string, number: number) =>
  `${FOLDER}${id}/${String(number).padStart(12, '0')}.json`

/**
 * Says in the lake that a process is at work, so that vacuum leaves it what it reads and can say
 * who is in its way. It protects nothing (ADR 69): where it can't be written, work goes on.
 */
export class Heartbeat {
  private number = 0
  private written: Promise<void> = Promise.resolve()
  private readonly timer: NodeJS.Timeout
  private readonly bytes: Uint8Array
  private readonly id: string

  private constructor(
    private readonly storage: Storage,
    entry: Omit<LiveEntry, 'format' | keyof ProcessIdentity>,
    delay: number,
  ) {
    const full: LiveEntry = { format: 1, ...entry, ...ownIdentity() }
    this.id = entry.id
    this.bytes = encodeSealed({ ...full, format: 2 })
    if (delay === 0) this.beat()
    const next = () => {
      this.beat()
      this.timer.refresh()
    }
    this.timer = setTimeout(next, delay || BEAT).unref()
  }

  /** For a run. */
  static ofRun(
    storage: Storage,
    entry: Omit<LiveEntry, 'kind' | 'format' | keyof ProcessIdentity>,
  ) {
    return new Heartbeat(storage, { ...entry, kind: 'run' }, 0)
  }

  /** For who reads a commit: quick ones leave nothing. */
  static ofReader(storage: Storage, author: string, commit: number) {
    const started = new Date().toISOString()
    const id = idOf('read', started)
    return new Heartbeat(storage, { kind: 'read', id, author, started, commit }, BEAT / 3)
  }

  /** Others see it from now on, or it can't be written. */
  get seen(): Promise<void> {
    return this.written
  }

  private beat(): void {
    this.written = this.written
      .then(async () => {
        const number = this.number + 1
        await this.storage.write(pathOf(this.id, number), this.bytes)
        this.number = number
        if (number > 1) await this.storage.remove(pathOf(this.id, number - 1))
      })
      .catch(() => {})
  }

  /** The work is done. */
  async stop(): Promise<void> {
    clearTimeout(this.timer)
    await this.written
    if (this.number > 0) await this.storage.remove(pathOf(this.id, this.number)).catch(() => {})
  }
}

const idOf = (what: string, started: string): string =>
  `${what}-${started.replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`

/**
 * Does what writes files that no commit leads to before it is done, and says in the lake for so
 * long that it is at work. Runs have a heartbeat of their own; all else that writes files does it
 * in here.
 */
export async function whileWriting<T>(
  storage: Storage,
  log: Pick<CommitLog, 'head'>,
  { command, author }: { command: string; author: string },
  work: () => Promise<T>,
): Promise<T> {
  const started = new Date().toISOString()
  // Of a log that is damaged nothing is known: all that it leads to stays.
  const commit = await log.head().then(
    ({ number }) => number,
    () => 0,
  )
  const id = idOf(command, started)
  const heartbeat = Heartbeat.ofRun(storage, { id, author, command, started, commit })
  try {
    await heartbeat.seen
    return await work()
  } finally {
    await heartbeat.stop()
  }
}

/** Who may be at work, and the objects that those left who are not. */
export async function lookForLive(
  storage: Storage,
  now: number,
): Promise<{ live: Live[]; left: string[] }> {
  const live: Live[] = []
  const left: string[] = []
  const newest = new Map<string, { path: string; modified: number }>()
  for (const object of await storage.list(FOLDER)) {
    const id = object.path.slice(FOLDER.length).split('/')[0] as string
    const earlier = newest.get(id)
    if (earlier) left.push(earlier.path)
    newest.set(id, object)
  }
  for (const { path, modified } of newest.values()) {
    const entry = await read(storage, path)
    const silent = Math.max(0, now - modified)
    const certain = entry && isCertain(entry, silent)
    if (entry && certain !== false && (certain || silent < FORGOTTEN))
      live.push({ ...entry, silent, certain: certain ?? false })
    else left.push(path)
  }
  return { live, left }
}

/** How one is called in a message. */
export const nameOfLive = ({ command, id, author }: Live): string =>
  command ? `moraine ${command} of ${author}` : `Run ${id} of ${author}`

/** What to do about one who is in the way. */
export function howToEnd({ certain, id, host, silent }: Live): string {
  if (certain) return 'Wait for it, or end it.'
  const minutes = Math.round(silent / 60_000)
  return `Wait for it, or end it. It has not reported for ${minutes} minutes: if it was killed, or ${host} is gone, remove ${FOLDER}${id}/ from the lake.`
}

/** Who is at work for all that is known, or was heard of lately. */
export async function heardOf(storage: Storage, now = Date.now()): Promise<Live[]> {
  const { live } = await lookForLive(storage, now)
  return live.filter(({ certain }) => certain)
}

/** Whether it is there; `undefined` when nobody knows. */
function isCertain(entry: LiveEntry, silent: number): boolean | undefined {
  return isThere(entry) ?? (silent < SILENT ? true : undefined)
}

async function read(storage: Storage, path: string): Promise<LiveEntry | undefined> {
  const bytes = await storage.readIfPresent(path)
  const entry = bytes && parseSealed<Omit<LiveEntry, 'format'> & { format: number }>(bytes)?.head
  return entry && entry.format <= 2 ? { ...entry, format: 1 } : undefined
}
