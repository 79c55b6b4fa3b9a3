import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LakeState } from '../../../log/commit.js'
import { isThere, ownIdentity, type ProcessIdentity } from '../../../storage/alive.js'
import { removeForgotten } from './forgotten.js'
import { noRecords, RecordFiles, type Records } from './records.js'

/** Milliseconds between two signs of life, and after which a server that gives none is gone. */
const EVERY = 2000
const SILENT = 3 * EVERY

/**
 * What a server remembers on its machine from one start to the next: what was asked of it, what
 * became of that, and the results. One server at a time has the folder.
 */
export class ServerState {
  private readonly timer: NodeJS.Timeout
  private isLost = false

  private constructor(
    private readonly folder: string,
    /** What the lock says while this server has the folder. */
    private readonly said: string,
  ) {
    this.timer = setInterval(() => void this.sign(), EVERY).unref()
  }

  /** @returns `undefined` while another server has the folder. */
  static async open(folder: string, silent = SILENT): Promise<ServerState | undefined> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const lock = join(folder, 'server.json')
    const before = await textOf(lock)
    if (!(await isFree(lock, silent)) || !(await takeAway(lock, before))) return undefined
    const said = JSON.stringify({ ...ownIdentity(), claim: randomUUID() })
    try {
      await writeFile(lock, said, { flag: 'wx', mode: 0o600 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
      throw error
    }
    return new ServerState(folder, said)
  }

  records<T>(kind: string): Records<T> {
    return new RecordFiles<T>(join(this.folder, kind), () => this.isLost)
  }

  /** Drops what was asked before rows were last forgotten, and its results. */
  async forget(state: LakeState): Promise<void> {
    await removeForgotten(this.folder, state)
  }

  /** Where the rows of results lie. */
  get results(): string {
    return join(this.folder, 'results')
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    const lock = join(this.folder, 'server.json')
    if ((await textOf(lock)) === this.said) await rm(lock, { force: true })
  }

  /** Gives a sign of life, as long as no other server has taken the folder. */
  private async sign(): Promise<void> {
    const lock = join(this.folder, 'server.json')
    const text = await textOf(lock)
    if (text === this.said) {
      const now = new Date()
      await utimes(lock, now, now).catch(() => {})
    } else if (text) {
      this.isLost = true
      clearInterval(this.timer)
    }
  }
}

/** Records of a kind, which end with the server where it keeps no state. */
export function recordsOf<T>(state: ServerState | undefined, kind: string): Records<T> {
  return state?.records<T>(kind) ?? (noRecords as Records<T>)
}

/**
 * Removes a lock that was judged: of several servers that do, one moves it, and what that one has
 * moved is what it judged, or goes back.
 */
async function takeAway(lock: string, judged: string | undefined): Promise<boolean> {
  if (judged === undefined) return true
  const aside = `${lock}.${randomUUID()}`
  try {
    await rename(lock, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  const isJudged = (await textOf(aside)) === judged
  if (!isJudged) await link(aside, lock).catch(() => {})
  await rm(aside, { force: true })
  return isJudged
}

const textOf = (path: string) => readFile(path, 'utf8').catch(() => undefined)

async function isFree(lock: string, silent: number): Promise<boolean> {
  const began = await signOf(lock)
  if (began === undefined) return true
  const owner = await ownerIn(lock)
  const isHere = owner && isThere(owner)
  if (isHere !== undefined) return !isHere
  // One of another machine or container, or one that was about to write it.
  await sleep(silent)
  return (await signOf(lock)) === began || (await signOf(lock)) === undefined
}

const signOf = (lock: string) =>
  stat(lock).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )

async function ownerIn(lock: string): Promise<ProcessIdentity | undefined> {
  try {
    const found = JSON.parse(await readFile(lock, 'utf8')) as ProcessIdentity
    return Number.isSafeInteger(found?.pid) ? found : undefined
  } catch {
    return undefined
  }
}
