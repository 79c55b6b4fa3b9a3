import { fullName } from '../define/dataset.js'
import { checkedAgainst, inputsOf, isBuilt } from '../define/inputs.js'
import type { AnyDataset, Bronze, Gold, Silver } from '../define/model.js'
import { retentionOf } from '../define/retention.js'
import type { BatchPointer, TableState } from '../log/commit.js'
import { type DecideOptions, decide, decideFor, decideIntake, readAgain } from './decide.js'
import type { BuildDecision, Decision, Discovery, View } from './decision.js'
import { lastNumber } from './offsets.js'

interface StageOf<D extends AnyDataset> {
  dataset: D
  name: string
  /** Stages of the plan that have ended before this one begins. */
  after: readonly string[]
  /** What is to be done, as far as that is known before anything is done. */
  decision: Decision
  /** Set where it is decided only after other stages. */
  pending?: Pending
}

/** What a stage waits for to be decided. */
export interface Pending {
  /** The stages of the plan whose changes decide; in words: "after intake". */
  on: readonly string[]
  /** What is done if none of these changes anything. */
  otherwise: Decision
}

/** Reads what the source of a dataset offers. */
export interface IntakeStage extends StageOf<Bronze> {
  kind: 'intake'
  /** What to do where the source was looked at once more. */
  resolve(discovery: Discovery): Decision
}

/** Builds a table, or stores a view. */
export interface BuildStage extends StageOf<Silver | Gold> {
  kind: 'build'
  /** What to do on the state that `after` leaves. */
  resolve(view: View): Decision
}

/** Validates discarded rows of a table again. */
export interface ReplayStage extends StageOf<Silver> {
  kind: 'replay'
  resolve(): Decision
}

/**
 * Expires batches that are older than a dataset's `keep`, once all that reads them has read them.
 */
export interface ExpireStage {
  kind: 'expire'
  dataset: Bronze
  name: string
  after: readonly string[]
}

/**
 * What is done for a dataset, and why: made by {@link plan}, shown by `moraine plan`, carried out
 * by a run.
 */
export type Stage = IntakeStage | BuildStage | ReplayStage

/** All that a run does. */
export interface Plan {
  /** One for each dataset, inputs first. */
  stages: readonly Stage[]
  /** Those that end the run. */
  expire: readonly ExpireStage[]
}

export interface PlanInput extends DecideOptions {
  datasets: readonly AnyDataset[]
  view: View
  discoveries: Readonly<Record<string, Discovery>>
  /** Datasets whose sources could not be looked at: a run tries again. */
  unread?: readonly string[]
  /** The silver dataset whose discarded rows are validated again, in the place of its build. */
  replay?: string | undefined
}

/** Whether a stage changes what others read; it is certain only that a table will be there. */
type Change = 'certain' | 'expected' | 'possible'
type Changing = ReadonlyMap<AnyDataset, Change>

/**
 * The stages of a run. Those downstream of others say what they do if these change what is
 * expected.
 */
export function plan(input: PlanInput): Plan {
  const { datasets } = input
  const chosen = new Set(datasets)
  const changing = new Map<AnyDataset, Change>()
  const stages = datasets.map((dataset) => {
    const stage = stageOf(dataset, input, changing)
    const change = changeBy(stage, input)
    if (change) changing.set(dataset, change)
    const first = [...inputsOf(dataset), ...checkedAgainst(dataset)].filter(isBuilt)
    const after = first.filter((other) => chosen.has(other)).map(fullName)
    return { ...stage, after: [...new Set(after)] }
  })
  const expire = datasets
    .filter((dataset): dataset is Bronze => dataset.tier === 'bronze' && dataset.keep !== undefined)
    .map((dataset): ExpireStage => {
      const readers = datasets.filter((reader) => inputsOf(reader).includes(dataset))
      return { kind: 'expire', dataset, name: fullName(dataset), after: readers.map(fullName) }
    })
  return { stages, expire }
}

function changeBy({ name, decision, pending }: Stage, { view, unread }: PlanInput) {
  if (decision.action === 'none') return pending || unread?.includes(name) ? 'possible' : undefined
  const isNew = decision.action === 'build' && !view.tables[name]
  return isNew && !pending ? 'certain' : 'expected'
}

function stageOf(dataset: AnyDataset, input: PlanInput, changing: Changing): Stage {
  const { view, discoveries, replay } = input
  const name = fullName(dataset)
  const after: string[] = []
  if (dataset.tier === 'bronze') {
    const decision = decideIntake(discoveries[name])
    return { kind: 'intake', dataset, name, after, decision, resolve: decideIntake }
  }
  if (dataset.tier === 'silver' && replay === name) {
    const reason = 'its discarded rows are validated again'
    const decision: Decision = { action: 'build', mode: 'incremental', reason, windows: [] }
    return { kind: 'replay', dataset, name, after, decision, resolve: () => decision }
  }
  const { full, hash, now } = input
  const options = { full, hash, now }
  const resolve = (later: View) => decide(dataset, later, options)
  return {
    kind: 'build',
    dataset,
    name,
    after,
    resolve,
    ...foresee(dataset, view, options, changing),
  }
}

/**
 * What is decided for a dataset some of whose inputs may change: it is known if it is the same
 * whether they change or not, and whatever it is that arrives.
 */
function foresee(
  dataset: Silver | Gold,
  view: View,
  options: DecideOptions,
  changing: Changing,
): { decision: Decision; pending?: Pending } {
  const inputs = inputsOf(dataset)
    .filter(isBuilt)
    .filter((input) => changing.has(input))
  const certain = inputs.filter((input) => changing.get(input) === 'certain')
  const otherwise = decide(dataset, changed(view, certain, false), options)
  if (inputs.length === 0) return { decision: otherwise }
  const expected = inputs.filter((input) => changing.get(input) !== 'possible')
  const likely = decideFor(dataset, changed(view, expected, false), options)
  const utmost = decide(dataset, changed(view, inputs, true), options)
  if ([likely.decision, utmost].every((decision) => isSame(decision, otherwise)))
    return { decision: otherwise }
  const open = inputs.filter((input) => !certain.includes(input))
  const pending = { on: (open.length > 0 ? open : inputs).map(fullName), otherwise }
  const { decision, byInputs } = likely
  if (decision.action !== 'build' || !byInputs || expected.length === 0)
    return { decision, pending }
  const will = `${expected.map(fullName).join(', ')} will change${readAgain(dataset, expected, view)}`
  const reason = otherwise.action === 'build' ? `${otherwise.reason}; ${will}` : will
  return { decision: { ...decision, reason, windows: [] }, pending }
}

function isSame(a: Decision, b: Decision): boolean {
  const mode = (decision: Decision) => (decision as Partial<BuildDecision>).mode
  return a.action === b.action && mode(a) === mode(b) && a.reason === b.reason
}

/**
 * The state once datasets have changed.
 *
 * @param utmost whether what arrives is all of its source, and rows expire.
 */
function changed(view: View, datasets: readonly AnyDataset[], utmost: boolean): View {
  const batches: Record<string, readonly BatchPointer[]> = {}
  const tables: Record<string, TableState> = {}
  for (const dataset of datasets) {
    const name = fullName(dataset)
    if (dataset.tier === 'bronze')
      batches[name] = [...(view.batches[name] ?? []), nextBatch(dataset, view, utmost)]
    else
      for (const table of [name, ...(isHistorical(dataset) ? [`history.${dataset.name}`] : [])])
        tables[table] = nextVersion(view.tables[table], utmost && retentionOf(dataset)?.by)
  }
  return {
    ...view,
    batches: { ...view.batches, ...batches },
    tables: { ...view.tables, ...tables },
  }
}

const isHistorical = (dataset: Silver | Gold) => dataset.tier === 'silver' && dataset.history

function nextBatch(dataset: Bronze, view: View, whole: boolean): BatchPointer {
  const name = fullName(dataset)
  const number = lastNumber(name, view) + 1
  const batch = { dataset: name, number, batch: '', manifest: '', rows: 0, bytes: 0 }
  return whole ? { ...batch, fullExtract: true } : batch
}

function nextVersion(before: TableState | undefined, expiresBy: string | false | undefined) {
  const { sameRowsAs: _, ...others } = before ?? ({ rows: 0 } as TableState)
  const retention = expiresBy
    ? { column: expiresBy, expiredBefore: new Date(0).toISOString() }
    : others.retention
  return { ...others, metadata: 'to be written', retention } as TableState
}
