import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { LakeState } from '../../log/commit.js'
import { heardOf } from '../../log/live.js'
import { quarantinedOf } from '../../log/quarantined.js'
import { decideIntake } from '../../plan/decide.js'
import { Databases } from '../../source/database/open.js'
import { Batches } from '../../step/batches.js'
import type { Storage } from '../../storage/storage.js'
import { Landing, strayNotes } from '../ingest/landing.js'
import { FolderInbox } from './folder.js'
import { discoverInbox, placeOf } from './inbox.js'

/** Looks for which descriptions of batches are remembered. */
const LOOKS = 200

/** What a look found. */
export interface Arrived {
  ready: boolean
  unfinished: boolean
  notes: readonly string[]
}

/** Looks whether something has arrived for a dataset: cheaply, as it is asked every few seconds. */
export class Arrivals {
  private readonly folder: FolderInbox | undefined
  private batches: Batches
  private looks = 0
  /** The folder of this machine where files arrive. */
  readonly path: string | undefined
  /** Milliseconds after which a file that does not change is complete. */
  readonly settle: number

  constructor(
    private readonly storage: Storage,
    private readonly dataset: Bronze,
    private readonly head: () => Promise<LakeState>,
  ) {
    const { from } = dataset
    this.batches = new Batches(storage)
    this.settle = from.kind === 'inbox' ? from.settle : 0
    if (from.kind !== 'inbox') return
    const place = placeOf(storage, dataset, from)
    if (place.startsWith('s3://')) return
    this.path = place
    this.folder = new FolderInbox(place, from.settle, () => heardOf(storage))
  }

  /**
   * Whether something is complete, whether something is being written, and what should be known of
   * what lies there.
   */
  async look(): Promise<Arrived> {
    // What could not be read and is to be tried again.
    const quarantined = quarantinedOf(await this.head(), fullName(this.dataset))
    const again = quarantined.some(({ held }) => !held)
    if (!this.folder) {
      const { ready, notes } = await this.any()
      return { ready: ready || again, unfinished: false, notes }
    }
    const { ready, unfinished, notes } = await this.folder.look()
    return { ready: ready.length > 0 || again, unfinished: unfinished > 0, notes }
  }

  private async any(): Promise<Omit<Arrived, 'unfinished'>> {
    const { from } = this.dataset
    if (from.kind !== 'inbox') {
      const { objects, strays } = await new Landing(this.storage, this.dataset.name).look()
      return { ready: objects.length > 0, notes: strayNotes(this.dataset, strays) }
    }
    const source = { ...from, feed: undefined }
    await using databases = Databases.of([])
    const state = await this.head()
    // Descriptions of batches do not change, and most are asked for again.
    if (this.looks++ % LOOKS === 0) this.batches = new Batches(this.storage)
    const { batches } = this
    const { dataset } = this
    const { discovery } = await discoverInbox({ dataset, source, state, batches, databases })
    return { ready: decideIntake(discovery).action !== 'none', notes: discovery.notes ?? [] }
  }
}
