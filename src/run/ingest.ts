import { availableParallelism } from 'node:os'
import type { Intake, Offer } from '../bronze/offer.js'
import { quarantineResult, quarantineWarnings } from '../bronze/quarantine/messages.js'
import { heldResult } from '../bronze/shrink.js'
import { fullName } from '../define/dataset.js'
import type { Bronze } from '../define/model.js'
import { thousands } from '../define/thousands.js'
import type { LakeState } from '../log/commit.js'
import type { Decision } from '../plan/decision.js'
import type { IntakeStage } from '../plan/plan.js'
import { Lanes } from '../process/pool.js'
import type { RunContext } from '../step/context.js'
import type { StepResult } from '../step/events.js'
import type { Prepared } from './prepare.js'
import type { RunRecorder } from './recorder.js'
import type { Sources } from './sources.js'
import type { Begin, Steps } from './steps.js'

/** Whether several runs may empty or read the same place, each of them knowing it by looking. */
function isSharedPlace({ from }: Bronze): boolean {
  return from.kind === 'inbox' || from.kind === 'ingest' || from.kind === 'files'
}

/** Bytes of files up to which reading them waits more than it computes. */
const FEW_BYTES = 8 * 2 ** 20

/** The first phase of a run: the stages that read sources. */
export class IntakePhase {
  private readonly steps: Steps
  private readonly recorder: RunRecorder

  /** @param onRead is told that a source was read, and the state that has its batches. */
  constructor(
    private readonly prepared: Prepared,
    private readonly sources: Sources,
    { steps, recorder }: { steps: Steps; recorder: RunRecorder },
    private readonly onRead: (dataset: string, state: LakeState) => void = () => {},
  ) {
    this.steps = steps
    this.recorder = recorder
  }

  /** Takes in all selected sources; returns the state with their batches. */
  async run(context: RunContext, begun: LakeState): Promise<LakeState> {
    const lanes = new Lanes(availableParallelism())
    const { stages, offers } = this.prepared
    const bytes = ({ dataset }: IntakeStage) => {
      const { discovery } = offers.get(dataset) ?? {}
      return discovery && 'bytes' in discovery ? discovery.bytes : undefined
    }
    const work = stages
      .filter((stage) => stage.kind === 'intake')
      .map((stage) => ({
        stage,
        weight: bytes(stage) ?? 0,
        isShort: (bytes(stage) ?? Infinity) <= FEW_BYTES,
      }))
      // The largest first, so that no long one is left alone at the end.
      .sort((a, b) => b.weight - a.weight)
    const all = work.map(({ stage, ...how }) =>
      lanes.run(() => this.stage(context, begun, stage), how),
    )
    await Promise.all(all)
    return context.log.head()
  }

  private async stage(context: RunContext, begun: LakeState, stage: IntakeStage): Promise<void> {
    const { dataset, name } = stage
    let attempts = 0
    let after = begun
    await this.steps.run(name, async (begin) => {
      // What was there may have been ingested by another run meanwhile.
      const again = attempts++ > 0 && isSharedPlace(dataset)
      const state = again ? await context.log.head() : begun
      const planned = again ? undefined : this.prepared.offers.get(dataset)
      // Where a source could not be looked at, its step tries again and tells why.
      const offer = planned ?? (await this.sources.look(dataset, state))
      const decision = planned ? stage.decision : stage.resolve(offer.discovery)
      const { result, state: read } = await this.step(
        context,
        dataset,
        state,
        { offer, decision },
        begin,
      )
      after = read
      return result
    })
    if (!this.steps.stopped(name)) this.onRead(name, after)
  }

  private async step(
    context: RunContext,
    dataset: Bronze,
    begun: LakeState,
    { offer, decision }: { offer: Offer; decision: Decision },
    begin: Begin,
  ): Promise<{ result: Partial<StepResult>; state: LakeState }> {
    const notes = offer.discovery.notes ?? []
    if (decision.action === 'none') {
      // What stays where it is does no harm.
      await offer.tidy?.().catch(() => {})
      const set = quarantineResult(fullName(dataset), begun, [])
      const { reason } = decision
      return { result: { outcome: 'unchanged', reason, notes: [...notes], ...set }, state: begun }
    }
    begin(decision)
    // What it claims is its own as long as it is heard of.
    await this.recorder.begin().catch(() => {})
    const taken = await offer.ingest(context, begun)
    for (const commit of taken.commits) this.recorder.committed(commit, [fullName(dataset)])
    return { result: resultOf(fullName(dataset), taken, notes), state: taken.state }
  }
}

/** What is told of a source that was read. */
function resultOf(name: string, taken: Intake, found: readonly string[]): Partial<StepResult> {
  const { rows, broken, bytes } = taken
  const notes = [...found, ...taken.notes]
  if (taken.held) return heldResult(name, taken.held)
  const set = quarantineResult(name, taken.state, taken.setAside ?? [])
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
