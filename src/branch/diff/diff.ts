import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import { ownSourcesIn, readersIn } from '../../log/branch/own-sources.js'
import type { Definition, LakeState, ViewState } from '../../log/commit.js'
import { compareDefinitions, type Known } from '../../plan/changes.js'
import { type ColumnChange, schemaDiff } from '../../plan/schema-diff.js'
import { type CheckDiff, diffChecks, type HeldChecks } from './checks.js'
import { keyOf } from './key.js'
import { Reach, type Reached } from './reach.js'
import type { RowsDiff } from './rows.js'
import { hasSameRows, type OtherChange, otherChanges } from './same.js'
import {
  type Comparing,
  columnsOfSide,
  type DiscardedDiff,
  diffDiscarded,
  diffTables,
  type FilesDiff,
} from './table-diff.js'

/** What two states of the lake are called, and when they were. */
export interface Side {
  /** As it was asked for: `main`, `dev`, `12`. */
  name: string
  commit: number
  hash: string | null
  time: string | null
}

/** How a dataset differs between two states of the lake. */
export interface DatasetDiff {
  dataset: string
  change: 'added' | 'removed' | 'changed'
  /** What changed of its definition, in words. */
  definition: readonly string[]
  columns: readonly ColumnChange[]
  /** Rows before and after; `null` where there is none, or it is a view. */
  rowsBefore: number | null
  rowsAfter: number | null
  rows?: RowsDiff
  discarded: DiscardedDiff['reasons']
  /** Rows that are discarded on one side alone. */
  discardedRows: { gained: number; lost: number }
  /** Checks that came out otherwise, as far as records of runs say. */
  checks: readonly CheckDiff[]
  files?: FilesDiff
  /** Datasets that are computed from it, as `lake.ts` says. */
  downstream: readonly string[]
  /** Those with columns that are computed from columns which changed. */
  reaches: readonly Reached[]
}

export interface LakeDiff {
  before: Side
  after: Side
  datasets: readonly DatasetDiff[]
  /** Datasets that both have, with the same rows. */
  same: number
  /** What a branch cannot show of the definition, if there is anything. */
  notes?: readonly string[]
  /** Datasets of either side that are read from elsewhere than main's, where there are some. */
  ownSources?: readonly OwnRows[]
  /** Tables and views of other engines that are not the same; their rows are not compared. */
  others?: readonly OtherChange[]
}

/** Rows that are not main's: what is made of them can't be published. */
export interface OwnRows {
  dataset: string
  /** Where they come from, in words. */
  from: string
  /** What is made of them. */
  readers: readonly string[]
}

/** What is compared. */
export interface DiffAsked extends Comparing {
  before: LakeState
  after: LakeState
  /** The definition, where it was read: keys, and what is downstream. */
  lake: Lake | undefined
  /** Full names of datasets that are compared; all without. */
  only?: ReadonlySet<string> | undefined
  /** What runs have said of checks, of both sides. */
  checks?: { before: HeldChecks; after: HeldChecks } | undefined
  /** Columns that rows of all of them are paired by, in the place of their keys. */
  key?: readonly string[] | undefined
}

/** Compares two states of the lake, dataset by dataset. */
export async function diffStates(asked: DiffAsked): Promise<Omit<LakeDiff, 'before' | 'after'>> {
  const { before, after, only } = asked
  const names = new Set([...namesIn(before), ...namesIn(after)])
  const { lake, storage, session } = asked
  const reach = lake && new Reach(lake, after, storage, session)
  const datasets: DatasetDiff[] = []
  let same = 0
  for (const name of [...names].sort()) {
    if (only && !only.has(name)) continue
    const found = await diffDataset(asked, name)
    if (found) datasets.push({ ...found, ...(await aroundOf(asked, found, reach)) })
    else same++
  }
  const own = [after, before].flatMap(ownRowsIn)
  const others = only ? [] : otherChanges(before, after)
  return {
    datasets,
    same,
    ...(own.length > 0 ? { ownSources: own } : {}),
    ...(others.length > 0 ? { others } : {}),
  }
}

function ownRowsIn(state: LakeState): OwnRows[] {
  return Object.entries(ownSourcesIn(state)).map(([dataset, { from }]) => {
    return { dataset, from, readers: [...readersIn(state, [dataset])].sort() }
  })
}

function namesIn({ tables, views = {} }: LakeState): string[] {
  return [...Object.keys(tables), ...Object.keys(views)].filter((name) =>
    /^(silver|gold)\./.test(name),
  )
}

/** What is downstream of a dataset that differs, and how its checks came out. */
async function aroundOf(
  { checks }: DiffAsked,
  { dataset, columns, rows }: OwnDiff,
  reach: Reach | undefined,
): Promise<Pick<DatasetDiff, 'downstream' | 'reaches' | 'checks'>> {
  const changed = [
    ...columns.map(({ column }) => column),
    ...(rows?.columns ?? []).flatMap(({ column, changed: n }) => (n > 0 ? [column] : [])),
  ]
  const isThere = reach?.has(dataset) ?? false
  const all = reach && isThere ? await reach.of(dataset, [...new Set(changed)]) : []
  const [old = [], fresh = []] = checks
    ? await Promise.all([checks.before.of(dataset), checks.after.of(dataset)])
    : []
  return {
    downstream: all.map((one) => one.dataset),
    reaches: all.filter((one) => one.columns.length > 0),
    checks: diffChecks(old, fresh),
  }
}

/** How a dataset differs, by itself. */
type OwnDiff = Omit<DatasetDiff, 'downstream' | 'reaches' | 'checks'>

async function diffDataset(asked: DiffAsked, name: string): Promise<OwnDiff | undefined> {
  const { before, after, lake } = asked
  const [old, fresh] = [before.tables[name], after.tables[name]]
  const [oldView, freshView] = [before.views?.[name], after.views?.[name]]
  const definition = saidOf((old ?? oldView)?.definition, (fresh ?? freshView)?.definition, {
    discarded: old?.counts?.discarded ?? 0,
    computed: { before: old?.computed, after: fresh?.computed },
  })
  const { reasons, ...discardedRows } = await discardedOf(asked, name)
  const isSame = hasSameRows(old, fresh) && isSameView(oldView, freshView)
  if (isSame && definition.length === 0 && reasons.length === 0) return undefined
  const dataset = lake?.datasets.find((one) => fullName(one) === name)
  const common = {
    dataset: name,
    change: changeOf(old ?? oldView, fresh ?? freshView),
    definition,
    rowsBefore: old?.rows ?? null,
    rowsAfter: fresh?.rows ?? null,
    discarded: reasons,
    discardedRows,
  }
  if (old && fresh) {
    const key = await keyOf(asked, { name, dataset }, old, fresh)
    return { ...common, ...(await diffTables(asked, old, fresh, key)) }
  }
  const [was = [], is = []] = await Promise.all([
    columnsOfSide(asked.storage, old, oldView),
    columnsOfSide(asked.storage, fresh, freshView),
  ])
  return { ...common, columns: schemaDiff(was, is) }
}

/** Whether two views give the same columns of the same query. */
const isSameView = (a: ViewState | undefined, b: ViewState | undefined): boolean =>
  a?.sql === b?.sql && JSON.stringify(a?.columns) === JSON.stringify(b?.columns)

function changeOf(before: unknown, after: unknown): DatasetDiff['change'] {
  if (before === undefined) return 'added'
  return after === undefined ? 'removed' : 'changed'
}

/** What changed of a definition in meaning, part by part (ADR 9). */
function saidOf(
  before: Definition | undefined,
  after: Definition | undefined,
  known: Omit<Known, 'isNull'>,
) {
  if (!before || !after || typeof before === 'string' || typeof after === 'string') return []
  const changes = compareDefinitions(before, after, { ...known, isNull: () => false })
  if (!changes) return []
  return changes.said.length > 0 ? changes.said : ['its columns are in another order']
}

function discardedOf(asked: DiffAsked, name: string): Promise<DiscardedDiff> {
  const table = name.replace(/^silver\./, 'discarded.')
  const states = table === name ? [] : [asked.before.tables[table], asked.after.tables[table]]
  return diffDiscarded(asked, states[0], states[1])
}
