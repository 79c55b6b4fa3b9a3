import { discover } from '../bronze/intake.js'
import type { Offer } from '../bronze/offer.js'
import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
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
  /** Ends looks, also those that wait for a locked table. */
  signal?: AbortSignal | undefined
}

/** What a branch says of sources: they are read on main, and it has what main had when it began. */
export const unreadOn = ({ branch, forkedAt }: Pick<CommitLog, 'branch' | 'forkedAt'>) =>
  branch === 'main'
    ? undefined
    : `sources are read on main; this branch has its batches of commit ${forkedAt}`

/** What sources offer. */
export interface Looked {
  offers: ReadonlyMap<Bronze, Offer>
  /** What is offered, by the full names of datasets. */
  discoveries: Readonly<Record<string, Discovery>>
  /** What kept sources from being looked at, by the full names of datasets. */
  problems: Readonly<Record<string, unknown>>
}

const notRead = (none: string): Offer => ({
  discovery: { news: undefined, none, notes: [] },
  ingest: () => Promise.reject(new Error(none)),
})

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
    this.databases = Databases.of(this.bronze)
  }

  /** Looks at one source, without reading its rows. */
  look(dataset: Bronze, state: LakeState): Promise<Offer> {
    const { backfill, feeds, reread, retry, unread, signal } = this.asked
    if (unread !== undefined) return Promise.resolve(notRead(unread))
    const look = () =>
      discover(
        { dataset, state, batches: this.batches, databases: this.databases },
        { backfill, feeds, retry, reread: reread?.has(fullName(dataset)) ?? false },
      )
    return signal ? orAborted(signal, look) : look()
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
