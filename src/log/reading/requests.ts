import type { Commit, LakeState, SeenRequest } from '../commit.js'

/** Minutes for which a request is known by its key. */
const LIFETIME = 30
/** The same as a duration of ISO 8601. */
export const KEY_LIFETIME = `PT${LIFETIME}M`

type Entry = readonly [key: string, request: SeenRequest]

/** Requests in the order of their commits; states that follow each other share what they can. */
interface Sequence {
  entries: Entry[]
  /** Where each key stands last. */
  places: Map<string, number>
}

/**
 * The requests that one state knows: a part of a sequence. Tens of thousands may be known, and each
 * commit adds one: none is looked at but the new ones and those that are too old.
 */
class SeenRequests {
  private flat: LakeState['requests']

  private constructor(
    private readonly sequence: Sequence,
    private readonly from: number,
    private readonly to: number,
  ) {}

  static of(entries: readonly Entry[]): SeenRequests {
    const sequence: Sequence = { entries: [], places: new Map() }
    return new SeenRequests(sequence, 0, 0).with(entries, '')
  }

  get size(): number {
    return this.to - this.from
  }

  /** Those that are not older than a time, and more. */
  with(more: readonly Entry[], oldest: string): SeenRequests {
    let { from } = this
    while (from < this.to && (this.sequence.entries[from] as Entry)[1].at < oldest) from++
    const { sequence, to } = this
    // Another state has gone on from this one, or most of what is there is old.
    const isOwn = sequence.entries.length === to && from * 2 <= to
    if (!isOwn) return SeenRequests.of([...sequence.entries.slice(from, to), ...more])
    for (const entry of more) sequence.places.set(entry[0], sequence.entries.push(entry) - 1)
    return new SeenRequests(sequence, from, sequence.entries.length)
  }

  get(key: string): SeenRequest | undefined {
    const { entries, places } = this.sequence
    const place = places.get(key)
    if (place === undefined || place < this.from) return undefined
    if (place < this.to) return entries[place]?.[1]
    return entries.slice(this.from, this.to).findLast(([name]) => name === key)?.[1]
  }

  get record(): NonNullable<LakeState['requests']> {
    this.flat ??= Object.fromEntries(this.sequence.entries.slice(this.from, this.to))
    return this.flat
  }
}

const known = new WeakMap<object, SeenRequests>()

function seenIn(state: LakeState): SeenRequests | undefined {
  const found = known.get(state)
  if (found) return found
  const { requests } = state
  if (!requests) return undefined
  // Of keys that look like numbers the order is lost in a record.
  const entries = Object.entries(requests).sort(([, a], [, b]) => a.commit - b.commit)
  const seen = SeenRequests.of(entries)
  known.set(state, seen)
  return seen
}

/** The request of a key that was carried out, without looking at any other. */
export function requestAt(state: LakeState, key: string): SeenRequest | undefined {
  return seenIn(state)?.get(key)
}

/**
 * Gives a state the requests that are known after a commit: its own, and those before it that are
 * not old. They are put together once somebody asks for all of them.
 */
export function foldRequests(
  state: LakeState,
  before: LakeState,
  { number, time, changes }: Commit,
): void {
  const seen = seenIn(before)
  const own = Object.entries(changes.requests ?? {})
  if (!seen && own.length === 0) return
  const oldest = new Date(Date.parse(time) - LIFETIME * 60_000).toISOString()
  const made = own.map(([key, sha256]): Entry => [key, { commit: number, at: time, sha256 }])
  const after = (seen ?? SeenRequests.of([])).with(made, oldest)
  if (after.size === 0) return
  known.set(state, after)
  // One of its own, so that it is as plain data to whoever copies, compares or writes it.
  Object.defineProperty(state, 'requests', {
    enumerable: true,
    configurable: true,
    get: () => after.record,
  })
}
