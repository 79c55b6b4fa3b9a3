import type { Lake } from '../../define/lake.js'
import type { Job } from '../../plan/jobs.js'
import type { AwsDeploy } from '../options/aws.js'

/**
 * Characters that names may have:
 * https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
 */
export const LIMITS = {
  bucket: 63,
  role: 64,
  policy: 128,
  function: 64,
  queue: 80,
  schedule: 64,
  rule: 64,
  stack: 128,
  workgroup: 128,
  database: 255,
  alarm: 255,
} as const

/** Longest texts that stand for an account and a region. */
const ACCOUNT = 12
const REGION = 14

/** What an account's and a region's part of a bucket's name leaves for the lake's. */
export const LONGEST_PREFIX = LIMITS.bucket - ACCOUNT - REGION - '-results--'.length

/** What names of a lake's resources begin with. */
export function prefixOf(lake: Lake, deploy: AwsDeploy): string {
  return deploy.name ?? lake.name.replaceAll(/[_-]+/g, '-').replace(/-$/, '')
}

/** Names of buckets; `{account}` and `{region}` are those of the stack. */
export function bucketNames(lake: Lake, deploy: AwsDeploy) {
  const prefix = prefixOf(lake, deploy)
  return {
    lake: deploy.bucket ?? `${prefix}-lake-{account}-{region}`,
    logs: `${prefix}-logs-{account}-{region}`,
    results: `${prefix}-results-{account}-{region}`,
  }
}

/** Whether a bucket is called as those that deployments make for a lake: functions run its jobs. */
export const isLakeBucket = (bucket: string, deploy: AwsDeploy): boolean =>
  bucket === deploy.bucket || /-lake-\d{12}-[a-z\d-]+$/.test(bucket)

/** What a function is called: that of a job, or one of the lake's own. */
export const functionName = (prefix: string, of: string) => nameFor(prefix, of, LIMITS.function)

/**
 * The name of what belongs to a job or a dataset: `orders-bronze-orders`. One that is too long is
 * cut, and ends with a hash of all of it.
 */
export function nameFor(prefix: string, of: string, most: number, ending = ''): string {
  const whole = `${prefix}-${of.replaceAll('.', '-')}`
  if (whole.length + ending.length <= most) return whole + ending
  const hash = hashOf(whole)
  return `${whole.slice(0, most - ending.length - hash.length - 1)}-${hash}${ending}`
}

/**
 * The name of what an account has once for all of its regions, such as a role: it ends with the
 * region, so that a lake can be deployed to two of them.
 */
export function nameInAccount(
  { prefix, deploy }: { prefix: string; deploy: AwsDeploy },
  of: string,
  most: number,
  ending = '',
): string {
  return nameFor(prefix, of, most, `-${deploy.region}${ending}`)
}

/**
 * What templates call something: `BronzeOrderItems` for `bronze.order_items`. Where two names would
 * be called alike, they end with a hash.
 */
export function idFor(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  const id = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
  const back = id.replaceAll(/(?<!^)([A-Z])/g, '_$1').toLowerCase()
  const same = back === name.replaceAll(/[.-]/g, '_')
  return same && id.length <= 100 ? id : `${id.slice(0, 100)}${hashOf(name)}`
}

/** Whether a job's triggers do nothing for now. */
export function isPaused({ paused = false }: AwsDeploy, job: string): boolean {
  return typeof paused === 'boolean' ? paused : paused.includes(job)
}

/** Functions that are for no job. */
export const ownFunctions = ['projection', 'catalog'] as const

/**
 * The metric of runs that failed and are not tried again; what is tried again ends among the dead
 * letters, if it does not go well.
 */
export const LASTING_FAILURES = 'RunsNotRetried'

/** How often a message is tried before it goes to the dead letters. */
export const TRIED = 5

/** What the resources of a job are called. */
export const jobId = (job: Pick<Job, 'name'>) => idFor(job.name)

/** 32 bits of FNV-1a: names need no more than to be told apart. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (const char of new TextEncoder().encode(text)) hash = Math.imul(hash ^ char, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
