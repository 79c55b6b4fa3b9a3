import { archivedBatch } from '../../bronze/originals.js'
import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import type { BatchPointer } from '../../log/commit.js'
import type { BatchManifest } from '../../step/batches.js'
import { readJson } from '../../storage/checked.js'
import type { Storage } from '../../storage/storage.js'
import type { SearchContext } from './options.js'
import { refusal } from './refusal.js'

/**
 * Nobody can look into archived files that no batch of now is made of: of intake that was undone,
 * or of datasets that were dropped.
 *
 * @throws MoraineError of kind `usage` that names the first.
 */
export async function refuseUnknownArchives(
  { lake, storage, state }: SearchContext,
  datasets: ReadonlySet<string>,
): Promise<void> {
  const known = new Set(lake.datasets.map(fullName))
  const nameOf = (path: string) => `bronze.${path.split('/')[1]}`
  const isMeant = (name: string) => !known.has(name) || datasets.has(name)
  const paths = (await storage.list('archive/')).map(({ path }) => path)
  const left = new Set(paths.filter((path) => isMeant(nameOf(path))))
  // A dataset that had another name has archived files below that one as well.
  for (const name of new Set([...datasets, ...Object.keys(state.batches)])) {
    if (left.size === 0) return
    for (const pointer of state.batches[name] ?? [])
      for (const path of await archivedOf(storage, pointer)) left.delete(path)
  }
  const [other] = left
  if (other === undefined) return
  const full = nameOf(other)
  const folder = full.slice('bronze.'.length)
  throw refusal(
    `${other} is of no batch that ${full} has now, and may hold such rows`,
    known.has(full)
      ? 'If it is not ingested yet, moraine run ingests it. Otherwise restore its batch (moraine rollback), or remove it by hand, as nothing else leads to it.'
      : `Define ${full} again and bring it back (moraine rollback), or remove what no batch leads to below archive/${folder}/ by hand.`,
  )
}

/** A batch that was discarded, and what the archive has of it. */
export interface ClosedBatch {
  pointer: BatchPointer
  archived: readonly string[]
}

/** Batches that were discarded, of what datasets that were looked through are read from. */
export async function closedBatches(
  { storage, state }: Pick<SearchContext, 'storage' | 'state'>,
  looked: readonly Silver[],
): Promise<ClosedBatch[]> {
  const names = new Set(looked.flatMap(({ from }) => from.map(fullName)))
  const found: ClosedBatch[] = []
  for (const name of names)
    for (const pointer of state.batches[name] ?? []) {
      if (pointer.discarded === undefined || pointer.forgotten !== undefined) continue
      const archived = await archivedOf(storage, pointer)
      if (archived.length > 0) found.push({ pointer, archived })
    }
  return found
}

/** What the archive has of a batch: its description first, where there is one. */
async function archivedOf(
  storage: Storage,
  { dataset, batch, archived }: BatchPointer,
): Promise<string[]> {
  const path = archived?.path ?? archivedBatch(dataset.slice('bronze.'.length), batch)
  if (!(await storage.stat(path))) return []
  return [path, ...(await originalsIn(storage, path, archived?.sha256))]
}

/** The archived source files that the archive says a batch was made of. */
export async function originalsIn(
  storage: Storage,
  path: string,
  sha256?: string,
): Promise<Set<string>> {
  const { files } = await readJson<Pick<BatchManifest, 'files'>>(storage, path, sha256)
  const all = files.flatMap(({ original }) => (original ? [original.path] : []))
  return new Set(all.filter((one) => one.startsWith('archive/')))
}
