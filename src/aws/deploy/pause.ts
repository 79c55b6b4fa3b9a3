import { MoraineError } from '../../errors.js'
import { shelfIn } from './apply.js'
import { type Changing, changeStack } from './change-stack.js'
import type { Cloud } from './cloud/cloud.js'
import { pausedIn, triggersIn, withPaused } from './plan/schedules.js'
import type { OwnerOf } from './plan/stack.js'
import type { Before } from './survey.js'

export interface Pausing {
  /** The names of jobs; none: all of them. */
  jobs: readonly string[]
  /** Otherwise they are resumed. */
  pause: boolean
  bucketId: string
}

/**
 * Pauses or resumes jobs of a deployed lake: nothing but that is changed, and deployments leave it
 * so.
 *
 * @returns the names of the jobs that changed.
 */
export async function pauseJobs(
  cloud: Cloud,
  before: readonly Before[],
  { jobs, pause, bucketId }: Pausing,
  changing: Changing,
): Promise<string[]> {
  refuseUnknown(jobs, before, changing.ownerOf)
  const changed: string[] = []
  const shelves = before.map(({ name, template }) => shelfIn(cloud, name, template, bucketId))
  const shelf = (await Promise.all(shelves)).find((one) => one !== undefined)
  for (const { name, template, parameters } of before) {
    if (template === undefined) continue
    const paused = pausedIn(template)
    const wrong = [...triggersIn(template, changing.ownerOf)].filter(
      ([job, ids]) =>
        (jobs.length === 0 || jobs.includes(job)) && ids.some((id) => paused.has(id) !== pause),
    )
    if (wrong.length === 0) continue
    for (const id of wrong.flatMap(([, ids]) => ids))
      if (pause) paused.add(id)
      else paused.delete(id)
    const next = withPaused(template, paused)
    await changeStack(
      cloud,
      { stack: name, template: next, parameters, made: true, shelf },
      changing,
    )
    changed.push(...wrong.map(([job]) => job))
  }
  return changed
}

function refuseUnknown(jobs: readonly string[], before: readonly Before[], ownerOf: OwnerOf): void {
  const names = before.flatMap(({ template }) => [...triggersIn(template, ownerOf).keys()])
  const all = [...new Set(names)]
  const unknown = jobs.find((job) => !all.includes(job))
  if (unknown === undefined) return
  throw new MoraineError('usage', `No deployed job is named '${unknown}'`, {
    hint:
      all.length === 0
        ? 'Deploy the lake first: moraine deploy'
        : `The jobs are: ${all.join(', ')}`,
  })
}
