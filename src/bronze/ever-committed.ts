import { MoraineError } from '../errors.js'
import type { BatchPointer, Changes, LakeState } from '../log/commit.js'
import { cutOf } from '../log/fold.js'
import type { CommitLog } from '../log/log.js'
import { archivedBatch } from './originals.js'

/** A batch that is part of a dataset, or was until it expired. */
export interface EverCommitted {
  pointer: BatchPointer
  /**
   * Where the archive says of which files it was made: below the name that the dataset had then.
   */
  archived: string
}

/** All batches of a dataset that the log has seen, but those that a rollback took back. */
export async function everCommitted(log: CommitLog, name: string): Promise<EverCommitted[]> {
  const found = new Found()
  const archived = new Map<string, string>()
  for await (const { commit } of log.entries()) {
    for (const { batch, dataset } of commit.changes.batches ?? [])
      if (!archived.has(batch))
        archived.set(batch, archivedBatch(dataset.slice('bronze.'.length), batch))
    found.add(commit.changes)
  }
  return found.of(name).map((pointer) => ({
    pointer,
    archived: pointer.archived?.path ?? (archived.get(pointer.batch) as string),
  }))
}

/** Batches by the names that their datasets have after a commit, with those that have expired. */
class Found {
  private readonly batches = new Map<string, BatchPointer[]>()
  /** New names by old ones, in the order in which they were given. */
  private readonly renamed = new Map<string, string>()

  of(name: string): readonly BatchPointer[] {
    return this.batches.get(name) ?? []
  }

  add(changes: Changes): void {
    // A dataset takes along what has expired; of the rest, its commit has all once more.
    const taken = new Set<string>()
    for (const [old, now] of Object.entries(changes.renamed ?? {})) {
      this.renamed.delete(old)
      if (now === null) continue
      this.renamed.set(old, now)
      if (this.move(old, now)) taken.add(now)
    }
    const back = changes.rollback === undefined ? new Set() : this.moveBack(changes)
    for (const [name, before] of this.batches) {
      // A rebuild cuts all, and brings them back under the same numbers.
      const cut = cutOf(changes, name) ?? (back.has(name) ? 0 : undefined)
      if (cut !== undefined && !taken.has(name))
        this.batches.set(
          name,
          before.filter(({ number }) => number <= cut),
        )
    }
    for (const batch of changes.batches ?? []) {
      if (taken.has(batch.dataset)) continue
      const before = this.batches.get(batch.dataset)
      if (before) before.push(batch)
      else this.batches.set(batch.dataset, [batch])
    }
  }

  private move(from: string, to: string): boolean {
    const moved = this.batches.get(from)
    if (!moved) return false
    this.batches.delete(from)
    this.batches.set(
      to,
      moved.map((batch) => ({ ...batch, dataset: to })),
    )
    return true
  }

  /** A rollback to before a dataset got another name has its batches under the old one again. */
  private moveBack({ batches = [], cut = {}, expire = {} }: Changes): ReadonlySet<string> {
    const back = new Set<string>()
    for (const [old, now] of [...this.renamed].reverse()) {
      const isBack = batches.some(({ dataset }) => dataset === old) || (expire[old] ?? 0) > 0
      const isLeft = cut[now] === 0 || expire[now] === 0
      if (isBack && isLeft && this.of(old).length === 0 && this.move(now, old)) back.add(old)
    }
    return back
  }
}

/**
 * @throws MoraineError of kind `usage` where batches that a dataset has had are not among those
 *   that were found: what is built of the others would lack their rows.
 */
export function refuseGaps(
  { batches, expired }: LakeState,
  name: string,
  found: readonly EverCommitted[],
): void {
  const numbers = new Set(found.map(({ pointer }) => pointer.number))
  const last = Math.max(batches[name]?.at(-1)?.number ?? 0, expired?.[name] ?? 0)
  const missing = Array.from({ length: last }, (_, i) => i + 1).filter((n) => !numbers.has(n))
  if (missing.length === 0) return
  throw new MoraineError(
    'usage',
    `${missing.length === 1 ? 'Batch' : 'Batches'} ${missing.join(', ')} of ${name} cannot be found in the log, so not all rows can be restored`,
    {
      hint: `The lake is unchanged, and its archive still has the files. To build from the batches that are there: moraine run ${name}+ --full --allow-loss`,
    },
  )
}
