import { encodeAnchor } from '../../log/anchors.js'
import { encodeFork } from '../../log/branch/fork.js'
import { encodeCheckpoint } from '../../log/checkpoints.js'
import type { LakeState } from '../../log/commit.js'
import { parseEntry } from '../../log/entry.js'
import { whileWriting } from '../../log/live.js'
import { CommitLog } from '../../log/log.js'
import { foldedTo, forgetTail, lostTail } from '../../log/tail.js'
import type { Damage, Unread } from '../../log/verify/damage.js'
import { verifyLake } from '../../log/verify/verify.js'
import { isPassing } from '../../storage/passing.js'
import { BatchRepairs } from './batches.js'
import { type Found, wholeBytes, wholeEntry, wholeSealed } from './bytes.js'
import { lost, type Mend, notMended, type RepairOptions } from './mend.js'
import { Originals } from './originals.js'
import { TableRepairs } from './tables.js'

export interface Repair {
  mends: Mend[]
  /** Whether it was done, and not only looked at. */
  applied: boolean
  /** What is still wrong with the newest commit afterwards; before it is done, nothing is said. */
  left: string[]
  /**
   * What could not be read, of which nobody knows whether it is damaged: nothing was done about it.
   */
  unread: Unread[]
  /** The same of earlier commits: they can't be seen as they were. */
  earlier: string[]
}

/** The log may have to be mended before anything else can be seen. */
const ROUNDS = 5

/**
 * Looks for what is damaged or missing, and mends what can be: first the very bytes of files, where
 * a copy or a checksum proves them, then what can be made anew from what is whole. Each step leaves
 * the lake as it was or mended.
 */
export function repairLake(options: RepairOptions): Promise<Repair> {
  const { storage, author, apply } = options
  if (!apply) return repair(options)
  const by = { command: 'repair', author }
  return whileWriting(storage, new CommitLog(storage), by, () => repair(options))
}

async function repair(options: RepairOptions): Promise<Repair> {
  const { storage, deep, apply } = options
  const mends: Mend[] = []
  let notRead: Unread[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const log = new CommitLog(storage)
    const { damaged, unread } = await verifyLake(storage, log, { deep })
    notRead = unread
    const rest = damaged.filter(({ path }) => !mends.some((mend) => mend.path === path))
    if (rest.length === 0) break
    const done = await new Repairs(options, log).all(rest)
    mends.push(...done)
    if (!apply || done.every(({ how }) => how === 'lost' || how === 'unread')) break
  }
  if (!apply) return { mends, applied: false, left: [], earlier: [], unread: notRead }
  const found = await verifyLake(storage, new CommitLog(storage), { deep })
  const { problems, problemsNow, unread } = found
  const [left, earlier] = [problems.slice(0, problemsNow), problems.slice(problemsNow)]
  return { mends, applied: true, left, earlier, unread }
}

class Repairs {
  private readonly originals: Originals

  constructor(
    private readonly options: RepairOptions,
    private readonly log: CommitLog,
  ) {
    this.originals = new Originals(options.lake)
  }

  async all(damaged: readonly Damage[]): Promise<Mend[]> {
    const ofLog = damaged.filter(({ part }) => part.kind === 'log')
    const logs = await this.each(ofLog, (one) => this.entry(one))
    // Nothing behind a broken log can be told for sure; a branch holds nothing else back.
    const isOwn = ({ part }: Damage) => part.kind === 'log' && part.branch === this.log.branch
    if (ofLog.some(isOwn)) return logs
    const state = await this.log.head()
    const { mends, rest } = await this.exact(
      damaged.filter(({ part }) => part.kind !== 'log'),
      state,
    )
    mends.unshift(...logs)
    const kinds = (...of: string[]) => rest.filter(({ part }) => of.includes(part.kind))
    mends.push(...(await this.each(kinds('checkpoint', 'anchor'), (one) => this.beside(one))))
    mends.push(...(await this.each(kinds('index'), (one) => this.index(one))))
    mends.push(...kinds('checksums', 'quarantine').map((one) => lost(one, nothing)))
    mends.push(...kinds('external').map(ofAnotherEngine))
    mends.push(...(await this.each(kinds('landed', 'note'), (one) => this.sealed(one))))
    const { batches, tables } = this.repairs()
    const ofBatches = await batches.all(kinds('batch'), state)
    mends.push(...ofBatches)
    const broken = new Set(
      kinds('batch').flatMap(({ path, part }) =>
        part.kind === 'batch' &&
        part.file !== 'original' &&
        ofBatches.some(
          (mend) => mend.path === path && (mend.how === 'lost' || mend.how === 'unread'),
        )
          ? [part.dataset]
          : [],
      ),
    )
    mends.push(...(await tables.all(kinds('table'), await this.log.head(), broken)))
    return mends
  }

  private repairs() {
    const { options, log, originals } = this
    return {
      batches: new BatchRepairs(options, log, originals),
      tables: new TableRepairs(options),
    }
  }

  private async each(
    damaged: readonly Damage[],
    mend: (one: Damage) => Promise<Mend>,
  ): Promise<Mend[]> {
    const done: Mend[] = []
    // What can't be mended holds nothing else back.
    for (const one of damaged) done.push(await mend(one).catch((error) => notMended(one, error)))
    return done
  }

  /** Files whose very bytes are somewhere. */
  private async exact(damaged: readonly Damage[], state: LakeState) {
    const mends: Mend[] = []
    const rest: Damage[] = []
    for (const one of damaged) {
      try {
        const copies = await this.originals.copiesOf(one, state)
        const found = await wholeBytes(this.options.storage, one, copies)
        if (found) mends.push(await this.restored(one, found))
        else rest.push(one)
      } catch (error) {
        if (!isPassing(error)) throw error
        mends.push(notMended(one, error))
      }
    }
    return { mends, rest }
  }

  private async restored(one: Damage, { bytes, how }: Found): Promise<Mend> {
    if (this.options.apply) await this.options.storage.restore(one.path, bytes)
    return { path: one.path, why: one.why, how: 'bytes', text: `its bytes are restored ${how}` }
  }

  private async entry(one: Damage): Promise<Mend> {
    const { storage, apply, allowLoss = false } = this.options
    if (one.path.endsWith('/fork.json')) return this.fork(one)
    const branch = one.part.kind === 'log' ? one.part.branch : this.log.branch
    const log =
      branch === this.log.branch ? this.log : ((await this.log.openBranch(branch)) ?? this.log)
    const found = await wholeEntry(storage, log, one.path)
    if (found) return this.restored(one, found)
    const tail = one.is === 'missing' ? await lostTail(storage, log) : undefined
    if (tail && allowLoss) {
      if (apply) await forgetTail(storage, log)
      const text = `commits after ${tail.last} are given up: the lake goes back to commit ${tail.last}`
      return { path: one.path, why: one.why, how: 'made', text }
    }
    const more = tail
      ? ` Or give up the commits after ${tail.last}: moraine repair --allow-loss`
      : ''
    return lost(
      one,
      `entries of the log are never reconstructed. Restore this object from a backup, or from an older version in the bucket.${more}`,
    )
  }

  /** Where a branch begins: what its first commit says is as good. */
  private async fork(one: Damage): Promise<Mend> {
    const { storage, apply } = this.options
    const flipped = await wholeSealed(storage, one.path)
    if (flipped) return this.restored(one, flipped)
    const folder = one.path.slice(0, -'fork.json'.length)
    const [first] = (await storage.entries(folder)).filter(({ path }) => /\/\d+\.json$/.test(path))
    if (!first) return lost(one, 'its branch has no commits, so nothing is lost: remove its folder')
    const { previous, number } = parseEntry(await storage.read(first.path), first.path).commit
    const before = await this.log.entry(number - 1)
    if (number > 1 && before?.hash !== previous)
      return lost(
        one,
        `its branch does not start at a commit of ${this.log.branch}. Restore it from a backup`,
      )
    const fork = { from: this.log.branch, number: number - 1, hash: previous }
    if (apply) await storage.restore(one.path, encodeFork(fork))
    const text = 'it is rebuilt from the first commit of its branch'
    return { path: one.path, why: one.why, how: 'made', text }
  }

  /** What says its own checksum, and nothing leads to. */
  private async sealed(one: Damage): Promise<Mend> {
    const { storage, apply } = this.options
    const found = await wholeSealed(storage, one.path)
    if (found) return this.restored(one, found)
    if (one.part.kind === 'landed')
      return lost(
        one,
        `no run has read it yet. Its rows are lost unless they are sent again or restored from a backup; the next run quarantines it: moraine quarantine`,
      )
    if (apply) await storage.remove(one.path)
    const text = 'it is removed: it only described a run or a process, and no rows depend on it'
    return { path: one.path, why: one.why, how: 'made', text }
  }

  private async beside(one: Damage): Promise<Mend> {
    const { part, path } = one
    if (part.kind !== 'checkpoint' && part.kind !== 'anchor') throw new Error(part.kind)
    const log = part.branch === this.log.branch ? this.log : await this.log.openBranch(part.branch)
    if (!log) return lost(one, `there is no branch ${part.branch}`)
    if (part.kind === 'anchor' && one.is === 'wrong')
      return lost(
        one,
        'the log has a different commit with that number: restore it from a backup. Anchors are never rebuilt to match',
      )
    const { storage, apply } = this.options
    const state = await foldedTo(log, part.number)
    const bytes =
      part.kind === 'checkpoint'
        ? encodeCheckpoint(state)
        : encodeAnchor({ number: state.number, hash: state.hash as string })
    if (apply) await storage.restore(path, bytes)
    return { path, why: one.why, how: 'bytes', text: 'it is rebuilt from the log' }
  }

  /** An index only saves reading manifests, as long as all of them are there. */
  private async index(one: Damage): Promise<Mend> {
    const { part, path, why } = one
    if (part.kind !== 'index') throw new Error(part.kind)
    const { dataset } = part
    if (dataset.startsWith('crawl.'))
      return {
        ...lost(one, 'the result of a crawl is no longer in the catalog: crawl again'),
        command: `moraine crawl … --name ${dataset.slice('crawl.'.length)}`,
      }
    if (!one.head) return lost(one, 'only earlier commits refer to it')
    // As it is now: runs may have gone on since.
    const base = await this.log.head()
    if (base.expired?.[dataset] && !this.options.allowLoss)
      return lost(
        one,
        `only it says which files batches of ${dataset} had that have expired: without it, those of them that are still in the source, or come again, are ingested twice. Restore it from a backup. Without one, take what has been read out of the source, then: moraine repair --allow-loss`,
      )
    if (this.options.apply) {
      const { index, ...watermark } = base.watermarks[dataset] as { index?: { path?: string } }
      if (index?.path === path)
        await this.log.commit(
          base,
          { watermarks: { [dataset]: watermark } },
          {
            author: this.options.author,
            run: null,
            message: `remove a damaged index of ${dataset}`,
          },
        )
    }
    return {
      path,
      why,
      how: 'made',
      text: 'it is removed: its content is read from the manifests instead',
    }
  }
}

const nothing = 'its bytes are stored nowhere else: restore it from a backup'

/** Moraine does not build what other engines keep. */
function ofAnotherEngine(one: Damage): Mend {
  const name = one.part.kind === 'external' ? one.part.relation : ''
  return lost(
    one,
    one.head
      ? `${name} was written by another engine, so nothing here can compute it: restore this file from a backup, or drop ${name} in that engine and write it again`
      : `only earlier commits show ${name} so; another engine wrote it, and nothing here can compute it`,
  )
}
