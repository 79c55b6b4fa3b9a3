import { quarantineKey, watermarkKeys } from '../define/watermark-keys.js'
import { MoraineError } from '../errors.js'
import { writtenBranches } from './branch/run-branch-names.js'
import type { BatchPointer, Changes, Commit, LakeState } from './commit.js'
import { foldDefinitions } from './definitions.js'
import { externalBoth, externalTo, foldExternal, writtenExternal } from './external.js'
import { foldForgotten } from './forgotten.js'
import { differences, merged } from './maps.js'
import { foldRequests } from './reading/requests.js'

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
  const { tables, views, offsets, watermarks, expire } = commit.changes
  const horizon = Math.max(state.horizon ?? 0, commit.changes.horizon ?? 0)
  const renamed = merged(state.renamed ?? {}, commit.changes.renamed)
  const expired = expire
    ? { expired: { ...state.expired, ...expire } }
    : state.expired && { expired: state.expired }
  const after: LakeState = {
    number: commit.number,
    time: commit.time,
    hash,
    tables: merged(state.tables, tables),
    ...(views || state.views ? { views: merged(state.views ?? {}, views) } : {}),
    batches: foldBatches(state.batches, commit.changes),
    offsets: merged(state.offsets, offsets),
    watermarks: merged(state.watermarks, watermarks),
    ...foldExternal(state.external, commit.changes.external),
  }
  // In the order in which checkpoints have them.
  foldRequests(after, state, commit)
  return Object.assign(after, {
    ...foldBranches(state.branches, commit.changes.branches),
    ...expired,
    ...(horizon > 0 ? { horizon } : {}),
    ...later(state.vacuumed, commit.changes.vacuumed),
    ...foldDefinitions(state.definitions, commit),
    ...(Object.keys(renamed).length > 0 ? { renamed } : {}),
    ...(commit.features || state.features
      ? { features: { ...state.features, ...commit.features } }
      : {}),
    ...foldForgotten(state.forgotten, commit),
    ...foldOwnSources(state.ownSources, commit.changes.ownSources),
  })
}

function foldBranches(before: LakeState['branches'], changes: Changes['branches']) {
  const branches = merged(before ?? {}, changes)
  return Object.keys(branches).length > 0 ? { branches } : {}
}

function foldOwnSources(before: LakeState['ownSources'], changes: Changes['ownSources']) {
  const ownSources = merged(before ?? {}, changes)
  return Object.keys(ownSources).length > 0 ? { ownSources } : {}
}

function later(...times: (string | undefined)[]): { vacuumed?: string } {
  const last = times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1)
  return last === undefined ? {} : { vacuumed: last }
}

function foldBatches(before: LakeState['batches'], { batches, cut, expire }: Changes) {
  if (!batches && !cut && !expire) return before
  const after: Record<string, readonly BatchPointer[]> = { ...before }
  for (const [dataset, last] of Object.entries(cut ?? {}))
    after[dataset] = (after[dataset] ?? []).filter(({ number }) => number <= last)
  for (const [dataset, last] of Object.entries(expire ?? {}))
    after[dataset] = (after[dataset] ?? []).filter(({ number }) => number > last)
  for (const batch of batches ?? []) after[batch.dataset] = [...(after[batch.dataset] ?? []), batch]
  return after
}

/**
 * Up to which number a commit leaves the batches of a dataset as they were, where it takes others
 * back. A rollback brings expired batches back where none was left to cut, and cuts those that had
 * expired by then: neither takes away what it leaves expired.
 */
export function cutOf({ cut, expire, batches }: Changes, name: string): number | undefined {
  const expired = expire?.[name]
  const last = cut?.[name] ?? (batches?.some(({ dataset }) => dataset === name) ? 0 : undefined)
  if (expired === undefined) return cut?.[name]
  return last === undefined ? undefined : Math.max(last, expired)
}

/** The changes of a commit, as if batches did not expire. */
export function withoutExpiry({ expire = {}, ...changes }: Changes): Changes {
  const cut = Object.keys({ ...expire, ...changes.cut }).flatMap((name) => {
    const last = cutOf({ ...changes, expire }, name)
    return last === undefined ? [] : [[name, last]]
  })
  return { ...changes, ...(cut.length > 0 ? { cut: Object.fromEntries(cut) } : {}) }
}

/**
 * The changes that lead from one state to another: what a rollback commits. What was removed stays
 * so.
 */
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
    ...expireTo(from, to),
    ...(from.ownSources || to.ownSources
      ? { ownSources: differences(from.ownSources ?? {}, to.ownSources ?? {}) }
      : {}),
    ...externalTo(from.external, to.external),
  }
}

/**
 * An earlier state with all that arrived since: batches, and what sources are known to have
 * delivered. Tables and offsets are the earlier ones, so that the next run builds from the batches
 * again.
 *
 * @param from a later state, with the batches that expired since.
 * @param known the batches that had arrived by then: those that had expired have not arrived since,
 *   when they are back.
 */
export function withArrivals(
  to: LakeState,
  from: LakeState,
  known: ReadonlySet<string> = new Set(),
): LakeState {
  const since = underOldNames(from, to)
  const isNew = arrivedSince(to, known)
  const batches: Record<string, readonly BatchPointer[]> = { ...to.batches }
  for (const [dataset, before] of Object.entries(since.batches)) {
    const arrived = before.filter((pointer) => isNew(dataset, pointer))
    if (arrived.length > 0) batches[dataset] = [...(to.batches[dataset] ?? []), ...arrived]
  }
  const watermarks = { ...to.watermarks, ...since.watermarks }
  // What was put back since, or given up, is not in quarantine any more: it is among the batches.
  for (const dataset of Object.keys(since.batches)) {
    const key = quarantineKey(dataset)
    if (since.batches[dataset]?.length && !(key in since.watermarks)) delete watermarks[key]
  }
  // What other engines wrote arrived as well: nobody could compute it anew.
  const { external: _, ...state } = to
  const external = from.external ? { external: from.external } : {}
  return { ...state, batches, watermarks, ...external }
}

/**
 * Datasets of which batches came under numbers that an earlier state has others of: intake was
 * undone and done anew, or they were dropped. What arrived since can't stand behind what was there
 * then.
 */
export function forkedSince(
  to: LakeState,
  from: LakeState,
  known: ReadonlySet<string> = new Set(),
): string[] {
  const isNew = arrivedSince(to, known)
  return Object.entries(underOldNames(from, to).batches).flatMap(([dataset, batches]) => {
    const last = to.batches[dataset]?.at(-1)?.number ?? 0
    const isForked = batches.some((pointer) => isNew(dataset, pointer) && pointer.number <= last)
    return isForked ? [dataset] : []
  })
}

/** Tells which batches are neither part of an earlier state, nor had expired by then. */
function arrivedSince(to: LakeState, known: ReadonlySet<string>) {
  const there = idsOf(to)
  return (dataset: string, { batch, number }: BatchPointer): boolean => {
    const hadExpired = number <= (to.expired?.[dataset] ?? 0) && known.has(batch)
    return !there.has(batch) && !hadExpired
  }
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
    for (const [key, before] of watermarkKeys(watermarks, now, old)) {
      watermarks[before] = watermarks[key]
      delete watermarks[key]
    }
  }
  return { batches, watermarks }
}

/** Whether two pointers lead to the same rows: a batch that was discarded has another manifest. */
function isSame(a: BatchPointer | undefined, b: BatchPointer | undefined): boolean {
  return a?.batch === b?.batch && a?.manifest === b?.manifest
}

function expireTo({ expired: from = {} }: LakeState, { expired: to = {} }: LakeState): Changes {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])]
  const changed = names.filter((name) => (from[name] ?? 0) !== (to[name] ?? 0))
  if (changed.length === 0) return {}
  return { expire: Object.fromEntries(changed.map((name) => [name, to[name] ?? 0])) }
}

/** Whether changes change anything. */
export function isEmpty(changes: Changes): boolean {
  const { tables, views, batches, cut, offsets, watermarks, expire, horizon, vacuumed } = changes
  const { namespaces, relations } = changes.external ?? {}
  const others = [namespaces, relations, changes.branches, changes.ownSources]
  const parts = [tables, views, batches, cut, offsets, watermarks, expire, ...others]
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
  return [
    ...new Set([
      ...both,
      ...readOfCut(mine, others),
      ...readOfCut(others, mine),
      ...externalBoth(mine.external, others.external),
    ]),
  ]
}

/** @throws MoraineError of kind `conflict` where a commit has written what changes write, too. */
export function refuseConflict(mine: Changes, other: Commit): void {
  const both = conflictsOf(mine, other.changes)
  if (both.length === 0) return
  throw new MoraineError(
    'conflict',
    `Commit ${other.number} has changed the same: ${both.join(', ')}`,
    {
      retryable: true,
      hint: 'Another run was faster. This run published nothing; run it again.',
    },
  )
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
    ...Object.keys({ ...changes.expire, ...changes.cut }).map((name) => `batches of ${name}`),
    ...Object.keys(changes.offsets ?? {}).map((name) => `offsets of ${name}`),
    ...Object.keys(changes.watermarks ?? {}).map((name) => `watermark of ${name}`),
    ...writtenExternal(changes.external),
    ...Object.keys(changes.requests ?? {}).map((key) => `request ${key}`),
    ...writtenBranches(changes.branches),
    ...Object.keys(changes.ownSources ?? {}).map((name) => `batches of ${name}`),
  ])
}
