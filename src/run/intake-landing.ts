import { createHash } from 'node:crypto'
import { type Bronze, fullName } from '../define/dataset.js'
import type { IngestSource } from '../define/source.js'
import type { LakeState } from '../log/commit.js'
import type { JsonRecord } from '../source/formats/json-records.js'
import { exactNumbers } from '../source/formats/json-records.js'
import { MOST_COLUMNS, takeRecords } from '../source/formats/take-json.js'
import type { StoredObject } from '../storage/storage.js'
import type { Batches, BatchFile } from './batches.js'
import { type RunContext, withSession } from './context.js'
import type { Intake, Offer } from './intake.js'
import { Landing } from './landing.js'
import { NameLimit } from './name-limit.js'
import { commitRows, newBatch, nothingYet } from './rows-commit.js'
import {
  hashOfRows,
  hasOwnKey,
  indexKeys,
  type RecentlySent,
  recentlySent,
  type Sent,
  type SentRequest,
  sameRequest,
} from './sent-requests.js'
import { isFault } from './unreadable.js'
import { wantedTypes } from './wanted.js'

/** Bytes that are taken in as one batch. */
const TOGETHER = 256 * 2 ** 20

/** Looks whether requests have landed. */
export async function discoverLanded(
  dataset: Bronze,
  source: IngestSource,
  batches: Batches,
): Promise<Offer> {
  const objects = await new Landing(batches.storage, dataset.name).list()
  const n = objects.length
  const news = n === 0 ? undefined : `${n} ${n === 1 ? 'object has' : 'objects have'} landed`
  return {
    discovery: { news, none: 'nothing has landed', notes: [] },
    take: (context, base) => take(context, dataset, source, base, batches),
  }
}

async function take(
  context: RunContext,
  dataset: Bronze,
  source: IngestSource,
  base: LakeState,
  batches: Batches,
): Promise<Intake> {
  const name = fullName(dataset)
  const landing = new Landing(context.storage, dataset.name)
  const known = await recentlySent(base, name, batches)
  let done = nothingYet(base)
  const all = await landing.list()
  // A run that was killed after its commit has left what it had taken in.
  const left = all.filter(({ path }) => known.landed.has(path))
  const fresh = all.filter(({ path }) => !known.landed.has(path))
  await removeAll(context, left)
  for (const group of groupsOf(fresh)) {
    context.signal.throwIfAborted()
    done = await takeGroup(context, dataset, source, done, { landing, group, batches }, known)
    await removeAll(context, group)
  }
  return done
}

function groupsOf(objects: readonly StoredObject[]): StoredObject[][] {
  const groups: StoredObject[][] = []
  let bytes = 0
  for (const object of objects) {
    if (groups.length === 0 || bytes + object.size > TOGETHER) {
      groups.push([])
      bytes = 0
    }
    bytes += object.size
    groups.at(-1)?.push(object)
  }
  return groups
}

async function removeAll(context: RunContext, objects: readonly StoredObject[]): Promise<void> {
  for (const { path } of objects) await context.storage.remove(path)
}

/** Landed objects that become one batch. */
interface Group {
  landing: Landing
  group: readonly StoredObject[]
  batches: Batches
}

async function takeGroup(
  context: RunContext,
  dataset: Bronze,
  source: IngestSource,
  done: Intake,
  { landing, group, batches }: Group,
  { requests: known }: RecentlySent,
): Promise<Intake> {
  const name = fullName(dataset)
  const batch = newBatch(context, done.state, dataset)
  const data = `${batch.folder}/00001.parquet`
  const before = [...known]
  const reading = () => new GroupReader(landing, group, known)
  let read = reading()
  await context.storage.prepare(data)
  const place = `POST /ingest/${dataset.name}`
  const file = { path: place, name: place, size: 0, modified: 0 }
  const { columns, ...kept } = await withSession(context, name, async (session) => {
    const target = {
      session,
      location: context.storage.locate(data),
      batch: batch.batch,
      wanted: wantedTypes(context.lake.datasets, dataset),
      large: true,
      signal: context.signal,
    }
    return takeRecords(file, source, read.rows(), target).catch((error) => {
      context.signal.throwIfAborted()
      if (!isFault(error)) throw error
      // Rows of different senders: what is wrong with some is told of each of them.
      read = reading()
      return takeRecords(file, source, read.rows(new NameLimit(MOST_COLUMNS)), target)
    })
  })
  const { notes, keys, hashes, bytes, content } = read
  for (const [i, key] of keys.entries())
    known.set(key, { hash: hashes[i] as string, at: context.started.getTime() })
  if (kept.rows === 0) {
    await context.storage.remove(data)
    return { ...done, notes: [...done.notes, ...notes] }
  }
  const modified = context.started.getTime()
  const taken: BatchFile = {
    name: `${place}#${batch.number}`,
    size: bytes,
    modified,
    sha256: content.digest('hex'),
    data,
    ...kept,
  }
  await context.storage.seal([data])
  const sent: Sent = { landed: group.map(({ path }) => path), keys, hashes }
  const about = { name: dataset.name, batch: batch.batch, number: batch.number }
  const index = await indexKeys(done.state, about, batches, before)
  const result = await commitRows(context, done, {
    dataset,
    batch,
    files: [taken],
    columns,
    source: sent,
    watermark: { landed: group.at(-1)?.path, ...(index ? { index } : {}) },
    more: {},
  })
  return { ...result, notes: [...result.notes, ...notes] }
}

/** The rows of landed objects, each request once. */
class GroupReader {
  readonly content = createHash('sha256')
  readonly keys: string[] = []
  readonly hashes: string[] = []
  bytes = 0
  private again = 0
  private others = 0

  constructor(
    private readonly landing: Landing,
    private readonly group: readonly StoredObject[],
    private readonly known: ReadonlyMap<string, SentRequest>,
  ) {}

  get notes(): string[] {
    const { again, others } = this
    return [
      ...(again > 0 ? [`${again} rows came again, and are there once`] : []),
      ...(others > 0 ? [`${others} rows came under a key of other rows, and are there too`] : []),
    ]
  }

  async *rows(limit?: NameLimit): AsyncGenerator<JsonRecord[]> {
    const own = new Map<string, SentRequest>()
    let line = 0
    for (const { path } of this.group)
      for (const request of await this.landing.read(path)) {
        const { key, rows } = request
        const before = own.get(key) ?? this.known.get(key)
        if (before && sameRequest(before, rows)) {
          this.again += rows.length
          continue
        }
        // It was accepted, by a server that did not know the other one: nothing of it may be lost.
        if (before) this.others += rows.length
        const hash = hashOfRows(rows)
        if (!before) own.set(key, { hash, at: 0 })
        if (hasOwnKey(request) && !before) {
          this.keys.push(key)
          this.hashes.push(hash)
        }
        for (const row of rows) {
          this.content.update(row).update('\n')
          this.bytes += row.length
        }
        yield rows.map((row) => {
          const error = limit?.refusal(row)
          line++
          return error === undefined ? { line, ...exactNumbers(row) } : { line, error, raw: row }
        })
      }
  }
}
