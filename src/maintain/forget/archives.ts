import { archivedBatch } from '../../bronze/originals.js'
import { fullName } from '../../define/dataset.js'
import type { BatchManifest } from '../../step/batches.js'
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
  const paths = (await storage.list('archive/')).map(({ path }) => path)
  const nameOf = (path: string) => path.split('/')[1] as string
  for (const name of new Set(paths.map(nameOf))) {
    const full = `bronze.${name}`
    if (known.has(full) && !datasets.has(full)) continue
    const batches = (state.batches[full] ?? []).map(({ batch }) => archivedBatch(name, batch))
    const named = new Set(batches)
    for (const path of batches)
      for (const original of originalsIn(await storage.readIfPresent(path))) named.add(original)
    const other = paths.find((path) => nameOf(path) === name && !named.has(path))
    if (other)
      throw refusal(
        `${other} is of no batch that ${full} has now, and may hold such rows`,
        known.has(full)
          ? `If it waits to be read, moraine run takes it in. Else bring its batch back (moraine rollback), or remove it by hand, as nothing else leads to it.`
          : `Define ${full} again and bring it back (moraine rollback), or remove archive/${name}/ by hand.`,
      )
  }
}

/** The source files that the archive says a batch was made of. */
export function originalsIn(bytes: Uint8Array | undefined): Set<string> {
  const { files } = JSON.parse(
    new TextDecoder().decode(bytes ?? new TextEncoder().encode('{"files":[]}')),
  ) as Pick<BatchManifest, 'files'>
  return new Set(files.flatMap(({ original }) => (original ? [original.path] : [])))
}
