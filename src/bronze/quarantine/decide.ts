import { randomBytes } from 'node:crypto'
import type { Engine } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { whileWriting } from '../../log/live.js'
import type { CommitLog } from '../../log/log.js'
import {
  type QuarantinedObject,
  quarantinedIn,
  quarantinedOf,
  quarantineOf,
} from '../../log/quarantined.js'
import { lastNumber } from '../../plan/offsets.js'
import { Batches, type BatchManifest, sealFiles, writeManifest } from '../../step/batches.js'
import type { Storage } from '../../storage/storage.js'
import { writeUnreadable } from '../files/unreadable.js'
import { archivedBatch } from '../originals.js'

/** An object in quarantine, and its dataset. */
export interface Found {
  dataset: string
  object: QuarantinedObject
}

/**
 * The objects that somebody names: by their ids, or the beginnings of these; by a dataset, all of
 * it.
 *
 * @throws MoraineError of kind `usage` when there is none of a name, or several.
 */
export function findQuarantined(state: LakeState, names: readonly string[]): Found[] {
  const all = quarantinedIn(state)
  const found = names.flatMap((name) => {
    const ofDataset = all.filter(({ dataset }) => dataset === name || dataset === `bronze.${name}`)
    if (ofDataset.length > 0) return ofDataset
    const matching = all.filter(({ object }) => object.id.startsWith(name.toLowerCase()))
    if (matching.length === 1) return matching
    throw new MoraineError(
      'usage',
      matching.length === 0
        ? `'${name}' is not in quarantine`
        : `${matching.length} objects in quarantine start with '${name}'`,
      { hint: 'List them with: moraine quarantine list' },
    )
  })
  return [...new Map(found.map((one) => [one.object.id, one])).values()]
}

interface Tools {
  storage: Storage
  log: CommitLog
  engine: Engine
  author: string
  now?: Date
}

/**
 * Gives an object up: it becomes one discarded row that says why it could not be read, as a file
 * does that no decoder can read. Its bytes stay where they are kept, and the row names the place.
 */
export function discardQuarantined(
  tools: Tools,
  state: LakeState,
  found: Found,
): Promise<LakeState> {
  const { storage, log, author } = tools
  return whileWriting(storage, log, { command: 'quarantine', author }, () =>
    giveUp(tools, state, found),
  )
}

async function giveUp(
  { storage, log, engine, author, now = new Date() }: Tools,
  state: LakeState,
  { dataset, object }: Found,
): Promise<LakeState> {
  const own = dataset.replace(/^bronze\./, '')
  const number = lastNumber(dataset, state) + 1
  const batch = `${String(number).padStart(6, '0')}-${randomBytes(4).toString('hex')}`
  const folder = `bronze/${own}/${now.toISOString().slice(0, 10)}/${batch}`
  const data = `${folder}/00001.parquet`
  const pointers = state.batches[dataset] ?? []
  const last = pointers.findLast(({ rows }) => rows > 0)
  const columns = last ? (await new Batches(storage).manifest(last)).columns : []
  const { name, size, modified, original, reason } = object
  const message = `discarded by ${author} from quarantine: ${reason}`
  await storage.prepare(data)
  const session = await engine.open()
  const row = { name, batch, reason: message, kept: original.path, columns }
  const { rows, bytes } = await writeUnreadable(session, row, storage.locate(data)).finally(() =>
    session.close(),
  )
  const { sha256 } = original
  const file = {
    name,
    size,
    modified,
    sha256,
    data,
    rows,
    bytes,
    broken: 1,
    original,
    message,
  }
  const manifest: BatchManifest = {
    format: 2,
    dataset,
    batch,
    number,
    created: now.toISOString(),
    columns,
    files: await sealFiles(storage, [file]),
  }
  const path = `${folder}/manifest.json`
  const { body, ...described } = await writeManifest(storage, path, manifest)
  // What is archived is made anew with what was decided of it.
  if (original.path.startsWith('archive/')) await storage.write(archivedBatch(own, batch), body)
  const rest = quarantinedOf(state, dataset).filter(({ id }) => id !== object.id)
  return log.commit(
    state,
    {
      batches: [{ dataset, number, batch, ...described, rows, bytes }],
      watermarks: quarantineOf(dataset, rest),
    },
    { author, run: null, message: `discard ${name} of ${dataset}, which was in quarantine` },
  )
}
