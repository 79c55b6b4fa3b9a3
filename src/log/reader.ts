import { MoraineError } from '../errors.js'
import { keepRecent } from '../recent.js'
import { sha256 } from '../storage/checksum.js'
import { isPassing } from '../storage/passing.js'
import type { Storage } from '../storage/storage.js'
import type { Fork } from './branch/fork.js'
import { Checkpoints, type KnownNumbers } from './checkpoints.js'
import type { Changes, Commit, LakeState } from './commit.js'
import { type Entry, parseEntry } from './entry.js'
import { emptyState, fold } from './fold.js'
import { forgottenSince } from './forgotten.js'
import { needsNewer } from './format/features.js'
import { AHEAD, entryPath, firstAfter, missingEntries } from './reading/gaps.js'
import { LakeIdentity, otherLake } from './reading/identity.js'
import { Shared } from './reading/shared.js'

/** States that are kept for the branches that left at them. */
const LEFTS = 8
/** Commits that are rather read than a checkpoint, which is parsed into a state of its own. */
const NEAR = 500

/** The branch that another one came from, and where. */
export interface Parent<Log extends LogReader = LogReader> {
  log: Log
  fork: Fork
}

/** The commits of a branch as they lie in storage, and the states that they fold to. */
export class LogReader {
  protected cache: LakeState | undefined
  protected readonly checkpoints: Checkpoints
  /**
   * The commit up to which a state was found in a checkpoint; `undefined` before one was looked
   * for.
   */
  protected checkpointed: number | undefined
  private knownNumbers: Promise<KnownNumbers> | undefined
  /** What was folded last. */
  private last: { from: LakeState; to: LakeState } | undefined
  /** States at which branches left this one, the last that were asked for. */
  private readonly lefts = new Map<number, LakeState>()
  private leaving: Promise<unknown> = Promise.resolve()
  private readonly looks = new Shared(() => this.look())

  constructor(
    protected readonly storage: Storage,
    readonly branch: string,
    protected readonly parent?: Parent,
  ) {
    this.checkpoints = new Checkpoints(storage, branch)
  }

  protected get identity(): LakeIdentity {
    return LakeIdentity.of(this.storage)
  }

  private get folder(): string {
    return `_moraine/log/${this.branch}`
  }

  protected pathOf(number: number): string {
    if (this.parent && number <= this.parent.fork.number) return this.parent.log.pathOf(number)
    return entryPath(this.folder, number)
  }

  /** The last commit that this branch shares with the one it came from; 0 for main. */
  get forkedAt(): number {
    return this.parent?.fork.number ?? 0
  }

  /** Where this branch left the one it came from; `undefined` of main. */
  get forked(): Fork | undefined {
    return this.parent?.fork
  }

  /** Ids of the branches that it came from, the nearest first; none of main. */
  get ancestors(): string[] {
    return this.parent ? [this.parent.log.branch, ...this.parent.log.ancestors] : []
  }

  /** The commit of that number; `undefined` when there is none yet. */
  async entry(number: number): Promise<Entry | undefined> {
    if (this.parent && number <= this.parent.fork.number) return this.parent.log.entry(number)
    const path = this.pathOf(number)
    const bytes = await this.storage.readIfPresent(path)
    return bytes && parseEntry(bytes, path)
  }

  /** The newest state. Who asks while it is being looked for shares the next look. */
  head(): Promise<LakeState> {
    return this.looks.next()
  }

  private async look(): Promise<LakeState> {
    const found = this.cache
      ? await this.advance(this.cache).catch(async (error) => {
          // As one who reads, who has the lake say nothing.
          await LogReader.prototype.refuseOther.call(this)
          throw error
        })
      : await this.complete(await this.told(await this.nearest(Number.POSITIVE_INFINITY)))
    if (found.number === 0) await this.identity.learn(this.storage)
    else if (!this.cache?.number) {
      await this.identity.refuseOther(this.storage)
      this.identity.settle()
    }
    // A commit of this process may have come to its end meanwhile.
    if (!this.cache || found.number >= this.cache.number) this.cache = found
    return this.cache
  }

  /**
   * Makes sure that storage still holds the log up to a state: another disk may be mounted where
   * the lake was, with a lake of its own. A bucket is always the same.
   *
   * @param state the newest one that was read, if nothing else is said.
   * @param storage another way to the same storage.
   * @throws MoraineError of kind `storage` when it holds another log, or none of that length; where
   *   nothing is committed yet, another lake.
   */
  async refuseOther(
    state: LakeState | undefined = this.cache,
    storage: Storage = this.storage,
  ): Promise<void> {
    if (!storage.url.startsWith('file:')) return
    if (!state || state.number === 0) return this.identity.refuseOther(storage)
    const path = this.pathOf(state.number)
    const bytes = await storage.readIfPresent(path)
    if (bytes && (sha256(bytes) === state.hash || isDamaged(bytes, path))) return
    throw otherLake(
      storage,
      bytes ? `its commit ${state.number} is a different one` : `it has no commit ${state.number}`,
    )
  }

  /**
   * The state of the newest commit that an anchor tells of: none is asked for that is not there.
   */
  private async told(from: LakeState): Promise<LakeState> {
    const [newest = 0] = (await this.known()).anchors
    return newest > from.number ? this.advance(from, newest) : from
  }

  /**
   * Advances to the newest state, and makes sure that it is: where an entry in the middle was lost,
   * what lies behind it is still there, and nobody may write or read as if it were not.
   */
  private async complete(from: LakeState): Promise<LakeState> {
    let state = await this.advance(from)
    while (await this.hasMore(state.number)) state = await this.advance(state)
    return state
  }

  /**
   * Whether commits came meanwhile, once no entry was found behind `number`.
   *
   * @throws MoraineError of kind `corrupt` when there are later entries and the next one is
   *   missing.
   */
  private async hasMore(number: number): Promise<boolean> {
    const later = await firstAfter(this.storage, this.folder, number, all(await this.known()))
    if (later === undefined) return false
    if (await this.entry(number + 1)) return true
    throw new MoraineError(
      'corrupt',
      `Commit ${number + 1} is missing: there is no ${this.pathOf(number + 1)}, although ${later > number + 1 ? `commit ${later} was made after it` : 'an object outside the log refers to it'}`,
      {
        hint: 'Restore this object from a backup, or from an older version in the bucket; until then, the lake can be neither read nor written. moraine verify shows what else is missing.',
      },
    )
  }

  /**
   * The SHA-256 of an entry, as the one after it or its anchor says; `undefined` where nothing
   * does.
   */
  async hashOf(number: number): Promise<string | undefined> {
    if (this.parent && number <= this.parent.fork.number) return this.parent.log.hashOf(number)
    const next = await this.entry(number + 1).catch((error) => {
      if (isPassing(error)) throw error
      return undefined
    })
    const anchor = await this.checkpoints.anchors.read(number)
    return next?.commit.previous ?? anchor?.hash
  }

  /** Entries that are missing between the first and the last that is there. */
  async missing(): Promise<string[]> {
    return missingEntries(
      this.storage,
      this.folder,
      this.forkedAt,
      all(await this.checkpoints.known()),
    )
  }

  /** Commits that have a checkpoint or an anchor, as they were when they were first looked for. */
  private known(): Promise<KnownNumbers> {
    this.knownNumbers ??= this.checkpoints.known()
    return this.knownNumbers
  }

  /** A state at or before a commit from which folding may start. */
  private async nearest(number: number): Promise<LakeState> {
    if (this.parent && number <= this.parent.fork.number) return this.parent.log.nearest(number)
    for (const candidate of (await this.known()).checkpoints) {
      if (candidate > number) continue
      const state = await this.fromCheckpoint(candidate)
      if (!state) continue
      this.checkpointed = Math.max(this.checkpointed ?? 0, candidate)
      return state
    }
    const { parent } = this
    this.checkpointed ??= parent?.fork.number ?? 0
    return parent ? parent.log.left(parent.fork.number) : emptyState
  }

  /**
   * The state at a commit at which a branch has left. Each is folded from that of another branch,
   * where one is near: what is the same in both is in memory once. So they are found one by one.
   */
  private left(number: number): Promise<LakeState> {
    const found = this.leaving.then(async () => {
      const state = (await this.leftAfter(number)) ?? (await this.stateAt(number))
      keepRecent(this.lefts, number, state, LEFTS)
      return state
    })
    this.leaving = found.catch(() => {})
    return found
  }

  /** The same, from one that is known already. */
  private async leftAfter(number: number): Promise<LakeState | undefined> {
    const known = [...this.lefts.values(), ...(this.cache ? [this.cache] : [])]
    const before = known
      .filter((state) => state.number <= number && state.number >= number - NEAR)
      .sort((a, b) => b.number - a.number)[0]
    if (!before) return undefined
    try {
      const state = await this.advance(before, number)
      return state.number === number ? state : undefined
    } catch (error) {
      // A checkpoint may lie behind what is damaged.
      if (error instanceof MoraineError && error.kind === 'corrupt') return undefined
      throw error
    }
  }

  /** A checkpoint's state, if it is whole and follows from the log. */
  private async fromCheckpoint(number: number): Promise<LakeState | undefined> {
    try {
      const state = await this.checkpoints.read(number)
      const entry = await this.entry(number)
      // The commit that a program can't read says so, and which one can.
      return entry && entry.hash === state.hash && !needsNewer(state) ? state : undefined
    } catch (error) {
      if (error instanceof MoraineError && error.kind === 'corrupt') return undefined
      throw error
    }
  }

  /** The state after an entry; whoever commits one reads it again, and so do others beside. */
  protected folded(state: LakeState, entry: Entry): LakeState {
    const { from, to } = this.last ?? {}
    if (from === state && to?.hash === entry.hash) return to
    const after = checkedFold(state, entry)
    this.last = { from: state, to: after }
    return after
  }

  private async advance(state: LakeState, until = Number.POSITIVE_INFINITY): Promise<LakeState> {
    let current = state
    for (let ahead = 1; ; ahead = AHEAD) {
      const count = Math.min(ahead, until - current.number)
      const numbers = Array.from({ length: Math.max(0, count) }, (_, i) => current.number + i + 1)
      const entries = await Promise.all(numbers.map((number) => this.entry(number)))
      for (const entry of entries) {
        if (!entry) return current
        current = this.folded(current, entry)
      }
      if (entries.length === 0) return current
    }
  }

  /** The state at a commit, or at the last commit up to a time. */
  async stateAt(at: number | Date): Promise<LakeState> {
    const number = typeof at === 'number' ? at : await this.numberAt(at)
    const state = await this.advance(await this.nearest(number), number)
    if (state.number === number) return state
    if (await this.hasMore(state.number)) return this.stateAt(number)
    throw new MoraineError(
      'usage',
      `There is no commit ${number}; the last one is ${state.number}`,
      { hint: 'List the commits with: moraine history' },
    )
  }

  /**
   * The state at a commit or a time, as users ask for it.
   *
   * @throws MoraineError of kind `usage` for one whose files vacuum has removed.
   */
  async visibleAt(at: number | Date): Promise<LakeState> {
    const head = await this.head().catch((error) => {
      // What was before a commit that only newer programs can read can be read.
      if (error instanceof MoraineError && error.kind === 'version' && typeof at === 'number')
        return emptyState
      throw error
    })
    const number = typeof at === 'number' ? at : await this.numberAt(at)
    const horizon = await this.oldest(head)
    if (number < horizon && number > 0)
      throw forgottenSince(number, head) ?? behind(number, horizon)
    return this.stateAt(number)
  }

  /**
   * The oldest commit that can be seen: vacuum has removed files of those before it. What a branch
   * shares with main is seen for as long as on main, and its own commits from the same time on.
   */
  async oldest({ horizon = 0 }: Pick<LakeState, 'horizon'>): Promise<number> {
    if (!this.parent) return horizon
    const { log, fork } = this.parent
    const above = await log.oldest(await log.head())
    const { time } = (await log.entry(above))?.commit ?? {}
    const then = time === undefined ? 0 : await this.numberAt(new Date(time))
    return then > fork.number ? then : Math.min(above, fork.number)
  }

  /** The last commit up to a time; their times rise. */
  private async numberAt(at: Date): Promise<number> {
    let [low, high] = [0, (await this.head()).number]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const entry = await this.entry(middle)
      if (entry && new Date(entry.commit.time) <= at) low = middle
      else high = middle - 1
    }
    return low
  }

  /** All commits, oldest first. */
  entries(): AsyncGenerator<Entry> {
    return this.entriesFrom(1)
  }

  protected async *entriesFrom(first: number): AsyncGenerator<Entry> {
    for (let number = first; ; number += AHEAD) {
      const numbers = Array.from({ length: AHEAD }, (_, i) => number + i)
      const found = await Promise.all(numbers.map((n) => this.entry(n)))
      const gap = found.indexOf(undefined)
      for (const entry of found)
        if (entry) yield entry
        else break
      if (gap < 0) continue
      if (await this.hasMore(number + gap - 1)) yield* this.entriesFrom(number + gap)
      return
    }
  }

  /** The newest commits, newest first. */
  async latest(limit: number): Promise<Commit[]> {
    const { number } = await this.head()
    const numbers = Array.from({ length: Math.min(limit, number) }, (_, i) => number - i)
    const entries = await Promise.all(numbers.map((n) => this.entry(n)))
    return entries.flatMap((entry) => (entry ? [entry.commit] : []))
  }

  /** Paths of metadata and manifests of all commits of main from a number on. */
  protected async visible(from: number): Promise<ReadonlySet<string>> {
    if (this.parent) return this.parent.log.visible(from)
    const paths = new Set<string>()
    const add = ({
      tables = {},
      batches = [],
      external,
    }: Pick<Changes, 'tables' | 'batches' | 'external'>) => {
      for (const relation of Object.values(external?.relations ?? {}))
        if (relation) paths.add(relation.metadata)
      for (const table of Object.values(tables)) if (table) paths.add(table.metadata)
      for (const { manifest } of batches) paths.add(manifest)
    }
    const { tables, batches, external } = await this.stateAt(from)
    add({ tables, batches: Object.values(batches).flat(), ...(external ? { external } : {}) })
    for await (const { commit } of this.entriesFrom(from + 1)) add(commit.changes)
    return paths
  }
}

const all = ({ checkpoints, anchors }: KnownNumbers) =>
  [...checkpoints, ...anchors].sort((a, b) => b - a)

/** Whether it is no commit at all: that says nothing of whose it is. */
function isDamaged(bytes: Uint8Array, path: string): boolean {
  try {
    parseEntry(bytes, path)
    return false
  } catch (error) {
    return error instanceof MoraineError && error.kind === 'corrupt'
  }
}

export function behind(number: number, horizon: number): MoraineError {
  return new MoraineError(
    'usage',
    `Commit ${number} is no longer visible: vacuum --history has removed some of its files`,
    { hint: `The oldest complete commit is ${horizon}.` },
  )
}

/** @throws MoraineError of kind `corrupt` for an entry that does not follow from the state. */
export function checkedFold(state: LakeState, { commit, hash, path }: Entry): LakeState {
  if (commit.number !== state.number + 1 || commit.previous !== state.hash)
    throw new MoraineError('corrupt', `${path} does not follow from the commit before it`, {
      path,
      hint: 'An object of the log was changed or replaced: moraine verify shows the problem.',
    })
  return fold(state, commit, hash)
}
