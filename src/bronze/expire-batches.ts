import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import { secondsOf } from '../define/interval.js'
import type { Lake } from '../define/lake.js'
import type { Bronze } from '../define/model.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import { quarantinedOf } from '../log/quarantined.js'
import type { Batches } from '../step/batches.js'

/** What decides which batches may go. */
interface Expiring {
  lake: Lake
  state: LakeState
  batches: Batches
  now: Date
  needed: (dataset: Bronze, pointers: readonly BatchPointer[]) => Promise<ReadonlySet<string>>
}

/**
 * The last batch of each dataset that has been kept for long enough: older than its `keep`, and
 * read by all that reads the dataset. What nobody reads stays, and so does a full extract that no
 * other has taken the place of.
 *
 * @param needed which of some batches tell which rows of a source are new.
 */
export async function batchesToExpire(
  datasets: readonly Bronze[],
  { lake, state, batches, now, needed }: Expiring,
): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const dataset of datasets) {
    const name = fullName(dataset)
    const readers = lake.datasets.filter((reader) => inputsOf(reader).includes(dataset))
    const read = readers.map((reader) => Number(state.offsets[fullName(reader)]?.[name] ?? 0))
    const before = now.getTime() - (secondsOf(dataset.keep as string) as number) * 1000
    const all = Math.min(...read, readers.length === 0 ? 0 : Number.POSITIVE_INFINITY)
    // What a source consists of stays, however old it is.
    const fullExtract = state.batches[name]?.findLast((batch) => batch.fullExtract)?.number
    // What is in quarantine is to come back where it arrived: that and what is behind it stays.
    const places = quarantinedOf(state, name).map(({ batch }) => Number.parseInt(batch, 10))
    const waiting = Math.min(...places, Number.POSITIVE_INFINITY)
    const old: BatchPointer[] = []
    for (const pointer of state.batches[name] ?? []) {
      if (pointer.number > all || pointer.number === fullExtract || pointer.number >= waiting) break
      const { created } = await batches.manifest(pointer)
      if (Date.parse(created) >= before) break
      old.push(pointer)
    }
    const stays = fullExtract || old.length === 0 ? new Set() : await needed(dataset, old)
    const end = old.findIndex(({ batch }) => stays.has(batch))
    const last = (end < 0 ? old : old.slice(0, end)).at(-1)
    if (last) found[name] = last.number
  }
  return found
}
