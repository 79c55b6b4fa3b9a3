import type { Lake } from '../../define/lake.js'
import type { RunRecord } from '../../step/events.js'
import type { AwsDeploy } from '../options/aws.js'
import { type Sizes, sizesOf } from '../template/jobs/sizes.js'
import { deployedJobs } from '../template/jobs.js'
import { estimate, type LakeCost } from './estimate.js'
import { measuredOf } from './measured.js'

/** How many of the last runs are looked at. */
export const LOOK_BACK = 20

/** What is known of a lake that is there. */
export interface KnownOfLake {
  /** Records of its last runs. */
  records?: readonly RunRecord[]
  /** Bytes of all tables and batches. */
  bytes?: number
  /** The same by dataset. */
  tables?: ReadonlyMap<string, number>
  now?: Date
}

/**
 * What a lake costs: its runs by what was measured of them, otherwise by those of the example; its
 * key and secrets; what it stores, where that is known.
 */
export function lakeCost(
  lake: Lake,
  deploy: AwsDeploy,
  { records = [], bytes = 0, now = new Date() }: KnownOfLake = {},
  sizes: ReadonlyMap<string, Sizes> = new Map(),
): LakeCost {
  const jobs = deployedJobs(lake)
  const measured = measuredOf(jobs, records, now)
  const isOwnKey = deploy.encryption !== 's3'
  const held = {
    bytes,
    keys: isOwnKey ? 1 : 0,
    secrets: Object.keys(deploy.secrets ?? {}).length,
  }
  return estimate(
    jobs.map((job) => ({
      name: job.name,
      schedule: job.schedule,
      datasets: job.datasets.length,
      memory: sizesOf({ deploy, sizes }, job).memory,
      runs: [],
      ...measured.get(job.name),
    })),
    held,
    { kms: isOwnKey },
  )
}
