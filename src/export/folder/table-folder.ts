import type { Storage } from '../../storage/storage.js'
import { manifestOf, type Piece, type Version, versionIn } from './version.js'

/** What names the newest version; replaced last. */
const LATEST = '_latest.json'

const VERSION = /^(\d{8,})\.json$/

/**
 * The folder of one table. `_versions/` has a manifest for each version, under its number;
 * `_latest.json` is a copy of the newest; `data/` has the files, which never change; `_files/` says
 * of each that was written whole what it has, so that an export which was ended goes on from there.
 */
export class TableFolder {
  constructor(
    readonly storage: Storage,
    /** Of the table, relative to the storage. */
    readonly folder: string,
  ) {}

  at(path: string): string {
    return `${this.folder}/${path}`
  }

  locate(path: string): string {
    return this.storage.locate(this.at(path))
  }

  /** Numbers of versions that are there, from the first on. */
  async numbers(): Promise<number[]> {
    const found = await this.storage.entries(this.at('_versions/'))
    return found
      .flatMap(({ path }) => VERSION.exec(path.slice(path.lastIndexOf('/') + 1))?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b)
  }

  async version(number: number): Promise<Version> {
    const path = this.at(versionPath(number))
    return versionIn(await this.storage.read(path), path)
  }

  async newest(): Promise<Version | undefined> {
    const number = (await this.numbers()).at(-1)
    return number === undefined ? undefined : this.version(number)
  }

  /** Whether it became the version of its number; another export may have been first. */
  publish(version: Version): Promise<boolean> {
    const bytes = manifestOf(version, (path) => this.locate(path))
    return this.storage.createIfAbsent(this.at(versionPath(version.number)), bytes)
  }

  /**
   * Brings `_latest.json` to the newest version, also where another export publishes one at the
   * same time.
   */
  async point(): Promise<void> {
    for (let said = -1; ; ) {
      const number = (await this.numbers()).at(-1)
      if (number === undefined || number === said) return
      const bytes = await this.storage.read(this.at(versionPath(number)))
      const there = await this.storage.readIfPresent(this.at(LATEST))
      if (!there || Buffer.compare(there, bytes) !== 0)
        await this.storage.restore(this.at(LATEST), bytes)
      said = number
    }
  }

  /** Bytes of the files that are there, by their paths. */
  async sizes(): Promise<Map<string, { size: number; modified: number }>> {
    const found = await this.storage.list(this.at('data/'))
    return new Map(found.map((one) => [one.path.slice(this.folder.length + 1), one]))
  }

  /** What was written whole of something, whether a version has it or not. */
  async written(id: string): Promise<Piece | undefined> {
    const bytes = await this.storage.readIfPresent(this.at(notePath(id)))
    return bytes && (JSON.parse(Buffer.from(bytes).toString('utf8')) as Piece)
  }

  /** Notes a file that was written whole. */
  async note(piece: Piece): Promise<void> {
    await this.storage.restore(this.at(notePath(piece.id)), Buffer.from(JSON.stringify(piece)))
  }

  /** Names in the folder that are not of an export. */
  async strangers(): Promise<string[]> {
    const own = ['_versions', '_files', 'data', LATEST]
    const [objects, folders] = await Promise.all([
      this.storage.entries(`${this.folder}/`),
      this.storage.folders(`${this.folder}/`),
    ])
    const names = [...objects.map(({ path }) => path.slice(this.folder.length + 1)), ...folders]
    return names.filter((name) => !own.includes(name) && !/^\..*\.tmp$/.test(name))
  }
}

export const versionPath = (number: number) => `_versions/${String(number).padStart(8, '0')}.json`
export const notePath = (id: string) => `_files/${id}.json`
