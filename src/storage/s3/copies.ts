import { randomUUID } from 'node:crypto'
import { type Stats, statSync } from 'node:fs'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { notAsWritten } from '../checked.js'
import { fileSha256 } from '../checksum.js'
import { checkPath } from '../paths.js'
import { PATIENT, patiently } from '../retry.js'
import { cacheFolder, cacheSize, makeOwnFolder, NOTE, touch, trim } from './cache.js'
import type { ExpectedSums } from './expected.js'

/**
 * Milliseconds for which a copy that nobody wrote to is taken for what it was when it was last
 * read.
 */
export const TRUSTED = 24 * 3_600_000

/** What came of an object. */
export interface Arrived {
  /** SHA-256 of the bytes that came. */
  sha256: string
  /**
   * Whether they are those that the storage keeps a checksum of; `undefined` where it has none that
   * says so. `likely not` is said by what is a checksum in most storages, and something else in
   * some.
   */
  proof?: 'is' | 'likely not' | 'is not' | undefined
}

/** Whose objects are copied. */
export interface Copied {
  url: string
  /** The folder that stands for its root. */
  folder: string
  /**
   * Writes an object to a file. @param isKnown its checksum is known: the storage need not say one.
   */
  download(path: string, file: string, isKnown: boolean): Promise<Arrived>
  /** A checksum that was noted beside the files that should say it. */
  noted(path: string): Promise<string | undefined>
  /** What objects should be, by those who refer to them. */
  sums: ExpectedSums
  /** Whether a failure says that there is no such object. */
  isGone(error: unknown): boolean
}

/** Notes that are kept at hand. */
const MOST_READY = 100_000

/** How a copy's file was when its bytes were what they should be, in a file beside it. */
interface Note {
  sha256: string
  size: number
  mtime: number
  ctime: number
  /** When that was, in milliseconds since 1970. */
  checked: number
}

/**
 * Copies of objects on this machine. Each is held against its checksum as it comes, and again when
 * its file was touched or a day has passed: disks forget bits without a word.
 */
export class Copies {
  private trimmed: Promise<void> | undefined
  private readonly running = new Map<string, Promise<void>>()
  private readonly ready = new Map<string, Note>()

  constructor(private readonly of: Copied) {}

  at(path: string): string {
    return join(this.of.folder, checkPath(path))
  }

  /** Whether there is a copy that is as it was when it was checked, not long ago. */
  isReady(path: string): boolean {
    const note = this.ready.get(path)
    const found = note && statSync(this.at(path), { throwIfNoEntry: false })
    return found !== undefined && isFresh(note as Note, found)
  }

  /**
   * Brings an object to its place; there being none is no error.
   *
   * @param asItIs also where its bytes are not those that were written.
   * @throws MoraineError of kind `corrupt` when they are not.
   */
  fetch(path: string, asItIs = false): Promise<void> {
    const known = this.running.get(path)
    if (known) return known
    const copied = this.check(path)
      .then((isGood) => (isGood ? undefined : this.copy(path, asItIs)))
      .finally(() => this.running.delete(path))
    this.running.set(path, copied)
    return copied
  }

  /** Notes that what lies at an object's place has a checksum. */
  async note(path: string, sha256: string): Promise<void> {
    const file = this.at(path)
    const { size, mtimeMs: mtime, ctimeMs: ctime } = await stat(file)
    const note = { sha256, size, mtime, ctime, checked: Date.now() }
    this.remember(path, note)
    const temporary = `${file}.${randomUUID()}.tmp`
    // Without it the copy is read once more, the next time.
    await writeFile(temporary, JSON.stringify(note), { mode: 0o600 })
      .then(() => rename(temporary, file + NOTE))
      .catch(() => rm(temporary, { force: true }))
  }

  private remember(path: string, note: Note): void {
    this.ready.set(path, note)
    // Those of before are read from their notes again.
    if (this.ready.size > MOST_READY) this.ready.clear()
  }

  /** What lies at an object's place is about to be written. */
  async prepare(path: string): Promise<void> {
    await makeOwnFolder(dirname(this.at(path)))
    this.ready.delete(path)
    this.of.sums.expectNothing(`${this.of.url}/${path}`)
    await rm(this.at(path) + NOTE, { force: true })
  }

  async remove(path: string): Promise<void> {
    this.ready.delete(path)
    await rm(this.at(path), { force: true })
    await rm(this.at(path) + NOTE, { force: true })
  }

  /**
   * Whether there is a copy that is what it should be, or what nobody knows a checksum of: what the
   * engine has just written.
   */
  private async check(path: string): Promise<boolean> {
    const file = this.at(path)
    const found = await stat(file).catch(() => undefined)
    if (!found) return false
    const note = await readNote(file + NOTE)
    const expected = this.of.sums.of(`${this.of.url}/${path}`) ?? note?.sha256
    if (expected === undefined) return true
    if (note?.sha256 === expected && isFresh(note, found)) {
      this.remember(path, note)
      return true
    }
    const sum = await fileSha256(file).catch(() => undefined)
    if (sum !== undefined && (sum === expected || sum === (await this.of.noted(path)))) {
      await this.note(path, sum)
      return true
    }
    await this.remove(path)
    return false
  }

  /**
   * What flips on the way does not lie there, so bytes that are not what they should be are asked
   * for once more.
   */
  private async copy(path: string, asItIs: boolean): Promise<void> {
    this.trimmed ??= trim(join(cacheFolder(), 's3'), cacheSize())
    await this.trimmed
    const file = this.at(path)
    const temporary = `${file}.${randomUUID()}.tmp`
    try {
      await makeOwnFolder(dirname(file))
      const first = await this.attempt(path, temporary)
      const { sha256, isRight } = first.isRight ? first : await this.attempt(path, temporary)
      // Twice the same bytes: what seemed to be a checksum of them is none.
      const isSame = first.isUnsure === true && sha256 === first.sha256
      if (!(isRight || isSame || asItIs)) throw notAsWritten(path)
      await rename(temporary, file)
      await touch(file)
      if (isRight || isSame) await this.note(path, sha256)
    } catch (error) {
      await rm(temporary, { force: true })
      if (!this.of.isGone(error)) throw error
    }
  }

  private async attempt(path: string, file: string) {
    const { url, download, noted, sums } = this.of
    const expected = sums.of(`${url}/${path}`)
    const { sha256, proof } = await patiently(url, { total: PATIENT }, () =>
      download(path, file, expected !== undefined),
    )
    if (expected !== undefined)
      return { sha256, isRight: sha256 === expected || sha256 === (await noted(path)) }
    if (proof !== undefined)
      return { sha256, isRight: proof === 'is', isUnsure: proof === 'likely not' }
    return { sha256, isRight: sha256 === ((await noted(path)) ?? sha256) }
  }
}

function isFresh({ size, mtime, ctime, checked }: Note, found: Stats): boolean {
  return (
    size === found.size &&
    mtime === found.mtimeMs &&
    ctime === found.ctimeMs &&
    Math.abs(Date.now() - checked) < TRUSTED
  )
}

async function readNote(file: string): Promise<Note | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Note
  } catch {
    return undefined
  }
}
