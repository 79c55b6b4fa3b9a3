import { isUtf8 } from 'node:buffer'
import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { MoraineError, messageOf } from '../../errors.js'
import { foldersOfLake } from './lakes.js'

/**
 * What is in a folder, links as what they lead to; {@link Walk.accept} says which of them may be
 * read.
 */
export interface Entry {
  /** Where the bytes of its name are no UTF-8, with these spelled: `caf\xE9.csv`. */
  name: string
  path: string
  kind: 'file' | 'folder'
  /** The path as the system knows it, where it is no text. */
  bytes?: Buffer
  /** What it leads to, of a link. */
  target?: string
}

/**
 * Goes through a folder by the one rule for all who look into folders: links are followed while
 * they stay in the folder, those that lead out of it, or nowhere, are not, and loops end. What is
 * passed over is noted where it was meant.
 */
export class Walk {
  readonly notes: string[] = []
  /** Folders that were entered by a link. */
  private readonly entered = new Map<string, string>()
  /** Links that were followed, and what they lead to. */
  private readonly links = new Map<string, string>()
  /** Folders that a lake has written, and where that lake is. */
  private readonly ofLakes = new Map<string, string>()
  private isLakeTold = false
  /** What is passed over where it is meant, and why. */
  private readonly refused = new Map<string, string>()

  private constructor(
    private readonly folder: string,
    /** Where it is, whatever links lead to it. */
    private readonly real: string,
    private readonly show: (path: string) => string,
  ) {}

  /** @param show how a path is called in notes. */
  static async in(folder: string, show: (path: string) => string = (path) => path): Promise<Walk> {
    const whole = resolve(folder)
    return new Walk(whole, await realpath(whole).catch(() => whole), show)
  }

  /** What is in the folder, or in one below it; nothing where there is none any more. */
  async read(path: string): Promise<Entry[]> {
    const folder = resolve(path)
    if (!this.accept(folder) || this.isOfLake(folder) || !(await this.mayEnter(folder))) return []
    const entries = await this.list(folder, 'utf8')
    const before = folder === sep ? sep : folder + sep
    for (const name of foldersOfLake(entries.map(({ name }) => name)))
      this.ofLakes.set(before + name, folder)
    // Only where a name has the mark of bytes that are no text is it worth to look at them.
    if (entries.some(({ name }) => name.includes('\ufffd'))) return this.readBytes(folder)
    const found = entries.map((entry): Entry | Promise<Entry> => {
      const { name } = entry
      if (entry.isFile()) return { name, path: before + name, kind: 'file' }
      if (entry.isDirectory()) return { name, path: before + name, kind: 'folder' }
      return this.special(name, before + name, entry.isSymbolicLink())
    })
    return found.some((entry) => entry instanceof Promise) ? Promise.all(found) : (found as Entry[])
  }

  /**
   * Whether a folder is of a lake, which wrote all that is in it; of the folder itself it is told.
   */
  private isOfLake(folder: string): boolean {
    const lake = this.ofLakes.get(folder)
    if (lake === this.folder && !this.isLakeTold) this.notes.push(skipsLake(this.show(lake)))
    this.isLakeTold ||= lake === this.folder
    return lake !== undefined
  }

  private async readBytes(folder: string): Promise<Entry[]> {
    const entries = await this.list(folder, 'buffer')
    return Promise.all(
      entries.map(async (entry): Promise<Entry> => {
        const name = textOf(entry.name)
        const path = join(folder, name)
        const kind = entry.isDirectory() ? 'folder' : 'file'
        const isPlain = kind === 'folder' || entry.isFile()
        if (isUtf8(entry.name))
          return isPlain ? { name, path, kind } : this.special(name, path, entry.isSymbolicLink())
        const bytes = Buffer.concat([Buffer.from(folder + sep), entry.name])
        if (entry.isFile()) return { name, path, kind, bytes }
        return this.refuse({ name, path, kind }, notText(this.show(path)))
      }),
    )
  }

  /** Whether what was found at a path may be read, now that it is meant; what may not is noted. */
  accept(path: string): boolean {
    const why = this.refused.size === 0 ? undefined : this.refused.get(path)
    if (why !== undefined) this.notes.push(why)
    return why === undefined
  }

  /** All files in the folder and below, ordered by path. */
  async files(
    isMeant: (inside: string, kind: Entry['kind']) => boolean = () => true,
  ): Promise<Entry[]> {
    const found: Entry[] = []
    const start = this.folder === sep ? 1 : this.folder.length + 1
    const inside = (path: string) =>
      sep === '/' ? path.slice(start) : path.slice(start).split(sep).join('/')
    for (let folders = [this.folder]; folders.length > 0; ) {
      const read = await Promise.all(folders.map((folder) => this.read(folder)))
      const meant = read.flat().filter(({ path, kind }) => isMeant(inside(path), kind))
      found.push(...meant.filter(({ kind, path }) => kind === 'file' && this.accept(path)))
      folders = meant.filter(({ kind }) => kind === 'folder').map(({ path }) => path)
    }
    const once = new Set(await this.once(found.map(({ path }) => path)))
    return found.filter(({ path }) => once.has(path)).sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** Each file once: under its own name where that is among them, whatever links lead to it. */
  async once(paths: readonly string[]): Promise<string[]> {
    if (this.links.size === 0) return [...paths]
    const own = paths.filter((path) => !this.isLinked(path))
    const found = new Set(own.map((path) => this.real + path.slice(this.folder.length)))
    const others: string[] = []
    for (const path of paths.filter((path) => this.isLinked(path)).sort()) {
      const real = await realpath(path).catch(() => undefined)
      if (real === undefined || found.has(real)) continue
      found.add(real)
      others.push(path)
    }
    return [...own, ...others]
  }

  get hasLinks(): boolean {
    return this.links.size > 0
  }

  /** Whether a link is on the way to a path. */
  private isLinked(path: string): boolean {
    for (let end = path.length; end > this.folder.length; end = path.lastIndexOf(sep, end - 1))
      if (this.links.has(path.slice(0, end))) return true
    return false
  }

  /** A folder that links lead to is entered by one of them; loops end so. */
  private async mayEnter(folder: string): Promise<boolean> {
    if (this.links.size === 0 || !this.isLinked(folder)) return true
    const real = await realpath(folder).catch(() => undefined)
    if (real === undefined) return false
    const before = this.entered.get(real)
    if (before !== undefined && before !== folder) return false
    this.entered.set(real, folder)
    return !`${this.real}${folder.slice(this.folder.length)}${sep}`.startsWith(real + sep)
  }

  private async list<T extends 'utf8' | 'buffer'>(
    folder: string,
    encoding: T,
  ): Promise<Dirent<T extends 'utf8' ? string : Buffer>[]> {
    try {
      return (await readdir(folder, { withFileTypes: true, encoding: encoding as 'utf8' })) as never
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return []
      if (folder === this.folder)
        throw new MoraineError('source', `Can't read the folder ${folder}: ${messageOf(error)}`, {
          cause: error,
        })
      this.notes.push(`${this.show(folder)} can't be opened: ${code ?? messageOf(error)}`)
      return []
    }
  }

  private async special(name: string, path: string, isLink: boolean): Promise<Entry> {
    if (isLink) return this.link(name, path)
    const what = `${this.show(path)} is neither a file nor a folder`
    return this.refuse({ name, path, kind: 'file' }, what)
  }

  private async link(name: string, path: string): Promise<Entry> {
    const shown = this.show(path)
    const there = await stat(path).catch((error: NodeJS.ErrnoException) => error.code)
    const kind = typeof there === 'object' && there.isDirectory() ? 'folder' : 'file'
    const entry = { name, path, kind } as const
    if (typeof there !== 'object')
      return this.refuse(entry, `${shown} is a link to ${there === 'ELOOP' ? 'itself' : 'nothing'}`)
    const target = await realpath(path).catch(() => '')
    if (target !== this.real && !target.startsWith(this.real + sep))
      return this.refuse(entry, leavesFolder(shown, this.show(this.folder)))
    if (kind === 'file' && !there.isFile())
      return this.refuse(
        entry,
        `${shown} is a link to something that is neither a file nor a folder`,
      )
    this.links.set(path, target)
    return { ...entry, target }
  }

  private refuse(entry: Entry, why: string): Entry {
    this.refused.set(entry.path, why)
    return entry
  }
}

const skipsLake = (folder: string): string =>
  `${folder || 'this folder'} holds a lake, whose own files are skipped`

export const leavesFolder = (link: string, folder: string): string =>
  `${link} is a link to a place outside ${folder || 'the folder'} and is not followed: use the path it points to instead`

export const notText = (name: string): string =>
  `${name} is skipped because its name is not valid UTF-8: rename it`

/** A name as text; bytes that are no UTF-8 are spelled. */
export function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((n) => isUtf8(bytes.subarray(at, at + n)))
    const fits = length !== undefined && at + length <= bytes.length
    text += fits
      ? bytes.subarray(at, at + length).toString()
      : `\\x${(bytes[at] as number).toString(16).toUpperCase().padStart(2, '0')}`
    at += fits ? length : 1
  }
  return text
}
