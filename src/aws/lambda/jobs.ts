import { placeOf } from '../../bronze/inbox/inbox.js'
import { landingOf } from '../../bronze/ingest/landing.js'
import { fullName } from '../../define/dataset.js'
import type { AnyDataset, Bronze } from '../../define/model.js'
import type { Job } from '../../plan/jobs.js'
import type { RunRecord } from '../../step/events.js'
import { s3Place } from '../../storage/s3/settings.js'
import type { Storage } from '../../storage/storage.js'
import type { ArrivedObject } from './messages.js'

export type FunctionJob = Pick<Job, 'name' | 'datasets' | 'schedule' | 'event'>

/** A prefix of a bucket into which a job's objects are dropped. */
export interface DropPlace {
  bucket: string
  /** Ends with `/`. */
  prefix: string
  job: string
}

/** Where objects arrive that make jobs run. */
export function dropPlaces(jobs: readonly FunctionJob[], storage: Storage): DropPlace[] {
  return jobs
    .filter(({ event }) => event)
    .flatMap(({ name, datasets }) => {
      const dataset = datasets.find((one) => fullName(one) === name) as Bronze
      const url = urlOf(storage, dataset)
      if (!url.startsWith('s3://')) return []
      const { bucket, prefix } = s3Place(url)
      return [{ bucket, prefix: prefix === '' ? '' : `${prefix}/`, job: name }]
    })
}

function urlOf(storage: Storage, dataset: Bronze): string {
  const { from } = dataset
  if (from.kind === 'inbox') return placeOf(storage, dataset, from)
  return `${storage.url}/${landingOf(dataset)}/`
}

/** The job that an object is for: that of the longest prefix. */
export function jobFor(object: ArrivedObject, places: readonly DropPlace[]): string | undefined {
  const fitting = places.filter(
    ({ bucket, prefix }) => bucket === object.bucket && object.key.startsWith(prefix),
  )
  return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.job
}

/** Jobs that run after datasets which a run has changed. */
export function jobsAfter(jobs: readonly FunctionJob[], record: RunRecord): FunctionJob[] {
  const changed = new Set(
    record.steps.filter(({ outcome }) => outcome === 'done').map(({ dataset }) => dataset),
  )
  const isChanged = (dataset: AnyDataset) => changed.has(fullName(dataset))
  return jobs.filter(
    ({ schedule }) => schedule?.kind === 'after' && schedule.datasets.some(isChanged),
  )
}

/** Jobs that run after datasets of a job, whether these have changed or not. */
export function jobsBehind(jobs: readonly FunctionJob[], { datasets }: FunctionJob): FunctionJob[] {
  return jobs.filter(
    ({ schedule }) =>
      schedule?.kind === 'after' && schedule.datasets.some((one) => datasets.includes(one)),
  )
}
