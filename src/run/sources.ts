import { discover } from '../bronze/intake.js'
import type { Offer } from '../bronze/offer.js'
import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import type { OwnSource, OwnSources } from '../define/options/own-sources.js'
import { countOf } from '../define/thousands.js'
import { ownSourcesIn } from '../log/branch/own-sources.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import type { Discovery } from '../plan/decision.js'
import { orAborted } from '../signals.js'
import { Databases } from '../source/database/open.js'
import type { Batches } from '../step/batches.js'

/** What is asked of sources beside what they have that is new. */
interface Asked {
  /** Rows of databases whose cursor lies there are read again. */
  backfill?: { from: string; until: string } | undefined
  /** Whether databases that feed inboxes are asked for rows; `true`. */
  feeds?: boolean | undefined
  /** Full names of datasets all of whose files are read again. */
  reread?: ReadonlySet<string>
  /** Ids of objects in quarantine that are tried again, however often they have failed. */
  retry?: readonly string[] | undefined
  /** Why sources are not read at all, where they are not. */
  unread?: string | undefined
  /** Datasets that are read all the same, each from a source of its own. */
  ownSources?: OwnSources | undefined
  /** Ends looks, also those that wait for a locked table. */
  signal?: AbortSignal | undefined
}

/** What a branch says of sources: they are read on main, and it has what main had when it began. */
export const unreadOn = ({ branch, forkedAt }: Pick<CommitLog, 'branch' | 'forkedAt'>) =>
  branch === 'main'
    ? undefined
    : `sources are read on main; this branch has its batches of commit ${forkedAt}`

/** `the first 10,000 rows of its source`, `those of data/dev/*.csv`. */
const saidOf = ({ from, sample }: Pick<OwnSource, 'from' | 'sample'>) =>
  sample === undefined ? `those of ${from}` : from

/** What sources offer. */
export interface Looked {
  offers: ReadonlyMap<Bronze, Offer>
  /** What is offered, by the full names of datasets. */
  discoveries: Readonly<Record<string, Discovery>>
  /** What kept sources from being looked at, by the full names of datasets. */
  problems: Readonly<Record<string, unknown>>
}

const notRead = (none: string, notes: readonly string[] = []): Offer => ({
  discovery: { news: undefined, none, notes },
  ingest: () => Promise.reject(new Error(none)),
})

/** A dataset as it is read from a source of its own: nothing of it is archived with main's. */
function readFrom(dataset: Bronze, { source }: OwnSource): Bronze {
  return { ...dataset, from: source, archive: false, lock: undefined }
}

async function onBranch(dataset: Bronze, state: LakeState, none: string): Promise<Offer> {
  if (dataset.from.kind !== 'files') return notRead(none)
  const { changedReading } = await import('../bronze/files/on-branch.js')
  return notRead(none, changedReading(dataset, state))
}

/** The sources of datasets, which `plan`, `status` and runs look at alike. */
export class Sources {
  private readonly bronze: readonly Bronze[]
  private readonly databases: Databases

  constructor(
    datasets: readonly AnyDataset[],
    private readonly batches: Batches,
    private readonly asked: Asked = {},
  ) {
    this.bronze = datasets.filter((dataset): dataset is Bronze => dataset.tier === 'bronze')
    const read = this.bronze.flatMap((dataset) => {
      const own = asked.ownSources?.get(fullName(dataset))
      if (own) return [readFrom(dataset, own)]
      return asked.unread === undefined ? [dataset] : []
    })
    this.databases = Databases.of(read)
  }

  /** Looks at one source, without reading its rows. */
  look(dataset: Bronze, state: LakeState): Promise<Offer> {
    const { unread, ownSources } = this.asked
    const own = ownSources?.get(fullName(dataset))
    if (own) return this.lookAtOwn(dataset, own, state)
    if (unread === undefined) return this.lookAt(dataset, state)
    const there = ownSourcesIn(state)[fullName(dataset)]
    return there
      ? Promise.resolve(notRead(`its rows here are ${saidOf(there)}; --env reads more`))
      : onBranch(dataset, state, unread)
  }

  private lookAt(dataset: Bronze, state: LakeState): Promise<Offer> {
    const { backfill, feeds, reread, retry, signal } = this.asked
    const look = () =>
      discover(
        { dataset, state, batches: this.batches, databases: this.databases },
        { backfill, feeds, retry, reread: reread?.has(fullName(dataset)) ?? false },
      )
    return signal ? orAborted(signal, look) : look()
  }

  /** A sample is read once: what comes later is not among the first rows. */
  private async lookAtOwn(dataset: Bronze, own: OwnSource, state: LakeState): Promise<Offer> {
    const batches = state.batches[fullName(dataset)] ?? []
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0)
    if (own.sample !== undefined && rows > 0)
      return notRead(`a sample of ${countOf(rows, 'row')} was read before`)
    const { discovery, ingest } = await this.lookAt(readFrom(dataset, own), state)
    const notes = [`its rows here are ${saidOf(own)}`, ...(discovery.notes ?? [])]
    return { discovery: { ...discovery, notes }, ingest }
  }

  /** Looks at all of them; one that can't be looked at keeps no other from it. */
  async lookAtAll(state: LakeState): Promise<Looked> {
    const offers = new Map<Bronze, Offer>()
    const problems: Record<string, unknown> = {}
    const one = async (dataset: Bronze) => {
      try {
        offers.set(dataset, await this.look(dataset, state))
      } catch (error) {
        problems[fullName(dataset)] = error
      }
    }
    await Promise.all(this.bronze.map(one))
    this.asked.signal?.throwIfAborted()
    const found = this.bronze.flatMap((dataset) => {
      const { discovery } = offers.get(dataset) ?? {}
      return discovery ? [[fullName(dataset), discovery] as const] : []
    })
    return { offers, discoveries: Object.fromEntries(found), problems }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.databases[Symbol.asyncDispose]()
  }
}
