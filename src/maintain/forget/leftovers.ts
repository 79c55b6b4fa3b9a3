import type { Changes, LakeState } from '../../log/commit.js'
import type { NamedReceipt } from '../../log/forgotten.js'
import type { CommitLog } from '../../log/log.js'
import { Batches } from '../../step/batches.js'
import type { Storage } from '../../storage/storage.js'
import { originalsIn } from './archives.js'
import { namesSince } from './build.js'

/** Records of runs and of queries, which quote values: profiles, texts of conditions, errors. */
const RECORDS = ['_moraine/runs/', '_moraine/queries/']

/**
 * Removes all records but those of runs which the rows are not in any more; returns how many there
 * were.
 *
 * @param stays whether a run is one of these, by its id.
 */
export async function removeRecords(
  storage: Storage,
  stays: (run: string) => boolean = () => false,
): Promise<number> {
  const found = (await Promise.all(RECORDS.map((folder) => storage.list(folder)))).flat()
  const old = found.filter(({ path }) => {
    const [, kind, id] = path.split('/')
    return kind !== 'runs' || !stays(id as string)
  })
  for (const { path } of old) await storage.remove(path)
  return old.length
}

/**
 * Removes archived files of batches from which rows were removed, as far as these files hold some
 * and no other batch is made of them, and of batches of the same datasets that were discarded, into
 * which nobody can look; last what describes them. So whoever goes on after a crash finds what is
 * left. A batch that has left the lake meanwhile is known by the commit that took the rows out of
 * it.
 */
export async function removeArchived(
  { storage, log }: { storage: Storage; log: CommitLog },
  { batches }: LakeState,
  receipt: NamedReceipt,
): Promise<number> {
  const reader = new Batches(storage)
  const now = Object.values(batches).flat()
  const { changes } = (await log.entry(receipt.commit))?.commit ?? { changes: {} as Changes }
  const gone = (changes.batches ?? []).filter(
    ({ forgotten, batch }) => forgotten !== undefined && !now.some((one) => one.batch === batch),
  )
  let removed = 0
  for (const { path } of await storage.list('archive/')) {
    const name = /\/batches\/([^/]+)\.json$/.exec(path)?.[1]
    const pointer = now.find(({ batch }) => batch === name)
    const left = gone.find(({ batch }) => batch === name)
    const of = pointer?.forgotten === undefined ? left : pointer
    if (!of) continue
    // Files of the same content and day are archived once.
    const names = pointer ? [of.dataset] : await namesSince(log, receipt.commit, [of.dataset])
    const others = [...names].flatMap((dataset) => batches[dataset] ?? [])
    const files = (await reader.manifests(others)).flatMap((manifest) => manifest.files)
    const stays = new Set(files.map(({ original }) => original?.path))
    for (const original of await originalsIn(storage, path)) {
      if (stays.has(original)) continue
      await storage.remove(original)
      removed++
    }
    await storage.remove(path)
    removed++
  }
  return removed
}
