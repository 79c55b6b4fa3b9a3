/** Entries of manifests that a process keeps for who asks again, of all tables together. */
const MOST = 400_000

interface Kept {
  count: number
  /** Forgets them where they are kept. */
  drop: () => void
}

/**
 * Bounds what is remembered of manifests: a server that is asked for ever other days of large
 * tables would come to hold all of their files. Those go first that were not asked for longest.
 */
export class KeptEntries {
  private readonly kept = new Map<object, Kept>()
  private total = 0

  constructor(private readonly most: number) {}

  /** Says that entries are kept, and were asked for now. */
  use(entries: object, kept: Kept): void {
    const before = this.kept.get(entries)
    this.kept.delete(entries)
    this.kept.set(entries, before ?? kept)
    if (before) return
    this.total += kept.count
    for (const [oldest, { count, drop }] of this.kept) {
      if (this.total <= this.most || oldest === entries) return
      this.kept.delete(oldest)
      this.total -= count
      drop()
    }
  }
}

export const keptEntries = new KeptEntries(MOST)
