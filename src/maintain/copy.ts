import { randomUUID } from 'node:crypto'
import { copyFile } from 'node:fs/promises'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { tableFolder } from '../iceberg/table-folder.js'
import { Heartbeat, whileWriting } from '../log/live.js'
import { CommitLog } from '../log/log.js'
import { IDENTITY } from '../log/reading/identity.js'
import { checksumsOf } from '../log/verify/verify.js'
import { currentUser } from '../step/context.js'
import { MovedChecksums } from '../storage/moved.js'
import { within } from '../storage/place/within.js'
import { createOnce } from '../storage/retry.js'
import { type Storage, type StoredObject, stagingOf } from '../storage/storage.js'
import { type ExternalCopy, lookAtCopied } from './copy-external.js'
import { relocateTable } from './relocate.js'

const LOG = '_moraine/log/'
/** What is made anew where it is missing, or says nothing about the lake. */
const LEFT = [
  LOG,
  IDENTITY,
  '_moraine/probe/',
  '_moraine/checkpoints/',
  '_moraine/checksums/',
  '_moraine/live/',
  '_moraine/coming/',
  '_moraine/audit/',
  '_moraine/queries/',
  '_moraine/definitions/',
]
/** Objects that are made durable together. */
const TOGETHER = 16

export interface Copied {
  objects: number
  bytes: number
  commits: number
  /**
   * Files that are damaged where they come from: copied as they are, but for those that say where
   * others lie.
   */
  damaged: string[]
  /** What the copy lacks of what other engines keep. */
  external?: ExternalCopy
}

/**
 * Copies a lake to another folder or bucket, with its whole history: all files first, the log last,
 * so that nothing is visible there before all of it is. A copy that was stopped goes on, and a
 * whole one is brought up to date: what its log leads to stays as it is. Commits that are made
 * meanwhile are not part of it.
 *
 * @throws MoraineError of kind `usage` when another lake lies there, and of kind `storage` when
 *   none can.
 */
export async function copyLake(
  from: Storage,
  to: Storage,
  session: Session,
  signal: AbortSignal,
  progress: (done: Copied) => void = () => {},
): Promise<Copied> {
  if (from.url === to.url)
    throw new MoraineError('usage', `The lake is already at ${to.url}`, {
      hint: 'Use another location.',
    })
  if (within(from, to.url).is !== 'outside')
    throw new MoraineError('usage', `${to.url} and the lake at ${from.url} lie within each other`, {
      hint: 'Nothing was copied. Use a location outside of the lake.',
    })
  await refuseOther(from, to)
  await new CommitLog(to).refuseCareless()
  const author = currentUser()
  const source = new CommitLog(from)
  // All that can still be seen is read.
  const reader = Heartbeat.ofReader(from, author, (await source.head()).horizon ?? 0)
  try {
    const by = { command: 'copy', author }
    return await whileWriting(to, new CommitLog(to), by, () =>
      copy(from, to, session, signal, progress),
    )
  } finally {
    await reader.stop()
  }
}

async function copy(
  from: Storage,
  to: Storage,
  session: Session,
  signal: AbortSignal,
  progress: (done: Copied) => void,
): Promise<Copied> {
  const log = await from.list(LOG)
  const sums = await checksumsOf(from, new CommitLog(from))
  const all = (await from.list('')).filter(
    ({ path }) => !LEFT.some((left) => path.startsWith(left)),
  )
  const isMetadata = ({ path }: StoredObject) =>
    /^[^/]+\/.+\/metadata\/[^/]+\.(avro|metadata\.json)$/.test(path) && !path.startsWith('bronze/')
  const done: Copied = { objects: 0, bytes: 0, commits: 0, damaged: [] }
  const count = (objects: readonly StoredObject[]) => {
    done.objects += objects.length
    done.bytes += objects.reduce((sum, { size }) => sum + size, 0)
    progress(done)
  }
  const noted = await MovedChecksums.of(to).all()
  const moved = new Map([...(await MovedChecksums.of(from).all()), ...noted])
  const places = { from, to, session, expected: sums }
  const deletes = new Set<string>()
  for (const [folder, objects] of tablesOf(all.filter(isMetadata))) {
    signal.throwIfAborted()
    const table = await relocateTable(places, folder, objects)
    done.damaged.push(...table.damaged)
    for (const path of table.deletes) deletes.add(path)
    // Of what lies there from an earlier copy, what that one has noted stays right.
    for (const { path, sha256, isNew } of table.metadata)
      if (sums.has(path)) moved.set(path, (isNew ? undefined : noted.get(path)) ?? sha256)
    count(objects)
  }
  const rest = all.filter((object) => !isMetadata(object))
  count(rest.filter(({ path }) => deletes.has(path)))
  // As they are, lists of deleted rows would match no row there.
  const data = rest.filter(({ path }) => !deletes.has(path))
  for (let at = 0; at < data.length; at += TOGETHER) {
    signal.throwIfAborted()
    const group = data.slice(at, at + TOGETHER)
    done.damaged.push(...(await copyObjects(from, to, group, sums)))
    count(group)
  }
  // The log says what metadata were before they were moved, and can't be changed.
  if (moved.size > 0) await MovedChecksums.of(to).add(`copy-${randomUUID()}`, moved)
  for (const entry of log) {
    await createOnce(to, entry.path, await from.read(entry.path))
    done.commits++
    count([entry])
  }
  const state = await new CommitLog(to).head()
  return state.external ? { ...done, external: await lookAtCopied(from, to, state) } : done
}

/** What is there must be an earlier copy of the same lake. */
async function refuseOther(from: Storage, to: Storage): Promise<void> {
  for (const { path } of await to.list(LOG)) {
    const [ours, theirs] = [await from.readIfPresent(path), await to.read(path)]
    if (ours && Buffer.compare(ours, theirs) === 0) continue
    throw new MoraineError('usage', `There is another lake at ${to.url}`, {
      hint: 'Use an empty location. A copy that has changed since is a lake of its own.',
    })
  }
}

async function copyObjects(
  from: Storage,
  to: Storage,
  objects: readonly StoredObject[],
  expected: ReadonlyMap<string, string>,
): Promise<string[]> {
  const missing: StoredObject[] = []
  const damaged: string[] = []
  for (const object of objects) {
    const { path, size } = object
    const there = await to.stat(path)
    if (there?.size === size) continue
    const sum = expected.get(path)
    // What is whole in an earlier copy stays so when it is damaged where it comes from.
    const isWhole = there !== undefined && sum !== undefined && (await to.digest(path)) === sum
    if (isWhole) damaged.push(path)
    else missing.push(object)
  }
  // What is damaged is copied too, and said.
  await stagingOf(from).fetch(
    missing.map(({ path }) => from.locate(path)),
    true,
  )
  for (const { path } of missing) {
    await to.prepare(path)
    const [source, target] = [from, to].map((s) => stagingOf(s).localPath(s.locate(path)))
    await copyFile(source as string, target as string)
  }
  const sums = await to.seal(missing.map(({ path }) => path))
  for (const [path, sum] of sums) if ((expected.get(path) ?? sum) !== sum) damaged.push(path)
  return damaged
}

function tablesOf(objects: readonly StoredObject[]): Map<string, StoredObject[]> {
  const tables = new Map<string, StoredObject[]>()
  for (const object of objects) {
    const folder = tableFolder(object.path)
    tables.set(folder, [...(tables.get(folder) ?? []), object])
  }
  return tables
}
