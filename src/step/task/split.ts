import type { Gold, Silver } from '../../define/model.js'
import { fieldsOfShape } from '../../define/types/schema.js'
import type { FileChange } from '../../iceberg/version.js'
import type { BuildDecision } from '../../plan/decision.js'
import type { ReasonCount } from '../events.js'
import type { StepCounts, StepOutput, TableOutput } from './output.js'
import type { Replay, Split, StepPart, StepTask } from './task.js'

/**
 * Types that Iceberg's bucket transform takes, by which other engines find a key's bucket as well.
 */
const HASHED = new Set(['int', 'bigint', 'decimal', 'date', 'timestamp', 'timestamptz', 'string'])

/** How a step can be split, and where it can't, why. */
export function splitOf(
  dataset: Silver | Gold,
  decision: BuildDecision,
  { replay, sample }: { replay?: Replay | undefined; sample: number | undefined },
): Split {
  const no = (why: string): Split => ({ by: 'nothing', why })
  if (dataset.tier === 'gold')
    return no(dataset.view ? 'a view computes no rows' : 'a row of a query may depend on all rows')
  if (decision.expires) return no('it reads no rows')
  if (replay) return no('rows are compared with all others of their batches')
  if (sample !== undefined) return no('the rows of a sample are the first ones')
  if (dataset.key.length === 0)
    return dataset.from.every(({ tier }) => tier === 'bronze')
      ? { by: 'files' }
      : no('without a key, rows of tables cannot be told apart')
  const fields = fieldsOfShape(dataset.schema.shape as never)
  const odd = fields.find(({ name, type }) => dataset.key.includes(name) && !HASHED.has(type.kind))
  return odd ? no(`'${odd.name}' of its key has no bucket in Iceberg`) : { by: 'keys' }
}

/** The parts of a step; one where it can't be split. */
export function partsOf(task: StepTask, most: number): StepTask[] {
  const { split } = task
  if (split.by === 'nothing') return [task]
  return Array.from({ length: most }, (_, index) => {
    const part: StepPart = { by: split.by, index, of: most }
    return { ...task, part }
  })
}

/** What the parts of a step give, as if it had not been split. */
export function mergeOutputs([first, ...others]: readonly StepOutput[]): StepOutput {
  if (!first) throw new Error('a step has at least one part')
  return others.reduce(merged, first)
}

function merged(a: StepOutput, b: StepOutput): StepOutput {
  const failure = a.failure ?? b.failure
  return {
    tables: byName(a.tables, b.tables, mergedTable),
    ...(a.counts && b.counts ? { counts: mergedCounts(a.counts, b.counts) } : {}),
    result: mergedResult(a.result, b.result),
    ...(failure ? { failure } : {}),
  }
}

function byName<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  both: (a: T, b: T) => T,
): Record<string, T> {
  const found: Record<string, T> = { ...a }
  for (const [name, one] of Object.entries(b)) {
    const other = found[name]
    found[name] = other === undefined ? one : both(other, one)
  }
  return found
}

/** All parts change a table in one snapshot: each has its own files. */
function mergedTable(a: TableOutput, b: TableOutput): TableOutput {
  const raw = [
    ...new Set([...(a.state.inputColumns ?? []), ...(b.state.inputColumns ?? [])]),
  ].sort()
  return {
    ...a,
    changes: a.changes.map((change, i) => mergedChange(change, b.changes[i] as FileChange)),
    state: { ...a.state, ...(raw.length > 0 ? { inputColumns: raw } : {}) },
  }
}

function mergedChange(a: FileChange, b: FileChange): FileChange {
  return {
    removed:
      a.removed === 'all' || b.removed === 'all' ? 'all' : new Set([...a.removed, ...b.removed]),
    added: [...a.added, ...b.added],
    deletes: [...a.deletes, ...b.deletes],
  }
}

function mergedCounts(a: StepCounts, b: StepCounts): StepCounts {
  return {
    now: sums(a.now, b.now),
    replaced: a.replaced + b.replaced,
    revived: a.revived + b.revived,
    replayed: a.replayed + b.replayed,
    expired: a.expired + b.expired,
    anew: a.anew,
  }
}

/** The sums of two records of numbers. */
function sums<T extends object>(a: T, b: T): T {
  return byName(a as Record<string, number>, b as Record<string, number>, (x, y) => x + y) as T
}

function mergedResult(a: StepOutput['result'], b: StepOutput['result']): StepOutput['result'] {
  const { counts, discarded, warnings, ...numbers } = a
  const { counts: otherCounts, discarded: more, warnings: others, ...otherNumbers } = b
  return {
    ...sums(numbers as Record<string, number>, otherNumbers as Record<string, number>),
    ...(counts && otherCounts ? { counts: sums(counts, otherCounts) } : {}),
    ...reasons('discarded', discarded, more),
    ...reasons('warnings', warnings, others),
  }
}

function reasons(name: string, a: ReasonCount[] = [], b: ReasonCount[] = []) {
  const rows = new Map<string, number>()
  for (const one of [...a, ...b]) rows.set(one.reason, (rows.get(one.reason) ?? 0) + one.rows)
  const all = [...rows].map(([reason, n]) => ({ reason, rows: n }))
  const order = (x: ReasonCount, y: ReasonCount) =>
    y.rows - x.rows || (x.reason < y.reason ? -1 : 1)
  return all.length > 0 ? { [name]: all.sort(order) } : {}
}
