import { fullName } from '../../define/dataset.js'
import type { Job } from '../../plan/jobs.js'
import type { RunRecord } from '../../step/events.js'
import type { JobToEstimate, MeasuredRun } from './estimate.js'

/** What was measured of a job. */
export type Measured = Required<Pick<JobToEstimate, 'runs'>> & Pick<JobToEstimate, 'runsADay'>

const DAY = 86_400_000

/**
 * What records of runs say of each job: a run is one of the job that has all of its datasets. Runs
 * that found nothing to do leave no record.
 *
 * @param now until when they are looked at.
 */
export function measuredOf(
  jobs: readonly Pick<Job, 'name' | 'datasets'>[],
  records: readonly RunRecord[],
  now: Date,
): ReadonlyMap<string, Measured> {
  const found = new Map<string, { run: MeasuredRun; started: number }[]>()
  for (const record of records) {
    const job = jobs.find(({ datasets }) => {
      const names = datasets.map(fullName)
      return record.steps.every(({ dataset }) => names.includes(dataset))
    })
    if (!job || record.outcome !== 'done' || record.branch !== undefined) continue
    const started = Date.parse(record.started)
    const run = { seconds: (Date.parse(record.finished) - started) / 1000, ...record.requests }
    found.set(job.name, [...(found.get(job.name) ?? []), { run, started }])
  }
  return new Map(
    [...found].map(([name, all]) => {
      const first = Math.min(...all.map(({ started }) => started))
      // A day at least: of an hour's runs nobody knows how many there are a day.
      const days = Math.max(1, (now.getTime() - first) / DAY)
      return [name, { runs: all.map(({ run }) => run), runsADay: all.length / days }]
    }),
  )
}
