import { availableParallelism } from 'node:os'
import { discover } from '../bronze/intake.js'
import type { Intake, Offer } from '../bronze/offer.js'
import { quarantineResult, quarantineWarnings } from '../bronze/quarantine/messages.js'
import { heldResult } from '../bronze/shrink.js'
import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import { thousands } from '../define/thousands.js'
import type { LakeState } from '../log/commit.js'
import { decideIntake } from '../plan/plan.js'
import { Pool } from '../process/pool.js'
import { Databases } from '../source/database/open.js'
import type { RunContext } from '../step/context.js'
import type { StepResult } from '../step/events.js'
import type { RunOptions } from './options.js'
import type { RunRecorder } from './recorder.js'
import type { Steps } from './steps.js'

/** Whether several runs may empty or read the same place, each of them knowing it by looking. */
function isSharedPlace({ from }: Bronze): boolean {
  return from.kind === 'inbox' || from.kind === 'ingest' || from.kind === 'files'
}

/** The first phase of a run: its bronze steps. */
export class IntakePhase {
  constructor(
    private readonly datasets: readonly AnyDataset[],
    private readonly options: RunOptions,
    private readonly steps: Steps,
    private readonly recorder: RunRecorder,
  ) {}

  /** Takes in all selected sources; returns the state with their batches. */
  async run(context: RunContext, begun: LakeState): Promise<LakeState> {
    const pool = new Pool(availableParallelism())
    const bronze = this.datasets.filter((dataset): dataset is Bronze => dataset.tier === 'bronze')
    await using databases = Databases.of(bronze)
    const { backfill, feeds } = this.options
    const look = (dataset: Bronze, state = begun) =>
      discover(
        { dataset, state, batches: context.relations.batches, databases },
        {
          backfill,
          feeds,
          reread: context.reread.has(fullName(dataset)),
        },
      )
    // Where a source can't be looked at, its step tries again and tells why.
    const offers = await Promise.all(
      bronze.map(async (dataset) => ({
        dataset,
        offer: await look(dataset).catch(() => undefined),
      })),
    )
    const bytes = ({ offer }: (typeof offers)[number]) =>
      offer && 'bytes' in offer.discovery ? offer.discovery.bytes : 0
    const one = ({ dataset, offer }: (typeof offers)[number]) => {
      let attempts = 0
      return this.steps.run(fullName(dataset), async (begin) => {
        // What was there may have been ingested by another run meanwhile.
        const again = attempts++ > 0 && isSharedPlace(dataset)
        const state = again ? await context.log.head() : begun
        const found = again ? undefined : offer
        return this.step(context, dataset, state, found ?? (await look(dataset, state)), begin)
      })
    }
    // The largest first, so that no long one is left alone at the end.
    const ordered = offers.sort((a, b) => bytes(b) - bytes(a))
    await Promise.all(ordered.map((offered) => pool.run(() => one(offered))))
    return context.log.head()
  }

  private async step(
    context: RunContext,
    dataset: Bronze,
    begun: LakeState,
    { discovery, ingest: take }: Offer,
    begin: (reason: string) => void,
  ): Promise<Partial<StepResult>> {
    const decision = decideIntake(discovery)
    const found = discovery.notes ?? []
    const quarantine = (state: LakeState, taken?: Intake) =>
      quarantineResult(fullName(dataset), state, taken?.setAside ?? [])
    if (decision.action === 'none')
      return {
        outcome: 'unchanged',
        reason: decision.reason,
        notes: [...found],
        ...quarantine(begun),
      }
    begin(decision.reason)
    // What it claims is its own as long as it is heard of.
    await this.recorder.begin().catch(() => {})
    const taken = await take(context, begun)
    const { rows, broken, bytes, commits } = taken
    const notes = [...found, ...taken.notes]
    for (const commit of commits) this.recorder.committed(commit, [fullName(dataset)])
    if (taken.held) return heldResult(fullName(dataset), taken.held)
    const set = quarantine(taken.state, taken)
    const warnings = [...(taken.warnings ?? []), ...quarantineWarnings(set)]
    const warned = { ...(warnings.length > 0 ? { sourceWarnings: warnings } : {}), ...set }
    if (taken.files === 0)
      return {
        outcome: 'unchanged',
        reason: notes.join(', ') || 'nothing could be read',
        ...warned,
      }
    const records = broken === 1 ? '1 record' : `${thousands(broken)} records`
    const split = broken > 0 ? [`${records} could not be split into columns`] : []
    return { rows, bytes, files: taken.files, notes: [...notes, ...split], ...warned }
  }
}
