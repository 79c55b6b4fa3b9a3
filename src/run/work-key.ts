import { checkName } from '../define/check.js'
import { fullName } from '../define/dataset.js'
import { checkedAgainst, inputsOf } from '../define/inputs.js'
import type { AnyInput, Check, Gold, Silver } from '../define/model.js'
import type { View } from '../plan/decision.js'
import { definitionOf } from '../plan/fingerprint.js'
import { offsetOn, offsetsOn } from '../plan/offsets.js'
import { askedBy } from '../step/checks.js'
import { hash } from '../step/context.js'
import type { RunOptions } from './options.js'

/**
 * What a step's result depends on: the same key means that it need not be computed again, nor be
 * held against its checks or be asked whether it may break readers or lose rows.
 */
export function workKey(
  dataset: Silver | Gold,
  view: View,
  { full = false, allowBreaking = false, allowLoss = false }: RunOptions,
): string {
  const name = fullName(dataset)
  const before = view.tables[name]?.metadata ?? null
  const parts = [
    name,
    definitionOf(dataset, hash),
    offsetsOn(dataset, view),
    before,
    dataset.keep ?? null,
    ...batchesOf(inputsOf(dataset), view),
    dataset.checks.map(checkText),
    checkedAgainst(dataset).map((other) => versionOf(other, view)),
  ]
  return hash(JSON.stringify([...parts, full, allowBreaking, allowLoss]))
}

/** A number may stand for another batch after a rollback, and for none after a discard. */
const batchesOf = (inputs: readonly AnyInput[], view: View): string[] =>
  inputs.flatMap((input) => view.batches[fullName(input)] ?? []).map(({ manifest }) => manifest)

/** Checks are no part of a definition, and one may be another one under the same name. */
const checkText = (check: Check) => [checkName(check), check.severity, askedBy(check) ?? null]

/** The rows that a check finds in another dataset, of a view those that it reads. */
function versionOf(other: AnyInput, view: View): unknown {
  const isView = other.tier === 'gold' && other.view
  return isView
    ? [definitionOf(other, hash), offsetsOn(other, view), batchesOf(inputsOf(other), view)]
    : [offsetOn(other, view), batchesOf([other], view)]
}
