import { MoraineError } from '../errors.js'
import { filesOfAllSnapshots, foreignMetadata, type Known, knownOf } from '../iceberg/all-files.js'
import { Table } from '../iceberg/table.js'
import type { Storage } from '../storage/storage.js'
import type { BatchPointer, Changes, ExternalState, LakeState, TableState } from './commit.js'
import { relationAt } from './external.js'
import { VACUUMED } from './format/folders.js'

/** Requests at once. */
const TOGETHER = 16

/**
 * What is archived is never removed: a file of any age may be found there, and be referred to,
 * again.
 */
const mayGo = (path: string) => VACUUMED.some((folder) => path.startsWith(folder))

/** What was there when a writer began. */
export type Base = Pick<LakeState, 'tables' | 'batches'> &
  Partial<Pick<LakeState, 'watermarks' | 'external'>>

/** What somebody is about to commit. */
export interface Writing {
  base: Base
  changes: Changes
  /**
   * Whether it is on a branch: of its tables, vacuum removes files of old snapshots without a
   * commit that says so.
   */
  isOnBranch: boolean
}

/** What a commit refers to, beside what was there at its base. */
interface Reference {
  /** What the log holds: the path of a table's metadata, of a batch's manifest, or of an index. */
  path: string
  /** All files that belong to it. */
  files: () => Promise<string[]>
  /** Those that the same dataset had at the base: they are read as far as they are asked for. */
  before: () => AsyncIterable<string>
}

/**
 * The files of changes that are missing, or that a vacuum may be removing at this moment: those
 * from before `cutoff` that no commit led to when it began.
 *
 * @param cutoff milliseconds since 1970, by the storage's own times; nothing is removed without it.
 * @param visible what commits lead to that can be seen: paths of metadata, manifests and indexes.
 */
export async function goneFiles(
  storage: Storage,
  writing: Writing,
  cutoff: number,
  visible: () => Promise<ReadonlySet<string>>,
): Promise<string[]> {
  const { base, changes } = writing
  const gone: string[] = []
  let seen: ReadonlySet<string> | undefined
  const external =
    cutoff === Number.NEGATIVE_INFINITY ? [] : externalReferences(storage, base, changes)
  for (const reference of [...referencesOf(storage, writing), ...external]) {
    const candidates = await candidatesOf(storage, reference, cutoff)
    if (candidates.length === 0) continue
    // What may go, and what is gone all the same.
    const old = candidates.filter(({ missing }) => !missing).map(({ path }) => path)
    gone.push(...candidates.filter(({ missing }) => missing).map(({ path }) => path))
    if (old.length === 0) continue
    seen ??= await visible()
    if (seen.has(reference.path)) continue
    gone.push(...(await withoutThose(reference.before(), old)))
  }
  return gone
}

/** What of some paths is not among others. */
async function withoutThose(others: AsyncIterable<string>, paths: string[]): Promise<Set<string>> {
  const left = new Set(paths)
  for await (const path of others) {
    left.delete(path)
    if (left.size === 0) break
  }
  return left
}

async function* nothing(): AsyncGenerator<string> {}

async function allOf(paths: AsyncIterable<string>): Promise<string[]> {
  const all = new Set<string>()
  for await (const path of paths) all.add(path)
  return [...all]
}

async function candidatesOf(
  storage: Storage,
  reference: Reference,
  cutoff: number,
): Promise<{ path: string; missing: boolean }[]> {
  let files: string[]
  try {
    files = await reference.files()
  } catch (error) {
    if (!(error instanceof MoraineError) || error.retryable) throw error
    // What says which files there are is gone itself, or a part of it.
    return [{ path: reference.path, missing: true }]
  }
  const found: { path: string; missing: boolean }[] = []
  for (let at = 0; at < files.length; at += TOGETHER) {
    const looked = files.slice(at, at + TOGETHER).map(async (path) => {
      const object = await storage.stat(path)
      if (!object) return [{ path, missing: true }]
      return object.modified < cutoff && mayGo(path) ? [{ path, missing: false }] : []
    })
    found.push(...(await Promise.all(looked)).flat())
  }
  return found
}

function referencesOf(storage: Storage, { base, changes, isOnBranch }: Writing): Reference[] {
  const known = new Set(Object.values(base.tables).map(({ metadata }) => metadata))
  const tables = Object.entries(changes.tables ?? {}).flatMap(([name, table]) =>
    table && !known.has(table.metadata)
      ? [tableReference(storage, base.tables[name], table, !isOnBranch)]
      : [],
  )
  const batches = (changes.batches ?? []).flatMap((batch) => {
    const before = base.batches[batch.dataset]?.find(({ number }) => number === batch.number)
    return before?.manifest === batch.manifest ? [] : [batchReference(storage, before, batch)]
  })
  const indexes = Object.entries(changes.watermarks ?? {}).flatMap(([name, watermark]) => {
    const [path, earlier] = [indexOf(watermark), indexOf(base.watermarks?.[name])]
    return path && path !== earlier ? [{ path, files: async () => [path], before: nothing }] : []
  })
  return [...tables, ...batches, ...indexes]
}

/**
 * Tables that other engines have changed: nobody knows when they began to write their files. Before
 * the first vacuum, none can be gone.
 */
function externalReferences(storage: Storage, base: Base, { external }: Changes): Reference[] {
  const changed = Object.entries(external?.relations ?? {})
  // What gets another name was there before.
  const there = new Set(changed.map(([key]) => relationAt(base.external, key)?.metadata))
  return changed.flatMap(([key, table]) => {
    if (!table || there.has(table.metadata)) return []
    const before = relationAt(base.external, key)
    return [
      {
        path: table.metadata,
        files: async () => allOf(filesOfExternal(storage, table, await knownAt(storage, before))),
        before: () => (before ? filesOfExternal(storage, before) : nothing()),
      },
    ]
  })
}

async function* filesOfExternal(
  storage: Storage,
  of: ExternalState,
  known?: Known,
): AsyncGenerator<string> {
  if (of.kind === 'view') return yield of.metadata
  for await (const { path } of filesOfAllSnapshots(storage, of, known))
    if (path !== undefined) yield path
}

/** What a table has already: what that leads to is not looked for again. */
async function knownAt(storage: Storage, before: ExternalState | undefined): Promise<Known> {
  if (before?.kind !== 'table') return {}
  return knownOf(storage, await foreignMetadata(storage, before))
}

/**
 * @param others whether all snapshots of the version before are there for as long as it lists them:
 *   a tag may name any of them.
 */
function tableReference(
  storage: Storage,
  before: TableState | undefined,
  { metadata }: TableState,
  others: boolean,
): Reference {
  return {
    path: metadata,
    files: () => allOf(filesOfTable(storage, metadata)),
    before: () => (before ? filesOfTable(storage, before.metadata, others) : nothing()),
  }
}

function batchReference(
  storage: Storage,
  before: BatchPointer | undefined,
  { manifest }: BatchPointer,
): Reference {
  return {
    path: manifest,
    files: () => allOf(filesOfBatch(storage, manifest)),
    before: () => (before ? filesOfBatch(storage, before.manifest) : nothing()),
  }
}

function indexOf(watermark: unknown): string | undefined {
  return (watermark as { index?: { path?: string } } | null | undefined)?.index?.path
}

/**
 * A version of a table: its metadata, and what its current snapshot leads to, and those with a
 * name.
 *
 * @param others also all other snapshots, as far as their files are there.
 */
async function* filesOfTable(
  storage: Storage,
  metadata: string,
  others = false,
): AsyncGenerator<string> {
  const table = await Table.load(storage, metadata)
  yield metadata
  yield* table.paths(() => false, { others })
}

async function* filesOfBatch(storage: Storage, manifest: string): AsyncGenerator<string> {
  const { files } = JSON.parse(new TextDecoder().decode(await storage.read(manifest))) as {
    files: { data: string; original?: { path: string } }[]
  }
  yield manifest
  for (const { data, original } of files) yield* original ? [data, original.path] : [data]
}
