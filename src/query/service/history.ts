import { randomBytes } from 'node:crypto'
import { MoraineError, messageOf } from '../../errors.js'
import { redact } from '../../secrets.js'
import type { Storage } from '../../storage/storage.js'
import type { Caller, QueryRecord, QueryStatistics } from './request.js'

/** A query that is over, as its history keeps it. */
export interface PastQuery extends QueryStatistics {
  id: string
  /** When it was over: ISO, UTC. */
  time: string
  principal: string
  workgroup: string
  sql: string
  /** Why it failed. */
  error?: { kind: string; message: string }
}

const FOLDER = '_moraine/queries/'
/** Milliseconds after which queries are in storage, and how many are kept in memory. */
const EVERY = 10_000
const MOST = 10_000
/** Characters of SQL, and of an error, that are kept. */
const LONGEST = 10_000

/**
 * Queries that are over, of all servers of a lake: in objects of their own, a folder a day. No
 * query waits for it, and none fails by it. `moraine vacuum` removes what is older than its
 * horizon.
 */
export class QueryHistory {
  private readonly past: PastQuery[] = []
  private waiting: PastQuery[] = []
  private timer: NodeJS.Timeout | undefined
  private writing: Promise<void> = Promise.resolve()

  constructor(
    private readonly storage: Storage,
    private readonly onError: (error: unknown) => void = () => {},
  ) {}

  /** Reads those of a day that are kept, of all servers. */
  async load(day: string): Promise<readonly PastQuery[]> {
    const objects = await this.storage.list(`${FOLDER}${day}/`)
    const texts = await Promise.all(objects.map(({ path }) => this.storage.readIfPresent(path)))
    const found = texts.flatMap((bytes) => (bytes ? linesOf(new TextDecoder().decode(bytes)) : []))
    this.past.push(...found.sort((a, b) => (a.time < b.time ? -1 : 1)).slice(-MOST))
    return found
  }

  add({ id, time, principal, workgroup, sql, error, statistics }: QueryRecord): void {
    const kind = error instanceof MoraineError ? error.kind : 'internal'
    const one: PastQuery = {
      ...{ id, time: time.toISOString(), principal, workgroup },
      sql: redact(sql.slice(0, LONGEST)),
      ...statistics,
      ...(error === undefined
        ? {}
        : { error: { kind, message: redact(messageOf(error).slice(0, LONGEST)) } }),
    }
    this.past.push(one)
    if (this.past.length > MOST) this.past.splice(0, this.past.length - MOST)
    this.waiting.push(one)
    this.timer ??= setTimeout(() => this.flush(), EVERY).unref()
  }

  /** The last queries of a principal, or of all, the newest first. */
  list({ name, rights }: Caller): PastQuery[] {
    const own = rights.unlimited ? this.past : this.past.filter((one) => one.principal === name)
    return [...own].reverse()
  }

  /** Resolves when all of it is in storage, or could not be. */
  flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    const records = this.waiting
    this.waiting = []
    if (records.length > 0)
      this.writing = this.writing.then(() => this.put(records)).catch(this.onError)
    return this.writing
  }

  private async put(records: readonly PastQuery[]): Promise<void> {
    const [first] = records as [PastQuery]
    const name = `${first.time.replace(/[:.]/g, '-')}-${randomBytes(6).toString('hex')}`
    const text = records.map((one) => `${JSON.stringify(one)}\n`).join('')
    const path = `${FOLDER}${first.time.slice(0, 10)}/${name}.jsonl`
    await this.storage.createIfAbsent(path, new TextEncoder().encode(text))
  }
}

/** What is on each line; one that is damaged hides no others. */
function linesOf(text: string): PastQuery[] {
  return text.split('\n').flatMap((line) => {
    try {
      const one = JSON.parse(line) as PastQuery
      return typeof one?.time === 'string' ? [one] : []
    } catch {
      return []
    }
  })
}
