import { randomBytes } from 'node:crypto'
import { MoraineError, messageOf } from '../../errors.js'
import { redact, starredSql } from '../../secrets.js'
import type { Storage } from '../../storage/storage.js'
import { type PastQuery, pastQueriesIn, QUERIES_FOLDER } from '../system/past-queries.js'
import { readAll } from '../system/system-table.js'
import { noRecords, type Records } from './kept/records.js'
import type { Caller, QueryRecord } from './request.js'

/** Milliseconds after which queries are in storage. */
const EVERY = 10_000
const DAY = 86_400_000
/** How many are kept in memory, and the bytes of their texts. */
const MOST = 10_000
const MOST_BYTES = 32 * 2 ** 20
/** Characters of SQL, and of an error, that are kept, and of a workgroup. */
const LONGEST = 10_000
const LONGEST_NAME = 128
/** Characters of a text, and behind what is kept of it, that are looked through for secrets. */
const LOOKED_AT = 262_144
const BEHIND = 5000

/** A query that was begun, as the history has it where its server is killed. */
export interface BegunQuery extends PastQuery {
  /** When it began: ISO, UTC. */
  submitted: string
}

/**
 * Queries that are over, of all servers of a lake: in objects of their own, a folder a day. No
 * query waits for it, and none fails by it. `moraine vacuum` removes what is older than its
 * horizon.
 */
export class QueryHistory {
  private readonly past: PastQuery[] = []
  private bytes = 0
  private waiting: PastQuery[] = []
  private timer: NodeJS.Timeout | undefined
  private writing: Promise<void> = Promise.resolve()

  constructor(
    private readonly storage: Storage,
    private readonly onError: (error: unknown) => void = () => {},
    /**
     * When rows were last forgotten, in milliseconds since 1970; `undefined` where none ever were.
     */
    private readonly forgotten: () => Promise<number | undefined> = async () => undefined,
    /** Those of this server that are not in storage yet. */
    private readonly begun: Records<BegunQuery> = noRecords,
  ) {}

  /**
   * Reads those of a day that are kept, of all servers, and those that this server had begun when
   * it was killed, on whatever day.
   *
   * @returns those of the day.
   */
  async load(day: string): Promise<readonly PastQuery[]> {
    const left = await this.begun.load()
    const found = await this.ofDay(day)
    const known = new Set(found.map(({ id }) => id))
    for (const other of daysAround(left))
      if (other !== day) for (const { id } of await this.ofDay(other)) known.add(id)
    const killed: PastQuery[] = []
    for (const { submitted: _, ...one } of left)
      if (known.has(one.id)) await this.begun.delete(one.id)
      else killed.push(one)
    const all = [...found, ...killed].sort((a, b) => (a.time < b.time ? -1 : 1))
    for (const one of all) this.keep(one)
    this.wait(killed)
    return all.filter(({ time }) => time.startsWith(day))
  }

  private async ofDay(day: string): Promise<PastQuery[]> {
    const objects = await this.storage.list(`${QUERIES_FOLDER}${day}/`)
    const found: PastQuery[] = []
    // There may be thousands.
    for await (const some of readAll(objects, ({ path }) => pastQueriesIn(this.storage, path)))
      found.push(...some)
    return found
  }

  /** Notes a query before it reads anything: it counts, also where its server is killed. */
  begin(query: QueryRecord): void {
    const one = pastOf({ ...query, error: killed() })
    try {
      this.begun.note(one.id, { ...one, submitted: one.time })
    } catch (error) {
      // What can't be kept is answered all the same.
      this.onError(error)
    }
  }

  add(query: QueryRecord): void {
    const one = pastOf(query)
    this.keep(one)
    this.wait([one])
  }

  private wait(records: readonly PastQuery[]): void {
    if (records.length === 0) return
    this.waiting.push(...records)
    // Where storage stays away, some can't wait any longer.
    if (this.waiting.length > MOST) this.waiting.splice(0, this.waiting.length - MOST)
    this.timer ??= setTimeout(() => this.flush(), EVERY).unref()
  }

  /** The last queries of a principal, or of all, the newest first. */
  list({ name, rights }: Caller): PastQuery[] {
    const own = rights.unlimited ? this.past : this.past.filter((one) => one.principal === name)
    return [...own].reverse()
  }

  /** Resolves when all of it is in storage, or could not be: then it is tried again later. */
  flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    const waiting = this.waiting
    this.waiting = []
    for (const day of new Set(waiting.map(dayOf))) {
      const records = waiting.filter((one) => dayOf(one) === day)
      this.writing = this.writing
        .then(() => this.put(records))
        .catch((error) => {
          this.onError(error)
          this.wait(records)
        })
    }
    return this.writing
  }

  private keep(one: PastQuery): void {
    this.past.push(one)
    this.bytes += bytesOf(one)
    let over = 0
    while (this.past.length - over > MOST || this.bytes > MOST_BYTES)
      this.bytes -= bytesOf(this.past[over++] as PastQuery)
    if (over > 0) this.past.splice(0, over)
  }

  private async put(all: readonly PastQuery[]): Promise<void> {
    // What was asked before that may quote them.
    const last = (await this.forgotten()) ?? Number.NEGATIVE_INFINITY
    const records = all.filter(({ time }) => Date.parse(time) > last)
    const [first] = records
    if (first) {
      const name = `${first.time.replace(/[:.]/g, '-')}-${randomBytes(6).toString('hex')}`
      const text = records.map((one) => `${JSON.stringify(one)}\n`).join('')
      const path = `${QUERIES_FOLDER}${dayOf(first)}/${name}.jsonl`
      await this.storage.createIfAbsent(path, new TextEncoder().encode(text))
    }
    // One that stays is found to be in the history by the next server.
    await Promise.allSettled(all.map(({ id }) => this.begun.delete(id)))
  }
}

const dayOf = ({ time }: PastQuery) => time.slice(0, 10)

/** The days on which queries were begun, and the next ones: they may have ended then. */
function daysAround(begun: readonly BegunQuery[]): Set<string> {
  const next = (day: string) => new Date(Date.parse(day) + DAY).toISOString().slice(0, 10)
  return new Set(begun.map(dayOf).flatMap((day) => [day, next(day)]))
}

const killed = () =>
  new MoraineError('query', 'The server was killed before the query was recorded as done')

function pastOf(query: QueryRecord): PastQuery {
  const { id, time, principal, workgroup, sql, error, statistics, counted } = query
  const kind = error instanceof MoraineError ? error.kind : 'internal'
  return {
    ...{ id, time: time.toISOString(), principal },
    workgroup: shown(workgroup, LONGEST_NAME),
    sql: shown(sql, LONGEST, error !== undefined),
    ...{ ...statistics, counted },
    ...(error === undefined
      ? {}
      : { error: { kind, message: shown(messageOf(error), LONGEST, true) } }),
  }
}

/** What a query has in memory, about. */
const bytesOf = ({ sql, workgroup, error }: PastQuery) =>
  500 + 2 * (sql.length + workgroup.length + (error?.message.length ?? 0))

/**
 * The beginning of a text, without secrets, whether they are known or look like some; a statement
 * that was refused may be no SELECT, and set one.
 */
function shown(text: string, most: number, isRefused = false): string {
  const known = redact(text.slice(0, LOOKED_AT)).slice(0, most + BEHIND)
  const cut = starredSql(known, isRefused).slice(0, most)
  // A slice would hold on to all of its text.
  return Buffer.from(cut).toString()
}
