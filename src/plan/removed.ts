import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyDataset, AnyInput, Gold, Silver, Sql, SqlPart } from '../define/model.js'
import { historiesIn, quoteName } from '../define/sql/sql.js'
import { watermarkKeys } from '../define/watermark-keys.js'
import type { Changes, Definition, LakeState, TableState } from '../log/commit.js'
import { computedOf, definitionOf } from './fingerprint.js'

/** A dataset that the lake holds and its definition no longer names. */
export interface Removed {
  /** `silver.orders`. */
  name: string
  rows: number
}

/** Tiers of the tables that go with a silver dataset's own. */
const COMPANIONS = ['discarded', 'deleted', 'history', 'tombstones']

/** The datasets that are in the lake, but not in its definition any more. */
export function removedFrom(datasets: readonly AnyDataset[], state: LakeState): Removed[] {
  const defined = new Set(datasets.map(fullName))
  const tables = Object.entries(state.tables)
    .filter(([name]) => /^(silver|gold)\./.test(name))
    .map(([name, { rows }]) => ({ name, rows }))
  const bronze = Object.entries(state.batches)
    .filter(([, batches]) => batches.length > 0)
    .map(([name, batches]) => ({ name, rows: batches.reduce((sum, b) => sum + b.rows, 0) }))
  const views = Object.keys(state.views ?? {}).map((name) => ({ name, rows: 0 }))
  return [...bronze, ...tables, ...views].filter(({ name }) => !defined.has(name))
}

/** What takes a dataset out of the lake: its tables, batches, offsets and watermark. */
export function dropChanges(state: LakeState, name: string): Changes {
  const tables = {
    ...readersOf(state, name),
    ...Object.fromEntries(tablesOf(state, name).map((table) => [table, null])),
  }
  return {
    ...(Object.keys(tables).length > 0 ? { tables } : {}),
    ...(state.views?.[name] ? { views: { [name]: null } } : {}),
    ...(state.offsets[name] ? { offsets: { [name]: null } } : {}),
    ...withoutWatermarks(state, name),
    ...(state.batches[name] ? { cut: { [name]: 0 } } : {}),
    ...(state.expired?.[name] ? { expire: { [name]: 0 } } : {}),
  }
}

/** A dataset's watermarks, by the names that the log has for them, are none any more. */
function withoutWatermarks({ watermarks }: LakeState, name: string): Pick<Changes, 'watermarks'> {
  const keys = watermarkKeys(watermarks, name)
  if (keys.length === 0) return {}
  return { watermarks: Object.fromEntries(keys.map(([key]) => [key, null])) }
}

function movedWatermarks(
  { watermarks }: LakeState,
  from: string,
  to: string,
  dropped: Changes,
): Pick<Changes, 'watermarks'> {
  const moved = watermarkKeys(watermarks, from, to).map(([key, now]) => [now, watermarks[key]])
  if (moved.length === 0) return {}
  return { watermarks: { ...dropped.watermarks, ...Object.fromEntries(moved) } }
}

/**
 * Tables that have read batches of a dataset: one of its name that comes later begins at the first
 * again.
 */
function readersOf(state: LakeState, name: string): Record<string, TableState> {
  const readers = Object.entries(state.offsets).flatMap(([reader, seen]) => {
    const table = state.tables[reader]
    return state.batches[name] && table && name in seen
      ? [[reader, { ...table, rebuild: `${name} was dropped` }] as const]
      : []
  })
  return Object.fromEntries(readers)
}

/** The names of the tables that a dataset has, in a state. */
function tablesOf(state: LakeState, name: string): string[] {
  const [tier, own] = name.split('.') as [string, string]
  const names = tier === 'silver' ? [name, ...COMPANIONS.map((tier) => `${tier}.${own}`)] : [name]
  return names.filter((table) => table in state.tables)
}

/**
 * What gives a dataset another name: its rows, versions, discarded rows, offsets and watermark go
 * with it, as do the offsets of what reads it. Definitions that differ by the name alone count as
 * the same, so that nothing is built again for it.
 *
 * @param datasets all datasets of the definition, which has the new name.
 */
export function renameChanges(
  state: LakeState,
  from: string,
  to: string,
  datasets: readonly AnyDataset[],
  hash: (text: string) => string,
): Changes {
  const { tables: _, ...dropped } = dropChanges(state, from)
  const gone = Object.fromEntries(tablesOf(state, from).map((table) => [table, null]))
  const { [to]: _old, ...earlier } = state.renamed ?? {}
  const renamed = { ...earlier, [from]: to }
  const [, newName] = to.split('.') as [string, string]
  const movedTables = tablesOf(state, from).map((table) => [
    inPlace(table, newName),
    state.tables[table] as TableState,
  ])
  const swapped = new Map(
    [from, ...tablesOf(state, from)].map((name) => [name, inPlace(name, newName)]),
  )
  const swap = (name: string) => swapped.get(name) ?? name
  const readers = Object.entries(state.offsets).filter(([, offsets]) =>
    Object.keys(offsets).some((name) => swapped.has(name)),
  )
  const offsets = Object.fromEntries(
    [...readers, ...Object.entries(state.offsets).filter(([name]) => name === from)].map(
      ([name, old]) => [
        swap(name),
        Object.fromEntries(Object.entries(old).map(([input, at]) => [swap(input), at])),
      ],
    ),
  )
  const tables: Record<string, TableState> = Object.fromEntries(movedTables)
  for (const dataset of datasets) {
    const name = fullName(dataset)
    const table = tables[name] ?? state.tables[name]
    if (!table || dataset.tier === 'bronze') continue
    const changed = renamedIn(table, dataset, renamed, hash)
    if (name in tables || JSON.stringify(changed) !== JSON.stringify(table)) tables[name] = changed
  }
  const batches = state.batches[from]?.map((batch) => ({ ...batch, dataset: to }))
  return {
    ...dropped,
    renamed: { [from]: to, ...(state.renamed?.[to] ? { [to]: null } : {}) },
    tables: { ...gone, ...tables },
    ...(state.views ? { views: renamedViews(state.views, from, to) } : {}),
    offsets: { ...dropped.offsets, ...offsets },
    ...movedWatermarks(state, from, to, dropped),
    ...(batches ? { batches } : {}),
    ...(state.expired?.[from] ? { expire: { ...dropped.expire, [to]: state.expired[from] } } : {}),
  }
}

/** The table of the same tier of a dataset that is called otherwise. */
const inPlace = (table: string, newName: string) => `${table.split('.')[0]}.${newName}`

/** Views that are called otherwise, or read what is. */
function renamedViews(
  views: NonNullable<LakeState['views']>,
  from: string,
  to: string,
): NonNullable<Changes['views']> {
  const quoted = (name: string) => name.split('.').map(quoteName)
  const [tier = '', own = ''] = quoted(from).map((text) =>
    text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'),
  )
  const named = new RegExp(`${tier}\\s*\\.\\s*${own}`, 'g')
  const after: NonNullable<Changes['views']> = {}
  for (const [name, view] of Object.entries(views)) {
    const sql = view.sql.replace(named, () => quoted(to).join('.'))
    if (name === from) after[name] = null
    if (name === from || sql !== view.sql) after[name === from ? to : name] = { ...view, sql }
  }
  return after
}

/**
 * A table whose inputs are called otherwise by now: what it was made from is known by the new
 * names.
 */
function renamedIn(
  table: TableState,
  dataset: Silver | Gold,
  renamed: Readonly<Record<string, string>>,
  hash: (text: string) => string,
): TableState {
  const newest = (name: string): string => (renamed[name] ? newest(renamed[name]) : name)
  const after: Definition = definitionOf(dataset, hash)
  const definition = { ...table.definition }
  const computed = table.computed && { ...table.computed }
  for (const names of namesBefore(namedBy(dataset), renamed)) {
    const before: Definition = definitionOf(withNames(dataset, names), hash)
    for (const [part, now] of Object.entries(after))
      if (before[part] === table.definition[part]) definition[part] = now
    if (!computed) continue
    const asBefore = computedOf(withNames(dataset, names), hash) ?? {}
    for (const [column, now] of Object.entries(computedOf(dataset, hash) ?? {}))
      if (asBefore[column] === computed[column]) computed[column] = now
  }
  const { drivingInputs, expiringInputs } = table
  return {
    ...table,
    definition,
    ...(computed ? { computed } : {}),
    ...(drivingInputs ? { drivingInputs: drivingInputs.map(newest) } : {}),
    ...(expiringInputs ? { expiringInputs: expiringInputs.map(newest) } : {}),
  }
}

/** What a definition names: what it reads, and that of which it reads the versions. */
const namedBy = (dataset: Silver | Gold): AnyInput[] =>
  dataset.tier === 'gold'
    ? [...inputsOf(dataset), ...historiesIn(dataset.query)]
    : inputsOf(dataset)

/** The names that a dataset has had, by the new names of those that got one. */
export function formerNames(name: string, renamed: Readonly<Record<string, string>>): string[] {
  return Object.entries(renamed)
    .filter(([, to]) => to === name)
    .flatMap(([from]) => [from, ...formerNames(from, renamed)])
}

/** Combinations of names that are tried at most. */
const MOST = 64

/**
 * The names that inputs may have had when a table was made: each combination, by the names they
 * have now.
 */
function namesBefore(
  inputs: readonly AnyInput[],
  renamed: Readonly<Record<string, string>>,
): ReadonlyMap<string, string>[] {
  let found: ReadonlyMap<string, string>[] = [new Map()]
  for (const name of new Set(inputs.map(fullName)))
    for (const old of formerNames(name, renamed))
      if (found.length < MOST)
        found = [...found, ...found.map((names) => new Map([...names, [name, old]]))]
  return found
}

/** A dataset as it would be if its inputs had other names. */
function withNames<D extends Silver | Gold>(dataset: D, names: ReadonlyMap<string, string>): D {
  const other = <T extends AnyInput>(input: T): T => {
    const old = names.get(fullName(input))
    if (input.tier === 'gold' && input.view) return { ...input, query: inSql(input.query) }
    return old === undefined ? input : { ...input, name: old.slice(old.indexOf('.') + 1) }
  }
  const inSql = (sql: Sql): Sql => ({
    ...sql,
    parts: sql.parts.map((part) =>
      'dataset' in part ? ({ ...part, dataset: other(part.dataset) } as SqlPart) : part,
    ),
  })
  if (dataset.tier === 'gold') return { ...dataset, query: inSql(dataset.query) }
  const { select, rules, deleteWhen } = dataset
  return {
    ...dataset,
    from: dataset.from.map(other),
    select: Object.fromEntries(
      Object.entries(select).map(([column, source]) => [
        column,
        typeof source === 'string' ? source : inSql(source as Sql),
      ]),
    ),
    rules: rules.map((rule) => ({ ...rule, condition: inSql(rule.condition) })),
    ...(deleteWhen ? { deleteWhen: inSql(deleteWhen) } : {}),
  }
}
