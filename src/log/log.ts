import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { MoraineError } from '../errors.js'
import { createOnce } from '../storage/retry.js'
import type { Storage } from '../storage/storage.js'
import { Coming, hasFiles } from './branch/coming.js'
import { encodeFork, type Fork, forkPath, type Life, parseFork } from './branch/fork.js'
import { isDeletedBranch } from './branch/ids.js'
import { otherSources } from './branch/other-sources.js'
import type { Changes, Commit, CommitInfo, LakeState, TableState } from './commit.js'
import { type Entry, encodeCommit } from './entry.js'
import {
  changesTo,
  fold,
  forkedSince,
  isEmpty,
  refuseConflict,
  withArrivals,
  withoutExpiry,
} from './fold.js'
import { forgottenSince } from './forgotten.js'
import { featuresOf, isKnown, refuseWriting } from './format/features.js'
import type { Base } from './gone.js'
import { program } from './program.js'
import { behind, LogReader, type Parent } from './reader.js'
import { mendedSince } from './repaired.js'
import { StaleWriter } from './stale-writer.js'

/** What the log takes from the world; tests give their own. */
export interface LogEffects {
  now: () => Date
  id: () => string
  /** Waits before another attempt; the argument counts from 0. */
  pause: (attempt: number) => Promise<void>
  /** Commits from one checkpoint to the next; without it 50, in a bucket 10. */
  interval?: number
  /**
   * Whoever commits has the answer before the checkpoint is written that is due: for a process that
   * lives on, while others wait for their turn.
   */
  answersFirst?: true
}

export const realEffects: LogEffects = {
  now: () => new Date(),
  id: randomUUID,
  pause: (attempt) => sleep(Math.random() * Math.min(1000, 10 * 2 ** attempt)),
}

const encoder = new TextEncoder()
const ATTEMPTS = 40
/** How often the same create is tried again when its answer was lost and nothing lies there. */
const LOST = 5
/** Commits from one checkpoint to the next. */
const INTERVAL = 50
/**
 * The same where to read a commit is a request that is paid for: a dozen cost what a write does.
 */
const INTERVAL_BUCKET = 10

/** What is known of the files that a commit refers to. */
export interface CommitFiles {
  /** When the first of them may have been written; since the log was opened without it. */
  since?: Date
  /** Commits that can be seen lead to all of them already. */
  seen?: boolean
  /** Looks, each time before the commit may be made, whether it still may: it throws if not. */
  check?: Check
}

/** Looks at the state that a commit is about to follow. */
type Check = (state: LakeState) => Promise<void> | void

/**
 * The commit log of a branch: the lake's one source of truth. Commit n is the object
 * `<n>.json`, created only if it does not exist yet; that create decides everything.
 * The protocol is written down in docs/design/log.md.
 */
export class CommitLog extends LogReader {
  declare protected readonly parent?: Parent<CommitLog>
  /** The definition that commits from here on are made by, as a hash. */
  definition: string | undefined
  /**
   * When this log was opened: what is committed to it was written since, unless a commit says more.
   */
  private readonly opened: number
  /** A checkpoint that is being written. */
  private checkpoint: Promise<void> | undefined

  constructor(
    storage: Storage,
    branch = 'main',
    private readonly effects: LogEffects = realEffects,
    parent?: Parent<CommitLog>,
  ) {
    super(storage, branch, parent)
    this.opened = parent?.log.opened ?? effects.now().getTime()
  }

  /** Refuses a storage that lets two writers create the same object, or that holds another lake. */
  async probe(): Promise<void> {
    if (await this.storage.stat(this.pathOf(1))) return this.identity.refuseOther(this.storage)
    await this.refuseCareless()
    await this.identity.begin(this.storage)
  }

  /** Refuses a storage that lets two writers create the same object. */
  async refuseCareless(): Promise<void> {
    const path = `_moraine/probe/${this.effects.id()}`
    const first = await this.storage.createIfAbsent(path, encoder.encode('1'))
    const second = await this.storage.createIfAbsent(path, encoder.encode('2'))
    const kept = new TextDecoder().decode(await this.storage.read(path))
    await this.storage.remove(path)
    if (!first || second || kept !== '1')
      throw new MoraineError('storage', `${this.storage.url} cannot store a lake`, {
        hint: 'It allows an object to be created twice, so two runs could overwrite each other.',
      })
  }

  /**
   * Makes sure, for one who is going to write, that storage still holds the lake: one that has no
   * commit yet says from now on which it is.
   */
  override async refuseOther(state = this.cache, storage = this.storage): Promise<void> {
    const isFolder = storage.url.startsWith('file:')
    const mayBegin = isFolder && (state === undefined || state.number === 0)
    if (mayBegin && !(await storage.stat(this.pathOf(1)))) await this.identity.begin(storage)
    await super.refuseOther(state, storage)
  }

  /**
   * Makes changes visible, all at once. Commits of others since `base` are no hindrance unless
   * they wrote something that these changes write too.
   *
   * @throws MoraineError of kind `conflict` in that case, and when a vacuum has removed files of
   *   it.
   */
  async commit(
    base: LakeState,
    changes: Changes,
    info: CommitInfo,
    files: CommitFiles = {},
  ): Promise<LakeState> {
    const writer = files.seen ? undefined : this.writerOf(base, changes, files.since)
    const state = await this.append(base, changes, info, async (onto) => {
      await files.check?.(onto)
      await writer?.refuse(await this.vacuums(onto), this.effects.now().getTime())
    })
    if (!files.seen) await this.refuseDeleted()
    return state
  }

  /**
   * What was committed to a branch that somebody has deleted meanwhile is seen by nobody, and its
   * files go.
   */
  private async refuseDeleted(): Promise<void> {
    const { main } = this
    if (main === this) return
    const head = await main.head()
    if (![this.branch, ...this.ancestors].some((id) => isDeletedBranch(id, head))) return
    throw new MoraineError('conflict', `Branch ${this.branch} was deleted meanwhile`, {
      hint: 'What was committed to it is not seen by anybody. Create the branch again: moraine branch create NAME',
    })
  }

  /** The log that all branches came from. */
  get main(): CommitLog {
    return this.parent?.log.main ?? this
  }

  private async append(
    base: LakeState,
    changes: Changes,
    info: CommitInfo,
    check: Check,
  ): Promise<LakeState> {
    const id = this.effects.id()
    const isSaid = this.parent !== undefined && hasFiles(changes)
    const coming = isSaid ? new Coming(this.storage, this.branch, id) : undefined
    let state = await this.caughtUp(base, changes)
    // Of one whose answer is lost, and that may yet be made, it is said on.
    let isAsked = false
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        refuseWriting(state)
        const commit = this.next(state, id, changes, info)
        if (coming) {
          await this.refuseOther(state)
          await coming.announce(commit)
        }
        await check(state)
        isAsked = true
        const there = await this.offer(state, commit)
        isAsked = false
        if (state.number === 0 || there.commit.previous !== state.hash)
          await this.refuseOther(state)
        state = this.folded(state, there)
        if (there.commit.id === id) return await this.committed(state)
        refuseConflict(changes, there.commit)
        await this.effects.pause(attempt)
      }
    } finally {
      if (!isAsked) await coming?.end()
    }
    throw new MoraineError('conflict', 'The log is too busy: other commits were faster each time', {
      retryable: true,
      hint: 'Run it again.',
    })
  }

  private writerOf(base: Base, changes: Changes, since?: Date): StaleWriter {
    const first = since?.getTime() ?? this.opened
    const writing = { base, changes, isOnBranch: this.parent !== undefined }
    return new StaleWriter(this.storage, writing, first, (from) => this.visible(from))
  }

  /** What vacuums have said that they remove: on main, whatever the branch. */
  private async vacuums(state: LakeState): Promise<LakeState> {
    return this.parent ? this.parent.log.vacuums(await this.parent.log.head()) : state
  }

  /** Whether vacuums have left all files of tables that were written at some time, by whomever. */
  async hasFiles(base: Base, tables: Record<string, TableState>): Promise<boolean> {
    const writer = this.writerOf(base, { tables }, new Date(0))
    try {
      await writer.refuse(await this.vacuums(await this.head()), this.effects.now().getTime())
      return true
    } catch (error) {
      if (error instanceof MoraineError && error.kind === 'conflict') return false
      throw error
    }
  }

  /** The newest state that is known here, if nothing since the base is in the way. */
  private async caughtUp(base: LakeState, changes: Changes): Promise<LakeState> {
    let state = base
    while (this.cache && state.number < this.cache.number) {
      const next = await this.entry(state.number + 1)
      if (!next) break
      state = this.folded(state, next)
      refuseConflict(changes, next.commit)
    }
    return state
  }

  /**
   * Tries to create a commit and returns what then lies under its number: it, or another's. An
   * answer may be lost whether the object was created or not: what lies there is what happened, and
   * while nothing does, the same body is offered again. Each time the log must be the one that the
   * commit follows: in another it would be a hole, or a commit that follows from nothing.
   */
  private async offer(state: LakeState, commit: Commit): Promise<Entry> {
    const path = this.pathOf(commit.number)
    const body = encodeCommit(commit)
    for (let attempt = 0; ; attempt++) {
      let failure: unknown
      await this.refuseOther(state)
      try {
        await this.storage.createIfAbsent(path, body)
      } catch (error) {
        failure = error
      }
      const there = await this.entry(commit.number)
      if (there) return there
      if (isFinal(failure) || attempt >= LOST) throw failure ?? lost(path)
      await this.effects.pause(attempt)
    }
  }

  private async committed(state: LakeState): Promise<LakeState> {
    const isBucket = this.storage.url.startsWith('s3:')
    const { interval = isBucket ? INTERVAL_BUCKET : INTERVAL } = this.effects
    this.cache = state
    // What tells of a commit from outside of the log is of use once it is lost: without it the
    // commit is as good.
    await this.checkpoints.anchors.write(state).catch(() => {})
    // Of what this program does not know, the log has more than its state.
    if (!isKnown(state)) return state
    const { checkpointed, checkpoint } = this
    if (checkpointed === undefined || state.number - checkpointed < interval) return state
    // Where storage is slow, the next commit finds that one is due.
    if (checkpoint) return state
    this.checkpointed = state.number
    this.checkpoint = this.writeCheckpoint(state)
    if (!this.effects.answersFirst) await this.checkpoint
    return state
  }

  /** It only saves later readers work: without it the commit is as good. */
  private async writeCheckpoint(state: LakeState): Promise<void> {
    try {
      if (this.effects.answersFirst) await nextTurn()
      await this.checkpoints.write(state)
    } catch {
      // Nor is it missed where the process ends first.
    } finally {
      this.checkpoint = undefined
    }
  }

  /**
   * Brings the state of an earlier commit back, as a new commit; nothing of the history is lost.
   * What arrived since stays in bronze, unless it is to be undone as well: not all sources give it
   * a second time.
   */
  async rollback(
    to: number | Date,
    info: Omit<CommitInfo, 'message'>,
    undoIntake = false,
  ): Promise<LakeState> {
    const then = await this.stateAt(to)
    for (let attempt = 0; ; attempt++) {
      const base = await this.head()
      const refused =
        forgottenSince(then.number, base) ?? (undoIntake ? undefined : otherSources(then, base))
      if (refused) throw refused
      const { state: target } = await mendedSince(this, then, base.number)
      const oldest = await this.oldest(base)
      if (target.number < oldest) throw behind(target.number, oldest)
      const changes = changesTo(base, undoIntake ? target : await this.arrived(target, base))
      if (isEmpty(changes)) return base
      const message = `roll back to commit ${target.number}`
      try {
        const rolled = { ...changes, rollback: target.number }
        const check = (state: LakeState) => this.refuseExpired(state, target.number)
        return await this.commit(base, rolled, { ...info, message }, { seen: true, check })
      } catch (error) {
        if (!isConflict(error) || attempt >= LOST) throw error
        await this.effects.pause(attempt)
      }
    }
  }

  /**
   * On main a vacuum that moves the horizon is in the way of a rollback; on a branch it is seen
   * only by who looks once the rollback is announced.
   */
  private async refuseExpired(state: LakeState, target: number): Promise<void> {
    const oldest = this.parent ? await this.oldest(state) : 0
    if (target < oldest) throw behind(target, oldest)
  }

  /**
   * A state with all that arrived since, also what has expired meanwhile: its tables have not read
   * it.
   */
  private async arrived(target: LakeState, base: LakeState): Promise<LakeState> {
    let since = target
    for (let number = target.number + 1; number <= base.number; number++) {
      const entry = (await this.entry(number)) as Entry
      const changes = withoutExpiry(entry.commit.changes)
      since = fold(since, { ...entry.commit, changes }, entry.hash)
    }
    const known = target.expired ? await this.batchesUntil(target.number) : undefined
    const forked = forkedSince(target, since, known)
    if (forked.length === 0) return withArrivals(target, since, known)
    throw new MoraineError(
      'usage',
      `${forked.join(', ')} was ingested again since commit ${target.number}, so its current batches cannot follow the earlier ones`,
      { hint: 'Roll back bronze as well, with --undo-intake. Nothing was changed.' },
    )
  }

  /** The names of all batches that arrived up to a commit. */
  private async batchesUntil(number: number): Promise<ReadonlySet<string>> {
    const found = new Set<string>()
    for await (const { commit } of this.entries()) {
      if (commit.number > number) break
      for (const { batch } of commit.changes.batches ?? []) found.add(batch)
    }
    return found
  }

  /**
   * A branch that starts at a state of this one: its commits are seen by those who ask for it, and
   * by nobody else. An id is used once and never again.
   */
  async fork(id: string, at: LakeState, life: Life = {}): Promise<CommitLog> {
    const fork: Fork = { from: this.branch, number: at.number, hash: at.hash, ...life }
    const path = forkPath(id)
    if (!(await createOnce(this.storage, path, encodeFork(fork))))
      throw new MoraineError('usage', `Branch ${id} already exists`)
    // A vacuum looks for branches after it has moved the horizon.
    const { horizon = 0 } = await this.head()
    if (at.number < horizon) {
      await this.storage.remove(path)
      throw behind(at.number, horizon)
    }
    const branch = new CommitLog(this.storage, id, this.effects, { log: this, fork })
    branch.definition = this.definition
    return branch
  }

  /** A branch that was made before; `undefined` when there is none of that id. */
  async openBranch(id: string): Promise<CommitLog | undefined> {
    const bytes = await this.storage.readIfPresent(forkPath(id))
    if (!bytes) return undefined
    const fork = parseFork(bytes, forkPath(id))
    // What a run on a branch could not publish lies on a branch of that branch.
    const log = await this.openParent(fork.from)
    return log && new CommitLog(this.storage, id, this.effects, { log, fork })
  }

  private async openParent(id: string): Promise<CommitLog | undefined> {
    if (id === this.branch) return this
    if (this.parent) return this.parent.log.openParent(id)
    return this.openBranch(id)
  }

  private next(state: LakeState, id: string, changes: Changes, info: CommitInfo): Commit {
    const earliest = state.time === null ? 0 : new Date(state.time).getTime() + 1
    const time = new Date(Math.max(this.effects.now().getTime(), earliest)).toISOString()
    const [number, previous] = [state.number + 1, state.hash]
    const defined = this.definition === undefined ? {} : { definition: this.definition }
    const own = { ...info, program, ...defined }
    const commit = { format: 2, id, number, time, previous, ...own, changes } as const
    const features = featuresOf({ ...commit, sha256: '' }, state.features)
    return { ...commit, features }
  }
}

/** Whether a refusal will not pass by itself: a full disk, no permission. */
function isFinal(failure: unknown): boolean {
  return failure instanceof MoraineError && !failure.retryable
}

const isConflict = (error: unknown) => error instanceof MoraineError && error.kind === 'conflict'

function lost(path: string): MoraineError {
  return new MoraineError('storage', `${path} was refused, but no such object exists`, {
    retryable: true,
    hint: 'The storage is inconsistent. Try again; nothing was lost.',
  })
}
