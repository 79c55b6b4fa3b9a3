import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyDataset, AnyInput } from '../define/model.js'
import { historiesIn } from '../define/sql/sql.js'
import type { BatchPointer, Offsets } from '../log/commit.js'
import type { View, Window } from './decision.js'

/** The number of a dataset's last batch, be it part of the lake or not any more. */
export function lastNumber(name: string, view: Pick<View, 'batches' | 'expired'>): number {
  return view.batches[name]?.at(-1)?.number ?? view.expired?.[name] ?? 0
}

/** The batches of a bronze dataset with higher numbers than one that a reader has read. */
export function windowAfter(input: AnyInput, view: View, number: number): Window {
  const dataset = fullName(input)
  const batches = sinceFull(view.batches[dataset] ?? []).filter((b) => b.number > number)
  return { dataset, batches }
}

/**
 * The batches that make up a dataset: what came before one that is all of its source is not there
 * any more.
 */
export function sinceFull(batches: readonly BatchPointer[]): readonly BatchPointer[] {
  const first = batches.findLastIndex((batch) => batch.fullExtract)
  return first > 0 ? batches.slice(first) : batches
}

/** How far it has been read of an input, once all is. */
export function offsetOn(input: AnyInput, view: View): number | string {
  const name = fullName(input)
  return input.tier === 'bronze' ? lastNumber(name, view) : (view.tables[name]?.metadata ?? '')
}

/** Whether what was read of a table has the rows that it has now, be it in other files. */
export const hasSeen = (seen: string | number | undefined, input: AnyInput, view: View): boolean =>
  hasSeenTable(seen, fullName(input), view)

/** The same of a table by its name: one of versions is no dataset. */
export function hasSeenTable(
  seen: string | number | undefined,
  name: string,
  view: Pick<View, 'tables'>,
): boolean {
  const { metadata, sameRowsAs: same = [] } = view.tables[name] ?? {}
  return seen === metadata || same.some((earlier) => earlier === seen)
}

/** How far a dataset has read its inputs once it is built on this view. */
export function offsetsOn(dataset: AnyDataset, view: View): Offsets {
  const entries = inputsOf(dataset).map((input): [string, number | string] => [
    fullName(input),
    offsetOn(input, view),
  ])
  const histories = historiesOf(dataset).map((name) => [name, view.tables[name]?.metadata ?? ''])
  return Object.fromEntries([...entries, ...histories])
}

/** The tables of versions that a dataset reads. */
export function historiesOf(dataset: AnyDataset): string[] {
  return dataset.tier === 'gold'
    ? historiesIn(dataset.query).map(({ name }) => `history.${name}`)
    : []
}
