import { countOf } from '../../define/thousands.js'
import type { LakeState, TableState } from '../commit.js'
import { externalBoth, externalDiffering, externalTo } from '../external.js'
import { type BranchStates, type OwnChanges, ownChanges } from './own-changes.js'
import { ownSourcesIn } from './own-sources.js'

/** Something that main has changed since a branch left it, and that the branch is about. */
export interface Moved {
  /** The dataset of the branch that is concerned. */
  dataset: string
  /** What main has changed: that dataset, or an input of it. */
  by: string
  /** In words. */
  why: string
  /** Whether other engines wrote it on both sides, so that no refresh brings the two together. */
  isForeign?: true
}

/** What to do about these. */
export const WRITTEN_TWICE =
  'Other engines wrote these tables, so no run can bring them up to date: write to a new branch.'

/** What of the changes of a branch is not on main already. */
export function leftOf(own: OwnChanges, main: LakeState): OwnChanges {
  const isNew = <T>(now: Readonly<Record<string, T>>) => {
    return ([name, value]: [string, T | null]) =>
      JSON.stringify(now[name] ?? null) !== JSON.stringify(value)
  }
  const kept = <T>(changes: Record<string, T | null>, now: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(changes).filter(isNew(now)))
  const tables = kept(own.tables, main.tables)
  const views = kept(own.views, main.views ?? {})
  const others = kept(own.offsets, main.offsets)
  const offsets = Object.fromEntries(
    Object.entries(own.offsets).filter(
      ([name]) => name in tables || name in views || name in others,
    ),
  )
  const { external } = own
  const relations = kept(external?.relations ?? {}, main.external?.relations ?? {})
  const namespaces = kept(external?.namespaces ?? {}, main.external?.namespaces ?? {})
  const isLeft = [relations, namespaces].some((of) => Object.keys(of).length > 0)
  return { tables, views, offsets, ...(isLeft ? { external: { relations, namespaces } } : {}) }
}

/**
 * Tables and namespaces of other engines that both a branch and main have changed since it left,
 * but what main has by now as the branch has it.
 */
export function bothWrote({ fork, head }: BranchStates, main: LakeState): string[] {
  const mine = ownChanges({ fork, head }).external
  const theirs = externalTo(fork.external, main.external).external
  return [...new Set([...externalDiffering(mine, theirs), ...externalBoth(mine, theirs)])]
}

/**
 * What main has changed since a branch left it, of the tables that the branch changes and of all
 * that these were built from. While there is nothing, what was reviewed on the branch can be
 * published as it is.
 *
 * @param mayLag whether a table may be older than an input that was built on the branch.
 */
export function movedSince(
  states: BranchStates,
  main: LakeState,
  { mayLag = false }: { mayLag?: boolean } = {},
): Moved[] {
  const own = leftOf(ownChanges(states), main)
  const names = [...new Set([...Object.keys(own.tables), ...Object.keys(own.views)])]
  const { fork, head } = states
  const itself = names.flatMap((name): Moved[] => {
    if (isSame(fork.tables[name], main.tables[name])) {
      if (JSON.stringify(fork.views?.[name]) === JSON.stringify(main.views?.[name])) return []
    }
    return [{ dataset: name, by: name, why: `main has another version of ${name} by now` }]
  })
  const inputs = Object.entries(own.offsets).flatMap(([dataset, seen]) =>
    Object.entries(seen ?? {}).flatMap(([input, version]): Moved[] => {
      const why =
        typeof version === 'number'
          ? movedBatches({ dataset, input, seen: version }, head, main)
          : movedInput({ input, version, mayLag }, states, main)
      return why === undefined ? [] : [{ dataset, by: input, why }]
    }),
  )
  const external = bothWrote(states, main).map((name): Moved => {
    return { dataset: name, by: name, why: `main has another ${name} by now`, isForeign: true }
  })
  return [...itself, ...inputs, ...external]
}

/** Whether a table has the rows that it had: it may be in other files. */
function isSame(before: TableState | undefined, now: TableState | undefined): boolean {
  if (!before || !now) return before === now
  return before.metadata === now.metadata || (now.sameRowsAs ?? []).includes(before.metadata)
}

/**
 * Batches that main's own version of a dataset has read, or that main has not any more. Those that
 * nobody has read yet are read by the next run, wherever it builds.
 */
function movedBatches(
  { dataset, input, seen }: { dataset: string; input: string; seen: number },
  head: LakeState,
  main: LakeState,
): string | undefined {
  // It is not read from main's source there.
  if (input in ownSourcesIn(head)) return undefined
  if (hasLetGo(input, seen, main))
    return `batches of ${input} that the branch has not read have expired on main`
  if (!hasAllOf(input, seen, head, main)) return `batches of ${input} were taken back on main`
  const read = Number(main.offsets[dataset]?.[input] ?? 0)
  const more = (main.batches[input] ?? []).filter(({ number }) => number > seen && number <= read)
  if (more.length === 0) return undefined
  const rows = more.reduce((sum, batch) => sum + batch.rows, 0)
  const batches = more.length === 1 ? 'a new batch' : `${more.length} new batches`
  return `main has ${batches} of ${input} (${countOf(rows, 'row')})`
}

/**
 * Whether main has the batches up to a number as a branch has read them, but those that expired.
 */
export function hasAllOf(input: string, seen: number, head: LakeState, main: LakeState): boolean {
  const expired = main.expired?.[input] ?? 0
  const upTo = ({ batches }: LakeState) =>
    (batches[input] ?? [])
      .filter(({ number }) => number <= seen && number > expired)
      .map(({ manifest }) => manifest)
  return JSON.stringify(upTo(head)) === JSON.stringify(upTo(main))
}

/**
 * Whether batches behind a number have expired that somebody who has read up to there can't read
 * any more. What a full extract has taken the place of is needed by nobody.
 */
export const hasLetGo = (input: string, seen: number, { batches, expired }: LakeState): boolean =>
  (expired?.[input] ?? 0) > seen && !batches[input]?.some(({ fullExtract }) => fullExtract)

/** A table that was read: the branch's own, or main's. */
function movedInput(
  { input, version, mayLag }: { input: string; version: string; mayLag: boolean },
  { fork, head }: BranchStates,
  main: LakeState,
): string | undefined {
  const others = [fork, main].map(({ tables }) => tables[input]?.metadata)
  const isOwn = !others.includes(head.tables[input]?.metadata)
  if (isOwn && mayLag) return undefined
  const now = isOwn ? head.tables[input] : main.tables[input]
  if (version === now?.metadata || (now?.sameRowsAs ?? []).includes(version)) return undefined
  // Tables of other engines, and views, have no version in that place.
  if (now === undefined && !(input in fork.tables)) return undefined
  return isOwn ? `${input} was built on the branch afterwards` : `main has built ${input} since`
}
