import { randomUUID } from 'node:crypto'
import type { Dirent } from 'node:fs'
import {
  access,
  chmod,
  constants,
  type FileHandle,
  link,
  lstat,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError, messageOf } from '../errors.js'
import { fileSha256, handleSha256 } from './checksum.js'
import { makeFolder } from './disk.js'
import { checkPath } from './paths.js'
import { missing } from './remedy.js'
import type { PurgedVersions, Storage, StoredObject } from './storage.js'

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

/** Whether what was asked for is not there, or the folder that it should be in. */
const isAbsent = (error: unknown) => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'

/** What a file is called while it is being written. */
const HALF = /\.[0-9a-f-]{36}\.tmp$/
/** Milliseconds without a change after which nobody writes it any more. */
const UNFINISHED = 10_000

/** Refusals that may be over at the next attempt. */
const passing = [
  ...['EIO', 'EAGAIN', 'EBUSY', 'EMFILE', 'ENFILE', 'ETIMEDOUT', 'ESTALE', 'EINTR'],
  // Folders of other machines.
  ...['ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'ENODEV', 'ENXIO'],
]

function failed(doing: string, path: string, cause: unknown): MoraineError {
  const hints: Record<string, string> = {
    ENOSPC: 'The disk is full: free some space and run again.',
    ENOENT: 'Check that its parent folder exists and is writable.',
    EACCES: 'Check the permissions of the folder.',
    EROFS: 'The file system is read-only: choose another folder with --root.',
    EPERM: 'Check the permissions of the folder.',
  }
  const code = codeOf(cause) ?? ''
  const hint = hints[code]
  return new MoraineError('storage', `Can't ${doing} ${path}: ${messageOf(cause)}`, {
    cause,
    doing,
    retryable: passing.includes(code),
    ...(hint ? { hint } : {}),
  })
}

const notRead = (path: string, cause: unknown) => failed('read', path, cause)

async function withFile<T>(path: string, flags: string, use: (file: FileHandle) => Promise<T>) {
  const file = await open(path, flags)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** Makes the names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  await withFile(path, 'r', (folder) => folder.sync())
}

/** Above the lake there may be folders that can be passed and not be opened. */
function mayNotBeRead(error: unknown): void {
  if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw error
}

/** What each lake has in its folder from its first run on. */
const OWN = '_moraine'

/** A lake in a folder of this machine. */
export class LocalStorage implements Storage {
  readonly url: string
  private seen = false

  constructor(readonly folder: string) {
    // Not percent-encoded: Iceberg's readers take locations literally.
    this.url = `file://${sep === '/' ? '' : '/'}${folder.split(sep).join('/')}`
  }

  /** Folders whose names are known to be durable, in all that lead to them. */
  private readonly rooted = new Set<string>()

  private at(path: string): string {
    return join(this.folder, checkPath(path))
  }

  /**
   * Makes the names in folders durable, and those of the folders that lead to them: a power cut may
   * take away a folder that nobody synced the name of, with all that is in it. Also one that
   * somebody else made a moment ago. What leads to several of them is synced once.
   */
  private async syncNames(folders: ReadonlySet<string>): Promise<void> {
    const above = new Set<string>()
    for (const folder of folders)
      for (let dir = folder; !this.rooted.has(dir) && !above.has(dir); dir = dirname(dir)) {
        above.add(dir)
        if (dir.length <= this.folder.length) break
      }
    for (const folder of folders) await syncFolder(folder)
    for (const parent of new Set([...above].map((dir) => dirname(dir))))
      if (!folders.has(parent)) await syncFolder(parent).catch(mayNotBeRead)
    for (const dir of above) this.rooted.add(dir)
  }

  /**
   * A temporary file that is synced first and then linked to its name: an exclusive open that is
   * killed half-way would leave an empty object under the name for ever.
   */
  async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const target = this.at(path)
    await this.refuseOther()
    try {
      await this.place(target, bytes, link)
      this.seen ||= path.startsWith(`${OWN}/`)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      if (codeOf(error) === 'ENOENT') await this.refuseOther()
      throw failed('create', path, error)
    }
  }

  /** Writes bytes to a temporary file, which is durable before it gets its name. */
  private async place(
    target: string,
    bytes: Uint8Array,
    name: (temporary: string, target: string) => Promise<void>,
  ): Promise<void> {
    const temporary = join(dirname(target), `.${randomUUID()}.tmp`)
    try {
      await this.makeFolderOf(target)
      await withFile(temporary, 'wx', async (file) => {
        await file.writeFile(bytes)
        await file.sync()
      })
      await name(temporary, target)
      await this.syncNames(new Set([dirname(target)]))
    } finally {
      await unlink(temporary).catch(() => {})
    }
  }

  /**
   * What was there before is not made anew: the lake may go at any moment, also between a look at
   * it and this.
   */
  private makeFolderOf(target: string): Promise<void> {
    const own = join(this.folder, OWN)
    const top = target.startsWith(own + sep) ? own : this.folder
    return makeFolder(dirname(target), this.seen ? top : undefined)
  }

  /** Nothing is found in a lake that is away; that says nothing of what it holds. */
  private async absent(): Promise<undefined> {
    if (this.seen) await this.refuseOther()
  }

  /** What failed because of what is not there may have failed because the whole lake is not. */
  private async orAway(error: unknown, told: MoraineError): Promise<MoraineError> {
    if (isAbsent(error)) await this.absent()
    return told
  }

  /**
   * A lake that was there and is gone is a disk that is not mounted: nothing is begun anew in its
   * place.
   */
  private async refuseOther(): Promise<void> {
    const found = await stat(join(this.folder, OWN)).catch((error) => {
      if (isAbsent(error)) return undefined
      throw failed('look at', this.folder, error)
    })
    if (!found && this.seen)
      throw new MoraineError('storage', `The lake in ${this.folder} no longer exists`, {
        retryable: true,
        hint: 'Is its disk mounted?',
      })
    this.seen ||= found !== undefined
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    if (!(await this.createIfAbsent(path, bytes)))
      throw new MoraineError('storage', `${path} already exists; objects are never overwritten`)
  }

  private async bytesOf(path: string): Promise<Uint8Array> {
    const bytes = await readFile(this.at(path))
    this.seen ||= path.startsWith(`${OWN}/`)
    return bytes
  }

  async read(path: string): Promise<Uint8Array> {
    try {
      return await this.bytesOf(path)
    } catch (error) {
      throw await this.unread(path, error)
    }
  }

  async range(path: string, from: number, length: number): Promise<Uint8Array> {
    try {
      return await withFile(this.at(path), 'r', async (file) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from)
        return buffer.subarray(0, bytesRead)
      })
    } catch (error) {
      throw await this.unread(path, error)
    }
  }

  private unread(path: string, error: unknown): Promise<unknown> {
    return this.orAway(error, (codeOf(error) === 'ENOENT' ? missing : notRead)(path, error))
  }

  async readIfPresent(path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.bytesOf(path)
    } catch (error) {
      if (isAbsent(error)) return this.absent()
      throw failed('read', path, error)
    }
  }

  async stat(path: string): Promise<StoredObject | undefined> {
    try {
      const found = await stat(this.at(path))
      if (found.isDirectory()) return undefined
      return { path, size: found.size, modified: Math.floor(found.mtimeMs) }
    } catch (error) {
      if (isAbsent(error)) return this.absent()
      throw failed('look at', path, error)
    }
  }

  async digest(path: string): Promise<string | undefined> {
    try {
      return await fileSha256(this.at(path))
    } catch (error) {
      if (isAbsent(error)) return this.absent()
      throw failed('read', path, error)
    }
  }

  async list(prefix: string): Promise<StoredObject[]> {
    const slash = prefix.lastIndexOf('/')
    const folder = slash < 0 ? this.folder : this.at(prefix.slice(0, slash))
    const found = await this.files(folder)
    const paths = found
      .map((file) => relative(this.folder, file).split(sep).join('/'))
      .filter((path) => path.startsWith(prefix))
      .sort()
    return this.described(paths)
  }

  /** Without those that were removed since they were listed. */
  private async described(paths: readonly string[]): Promise<StoredObject[]> {
    const objects = await Promise.all(paths.map((path) => this.stat(path)))
    return objects.filter((object) => object !== undefined)
  }

  async entries(prefix: string): Promise<StoredObject[]> {
    const names = (await this.look(this.at(prefix.replace(/\/$/, ''))))
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp'))
      .map(({ name }) => `${prefix}${name}`)
    return this.described(names.sort())
  }

  async folders(prefix: string): Promise<string[]> {
    const entries = await this.look(this.at(prefix.replace(/\/$/, '')))
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    return names.sort()
  }

  /**
   * All files below a folder. A folder that is removed meanwhile takes nothing from what lies
   * beside it.
   */
  private async files(folder: string): Promise<string[]> {
    const found: string[] = []
    for (let folders = [folder]; folders.length > 0; ) {
      const next: string[] = []
      for (const at of folders)
        for (const entry of await this.look(at)) {
          const path = join(at, entry.name)
          if (entry.isDirectory()) next.push(path)
          else if (entry.isFile() && !entry.name.endsWith('.tmp')) found.push(path)
        }
      folders = next
    }
    return found
  }

  /** What is in a folder; nothing where there is none. */
  private async look(folder: string): Promise<Dirent[]> {
    const found = await readdir(folder, { withFileTypes: true }).catch((error) => {
      if (isAbsent(error)) return []
      throw failed('list', folder, error)
    })
    if (found.length === 0) await this.absent()
    return found
  }

  async remove(path: string): Promise<void> {
    await unlink(this.at(path)).catch((error) => {
      if (isAbsent(error)) return this.absent()
      throw failed('remove', path, error)
    })
  }

  /**
   * Folders of partitions are named by values of rows, and stay when their last file goes; what was
   * written half, by a process that was killed, is no object.
   */
  async purge(folder: string): Promise<PurgedVersions> {
    const root = this.at(folder)
    const names = await readdir(root, { recursive: true, withFileTypes: true }).catch((error) => {
      if (isAbsent(error)) return []
      throw failed('list', folder, error)
    })
    const gone = (error: unknown): undefined => {
      if (isAbsent(error) || ['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) return undefined
      throw failed('remove', folder, error)
    }
    // What lies deeper comes later.
    for (const entry of names.reverse()) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isDirectory() && entry.name.includes('=')) await rmdir(path).catch(gone)
      if (!entry.isFile() || !HALF.test(entry.name)) continue
      const found = await stat(path).catch(gone)
      if (!found) continue
      await sleep(Math.max(0, found.mtimeMs + UNFINISHED - Date.now()))
      const now = await stat(path).catch(gone)
      if (now?.mtimeMs === found.mtimeMs) await unlink(path).catch(gone)
    }
    return { versions: 0, kept: [] }
  }

  async strangeAmong(paths: readonly string[]): Promise<string | undefined> {
    const known = new Map<string, Promise<boolean>>()
    const isPlain = (path: string, kind: 'isFile' | 'isDirectory') => {
      const found =
        known.get(path) ??
        lstat(this.at(path)).then(
          (one) => one[kind](),
          (error) => {
            if (isAbsent(error)) return true
            throw failed('look at', path, error)
          },
        )
      known.set(path, found)
      return found
    }
    for (const path of paths) {
      const parts = path.split('/')
      for (let depth = 2; depth <= parts.length; depth++) {
        const part = parts.slice(0, depth).join('/')
        const isLast = depth === parts.length
        if (!(await isPlain(part, isLast ? 'isFile' : 'isDirectory'))) return part
      }
    }
    return undefined
  }

  locate(path: string): string {
    return `${this.url}/${checkPath(path)}`
  }

  async prepare(path: string): Promise<void> {
    await this.refuseOther()
    await this.makeFolderOf(this.at(path)).catch(async (error) => {
      throw await this.orAway(error, failed('create a folder for', path, error))
    })
    // The engine, which writes there, does not tell what to do where it may not.
    await access(dirname(this.at(path)), constants.W_OK).catch((error) => {
      // One that is gone meanwhile is looked at by who writes.
      if (codeOf(error) !== 'ENOENT') throw failed('write', path, error)
    })
  }

  async seal(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const sums = new Map<string, string>()
    for (const path of paths) {
      const file = this.at(path)
      let doing = 'read'
      // What was just written is read from memory: before it is synced, so that it need not wait
      // for the disk.
      await withFile(file, 'r', async (handle) => {
        sums.set(path, await handleSha256(handle, file))
        doing = 'sync'
        await handle.sync()
      }).catch(async (error) => {
        throw await this.orAway(error, failed(doing, path, error))
      })
    }
    await this.syncNames(new Set(paths.map((path) => dirname(this.at(path)))))
    return sums
  }

  async restore(path: string, bytes: Uint8Array): Promise<void> {
    await this.refuseOther()
    await this.place(this.at(path), bytes, rename).catch(async (error) => {
      throw await this.orAway(error, failed('restore', path, error))
    })
  }

  async protect(paths: readonly string[]): Promise<void> {
    for (const path of paths)
      await chmod(this.at(path), 0o444).catch(async (error) => {
        throw await this.orAway(error, failed('protect', path, error))
      })
  }
}
