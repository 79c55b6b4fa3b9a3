import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MoraineError } from '../../../errors.js'
import { sha256 } from '../../../storage/checksum.js'
import { replaceFile } from '../../../storage/replace-file.js'

/** Records of one kind that outlive the server; each has an id. */
export interface Records<T> {
  /** All that there are. */
  load(): Promise<T[]>
  /** Outlives the process at once; a power cut may lose it. */
  note(id: string, record: T): void
  /** Resolves when it is on disk. */
  put(id: string, record: T): Promise<void>
  delete(id: string): Promise<void>
}

/** Of a server that keeps nothing. */
export const noRecords: Records<never> = {
  load: async () => [],
  note: () => {},
  put: async () => {},
  delete: async () => {},
}

/** Each in a file of its own, in a folder that nobody else may read. */
export class RecordFiles<T> implements Records<T> {
  /** Writes of a record come one after the other. */
  private readonly writing = new Map<string, Promise<void>>()

  constructor(
    private readonly folder: string,
    /** Whether another server has the folder now. */
    private readonly isLost: () => boolean = () => false,
  ) {}

  async load(): Promise<T[]> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    const found: T[] = []
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name)
      try {
        if (!name.endsWith('.json')) throw new SyntaxError('half written')
        found.push(JSON.parse(await readFile(path, 'utf8')) as T)
      } catch (error) {
        // What was being written when the machine went down.
        if (!(error instanceof SyntaxError)) throw error
        await rm(path, { recursive: true, force: true })
      }
    }
    return found
  }

  note(id: string, record: T): void {
    this.refuseLost()
    const path = this.pathOf(id)
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.part`, JSON.stringify(record), { mode: 0o600 })
    renameSync(`${path}.part`, path)
  }

  put(id: string, record: T): Promise<void> {
    return this.inTurn(id, async () => {
      this.refuseLost()
      // A new file has what its folder lets others see: nothing.
      await mkdir(this.folder, { recursive: true, mode: 0o700 })
      await replaceFile(this.pathOf(id), JSON.stringify(record))
    })
  }

  delete(id: string): Promise<void> {
    return this.inTurn(id, async () => {
      this.refuseLost()
      await rm(this.pathOf(id), { force: true })
    })
  }

  private inTurn(id: string, write: () => Promise<void>): Promise<void> {
    const done = (this.writing.get(id) ?? Promise.resolve()).catch(() => {}).then(write)
    this.writing.set(id, done)
    const forget = () => {
      if (this.writing.get(id) === done) this.writing.delete(id)
    }
    done.then(forget, forget)
    return done
  }

  private refuseLost(): void {
    if (!this.isLost()) return
    throw new MoraineError('usage', 'Another server has taken over what this one keeps', {
      hint: 'Stop one of them, and start this one again.',
    })
  }

  private pathOf(id: string): string {
    return join(this.folder, `${sha256(id).slice(0, 32)}.json`)
  }
}
