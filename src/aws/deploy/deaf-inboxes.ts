import type { Lake } from '../../define/lake.js'
import type { AwsDeploy } from '../options/aws.js'
import { deployedJobs } from '../template/jobs.js'
import { bucketNames } from '../template/names.js'
import type { Cloud } from './cloud/cloud.js'

/**
 * Inboxes in buckets that are not the lake's and tell EventBridge nothing of what arrives: no file
 * starts a job there. The lake does not change what is others'; what it can't look at is passed
 * over.
 *
 * @returns what is to be said of each.
 */
export async function deafInboxes(cloud: Cloud, lake: Lake, deploy: AwsDeploy): Promise<string[]> {
  const own = bucketNames(lake, deploy)
    .lake.replace('{account}', cloud.account)
    .replace('{region}', cloud.region)
  const jobs = deployedJobs(lake)
  const found = lake.datasets.map(async (dataset) => {
    if (dataset.tier !== 'bronze' || dataset.from.kind !== 'inbox') return []
    const { path = '' } = dataset.from
    const bucket = /^s3:\/\/([^/?]+)/.exec(path)?.[1]
    if (bucket === undefined || bucket === own || (await isHeard(cloud, bucket))) return []
    const job = jobs.find(({ name }) => name === `bronze.${dataset.name}`)
    const waits = job?.schedule ? 'wait for its schedule' : 'start nothing'
    return [
      `bronze.${dataset.name}: the bucket ${bucket} does not send its events to EventBridge, so files in ${path} ${waits}. Turn on Amazon EventBridge among the bucket's properties (Event notifications)`,
    ]
  })
  return (await Promise.all(found)).flat()
}

async function isHeard({ s3, s3sdk }: Cloud, Bucket: string): Promise<boolean> {
  try {
    const { GetBucketNotificationConfigurationCommand } = s3sdk
    const set = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    return set.EventBridgeConfiguration !== undefined
  } catch {
    return true
  }
}
