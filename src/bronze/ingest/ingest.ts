import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { IngestSource } from '../../define/source.js'
import type { LakeState } from '../../log/commit.js'
import type { QuarantinedObject } from '../../log/quarantined.js'
import { Batches } from '../../step/batches.js'
import type { RunContext } from '../../step/context.js'
import type { StoredObject } from '../../storage/storage.js'
import { type NewBatch, nothingYet } from '../batch-commit.js'
import type { Ingestion } from '../ingestion.js'
import type { Intake, Offer } from '../offer.js'
import { suspectsOf } from '../quarantine/reading.js'
import type { ReadAgain } from '../quarantine/retry.js'
import { LandedIngest } from './landed.js'
import { Landing, strayNotes } from './landing.js'
import type { Reached } from './pieces.js'
import { recentlySent } from './sent-requests.js'

/** Bytes that are taken in as one batch. */
const TOGETHER = 256 * 2 ** 20

/** Looks whether requests have landed. */
export async function discoverLanded(
  dataset: Bronze,
  source: IngestSource,
  batches: Batches,
): Promise<Offer> {
  const landing = new Landing(batches.storage, dataset.name)
  const { objects, strays } = await landing.look()
  const n = objects.length
  const news = n === 0 ? undefined : `${n} ${n === 1 ? 'object has' : 'objects have'} arrived`
  return {
    discovery: { news, none: 'nothing has arrived', notes: strayNotes(dataset, strays) },
    ingest: (context, base) => ingestLanded({ context, dataset, source }, base, batches),
  }
}

async function ingestLanded(
  ingestion: Ingestion<IngestSource>,
  base: LakeState,
  batches: Batches,
): Promise<Intake> {
  const { context, dataset } = ingestion
  const name = fullName(dataset)
  const landing = new Landing(context.storage, dataset.name)
  const known = await recentlySent(base, name, batches)
  let done = nothingYet(base)
  const all = await landing.list()
  // A run that was killed after its commit has left what it had taken in.
  const left = all.filter(({ path }) => known.landed.has(path))
  const fresh = all.filter(({ path }) => !known.landed.has(path))
  await removeAll(context, left)
  const suspects = await suspectsOf(context, dataset)
  for (const group of groupsOf(fresh)) {
    context.signal.throwIfAborted()
    const { reached } = (base.watermarks[name] ?? {}) as Reached
    const objects = { landing, group, batches }
    const reader = new LandedIngest(ingestion, objects, known, reached)
    done = await reader.ingest(done, suspects)
    await removeAll(context, group)
  }
  await suspects.clear()
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

/**
 * Reads a request that was in quarantine.
 *
 * @throws what keeps it from being read.
 */
export async function readRequest(
  ingestion: Ingestion<IngestSource>,
  object: QuarantinedObject,
  { batch, folder }: NewBatch,
): Promise<ReadAgain> {
  const { context, dataset } = ingestion
  const data = `${folder}/00001.parquet`
  await context.storage.prepare(data)
  const landing = new Landing(context.storage, dataset.name)
  const { path } = object.original
  const group = { landing, group: [], batches: new Batches(context.storage) }
  const nothing = { requests: new Map(), landed: new Set<string>() }
  const reader = new LandedIngest(ingestion, group, nothing)
  const { read, columns, kept } = await reader.read([{ path }], batch, data)
  const { bytes, content } = read
  const { name, modified } = object
  const about = { name: `${name}#${batch}`, size: bytes, modified }
  const file = { ...about, sha256: content.digest('hex'), data, ...kept }
  return { files: [file], columns, notes: [] }
}
