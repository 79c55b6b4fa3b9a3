import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { beginningOf, isAlive } from '../storage/alive.js'
import type { Storage } from '../storage/storage.js'

/** A process at work in a lake, as it says itself. */
export interface LiveEntry {
  format: 1
  /** `run` writes files that no commit leads to yet; `read` only reads. */
  kind: 'run' | 'read'
  /** The run's id, or what tells one reader from another. */
  id: string
  author: string
  host: string
  pid: number
  /** What tells a process from a later one of the same number, where the system says it. */
  process?: string
  /** ISO, UTC. */
  started: string
  /** The commit whose state it reads. */
  commit: number
}

/** One that may still be at work. */
export interface Live extends LiveEntry {
  /** Milliseconds since it was last heard of. */
  silent: number
  /** Whether it is known to be there: others may have been killed, or be stopped, on another machine. */
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
 * Says in the lake that a process is at work, so that vacuum leaves it what it reads and can say who is in its way. It protects
 * nothing (ADR 69): where it can't be written, work goes on.
 */
export class Heartbeat {
  private number = 0
  private written: Promise<void> = Promise.resolve()
  private readonly timer: NodeJS.Timeout
  private readonly bytes: Uint8Array
  private readonly id: string

  private constructor(
    private readonly storage: Storage,
    entry: Pick<LiveEntry, 'kind' | 'id' | 'author' | 'started' | 'commit'>,
    delay: number,
  ) {
    const own = beginningOf(process.pid)
    const full: LiveEntry = {
      format: 1,
      ...entry,
      host: hostname(),
      pid: process.pid,
      ...(own ? { process: own } : {}),
    }
    this.id = entry.id
    this.bytes = new TextEncoder().encode(JSON.stringify(full))
    if (delay === 0) this.beat()
    const next = () => {
      this.beat()
      this.timer.refresh()
    }
    this.timer = setTimeout(next, delay || BEAT).unref()
  }

  /** For a run. */
  static ofRun(storage: Storage, entry: Omit<LiveEntry, 'kind' | 'format' | 'host' | 'pid'>) {
    return new Heartbeat(storage, { ...entry, kind: 'run' }, 0)
  }

  /** For who reads a commit: quick ones leave nothing. */
  static ofReader(storage: Storage, author: string, commit: number) {
    const started = new Date().toISOString()
    const id = `read-${started.replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`
    return new Heartbeat(storage, { kind: 'read', id, author, started, commit }, BEAT / 3)
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

/** Whether it is there; `undefined` when nobody knows. */
function isCertain(entry: LiveEntry, silent: number): boolean | undefined {
  if (entry.host !== hostname()) return silent < SILENT ? true : undefined
  return isAlive(entry.pid) && beginningOf(entry.pid) === entry.process
}

async function read(storage: Storage, path: string): Promise<LiveEntry | undefined> {
  const bytes = await storage.readIfPresent(path)
  try {
    const entry = bytes && (JSON.parse(new TextDecoder().decode(bytes)) as LiveEntry)
    return entry?.format === 1 ? entry : undefined
  } catch {
    return undefined
  }
}
