import { inputsOf, isBuilt } from '../../define/inputs.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset } from '../../define/model.js'
import { type Job, jobsOf, unscheduled } from '../../plan/jobs.js'

/** What runs datasets that no schedule does: it is invoked by hand. */
const BY_HAND = 'by-hand'

/**
 * The jobs that are deployed: those of the lake, and one for all datasets that nothing else runs.
 */
export function deployedJobs(lake: Lake): Job[] {
  const jobs = jobsOf(lake)
  const others = unscheduled(lake, jobs)
  if (others.length === 0) return jobs
  return [...jobs, { name: BY_HAND, schedule: undefined, event: false, datasets: others }]
}

/** Datasets that a job reads and does not build. */
export function upstreamOf(job: Job): AnyDataset[] {
  const found = job.datasets.flatMap((dataset) => inputsOf(dataset).filter(isBuilt))
  return [...new Set(found)].filter((dataset) => !job.datasets.includes(dataset))
}

/** Jobs that run whenever a dataset of another job has changed. */
export function jobsAfter(job: Job, jobs: readonly Job[]): Job[] {
  return jobs.filter(
    ({ name, schedule }) =>
      name !== job.name &&
      schedule?.kind === 'after' &&
      schedule.datasets.some((dataset) => job.datasets.includes(dataset)),
  )
}
