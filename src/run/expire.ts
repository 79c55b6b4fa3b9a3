import { batchesToExpire } from '../bronze/expire-batches.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import { Batches } from '../step/batches.js'
import type { RunRecorder } from './recorder.js'
import type { Shared } from './run-context.js'

/** Lets old batches go that all readers have read. */
export async function expireBatches(
  { lake, storage, log, author, run, signal }: Shared,
  datasets: readonly AnyDataset[],
  recorder: RunRecorder,
  now: () => Date,
): Promise<void> {
  const kept = datasets.filter((d): d is Bronze => d.tier === 'bronze' && d.keep !== undefined)
  if (kept.length === 0 || signal.aborted) return
  const state = await log.head()
  const expire = await batchesToExpire(kept, {
    lake,
    state,
    batches: new Batches(storage),
    now: now(),
  })
  const names = Object.keys(expire)
  if (names.length === 0) return
  const message = `expire old batches of ${names.join(', ')}`
  const { number } = await log.commit(state, { expire }, { author, run, message })
  recorder.committed(number, names)
}
