import { batchesOfOpenRows } from '../bronze/database/known-rows.js'
import { batchesToExpire } from '../bronze/expire-batches.js'
import { rememberedOfExpired } from '../bronze/inbox/remembered.js'
import { isForgetting } from '../plan/decision.js'
import type { ExpireStage } from '../plan/plan.js'
import { Batches } from '../step/batches.js'
import type { RunRecorder } from './recorder.js'
import type { Shared } from './run-context.js'

/** Lets old batches go that all readers have read. */
export async function expireBatches(
  shared: Shared,
  stages: readonly ExpireStage[],
  recorder: RunRecorder,
  now: () => Date,
): Promise<void> {
  const { lake, storage, log, author, run, signal } = shared
  if (stages.length === 0 || signal.aborted) return
  const kept = stages.map(({ dataset }) => dataset)
  const state = await log.head()
  if (isForgetting(state)) return
  const batches = new Batches(storage)
  const expire = await batchesToExpire(kept, {
    lake,
    state,
    batches,
    now: now(),
    needed: (dataset, pointers) => batchesOfOpenRows(shared, state, dataset, pointers),
  })
  const names = Object.keys(expire)
  if (names.length === 0) return
  const message = `expire old batches of ${names.join(', ')}`
  const watermarks = await rememberedOfExpired(kept, { state, batches }, expire)
  const more = Object.keys(watermarks).length > 0 ? { watermarks } : {}
  const { number } = await log.commit(state, { expire, ...more }, { author, run, message })
  recorder.committed(number, names)
}
