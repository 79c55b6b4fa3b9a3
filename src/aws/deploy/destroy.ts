import { MoraineError } from '../../errors.js'
import { costOf } from '../prices/prices.js'
import type { Cloud } from './cloud/cloud.js'
import { asking } from './cloud/failures.js'
import { type Following, follow, lastEvent } from './cloud/follow.js'
import { reasons } from './cloud/reasons.js'
import { lookAt, resourcesOf } from './cloud/status.js'
import { holdsData } from './plan/risk.js'
import type { OwnerOf } from './plan/stack.js'
import type { Before } from './survey.js'

/** What is left of a lake whose stacks are removed. */
export interface Kept {
  stack: string
  id: string
  type: string
  /** What it is called in the account. */
  name: string
  /** Of a bucket. */
  objects?: { count: number; bytes: number; more: boolean }
  /** Dollars a month, if they are known. */
  month: number | undefined
}

/** Objects of a bucket that are counted at most. */
const COUNTED = 100_000

/** What holds data, and stays whatever is removed. */
export async function keptOf(cloud: Cloud, before: readonly Before[]): Promise<Kept[]> {
  const found: Kept[] = []
  for (const { name: stack, template } of before) {
    const holding = Object.entries(template?.Resources ?? {}).filter(([, one]) =>
      holdsData(one.Type),
    )
    if (holding.length === 0) continue
    const names = await resourcesOf(cloud, stack)
    for (const [id, { Type: type }] of holding) {
      const name = names.get(id)
      if (name === undefined) continue
      if (type !== 'AWS::S3::Bucket') found.push({ stack, id, type, name, month: heldOf(type) })
      else {
        const objects = await countObjects(cloud, name)
        const month = costOf({ 's3.storage': objects.bytes }).usd
        found.push({ stack, id, type, name, objects, month })
      }
    }
  }
  return found
}

/** Dollars a month of what is no bucket; what a warehouse stores is not known here. */
const heldOf = (type: string) =>
  type === 'AWS::KMS::Key' ? costOf({ 'kms.keys': 1 }).usd : undefined

async function countObjects(cloud: Cloud, bucket: string) {
  const { paginateListObjectsV2 } = cloud.s3sdk
  const total = { count: 0, bytes: 0, more: false }
  await asking(`list bucket ${bucket}`, async () => {
    const pages = paginateListObjectsV2({ client: cloud.s3 }, { Bucket: bucket })
    for await (const { Contents = [] } of pages) {
      total.count += Contents.length
      total.bytes += Contents.reduce((sum, { Size = 0 }) => sum + Size, 0)
      if (total.count >= COUNTED) {
        total.more = true
        return
      }
    }
  })
  return total
}

/** Removes stacks that hold no data, the last first; those that do stay as they are. */
export async function destroy(
  cloud: Cloud,
  names: readonly string[],
  ownerOf: OwnerOf,
  following: Following,
): Promise<string[]> {
  const removed: string[] = []
  for (const name of [...names].reverse()) {
    following.signal?.throwIfAborted()
    const stack = await lookAt(cloud, name)
    if (stack === undefined) continue
    const { DeleteStackCommand } = cloud.sdk
    const since = await lastEvent(cloud, stack.id)
    await asking(`remove stack ${name}`, () =>
      cloud.cloudFormation.send(new DeleteStackCommand({ StackName: stack.id })),
    )
    const ended = await follow(cloud, stack.id, since, following)
    if (ended.stack !== undefined)
      throw new MoraineError(
        'storage',
        `Stack ${name} could not be removed${reasons(ended.failures, ownerOf)}`,
        { hint: 'Remove what holds it back, then: moraine deploy --destroy' },
      )
    removed.push(name)
  }
  return removed
}

/** The stacks that can be removed: all but those that were made with what holds data. */
export function removable(before: readonly Before[]): string[] {
  const holds = ({ template }: Before) =>
    Object.values(template?.Resources ?? {}).some(({ Type }) => holdsData(Type))
  return before.filter((one) => one.status !== undefined && !holds(one)).map(({ name }) => name)
}

/** How somebody removes what is kept, who wants that. */
export function removalOf({ type, name }: Kept): string {
  if (type === 'AWS::KMS::Key') return `aws kms schedule-key-deletion --key-id ${name}`
  if (type === 'AWS::RedshiftServerless::Namespace')
    return `aws redshift-serverless delete-namespace --namespace-name ${name}`
  return `empty ${name} in the console of S3, with all versions; then: aws s3 rb s3://${name}`
}
