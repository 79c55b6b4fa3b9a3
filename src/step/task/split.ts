import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { AnyInput, Gold, Silver } from '../../define/model.js'
import { renderSql } from '../../define/sql/sql.js'
import { compareValues } from '../../iceberg/spec/values.js'
import type { FileChange } from '../../iceberg/version.js'
import type { BatchPointer } from '../../log/commit.js'
import type { BuildDecision, View } from '../../plan/decision.js'
import type { ReasonCount } from '../events.js'
import type { FailedRows, StepCounts, StepOutput, TableOutput } from './output.js'
import type { Replay, Split, StepSize } from './task.js'

/** How a step can be split, and where it can't, why. */
export function splitOf(
  dataset: Silver | Gold,
  decision: BuildDecision,
  { replay, sample, view }: { replay?: Replay | undefined; sample: number | undefined; view: View },
): Split {
  const no = (why: string): Split => ({ by: 'nothing', why })
  if (dataset.tier === 'gold') return splitByValues(dataset, decision, view)
  if (decision.expires) return no('it reads no rows')
  if (replay) return no('rows are compared with all others of their batches')
  if (sample !== undefined) return no('the rows of a sample are the first ones')
  if (looksAround(dataset)) return no('SQL of its definition looks at other rows (OVER)')
  const odd = dataset.from.find(
    (from) => from.tier === 'external' || (from.tier === 'gold' && from.view),
  )
  if (odd) return no(`${fullName(odd)} does not lie in the lake as a table`)
  const by = dataset.key.length > 0 ? 'keys' : 'files'
  return { by, ...sizeOf(dataset, decision, view) }
}

/**
 * The same of gold, as far as it is known before its query is looked at; of what is kept up to date
 * by a column it is proved that rows with a value of it depend on no others.
 */
function splitByValues(dataset: Gold, decision: BuildDecision, view: View): Split {
  const no = (why: string): Split => ({ by: 'nothing', why })
  const { incremental, partitionBy } = dataset
  if (dataset.view) return no('a view computes no rows')
  if (decision.expires) return no('it reads no rows')
  if (decision.mode === 'incremental') return no('only what changed is computed')
  if (incremental?.affects) return no('its windows look at neighbouring partitions')
  if (incremental) return { by: 'values', column: incremental.by, ...sizeOfInputs(dataset, view) }
  return partitionBy.length > 0
    ? no('whether its partitions can be computed apart is seen when it is built')
    : no('a row of its query may depend on all rows: partitionBy may name a column')
}

/** What the inputs of a query are, all together. */
export function sizeOfInputs(dataset: Gold, view: View): StepSize {
  return sumOf(inputsOf(dataset).flatMap((input) => sizesIn(view, input)))
}

/** What an input is: its batches, or its table, where there is one. */
export function sizesIn(view: View, input: AnyInput): readonly StepSize[] {
  const name = fullName(input)
  if (input.tier === 'bronze') return view.batches[name] ?? []
  const table = view.tables[name]
  return table ? [table] : []
}

/** The batches of an input that a step reads. */
export function batchesRead(
  { mode, windows }: BuildDecision,
  view: View,
  input: AnyInput,
): readonly BatchPointer[] {
  const name = fullName(input)
  const window = windows.find(({ dataset }) => dataset === name)
  return window?.batches ?? (mode === 'incremental' ? [] : (view.batches[name] ?? []))
}

/** Whether an expression over a row may depend on which others are there. */
function looksAround({ select, rules, deleteWhen }: Silver): boolean {
  const all = [...Object.values(select), ...rules.map(({ condition }) => condition), deleteWhen]
  return all.some((one) => one && typeof one !== 'string' && /\bover\b/i.test(renderSql(one)))
}

/** What a step reads, by what the log says of it. */
function sizeOf({ from }: Silver, decision: BuildDecision, view: View): StepSize {
  const read = from.flatMap((input): readonly StepSize[] =>
    input.tier === 'bronze' ? batchesRead(decision, view, input) : sizesIn(view, input),
  )
  return sumOf(read)
}

export function sumOf(sizes: readonly StepSize[]): StepSize {
  return {
    rows: sizes.reduce((sum, { rows }) => sum + rows, 0),
    bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** What the parts of a step give, as if it had not been split. */
export function mergeOutputs([first, ...others]: readonly StepOutput[]): StepOutput {
  if (!first) throw new Error('a step has at least one part')
  return others.reduce(merged, first)
}

function merged(a: StepOutput, b: StepOutput): StepOutput {
  const failure = a.failure ?? b.failure
  const counts = a.counts && b.counts ? mergedCounts(a.counts, b.counts) : (a.counts ?? b.counts)
  const failed = mergedFailed(a.left?.failed, b.left?.failed)
  return {
    tables: byName(a.tables, b.tables, mergedTable),
    ...(counts ? { counts } : {}),
    result: mergedResult(a.result, b.result),
    ...(failure ? { failure } : {}),
    ...(failed ? { left: { failed } } : {}),
  }
}

function mergedFailed(
  a: FailedRows | undefined,
  b: FailedRows | undefined,
): FailedRows | undefined {
  if (!a || !b) return a ?? b
  const { failed = [] } = reasons('failed', [...a.reasons], [...b.reasons])
  const first = [a.first, b.first].filter((one) => one !== undefined).sort(compareOrigins)[0]
  return { reasons: failed, ...(first ? { first } : {}) }
}

type Origin = NonNullable<FailedRows['first']>

const compareOrigins = (a: Origin, b: Origin) =>
  compareValues(a.batch, b.batch) ||
  compareValues(a.file, b.file) ||
  Number(a.line) - Number(b.line)

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

/** What one part has written, another may have replaced. */
function mergedChange(a: FileChange, b: FileChange): FileChange {
  const all = [...a.added, ...b.added]
  const replaced = new Set([a, b].flatMap(({ removed }) => (removed === 'all' ? [] : [...removed])))
  const own = new Set(all.map(({ path }) => path))
  return {
    removed:
      a.removed === 'all' || b.removed === 'all'
        ? 'all'
        : new Set([...replaced].filter((path) => !own.has(path))),
    added: all.filter(({ path }) => !replaced.has(path)),
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

function reasons<N extends string>(
  name: N,
  a: ReasonCount[] = [],
  b: ReasonCount[] = [],
): { [K in N]?: ReasonCount[] } {
  const rows = new Map<string, number>()
  for (const one of [...a, ...b]) rows.set(one.reason, (rows.get(one.reason) ?? 0) + one.rows)
  const all = [...rows].map(([reason, n]) => ({ reason, rows: n }))
  const order = (x: ReasonCount, y: ReasonCount) =>
    y.rows - x.rows || compareValues(x.reason, y.reason)
  return (all.length > 0 ? { [name]: all.sort(order) } : {}) as { [K in N]?: ReasonCount[] }
}
