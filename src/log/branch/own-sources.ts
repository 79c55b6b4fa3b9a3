import { quarantineKey } from '../../define/watermark-keys.js'
import { MoraineError } from '../../errors.js'
import type { BatchPointer, Changes, LakeState, OwnSourceState } from '../commit.js'

/*
 * Datasets of a branch that are read from elsewhere than on main (ADR 144): their batches are the
 * branch's own from the first one on, and what reads them is built of these alone.
 */

/** Datasets of a state whose rows are others than main's, by their full names. */
export const ownSourcesIn = ({ ownSources = {} }: Pick<LakeState, 'ownSources'>) => ownSources

/** `bronze.orders comes from data/dev/*.csv`, for each of them. */
const ownSourcesText = (state: Pick<LakeState, 'ownSources'>): string[] =>
  Object.entries(ownSourcesIn(state)).map(([name, { from }]) => `${name} comes from ${from}`)

/** Tables that go with others (`discarded.orders`) have their name. */
export const datasetOf = (table: string) =>
  table.replace(/^(discarded|history|tombstones|deleted)\./, 'silver.')

/** Datasets that have read some others, directly or not, as the log says. */
export function readersIn({ offsets }: LakeState, names: Iterable<string>): Set<string> {
  const read = new Set(names)
  const readers = new Set<string>()
  for (let before = -1; before < readers.size; ) {
    before = readers.size
    for (const [name, seen] of Object.entries(offsets))
      if (Object.keys(seen).some((input) => read.has(datasetOf(input)))) {
        readers.add(name)
        read.add(name)
      }
  }
  return readers
}

/** Takes tables away, and those that go with them: they are built as if there had been none. */
export function withoutTables(
  { tables, offsets }: LakeState,
  names: ReadonlySet<string>,
): Required<Pick<Changes, 'tables' | 'offsets'>> {
  const gone = (of: object) =>
    Object.fromEntries(
      Object.keys(of)
        .filter((name) => names.has(datasetOf(name)))
        .map((name) => [name, null]),
    )
  return { tables: gone(tables), offsets: gone(offsets) }
}

/**
 * The changes with which datasets begin anew from other sources: none of the batches that are there
 * is theirs, nor has anything been read of them.
 */
export function beginAnew(
  { batches, watermarks, expired }: LakeState,
  ownSources: Readonly<Record<string, OwnSourceState>>,
): Changes {
  const names = Object.keys(ownSources)
  const zero = (of: readonly string[]) => Object.fromEntries(of.map((name) => [name, 0]))
  const cut = names.filter((name) => batches[name] !== undefined)
  const expire = names.filter((name) => expired?.[name] !== undefined)
  const read = names
    .flatMap((name) => [name, quarantineKey(name)])
    .filter((key) => watermarks[key] !== undefined)
  return {
    ...(cut.length > 0 ? { cut: zero(cut) } : {}),
    ...(expire.length > 0 ? { expire: zero(expire) } : {}),
    ...(read.length > 0 ? { watermarks: Object.fromEntries(read.map((key) => [key, null])) } : {}),
    ownSources: { ...ownSources },
  }
}

/** The changes that give a state all that another one has of its own sources. */
export function ownIntake(from: LakeState, to: LakeState): Changes {
  const own = ownSourcesIn(from)
  const names = Object.keys(own)
  const of = ({ ownSources, batches, watermarks }: LakeState) =>
    JSON.stringify(
      names.map((name) => [
        ownSources?.[name] ?? null,
        batches[name] ?? [],
        watermarks[name] ?? null,
        watermarks[quarantineKey(name)] ?? null,
      ]),
    )
  if (of(from) === of(to)) return {}
  const begun = beginAnew(to, own)
  const batches = names.flatMap((name): readonly BatchPointer[] => from.batches[name] ?? [])
  const read = names
    .flatMap((name) => [name, quarantineKey(name)])
    .flatMap((key) => (key in from.watermarks ? [[key, from.watermarks[key]] as const] : []))
  return {
    ...begun,
    ...(batches.length > 0 ? { batches: [...batches] } : {}),
    watermarks: { ...begun.watermarks, ...Object.fromEntries(read) },
  }
}

/** @throws MoraineError of kind `usage` where what is on a branch must not be seen on main. */
export function refuseOwnSources(branch: string, state: Pick<LakeState, 'ownSources'>): void {
  const said = ownSourcesText(state)
  if (said.length === 0) return
  throw new MoraineError('usage', `Branch ${branch} cannot be published: ${said.join('; ')}`, {
    hint: `What it has built is not of main's rows. Build the change on a branch that is: moraine branch create NAME, moraine run --branch NAME, moraine promote NAME. Nothing was published.`,
  })
}
