import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold, Silver } from '../define/model.js'
import type { View } from '../plan/decision.js'
import { definitionOf } from '../plan/fingerprint.js'
import { offsetsOn } from '../plan/offsets.js'
import { hash } from '../step/context.js'

/** What a step's result depends on: the same key means that it need not be computed again. */
export function workKey(dataset: Silver | Gold, view: View, full: boolean): string {
  const name = fullName(dataset)
  const before = view.tables[name]?.metadata ?? null
  const parts = [
    name,
    definitionOf(dataset, hash),
    offsetsOn(dataset, view),
    before,
    dataset.keep ?? null,
    // A number may stand for another batch after a rollback, and for none after a discard.
    ...inputsOf(dataset)
      .flatMap((input) => view.batches[fullName(input)] ?? [])
      .map(({ manifest }) => manifest),
  ]
  return hash(JSON.stringify([...parts, full]))
}
