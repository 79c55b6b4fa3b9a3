import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnerOf } from '../plan/stack.js'
import type { Cloud } from './cloud.js'
import { asking } from './failures.js'

/** A resource that somebody changed or removed behind the stack's back. */
export interface Drift {
  stack: string
  id: string
  type: string
  of: string | undefined
  is: 'changed' | 'deleted'
  properties: { path: string; expected: string; actual: string }[]
}

/**
 * Has CloudFormation compare a stack's resources with what the account has. Types that it can't
 * look at count as unchanged; it says which in the console.
 */
export async function detectDrift(
  cloud: Cloud,
  stack: string,
  ownerOf: OwnerOf,
  signal?: AbortSignal,
): Promise<Drift[]> {
  const { DetectStackDriftCommand, DescribeStackDriftDetectionStatusCommand } = cloud.sdk
  const { DescribeStackResourceDriftsCommand } = cloud.sdk
  return asking(`compare stack ${stack} with what is there`, async () => {
    const { StackDriftDetectionId } = await cloud.cloudFormation.send(
      new DetectStackDriftCommand({ StackName: stack }),
    )
    const looking = new DescribeStackDriftDetectionStatusCommand({ StackDriftDetectionId })
    while ((await cloud.cloudFormation.send(looking)).DetectionStatus === 'DETECTION_IN_PROGRESS')
      await sleep(cloud.pace, undefined, { signal })
    const found: Drift[] = []
    let token: string | undefined
    do {
      const page = await cloud.cloudFormation.send(
        new DescribeStackResourceDriftsCommand({
          StackName: stack,
          StackResourceDriftStatusFilters: ['MODIFIED', 'DELETED'],
          NextToken: token,
        }),
      )
      for (const one of page.StackResourceDrifts ?? []) {
        const id = one.LogicalResourceId ?? ''
        found.push({
          stack,
          id,
          type: one.ResourceType ?? '',
          of: ownerOf(id),
          is: one.StackResourceDriftStatus === 'DELETED' ? 'deleted' : 'changed',
          properties: (one.PropertyDifferences ?? []).map((difference) => ({
            path: (difference.PropertyPath ?? '').replace(/^\//, '').replaceAll('/', '.'),
            expected: difference.ExpectedValue ?? '',
            actual: difference.ActualValue ?? '',
          })),
        })
      }
      token = page.NextToken
    } while (token)
    return found
  })
}

/** Statuses in which CloudFormation looks for drift. */
export const canDrift = (status: string) =>
  /^(CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK|IMPORT_ROLLBACK)_COMPLETE$/.test(status)
