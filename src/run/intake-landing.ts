import { createHash } from 'node:crypto'
import { type Bronze, fullName } from '../define/dataset.js'
import type { IngestSource } from '../define/source.js'
import type { LakeState } from '../log/commit.js'
import type { JsonRecord } from '../source/formats/json-records.js'
import { exactNumbers } from '../source/formats/json-records.js'
import { takeRecords } from '../source/formats/take-json.js'
import type { StoredObject } from '../storage/storage.js'
import type { Batches, BatchFile } from './batches.js'
import { type RunContext, withSession } from './context.js'
import type { Intake, Offer } from './intake.js'
import { Landing } from './landing.js'
import { commitRows, newBatch, nothingYet } from './rows-commit.js'
import { wantedTypes } from './wanted.js'

/** For so long a request that comes again is known, in milliseconds. */
const REMEMBERED = 3_600_000
/** Bytes that are taken in as one batch. */
const TOGETHER = 256 * 2 ** 20

/** What a batch of sent rows was made from. */
interface Sent {
  landed: string[]
  keys: string[]
}

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

/** The keys of requests that batches of the last while hold, and the landed objects that they were made from. */
export async function recentlySent(
  state: Pick<LakeState, 'batches'>,
  name: string,
  batches: Batches,
  now = Date.now(),
): Promise<{ keys: Set<string>; landed: Set<string> }> {
  const keys = new Set<string>()
  const landed = new Set<string>()
  for (const pointer of [...(state.batches[name] ?? [])].reverse()) {
    const { created, source } = await batches.manifest(pointer)
    const sent = source as Partial<Sent> | undefined
    for (const key of sent?.keys ?? []) keys.add(key)
    for (const path of sent?.landed ?? []) landed.add(path)
    if (now - Date.parse(created) > REMEMBERED) break
  }
  return { keys, landed }
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
    done = await takeGroup(context, dataset, source, done, landing, group, known.keys)
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

async function takeGroup(
  context: RunContext,
  dataset: Bronze,
  source: IngestSource,
  done: Intake,
  landing: Landing,
  group: readonly StoredObject[],
  known: Set<string>,
): Promise<Intake> {
  const name = fullName(dataset)
  const batch = newBatch(context, done.state, dataset)
  const data = `${batch.folder}/00001.parquet`
  const content = createHash('sha256')
  const keys: string[] = []
  let again = 0
  let bytes = 0
  async function* rows(): AsyncGenerator<JsonRecord[]> {
    let line = 0
    for (const { path } of group)
      for (const request of await landing.read(path)) {
        if (known.has(request.key)) {
          again += request.rows.length
          continue
        }
        known.add(request.key)
        keys.push(request.key)
        for (const row of request.rows) {
          content.update(row).update('\n')
          bytes += row.length
        }
        yield request.rows.map((row) => ({ line: ++line, ...exactNumbers(row) }))
      }
  }
  await context.storage.prepare(data)
  const place = `POST /ingest/${dataset.name}`
  const file = { path: place, name: place, size: 0, modified: 0 }
  const { columns, ...kept } = await withSession(context, name, (session) =>
    takeRecords(file, source, rows(), {
      session,
      location: context.storage.locate(data),
      batch: batch.batch,
      wanted: wantedTypes(context.lake.datasets, dataset),
      large: true,
      signal: context.signal,
    }),
  )
  const notes = again > 0 ? [`${again} rows came again, and are there once`] : []
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
  const sent: Sent = { landed: group.map(({ path }) => path), keys }
  const result = await commitRows(context, done, {
    dataset,
    batch,
    files: [taken],
    columns,
    source: sent,
    watermark: { landed: group.at(-1)?.path },
    more: {},
  })
  return { ...result, notes: [...result.notes, ...notes] }
}
