import { randomBytes } from 'node:crypto'
import { access, constants, lstat, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { MoraineError, messageOf } from '../../errors.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { type Entry, Walk } from '../../source/files/walk.js'
import { isThere, ownIdentity, type ProcessIdentity } from '../../storage/alive.js'
import { makeFolder } from '../../storage/disk.js'
import { type Inbox, isMeant, type Look } from './look.js'
import { openForWriting } from './writers.js'

/** Where files lie from when they were claimed until they are part of the lake. */
const TAKEN = '.taken'

interface Seen {
  size: number
  modified: number
  at: number
}

/**
 * A folder of this machine. A file is claimed by renaming it, so that of several processes one has
 * it; one that was claimed by a process which is no more is there for everybody again.
 */
export class FolderInbox implements Inbox {
  /** Whose claims these are: the machine, the process, when that began, and a number. */
  private readonly own = claimOf(ownIdentity())
  private readonly seen = new Map<string, Seen>()
  /** Which file was at a path when it was looked at last. */
  private readonly identities = new Map<string, string>()
  /** What was found there, by its path. */
  private readonly found = new Map<string, Entry>()

  constructor(
    private readonly folder: string,
    /** Milliseconds for which a file must not have changed. */
    private readonly settle: number,
    /** Who is heard of in the lake: of another machine or container nothing else tells. */
    private readonly heard: () => Promise<readonly ProcessIdentity[]> = async () => [],
  ) {}

  async look(): Promise<Look> {
    this.identities.clear()
    this.found.clear()
    const claimed = await this.abandoned()
    const walk = await Walk.in(this.folder, (path) => relative(this.folder, path))
    const entries = await walk.files((inside) => inside.split('/').every(isMeant))
    const described = await Promise.all(entries.map((entry) => this.seenAs(entry, walk.notes)))
    const found = described.filter((file) => file !== undefined)
    // Who writes is looked at last: a file that was there by then is seen as what is taken, or is
    // another one by then.
    const some = found.length + claimed.length > 0
    const written = some ? await openForWriting(this.folder) : new Set<string>()
    const ready = claimed.filter(({ path }) => !written.has(path))
    let unfinished = claimed.length - ready.length
    for (const file of found)
      if (this.isOpen(file, written) || !this.hasSettled(file)) unfinished++
      else ready.push(file)
    return {
      ready: ready.sort((a, b) => (a.name < b.name ? -1 : 1)),
      unfinished,
      notes: walk.notes,
    }
  }

  async claim(file: SourceFile): Promise<SourceFile | undefined> {
    if (file.path.startsWith(`${join(this.folder, TAKEN)}${sep}`))
      return this.describe(file.path, file.name)
    const path = join(this.folder, TAKEN, this.own, ...file.name.split('/'))
    const before = this.identities.get(file.path)
    const { bytes, target } = this.found.get(file.path) ?? {}
    try {
      await makeFolder(dirname(path))
      // A name that was spelled may be another file's: nothing that was claimed is written over.
      if (bytes && (await lstat(path).catch(() => undefined))) return undefined
      await rename(bytes ?? target ?? file.path, path)
      if (target) await rm(file.path, { force: true })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new MoraineError('storage', `Can't move ${file.name}: ${messageOf(cause)}`, {
        cause,
        hint: `Moraine moves files within ${this.folder} before it reads them, so it needs permission to do that.`,
      })
    }
    this.seen.delete(file.path)
    const claimed = await this.describe(path, file.name)
    // Another file of that name, which may still be written: it stays claimed, and is there for the
    // next look.
    return before === this.identities.get(path) ? claimed : undefined
  }

  async remove(file: SourceFile): Promise<void> {
    await rm(file.path, { force: true })
    // The folders that the claim needed.
    const top = join(this.folder, TAKEN)
    for (let at = dirname(file.path); at.startsWith(top); at = dirname(at))
      if (!(await removeEmpty(at))) return
  }

  /** Files that were claimed by processes which are no more, or by this one. */
  private async abandoned(): Promise<SourceFile[]> {
    const top = join(this.folder, TAKEN)
    const claims = await readdir(top).catch(() => [])
    const left = await this.leftOf(claims)
    const found = await Promise.all(
      left.map(async (claim) => {
        const walk = await Walk.in(join(top, claim))
        const files = (await walk.files()).filter(({ bytes, target }) => !bytes && !target)
        return Promise.all(
          files.map(({ path }) => this.describe(path, relative(join(top, claim), path))),
        )
      }),
    )
    return found.flat().filter((file) => file !== undefined)
  }

  /** Claims of which nobody will make anything. */
  private async leftOf(claims: readonly string[]): Promise<string[]> {
    const others = claims.filter((claim) => isAtWork(claim) === undefined)
    const heard = others.length > 0 ? await this.heard() : []
    const made = heard.map((by) => claimOf(by, ''))
    return claims.filter(
      (claim) => !(isAtWork(claim) ?? made.some((start) => claim.startsWith(start))),
    )
  }

  private isOpen({ path }: SourceFile, written: ReadonlySet<string>): boolean {
    const { target = path } = this.found.get(path) ?? {}
    return written.has(path) || written.has(target)
  }

  /** By its time; and where the two clocks differ, by having looked twice. */
  private hasSettled({ path, size, modified }: SourceFile): boolean {
    if (this.settle === 0) return true
    const now = Date.now()
    const before = this.seen.get(path)
    const same = before?.size === size && before.modified === modified
    if (!same) this.seen.set(path, { size, modified, at: now })
    if (same && now - before.at >= this.settle) return true
    return now - modified >= this.settle && modified <= now
  }

  /** A file of the folder; what nobody may read is noted, and left there. */
  private async seenAs(entry: Entry, notes: string[]): Promise<SourceFile | undefined> {
    const { path, bytes, target } = entry
    const name = relative(this.folder, path)
    const refused = await access(bytes ?? path, constants.R_OK).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    )
    if (refused === 'ENOENT') return undefined
    if (refused !== undefined) {
      notes.push(`${name} can't be read: ${refused}`)
      return undefined
    }
    this.found.set(path, entry)
    return this.describe(path, name, bytes ?? target)
  }

  /**
   * @param at what is looked at instead of the path: a file that a link leads to, or a name that is
   * no text.
   */
  private async describe(
    path: string,
    name: string,
    at: string | Buffer = path,
  ): Promise<SourceFile | undefined> {
    const found = await lstat(at).catch(() => undefined)
    if (!found?.isFile()) return undefined
    const modified = Math.floor(found.mtimeMs)
    this.identities.set(path, `${found.ino} ${found.size} ${found.mtimeMs}`)
    return { path, name: name.split(sep).join('/'), size: found.size, modified }
  }
}

/** The name of the folder of what a process claims. */
function claimOf(
  { machine = '', pid, process: began = '' }: ProcessIdentity,
  number = randomBytes(4).toString('hex'),
): string {
  return `${machine}-${began}-${pid}-${number}`
}

/**
 * Whether another process, which made a claim, is at work; `undefined` when only the lake can tell.
 */
function isAtWork(claim: string): boolean | undefined {
  const [, machine = '', began, pid] = /^([0-9a-f]+)-(\d*)-(\d+)-[0-9a-f]+$/.exec(claim) ?? []
  const is = isThere({ machine, pid: Number(pid), ...(began ? { process: began } : {}) })
  return is && Number(pid) !== process.pid
}

async function removeEmpty(folder: string): Promise<boolean> {
  return rmdir(folder).then(
    () => true,
    () => false,
  )
}
