import type { LakeState } from '../../log/commit.js'
import { type QuarantinedObject, quarantinedOf } from '../../log/quarantined.js'
import type { StepResult } from '../../step/events.js'

/** What a step's result says of the quarantine of its dataset. */
export function quarantineResult(
  dataset: string,
  state: LakeState,
  ofThisRun: readonly QuarantinedObject[],
): Pick<StepResult, 'quarantine'> {
  const all = quarantinedOf(state, dataset)
  if (all.length === 0 && ofThisRun.length === 0) return {}
  const objects = ofThisRun.map(({ id, name, reason, failures, held }) => {
    return { id, name, reason, failures, held }
  })
  const held = all.filter((object) => object.held).length
  return { quarantine: { objects, total: all.length, held } }
}

/** What a run says of objects that it could not read. */
export function quarantineWarnings({ quarantine }: Pick<StepResult, 'quarantine'>): string[] {
  return (quarantine?.objects ?? []).map(({ id, name, reason, failures, held }) => {
    const times = failures === 1 ? 'once' : `${failures} times`
    const next = held
      ? `it stays in quarantine: moraine quarantine show ${id}`
      : 'it is in quarantine, and the next run tries it again'
    return `${name} could not be read (${times}): ${reason}; ${next}`
  })
}

/** `2 objects in quarantine, 1 of them is tried again`; `undefined` when there are none. */
export function quarantineText(objects: readonly Pick<QuarantinedObject, 'held'>[]) {
  const n = objects.length
  if (n === 0) return undefined
  const again = objects.filter(({ held }) => !held).length
  const all = n === 1 ? '1 object is in quarantine' : `${n} objects are in quarantine`
  if (again === 0) return all
  return n === again
    ? `${all}; ${n === 1 ? 'it is' : 'they are'} tried again by the next run`
    : `${all}; the next run tries ${again} of them again`
}
