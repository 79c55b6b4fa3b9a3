import type { BatchPointer, LakeState } from './commit.js'
import type { Entry } from './entry.js'

/** An earlier state as it can come back. */
export interface Mended {
  /**
   * Batches that were found damaged since are as repair has made them: the same rows in other
   * files.
   */
  state: LakeState
  /** Other objects that were found damaged since: they may have been restored. */
  damaged: ReadonlySet<string>
}

/** What repair has found and made since an earlier state, up to a commit. */
export async function mendedSince(
  log: { entry(number: number): Promise<Entry | undefined> },
  target: LakeState,
  last: number,
): Promise<Mended> {
  const made = new Map<string, BatchPointer>()
  const damaged = new Set<string>()
  for (let number = target.number + 1; number <= last; number++) {
    const { repaired = {}, batches = [] } = (await log.entry(number))?.commit.changes ?? {}
    for (const [path, by] of Object.entries(repaired)) {
      const pointer = by === null ? undefined : batches.find(({ manifest }) => manifest === by)
      if (pointer) made.set(path, pointer)
      else damaged.add(path)
    }
  }
  if (made.size === 0) return { state: target, damaged }
  const now = (batch: BatchPointer): BatchPointer => {
    const by = made.get(batch.manifest)
    return by ? now({ ...by, dataset: batch.dataset }) : batch
  }
  const batches = Object.fromEntries(
    Object.entries(target.batches).map(([name, of]) => [name, of.map(now)]),
  )
  return { state: { ...target, batches }, damaged }
}
