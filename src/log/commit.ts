import { quarantineKey } from '../define/quarantine.js'
import { foldDefinitions } from './definitions.js'

/** What a dataset's rows depend on: a hash of each part of its definition, by the part's name. */
export type Definition = Readonly<Record<string, string>>

/** Where a table stands after a commit. */
export interface TableState {
  /** Path of the Iceberg metadata file, relative to the lake's root. */
  metadata: string
  /** SHA-256 of that file, in hex; earlier versions of Moraine did not note it. */
  sha256?: string
  /** The definition that made the table. */
  definition: Definition
  rows: number
  /** Bytes of all data files. */
  bytes: number
  files: number
  /** Why all of its rows must be computed anew, where they must. */
  rebuild?: string
  /** For silver tables: what became of all rows that were ever read into this table. */
  counts?: RowCounts
  /** For silver tables: the columns that its inputs had, in lower case. */
  raw?: readonly string[]
  /** Earlier versions, newest first, that have the same rows in other files. */
  same?: readonly string[]
  /** For gold tables that are kept up to date by parts: the inputs whose rows decide which parts. */
  driving?: readonly string[]
  /** For gold tables: those of `driving` whose rows may go without that parts go which were made of them. */
  lasting?: readonly string[]
  /**
   * Where rows are let go: the column that says from when they are, from when the oldest is that is there, and before which time rows
   * have gone.
   */
  keep?: { by: string; oldest?: string; until?: string } | undefined
}

/** Every row in is in exactly one of the others: in = kept + discarded + superseded + deleted + expired. */
export interface RowCounts {
  in: number
  kept: number
  discarded: number
  superseded: number
  /** Rows that say that their key is gone, and are the newest of it. Only where `deleteWhen` is set. */
  deleted?: number
  /** Rows that were kept, and let go as older than `keep`. */
  expired?: number
}

/** One bronze batch, as the log points to it; its manifest says the rest. */
export interface BatchPointer {
  /** `bronze.orders`. */
  dataset: string
  /** Number within the dataset, from 1 up, without gaps. */
  number: number
  /** The batch's name, unique in the lake; sorts by number. */
  batch: string
  /** Path of the batch manifest. */
  manifest: string
  /** SHA-256 of the manifest, in hex; earlier versions of Moraine did not note it. */
  sha256?: string
  /** Where the archive says of which files it was made, and the SHA-256 of that. */
  archived?: { path: string; sha256: string }
  rows: number
  bytes: number
  /** Some of its files take the place of earlier versions of the same files. */
  replaces?: boolean
  /** It was discarded: how many rows it had. Its manifest names no data any more. */
  discarded?: number
  /** Objects that could not be read, and whose place it holds; what became of them, the quarantine of its dataset says. */
  quarantined?: number
  /** It holds all rows of its source: those of earlier batches are not there any more, or have come again. */
  whole?: boolean
  /** Names that are together in rows of it and would be one column, and which of equal ones they are; present where any fall together. */
  names?: readonly (readonly [name: string, nth: number])[]
}

/** How far a dataset has read its inputs: batch numbers for bronze, metadata paths for tables. */
export type Offsets = Readonly<Record<string, number | string>>

/** A dataset that is stored as a query: its rows are those that the query gives over the tables of the same state. */
export interface ViewState {
  /** One SELECT over tables of the lake. */
  sql: string
  columns: readonly { name: string; type: string }[]
  definition: Definition
}

/** What a commit changes; `null` says that something is no longer part of the lake. */
export interface Changes {
  tables?: Record<string, TableState | null>
  views?: Record<string, ViewState | null>
  batches?: BatchPointer[]
  /** Batches of a dataset beyond this number are no longer part of the lake: rollbacks cut, and drops. */
  cut?: Record<string, number>
  /** Batches of a dataset up to this number are no longer part of the lake, as it keeps them only for so long. */
  forget?: Record<string, number>
  /** Datasets that got another name, new names by old ones. */
  renamed?: Record<string, string | null>
  /** Commits before this one can't be seen any more: vacuum removes what only they refer to. */
  horizon?: number
  /**
   * Vacuum may remove files that were last modified before this time and that no commit so far leads to (ISO, by the clock of the
   * storage): later commits must not refer to them.
   */
  vacuumed?: string
  /**
   * Objects that were found damaged, by their paths: the manifest of a batch with that of the one which has its rows now; all others with
   * `null`. A rollback to a commit that leads to them brings back what took their place, or is refused.
   */
  repaired?: Record<string, string | null>
  /** The commit whose state this one brings back. Such a commit shares its base with no other. */
  rollback?: number
  offsets?: Record<string, Offsets | null>
  /** What a source has delivered so far; its meaning is the source's own. */
  watermarks?: Record<string, unknown>
}

/** Who made a commit, in which run, and why. */
export interface CommitInfo {
  author: string
  run: string | null
  message: string
}

/** What a program must know to work with a commit that uses a feature: see docs/adr/0070-features-of-the-log.md. */
export interface FeatureUse {
  /** The first version of Moraine that knows it. */
  since: string
  /** What a program that does not know it can't do: read what has it, write to the lake, or nothing less. */
  needed: 'read' | 'write' | 'none'
  /** What it brought: `changes.tables.*.sha256`. */
  fields: readonly string[]
}

/** When a dataset was first built by a definition, after another one. */
export interface MadeBy {
  /** The definition, as a hash. */
  hash: string
  commit: number
  time: string
  author: string
  program?: string
}

/** Features by their names. */
export type FeatureUses = Readonly<Record<string, FeatureUse>>

/** One entry of the log, as it lies in storage. */
export interface Commit extends CommitInfo {
  /** 1: from before features were named. */
  format: 1 | 2
  /** The version of Moraine that made it. */
  program?: string
  /** The definition of the lake that its run had, as a hash; absent where no lake.ts was read. */
  definition?: string
  /** What it has beyond its format. */
  features?: FeatureUses
  /** Of all bytes of the entry before this field, which is its last one; entries of format 1 have none. */
  sha256?: string
  /** An id of its own, by which a writer knows its commit again. */
  id: string
  /** From 1 up, without gaps. */
  number: number
  /** ISO, UTC; never before the time of the commit before. */
  time: string
  /** SHA-256 of the commit before it, as it lies in storage; `null` for the first. */
  previous: string | null
  changes: Changes
}

/** The lake at one commit: all that the commits up to it add up to. */
export interface LakeState {
  /** Number of the last commit; 0 for an empty log. */
  number: number
  time: string | null
  /** SHA-256 of the last commit. */
  hash: string | null
  tables: Readonly<Record<string, TableState>>
  /** Datasets that are stored as queries, where there are some. */
  views?: Readonly<Record<string, ViewState>>
  batches: Readonly<Record<string, readonly BatchPointer[]>>
  offsets: Readonly<Record<string, Offsets>>
  watermarks: Readonly<Record<string, unknown>>
  /** The last batch of each dataset that was let go, where some were. */
  forgotten?: Readonly<Record<string, number>>
  /** New names of datasets by the names they had: tables that were made before may know the old ones. */
  renamed?: Readonly<Record<string, string>>
  /** The oldest commit whose files are all there, where vacuum has removed older ones. */
  horizon?: number
  /** Files of before this time that no commit led to may be gone, where vacuum has removed some. */
  vacuumed?: string
  /** By which definitions datasets have been built, oldest first. */
  definitions?: Readonly<Record<string, readonly MadeBy[]>>
  /** Features that commits so far have used. */
  features?: FeatureUses
}

export const emptyState: LakeState = {
  number: 0,
  time: null,
  hash: null,
  tables: {},
  batches: {},
  offsets: {},
  watermarks: {},
}

/** The state after one more commit. */
export function fold(state: LakeState, commit: Commit, hash: string): LakeState {
  const { tables, views, offsets, watermarks, forget } = commit.changes
  const horizon = Math.max(state.horizon ?? 0, commit.changes.horizon ?? 0)
  const renamed = merged(state.renamed ?? {}, commit.changes.renamed)
  const forgotten = forget
    ? { forgotten: { ...state.forgotten, ...forget } }
    : state.forgotten && { forgotten: state.forgotten }
  return {
    number: commit.number,
    time: commit.time,
    hash,
    tables: merged(state.tables, tables),
    ...(views || state.views ? { views: merged(state.views ?? {}, views) } : {}),
    batches: foldBatches(state.batches, commit.changes),
    offsets: merged(state.offsets, offsets),
    watermarks: merged(state.watermarks, watermarks),
    ...forgotten,
    ...(horizon > 0 ? { horizon } : {}),
    ...later(state.vacuumed, commit.changes.vacuumed),
    ...foldDefinitions(state.definitions, commit),
    ...(Object.keys(renamed).length > 0 ? { renamed } : {}),
    ...(commit.features || state.features
      ? { features: { ...state.features, ...commit.features } }
      : {}),
  }
}

function later(...times: (string | undefined)[]): { vacuumed?: string } {
  const last = times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1)
  return last === undefined ? {} : { vacuumed: last }
}

function merged<T>(
  before: Readonly<Record<string, T>>,
  changes: Readonly<Record<string, T | null>> | undefined,
): Readonly<Record<string, T>> {
  if (!changes) return before
  const entries = Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null)
  return Object.fromEntries(entries) as Record<string, T>
}

function foldBatches(before: LakeState['batches'], { batches, cut, forget }: Changes) {
  if (!batches && !cut && !forget) return before
  const after: Record<string, readonly BatchPointer[]> = { ...before }
  for (const [dataset, last] of Object.entries(cut ?? {}))
    after[dataset] = (after[dataset] ?? []).filter(({ number }) => number <= last)
  for (const [dataset, last] of Object.entries(forget ?? {}))
    after[dataset] = (after[dataset] ?? []).filter(({ number }) => number > last)
  for (const batch of batches ?? []) after[batch.dataset] = [...(after[batch.dataset] ?? []), batch]
  return after
}

/** The changes that lead from one state to another: what a rollback commits. What was removed stays so. */
export function changesTo(from: LakeState, to: LakeState): Changes {
  const cut: Record<string, number> = {}
  const batches: BatchPointer[] = []
  for (const dataset of new Set([...Object.keys(from.batches), ...Object.keys(to.batches)])) {
    const [before, after] = [from.batches[dataset] ?? [], to.batches[dataset] ?? []]
    let same = 0
    while (same < before.length && isSame(before[same], after[same])) same++
    if (same < before.length) cut[dataset] = before[same - 1]?.number ?? 0
    batches.push(...after.slice(same))
  }
  return {
    tables: differences(from.tables, to.tables),
    ...(from.views || to.views ? { views: differences(from.views ?? {}, to.views ?? {}) } : {}),
    offsets: differences(from.offsets, to.offsets),
    watermarks: differences(from.watermarks, to.watermarks),
    ...(Object.keys(cut).length > 0 ? { cut } : {}),
    ...(batches.length > 0 ? { batches } : {}),
    ...forgetTo(from, to),
  }
}

/**
 * An earlier state with all that arrived since: batches, and what sources are known to have delivered. Tables and offsets
 * are the earlier ones, so that the next run builds from the batches again.
 *
 * @param from a later state, with the batches that `keep` let go since.
 */
export function withArrivals(to: LakeState, from: LakeState): LakeState {
  const since = underOldNames(from, to)
  const there = idsOf(to)
  const batches: Record<string, readonly BatchPointer[]> = { ...to.batches }
  for (const [dataset, before] of Object.entries(since.batches)) {
    const arrived = before.filter(({ batch }) => !there.has(batch))
    if (arrived.length > 0) batches[dataset] = [...(to.batches[dataset] ?? []), ...arrived]
  }
  const watermarks = { ...to.watermarks, ...since.watermarks }
  // What was put back since, or given up, is not in quarantine any more: it is among the batches.
  for (const dataset of Object.keys(since.batches)) {
    const key = quarantineKey(dataset)
    if (since.batches[dataset]?.length && !(key in since.watermarks)) delete watermarks[key]
  }
  return { ...to, batches, watermarks }
}

/**
 * Datasets of which batches came under numbers that an earlier state has others of: intake was undone and done anew, or
 * they were dropped. What arrived since can't stand behind what was there then.
 */
export function forkedSince(to: LakeState, from: LakeState): string[] {
  const there = idsOf(to)
  return Object.entries(underOldNames(from, to).batches).flatMap(([dataset, batches]) => {
    const last = to.batches[dataset]?.at(-1)?.number ?? 0
    return batches.some(({ batch, number }) => !there.has(batch) && number <= last) ? [dataset] : []
  })
}

const idsOf = ({ batches }: LakeState): ReadonlySet<string> =>
  new Set(Object.values(batches).flatMap((of) => of.map(({ batch }) => batch)))

/** A state whose datasets are called as they were in an earlier one. */
function underOldNames(from: LakeState, to: LakeState): Pick<LakeState, 'batches' | 'watermarks'> {
  const batches = { ...from.batches }
  const watermarks = { ...from.watermarks }
  for (const [old, now] of Object.entries(from.renamed ?? {}).reverse()) {
    const moved = batches[now]
    if (to.renamed?.[old] === now || !moved || batches[old]?.length) continue
    batches[old] = moved.map((batch) => ({ ...batch, dataset: old }))
    delete batches[now]
    for (const [key, before] of [
      [now, old],
      [quarantineKey(now), quarantineKey(old)],
    ] as const) {
      if (key in watermarks) watermarks[before] = watermarks[key]
      delete watermarks[key]
    }
  }
  return { batches, watermarks }
}

/** Whether two pointers lead to the same rows: a batch that was discarded has another manifest. */
function isSame(a: BatchPointer | undefined, b: BatchPointer | undefined): boolean {
  return a?.batch === b?.batch && a?.manifest === b?.manifest
}

function forgetTo({ forgotten: from = {} }: LakeState, { forgotten: to = {} }: LakeState): Changes {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])]
  const changed = names.filter((name) => (from[name] ?? 0) !== (to[name] ?? 0))
  if (changed.length === 0) return {}
  return { forget: Object.fromEntries(changed.map((name) => [name, to[name] ?? 0])) }
}

function differences<T>(from: Readonly<Record<string, T>>, to: Readonly<Record<string, T>>) {
  const changed: Record<string, T | null> = {}
  for (const name of Object.keys(from)) if (!(name in to)) changed[name] = null
  for (const [name, value] of Object.entries(to))
    if (JSON.stringify(from[name]) !== JSON.stringify(value)) changed[name] = value
  return changed
}

/** Whether changes change anything. */
export function isEmpty(changes: Changes): boolean {
  const { tables, views, batches, cut, offsets, watermarks, forget, horizon, vacuumed } = changes
  const parts = [tables, views, batches, cut, offsets, watermarks, forget]
  return (
    horizon === undefined &&
    vacuumed === undefined &&
    parts.every((part) => !part || Object.keys(part).length === 0)
  )
}

/** What two changes both write, and so can't both do on one base; empty when they don't meet. */
export function conflictsOf(mine: Changes, others: Changes): string[] {
  if (mine.rollback !== undefined || others.rollback !== undefined) return ['the whole lake']
  const names = written(mine)
  const both = [...written(others)].filter((name) => names.has(name))
  return [...new Set([...both, ...readOfCut(mine, others), ...readOfCut(others, mine)])]
}

/** What one takes out of a dataset while the other has read it. */
function readOfCut({ cut = {} }: Changes, { offsets = {} }: Changes): string[] {
  return Object.entries(cut).flatMap(([dataset, last]) =>
    Object.values(offsets).some((seen) => Number(seen?.[dataset] ?? 0) > last)
      ? [`batches of ${dataset}`]
      : [],
  )
}

/** The names of what a commit writes. */
function written(changes: Changes): Set<string> {
  return new Set([
    ...Object.keys(changes.tables ?? {}).map((name) => `table ${name}`),
    ...Object.keys(changes.views ?? {}).map((name) => `table ${name}`),
    ...(changes.batches ?? []).map(({ dataset }) => `batches of ${dataset}`),
    ...Object.keys({ ...changes.forget, ...changes.cut }).map((name) => `batches of ${name}`),
    ...Object.keys(changes.offsets ?? {}).map((name) => `offsets of ${name}`),
    ...Object.keys(changes.watermarks ?? {}).map((name) => `watermark of ${name}`),
  ])
}
