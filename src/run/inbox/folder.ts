import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { MoraineError, messageOf } from '../../errors.js'
import type { SourceFile } from '../../source/discover.js'
import { isAlive } from '../../storage/alive.js'
import { type Drop, isMeant, type Look } from './drop.js'
import { openForWriting } from './writers.js'

/** Where files lie from when they were claimed until they are part of the lake. */
const TAKEN = '.taken'

interface Seen {
  size: number
  modified: number
  at: number
}

/**
 * A folder of this machine. A file is claimed by renaming it, so that of several processes one has it; one that was claimed by a process
 * which is no more is there for everybody again.
 */
export class DropFolder implements Drop {
  /** Whose claims these are: the machine, the process, and a number. */
  private readonly own = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
  private readonly seen = new Map<string, Seen>()
  /** Which file was at a path when it was looked at last. */
  private readonly identities = new Map<string, string>()

  constructor(
    private readonly folder: string,
    /** Milliseconds for which a file must not have changed. */
    private readonly settle: number,
  ) {}

  async look(): Promise<Look> {
    this.identities.clear()
    const claimed = await this.abandoned()
    const paths = await filesIn(this.folder)
    const described = await Promise.all(
      paths.map((path) => this.describe(path, relative(this.folder, path))),
    )
    const found = described.filter((file) => file !== undefined)
    // Who writes is looked at last: a file that was there by then is seen as what is taken, or is another one by then.
    const some = found.length + claimed.length > 0
    const written = some ? await openForWriting(this.folder) : new Set<string>()
    const ready = claimed.filter(({ path }) => !written.has(path))
    let unfinished = claimed.length - ready.length
    for (const file of found)
      if (written.has(file.path) || !this.hasSettled(file)) unfinished++
      else ready.push(file)
    return { ready: ready.sort((a, b) => (a.name < b.name ? -1 : 1)), unfinished, notes: [] }
  }

  async claim(file: SourceFile): Promise<SourceFile | undefined> {
    if (file.path.startsWith(`${join(this.folder, TAKEN)}${sep}`))
      return this.describe(file.path, file.name)
    const path = join(this.folder, TAKEN, this.own, ...file.name.split('/'))
    const before = this.identities.get(file.path)
    try {
      await mkdir(dirname(path), { recursive: true })
      await rename(file.path, path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new MoraineError('storage', `Can't take ${file.name}: ${messageOf(cause)}`, {
        cause,
        hint: `Moraine moves files within ${this.folder} before it reads them: it must be allowed to.`,
      })
    }
    this.seen.delete(file.path)
    const claimed = await this.describe(path, file.name)
    // Another file of that name, which may still be written: it stays claimed, and is there for the next look.
    return before === this.identities.get(path) ? claimed : undefined
  }

  async remove(file: SourceFile): Promise<void> {
    await rm(file.path, { force: true })
    // The folders that the claim needed.
    const top = join(this.folder, TAKEN)
    for (let at = dirname(file.path); at.startsWith(top); at = dirname(at))
      if (!(await removeEmpty(at))) return
  }

  /** Files that were claimed by processes of this machine which are no more, or by this one. */
  private async abandoned(): Promise<SourceFile[]> {
    const top = join(this.folder, TAKEN)
    const claims = await readdir(top).catch(() => [])
    const left = claims.filter((claim) => claim === this.own || !isAtWork(claim))
    const found = await Promise.all(
      left.map(async (claim) => {
        const paths = await filesIn(join(top, claim))
        return Promise.all(paths.map((p) => this.describe(p, relative(join(top, claim), p))))
      }),
    )
    return found.flat().filter((file) => file !== undefined)
  }

  /** By its time; and where the two clocks differ, by having looked twice. */
  private hasSettled({ path, size, modified }: SourceFile): boolean {
    const now = Date.now()
    const before = this.seen.get(path)
    const same = before?.size === size && before.modified === modified
    if (!same) this.seen.set(path, { size, modified, at: now })
    if (same && now - before.at >= this.settle) return true
    return now - modified >= this.settle && modified <= now
  }

  private async describe(path: string, name: string): Promise<SourceFile | undefined> {
    // A link could lead anywhere: only files themselves are read.
    const found = await lstat(path).catch(() => undefined)
    if (!found?.isFile()) return undefined
    const modified = Math.floor(found.mtimeMs)
    this.identities.set(path, `${found.ino} ${found.size} ${found.mtimeMs}`)
    return { path, name: name.split(sep).join('/'), size: found.size, modified }
  }
}

/** Whether the process that made a claim may still be at work. */
function isAtWork(claim: string): boolean {
  const [, host, pid] = /^(.*)-(\d+)-[0-9a-f]+$/.exec(claim) ?? []
  if (host !== hostname()) return false
  return Number(pid) !== process.pid && isAlive(Number(pid))
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw new MoraineError('source', `Can't look into ${folder}: ${messageOf(error)}`)
  })
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name)
      if (!isMeant(entry.name)) return []
      if (entry.isDirectory()) return filesIn(path)
      return entry.isFile() ? [path] : []
    }),
  )
  return found.flat()
}

async function removeEmpty(folder: string): Promise<boolean> {
  return rmdir(folder).then(
    () => true,
    () => false,
  )
}
