import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ExpectedSums } from './s3/expected.js'

/**
 * Objects of a bucket, which have a place on this machine while the engine reads or writes them.
 */
export interface Staged {
  /** The bucket's root, without a trailing slash. */
  url: string
  /** The folder that stands for it. */
  folder: string
  /**
   * Brings an object to its place; there being none is no error.
   *
   * @param asItIs also where its bytes are not those that were written.
   * @throws MoraineError of kind `corrupt` when they are not.
   */
  fetch(path: string, asItIs?: boolean): Promise<void>
  /** Whether it is there, and known to be what was written. */
  isReady(path: string): boolean
  /**
   * How an engine reads objects where they lie; `undefined` where copies are wanted.
   *
   * @param least milliseconds that credentials are to last, where there are such.
   */
  access?: (least?: number) => Promise<ObjectAccess>
  /** Whether that is wanted whatever it costs. */
  always?: boolean
}

/** What it takes to read objects of a bucket where they lie. Not for logs: it has credentials. */
export interface ObjectAccess {
  /** The bucket's root that this is for. */
  url: string
  keyId: string
  secret: string
  token: string | undefined
  region: string
  /** Host and port of another store than S3. */
  endpoint: { host: string; encrypted: boolean } | undefined
  pathStyle: boolean
  /** When the credentials end. */
  expires: Date | undefined
}

export type Readable = Required<Pick<Staged, 'url' | 'access' | 'always'>>

/**
 * Whose objects an engine reads and writes, and where they lie on this machine meanwhile: one for
 * all that works together on a lake.
 */
export class Staging {
  /** What objects should be, by those who refer to them. */
  readonly sums = new ExpectedSums()
  private readonly mounted = new Map<string, Staged>()
  /**
   * Objects that are read where they lie; what was once read so is for as long as this lives, as
   * readers compare names.
   */
  private readonly inPlace = new Set<string>()
  private engineReads = false

  /** From now on locations below the root have a place on this machine. */
  mount(staged: Staged): void {
    this.mounted.set(staged.url, staged)
  }

  /**
   * Notes the SHA-256 of objects as those say who refer to them: their copies are held against it.
   */
  expect(files: Iterable<{ location: string; sha256?: string | undefined }>): void {
    if (this.mounted.size === 0) return
    const roots = [...this.mounted.keys()].map((url) => `${url}/`)
    for (const { location, sha256 } of files)
      if (sha256 !== undefined && roots.some((root) => location.startsWith(root)))
        this.sums.expect(location, sha256)
  }

  /**
   * The file of this machine that a location stands for; the location itself where there is none.
   */
  localPath(location: string): string {
    if (location.startsWith('file://')) return location.slice('file://'.length)
    for (const { url, folder } of this.mounted.values())
      if (location.startsWith(`${url}/`)) return join(folder, location.slice(url.length + 1))
    return location
  }

  /** The roots whose objects an engine may read where they lie. */
  readableRoots(): Readable[] {
    return [...this.mounted.values()].flatMap(({ url, access, always = false }) =>
      access ? [{ url, access, always }] : [],
    )
  }

  /**
   * From now on the engine opens Parquet files of {@link readableRoots} where they lie, unless
   * there is a copy.
   */
  readInPlace(): void {
    this.engineReads = true
  }

  /**
   * Whether an object would be read where it lies by an engine that can: Parquet, with a plain
   * name, and no copy here.
   */
  isReadInPlace(location: string): boolean {
    if (this.inPlace.has(location)) return true
    if (!/^s3:\/\/[\w./=@:,-]+\.parquet$/.test(location)) return false
    return (
      this.readableRoots().some(({ url }) => location.startsWith(`${url}/`)) &&
      !existsSync(this.localPath(location))
    )
  }

  /** What an engine of this process opens to read a location. */
  readPath(location: string): string {
    if (!this.engineReads || !this.isReadInPlace(location)) return this.localPath(location)
    this.inPlace.add(location)
    return location
  }

  /**
   * Brings objects to their places on this machine, several at a time.
   *
   * @param asTheyAre also those whose bytes are not what was written.
   * @throws MoraineError of kind `corrupt` that names the first of them otherwise.
   */
  async fetch(locations: Iterable<string>, asTheyAre = false): Promise<void> {
    const wanted = [...new Set([...locations].map((l) => this.localPath(l)))].flatMap((file) =>
      this.placeOf(file),
    )
    const next = wanted.values()
    const work = async () => {
      for (const { staged, path } of next) await staged.fetch(path, asTheyAre)
    }
    await Promise.all(Array.from({ length: Math.min(16, wanted.length) }, work))
  }

  /** Brings all objects to their places whose places a statement mentions. */
  async fetchMentioned(sql: string): Promise<void> {
    if (this.mounted.size === 0) return
    const found = new Set<string>()
    for (const { folder } of this.mounted.values())
      for (let at = sql.indexOf(`'${folder}/`); at >= 0; at = sql.indexOf(`'${folder}/`, at + 1))
        found.add(textAt(sql, at))
    await this.fetch(found)
  }

  /** An object whose place is not there yet, or whose copy is not known to be what it was. */
  private placeOf(file: string): { staged: Staged; path: string }[] {
    for (const staged of this.mounted.values())
      if (file.startsWith(`${staged.folder}/`)) {
        const path = file.slice(staged.folder.length + 1)
        return staged.isReady(path) ? [] : [{ staged, path }]
      }
    return []
  }
}

/** The text in quotes that begins at an offset; where it is a pattern, what it stands for. */
function textAt(sql: string, start: number): string {
  let end = sql.indexOf("'", start + 1)
  while (sql[end + 1] === "'") end = sql.indexOf("'", end + 2)
  return sql
    .slice(start + 1, end)
    .replaceAll("''", "'")
    .replace(/\[([*?[])\]/g, '$1')
}
