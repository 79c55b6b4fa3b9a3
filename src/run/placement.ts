import { availableParallelism } from 'node:os'
import { fullName } from '../define/dataset.js'
import { engineName, engineOf, type StepEngine, slotsOf } from '../define/engines/step-engine.js'
import { inputsOf } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { AnyInput, Gold, Silver } from '../define/model.js'
import type { Portable } from '../gold/portable.js'
import type { BuildDecision, Discovery, View } from '../plan/decision.js'
import type { Stage } from '../plan/plan.js'
import { splitOf } from '../step/task/split.js'
import { partsOf } from './split/part-sizes.js'

/** Where a step runs, and what is known of it before. */
export interface Placement {
  /** `duckdb`: the run's own process; `workers(4)`. */
  engine: string
  /** Tasks that it consists of, each carried out by one worker. */
  tasks: number
  /** Bytes of the files that it reads, at most, as far as they are known. */
  bytes: number
  /** Bytes of memory that the engine of a task may use. */
  memory?: number
  /** Why it is one task, or why it is not on the engine that it would be on. */
  why?: string
}

/** For which gold datasets SQL of another engine is written, and for which one. */
export const portableOn =
  (lake: Pick<Lake, 'engine'>, instead?: StepEngine) =>
  (dataset: Gold): Portable | undefined =>
    engineOf(dataset, lake, instead).engine === 'trino'
      ? { target: 'trino', table: (schema, name) => `${schema}.${name}` }
      : undefined

export interface Places {
  lake: Pick<Lake, 'engine'>
  instead?: StepEngine | undefined
  /** Bytes that the engine of a worker may use. */
  memory: number
  view: View
  discoveries: Readonly<Record<string, Discovery | undefined>>
}

/** Where steps of silver and gold run, by the names of their datasets. */
export function placementsOf(
  stages: readonly Stage[],
  places: Places,
): Readonly<Record<string, Placement>> {
  const found: Record<string, Placement> = {}
  for (const { dataset, name, decision } of stages) {
    if (dataset.tier === 'bronze' || decision.action !== 'build') continue
    // What is built before is read as it will be then: about as large as what it is made of.
    const built = (input: string) => found[input]?.bytes ?? 0
    found[name] = placementOf(dataset, decision, { ...places, built })
  }
  return found
}

interface Sizes extends Pick<Places, 'view' | 'discoveries'> {
  built: (name: string) => number
}

function placementOf(
  dataset: Silver | Gold,
  decision: BuildDecision,
  { lake, instead, memory, ...sizes }: Places & Sizes,
): Placement {
  const engine = engineOf(dataset, lake, instead)
  const bytes = bytesRead(dataset, decision, sizes)
  const split = splitOf(dataset, decision, { sample: undefined, view: sizes.view })
  if (dataset.tier === 'gold' && dataset.view)
    return { engine: 'duckdb', tasks: 1, bytes: 0, why: 'a view computes no rows' }
  if (engine.engine === 'duckdb') return { engine: 'duckdb', tasks: 1, bytes }
  if (engine.engine === 'trino')
    return {
      engine: engineName(engine),
      tasks: 1,
      bytes,
      ...(decision.mode === 'incremental' && dataset.tier === 'gold' && dataset.incremental?.affects
        ? { why: 'it is computed as a whole there, since its parts depend on others (affects)' }
        : {}),
    }
  const why = split.by === 'nothing' ? { why: split.why } : {}
  const rows = 'rows' in split ? split.rows : 0
  const tasks =
    split.by === 'nothing' ? 1 : partsOf({ rows, bytes }, slotsOf(engine, availableParallelism()))
  return { engine: engineName(engine), tasks: Math.max(tasks, 1), bytes, memory, ...why }
}

/** What a step reads at most whose inputs are built. */
export const stepBytes = (dataset: Silver | Gold, decision: BuildDecision, view: View): number =>
  bytesRead(dataset, decision, { view, discoveries: {}, built: () => 0 })

/** What a step reads at most: its inputs, and of a table with a key the rows that it replaces. */
function bytesRead(
  dataset: Silver | Gold,
  decision: BuildDecision,
  { view, discoveries, built }: Sizes,
): number {
  const own = view.tables[fullName(dataset)]?.bytes ?? 0
  const isMerged = dataset.tier === 'silver' && dataset.key.length > 0
  const before = decision.mode === 'incremental' && isMerged ? own : 0
  const sizeOf = (input: AnyInput) => {
    const name = fullName(input)
    if (input.tier !== 'bronze') return Math.max(view.tables[name]?.bytes ?? 0, built(name))
    const batches =
      decision.mode === 'incremental' ? windowOf(decision, name) : (view.batches[name] ?? [])
    return batches.reduce((sum, batch) => sum + batch.bytes, 0) + arriving(discoveries[name])
  }
  return inputsOf(dataset).reduce((sum, input) => sum + sizeOf(input), before)
}

const windowOf = (decision: BuildDecision, name: string) =>
  decision.windows.find((window) => window.dataset === name)?.batches ?? []

/** Bytes that a source offers, where it says so. */
const arriving = (discovery: Discovery | undefined) =>
  discovery && 'bytes' in discovery ? discovery.bytes : 0

/** Whether anything is planned that does not run in the process of the run. */
export function isElsewhere(placements: Readonly<Record<string, Placement>>): boolean {
  return Object.values(placements).some(({ engine }) => engine !== 'duckdb')
}
