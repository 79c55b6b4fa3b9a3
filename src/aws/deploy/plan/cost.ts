import type { Lake } from '../../../define/lake.js'
import { bytesOf } from '../../../define/size.js'
import type { AwsDeploy } from '../../options/aws.js'
import { estimate, type LakeCost } from '../../prices/estimate.js'
import { deployedJobs } from '../../template/jobs.js'

const MEBIBYTE = 2 ** 20

/** What a lake costs as it is defined: its runs by the example's, and a key; no data yet. */
export function lakeCost(lake: Lake, { encryption, functions, secrets = {} }: AwsDeploy): LakeCost {
  const jobs = deployedJobs(lake).map(({ name, schedule, datasets }) => ({
    name,
    schedule,
    datasets: datasets.length,
    runs: [],
  }))
  const isOwnKey = encryption !== 's3'
  const held = { bytes: 0, keys: isOwnKey ? 1 : 0, secrets: Object.keys(secrets).length }
  const memory = (bytesOf(functions?.memory ?? '2048MiB') ?? 0) / MEBIBYTE
  return estimate(jobs, held, { memory, kms: isOwnKey })
}
