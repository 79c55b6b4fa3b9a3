import type { Storage } from '../storage/storage.js'
import type { RunRecord } from './events.js'

/** A run as its folder in storage shows it: an end is missing while it runs, or when it was killed. */
export interface JournalEntry {
  run: string
  started: string
  record: RunRecord | undefined
}

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value, null, 1))
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes))

/** The records of runs, for people and for the console; the log does not depend on them. */
export class Journal {
  constructor(private readonly storage: Storage) {}

  async begin(run: string, started: string): Promise<void> {
    await this.storage.write(`_moraine/runs/${run}/start.json`, encode({ format: 1, run, started }))
  }

  async end(record: RunRecord): Promise<void> {
    await this.storage.write(`_moraine/runs/${record.run}/end.json`, encode(record))
  }

  /** The newest runs first. */
  async latest(limit: number): Promise<JournalEntry[]> {
    const objects = await this.storage.list('_moraine/runs/')
    const paths = new Set(objects.map((object) => object.path))
    const starts = [...paths].filter((path) => path.endsWith('/start.json')).reverse()
    return Promise.all(starts.slice(0, limit).map((path) => this.read(path, paths)))
  }

  private async read(path: string, paths: ReadonlySet<string>): Promise<JournalEntry> {
    const { run, started } = decode(await this.storage.read(path))
    const end = path.replace('/start.json', '/end.json')
    const record = paths.has(end) ? (decode(await this.storage.read(end)) as RunRecord) : undefined
    return { run, started, record }
  }
}
