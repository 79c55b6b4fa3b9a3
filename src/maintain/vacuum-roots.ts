import { MoraineError } from '../errors.js'
import { filesOfAllSnapshots } from '../iceberg/all-files.js'
import { realEffects } from '../iceberg/effects.js'
import { FOREIGN } from '../iceberg/foreign-path.js'
import { Manifests } from '../iceberg/manifests.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import { type Announced, announcedIn, changesOf } from '../log/branch/coming.js'
import { isDeletedBranch, isExpiredRun } from '../log/branch/ids.js'
import type { Changes, ExternalChanges, LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import { quarantinedIn } from '../log/quarantined.js'
import { Batches } from '../step/batches.js'
import type { Storage } from '../storage/storage.js'

/**
 * What an earlier commit leads to can't be mended by building it anew: the lake of now is whole by
 * then.
 */
async function atCommit(number: number, look: () => Promise<void>): Promise<void> {
  try {
    await look()
  } catch (error) {
    if (!(error instanceof MoraineError) || error.retryable) throw error
    const { kind, message, path } = error
    throw new MoraineError(kind, `${message}; commit ${number} refers to it`, {
      cause: error,
      ...(path === undefined ? {} : { path }),
      hint: 'Restore it from a backup. If the newest state is complete (moraine verify --head), you can instead expire the commits that refer to it: moraine vacuum with a --history that is shorter than their age. Nothing was removed.',
    })
  }
}

/** Ids of branches that had a name at some time since then. */
async function namedSince(log: CommitLog, since: Date): Promise<ReadonlySet<string>> {
  const then = await log.stateAt(since)
  const ids = new Set(Object.values(then.branches ?? {}))
  const { number: last } = await log.head()
  for (let number = then.number + 1; number <= last; number++)
    for (const id of Object.values((await log.entry(number))?.commit.changes.branches ?? {}))
      if (id !== null) ids.add(id)
  return ids
}

/** How what a commit leads to is looked for. */
type Look = (look: Promise<void>) => Promise<void>

const needed: Look = (look) => look

/** What is gone can't be kept. */
const leftOver: Look = (look) =>
  look.catch((error: unknown) => {
    if (!(error instanceof MoraineError) || error.retryable) throw error
  })

/** Files that a watermark names. */
interface Named {
  /** The list of the files that are known. */
  index?: { path?: string }
  /** The manifest of the last batch of followed logs. */
  follow?: string
}

/** The files that commits lead to. */
export class Roots {
  private readonly used = new Set<string>()
  /**
   * Manifests that say how far logs were read. Apart: what a manifest names is looked for by those
   * who point to its batch.
   */
  private readonly positions = new Set<string>()
  /** Metadata files that were followed, and whether to all of their snapshots. */
  private readonly metadata = new Map<string, boolean>()
  /** What tables of other engines name: apart, as they may name anything. */
  private readonly foreign = new Set<string>()
  /** What is left of versions of tables of which something is gone. */
  private readonly rest = new Set<string>()
  /** Lists and manifests of other engines that were read. */
  private readonly read = new Set<string>()
  /**
   * A table of another engine has manifests outside of the lake: they may name any of its files.
   */
  private isUntold = false
  /** What says of commits that they are coming, which were made or never will be. */
  readonly passed = new Set<string>()
  /** The last commit of each branch that was followed. */
  private readonly followed = new Map<string, number>()
  private readonly manifests: Manifests
  private readonly batches: Batches

  /** @param since tables forget older snapshots than that, which nothing names. */
  constructor(
    private readonly storage: Storage,
    private readonly since?: Date,
  ) {
    this.manifests = new Manifests(storage)
    this.batches = new Batches(storage)
  }

  /** Whether a file is one that commits lead to, or may be. */
  lead(path: string): boolean {
    const isForeign = this.foreign.has(path) || (this.isUntold && path.startsWith(FOREIGN))
    const isOurs = [this.used, this.positions, this.rest].some((known) => known.has(path))
    return isOurs || isForeign
  }

  /**
   * All that is visible from commit `horizon` of main on, and on other branches from its time on.
   * Branches that ended after `cutoff` may still be read by somebody, as far as their files are
   * there: with the horizon, or without grace, some may have gone. What runs did not publish goes
   * with the state that they began with.
   */
  async follow(log: CommitLog, horizon: number, cutoff: Date): Promise<void> {
    const announced = await announcedIn(this.storage)
    const time = (await log.stateAt(horizon)).time
    const ids = await this.storage.folders('_moraine/log/')
    const head = await log.head()
    const lately = await namedSince(log, cutoff)
    const hasEnded = (id: string) => isDeletedBranch(id, head)
    const isGone = (id: string) => hasEnded(id) && !lately.has(id)
    const ended: CommitLog[] = []
    const firstOf = async (branch: CommitLog) =>
      time ? (await branch.stateAt(new Date(time))).number : 0
    for (const id of ids) {
      // Whoever names a branch meanwhile looks behind that for what this vacuum has announced.
      if (isGone(id)) continue
      if (id === log.branch) await this.commits(log, horizon)
      const branch = id === log.branch ? undefined : await log.openBranch(id)
      if (!branch || branch.ancestors.some(isGone) || isExpiredRun(branch, { horizon })) continue
      if ([id, ...branch.ancestors].some(hasEnded)) ended.push(branch)
      else await this.commits(branch, await firstOf(branch))
    }
    for (const branch of ended) await this.commits(branch, await firstOf(branch), leftOver)
    for (const one of announced) await this.coming(one)
  }

  /** What somebody may be about to commit to a branch; its writer knows what is gone already. */
  private async coming(announced: Announced): Promise<void> {
    const { branch, number, path } = announced
    const last = this.followed.get(branch)
    if (last === undefined || number <= last) this.passed.add(path)
    else await this.changes(changesOf(announced), { isHead: true, look: leftOver })
  }

  /** What a branch's own commits lead to; of those it shares with another, that one knows. */
  private async commits(log: CommitLog, first: number, look = needed): Promise<void> {
    const head = await log.head()
    await this.state(head, { isHead: true, look })
    const done = this.followed.get(log.branch)
    this.followed.set(log.branch, head.number)
    if (done === undefined && first > log.forkedAt && first < head.number)
      await atCommit(first, async () => this.state(await log.stateAt(first), { look }))
    // Its first commits changed some tables, and left others as they were at its beginning. Where
    // main has gone on, earlier versions of Moraine have removed files of that.
    if (done === undefined && first <= log.forkedAt && log.forkedAt < head.number)
      await this.state(await log.stateAt(log.forkedAt), { look: leftOver })
    const from = Math.max(first, log.forkedAt, done ?? 0)
    for (let number = from + 1; number < head.number; number++) {
      const entry = await log.entry(number)
      if (!entry) throw new MoraineError('corrupt', `commit ${number} of the log is missing`)
      await atCommit(number, () => this.changes(entry.commit.changes, { look }))
    }
  }

  private async changes(
    { tables = {}, batches = [], watermarks = {}, external }: Changes,
    { isHead = false, look = needed },
  ): Promise<void> {
    for (const table of Object.values(tables)) if (table) await look(this.table(table, isHead))
    await look(this.external(external, isHead))
    for (const pointer of batches) await look(this.pointer(pointer))
    this.indexes(watermarks)
  }

  private async state(
    { tables, batches, watermarks, external }: LakeState,
    { isHead = false, look = needed },
  ): Promise<void> {
    for (const table of Object.values(tables)) await look(this.table(table, isHead))
    await look(this.external(external, isHead))
    for (const pointer of Object.values(batches).flat()) await look(this.pointer(pointer))
    this.indexes(watermarks)
  }

  private async pointer(pointer: { manifest: string }): Promise<void> {
    if (this.used.has(pointer.manifest)) return
    const { files } = await this.batches.manifest(pointer as never)
    this.used.add(pointer.manifest)
    for (const { data, original } of files) {
      this.used.add(data)
      if (original) this.used.add(original.path)
    }
  }

  private indexes(watermarks: Readonly<Record<string, unknown>>): void {
    for (const watermark of Object.values(watermarks)) {
      const { index, follow } = (watermark ?? {}) as Named
      if (index?.path) this.used.add(index.path)
      if (follow) this.positions.add(follow)
    }
    for (const { object } of quarantinedIn({ watermarks })) this.used.add(object.original.path)
  }

  /**
   * What other engines keep: all snapshots of their tables, whatever branch or tag they are of.
   * What an engine has let go since, it may have removed by itself; then nobody can read what that
   * named.
   */
  private async external({ relations = {} }: ExternalChanges = {}, isHead = false): Promise<void> {
    const isGone = async (path: string) => !isHead && !(await this.storage.stat(path))
    for (const relation of Object.values(relations)) {
      if (!relation || this.read.has(relation.metadata)) continue
      if (await isGone(relation.metadata)) continue
      this.foreign.add(relation.metadata)
      const read = new Set([relation.metadata])
      const isRead = (path: string) => this.read.has(path) || read.has(path)
      const known = { list: isRead, manifest: isRead, isGone }
      if (relation.kind !== 'view')
        for await (const { path, leadsOn } of filesOfAllSnapshots(this.storage, relation, known)) {
          if (path !== undefined) this.foreign.add(path)
          else if (leadsOn) this.isUntold = true
          if (path !== undefined && leadsOn) read.add(path)
        }
      for (const path of read) this.read.add(path)
    }
  }

  /**
   * A version of a table: its metadata, and what its current snapshot leads to, and those that a
   * tag names. Of a version that engines see, all snapshots: they may be asked for any.
   */
  private async table({ metadata, sha256 }: TablePointer, isHead = false): Promise<void> {
    const done = this.metadata.get(metadata)
    if (done !== undefined && (done || !isHead)) return
    // It is known once all that it leads to is: who needs it looks for itself.
    const found = [metadata]
    const at = { metadata, ...(sha256 ? { sha256 } : {}) }
    const { storage, since, manifests } = this
    const isKnown = (path: string) => this.used.has(path)
    try {
      const version = await Table.load(storage, at, realEffects, manifests)
      const table = since ? version.expired(since) : version
      for await (const path of table.paths(isKnown, { others: isHead })) found.push(path)
    } catch (error) {
      for (const path of found) this.rest.add(path)
      throw error
    }
    this.metadata.set(metadata, isHead)
    for (const path of found) this.used.add(path)
  }
}
