import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset } from '../../define/model.js'
import { typeName } from '../../define/types/column-type.js'
import type { Definition, LakeState, TableState } from '../../log/commit.js'
import { compareDefinitions } from '../../plan/changes.js'
import { select } from '../../plan/graph.js'
import type { ColumnChange } from '../../plan/schema-diff.js'
import type { RowsDiff } from './rows.js'
import { hasSameRows } from './same.js'
import {
  type Comparing,
  columnsOfTable,
  diffReasons,
  diffTables,
  type FilesDiff,
  type Key,
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
  discarded: readonly { reason: string; gained: number; lost: number }[]
  files?: FilesDiff
  /** Datasets that are computed from it, as `lake.ts` says. */
  downstream: readonly string[]
}

export interface LakeDiff {
  before: Side
  after: Side
  datasets: readonly DatasetDiff[]
  /** Datasets that both have, with the same rows. */
  same: number
}

/** What is compared. */
export interface DiffAsked extends Comparing {
  before: LakeState
  after: LakeState
  /** The definition, where it was read: keys, and what is downstream. */
  lake: Lake | undefined
  /** Full names of datasets that are compared; all without. */
  only?: ReadonlySet<string> | undefined
  /** Columns that rows of all of them are paired by, in the place of their keys. */
  key?: readonly string[] | undefined
}

/** Compares two states of the lake, dataset by dataset. */
export async function diffStates(asked: DiffAsked): Promise<Omit<LakeDiff, 'before' | 'after'>> {
  const { before, after, only } = asked
  const names = new Set([...namesIn(before), ...namesIn(after)])
  const datasets: DatasetDiff[] = []
  let same = 0
  for (const name of [...names].sort()) {
    if (only && !only.has(name)) continue
    const found = await diffDataset(asked, name)
    if (found) datasets.push(found)
    else same++
  }
  return { datasets, same }
}

function namesIn({ tables, views = {} }: LakeState): string[] {
  return [...Object.keys(tables), ...Object.keys(views)].filter((name) =>
    /^(silver|gold)\./.test(name),
  )
}

async function diffDataset(asked: DiffAsked, name: string): Promise<DatasetDiff | undefined> {
  const { before, after, lake } = asked
  const [old, fresh] = [before.tables[name], after.tables[name]]
  const [oldView, freshView] = [before.views?.[name], after.views?.[name]]
  const definition = saidOf(
    (old ?? oldView)?.definition,
    (fresh ?? freshView)?.definition,
    old?.counts?.discarded ?? 0,
  )
  const reasons = await reasonsOf(asked, name)
  const isSame = hasSameRows(old, fresh) && oldView?.sql === freshView?.sql
  if (isSame && definition.length === 0 && reasons.length === 0) return undefined
  const dataset = lake?.datasets.find((one) => fullName(one) === name)
  const common = {
    dataset: name,
    change: changeOf(old ?? oldView, fresh ?? freshView),
    definition,
    rowsBefore: old?.rows ?? null,
    rowsAfter: fresh?.rows ?? null,
    discarded: reasons,
    downstream: lake && dataset ? downstreamOf(lake, name) : [],
  }
  if (old && fresh) {
    const key = keyOf(asked, dataset, old, fresh)
    return { ...common, ...(await diffTables(asked, old, fresh, key)) }
  }
  const [only] = [old, fresh].filter((state) => state !== undefined)
  const side = old ? 'before' : 'after'
  const fields = only ? await columnsOfTable(asked.storage, only) : []
  const columns = fields.map(({ name: column, type }): ColumnChange => {
    const change = old ? 'removed' : 'added'
    return { column, change, [side]: typeName(type), breaking: old !== undefined }
  })
  return { ...common, columns }
}

function changeOf(before: unknown, after: unknown): DatasetDiff['change'] {
  if (before === undefined) return 'added'
  return after === undefined ? 'removed' : 'changed'
}

/** What changed of a definition in meaning, part by part (ADR 9). */
function saidOf(before: Definition | undefined, after: Definition | undefined, discarded: number) {
  if (!before || !after || typeof before === 'string' || typeof after === 'string') return []
  const changes = compareDefinitions(before, after, { discarded, isNull: () => false })
  if (!changes) return []
  return changes.said.length > 0 ? changes.said : ['its columns are in another order']
}

function reasonsOf(asked: DiffAsked, name: string) {
  const table = name.replace(/^silver\./, 'discarded.')
  if (table === name) return []
  return diffReasons(asked, asked.before.tables[table], asked.after.tables[table])
}

function downstreamOf(lake: Lake, name: string): string[] {
  return select(lake, [`${name}+`])
    .map(fullName)
    .filter((other) => other !== name)
}

/**
 * The key of a dataset: what silver is keyed by, or what a check of gold says is unique, or else
 * what it is kept up to date by. A key that was another one before says nothing of rows of then.
 */
function keyOf(
  { key }: DiffAsked,
  dataset: AnyDataset | undefined,
  before: TableState,
  after: TableState,
): Key {
  if (key) return { columns: key, isUnique: false }
  if (dataset?.tier === 'silver') {
    const isUnique = before.definition.key === after.definition.key
    return { columns: dataset.key, isUnique: isUnique && dataset.key.length > 0 }
  }
  if (dataset?.tier !== 'gold') return { columns: [], isUnique: false }
  const unique = dataset.checks.find(isUniqueCheck)
  if (unique) return { columns: unique.columns, isUnique: false }
  // One row a part is the rule, and nothing that anybody has promised.
  const { incremental } = dataset
  return { columns: incremental ? [incremental.by] : [], isUnique: false, isGuess: true }
}

const isUniqueCheck = <C extends { check: string }>(check: C): check is C & { check: 'unique' } =>
  check.check === 'unique'
