import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, CreateChangeSetCommandInput } from '@aws-sdk/client-cloudformation'
import { MoraineError } from '../../../errors.js'
import type { Cloud } from './cloud.js'
import { asking } from './failures.js'

/** What CloudFormation would do, by its own reckoning. */
export interface ChangeSet {
  id: string
  stack: string
  changes: CloudChange[]
}

export interface CloudChange {
  id: string
  type: string
  action: string
  /** `Conditional`: only known when it is carried out. */
  replacement: 'True' | 'False' | 'Conditional' | undefined
  /** What becomes of the resource that is replaced or removed. */
  policy: string | undefined
}

/** All of our change sets begin with it, so that those left behind are known. */
const PREFIX = 'moraine-'

/** What is asked for, beside the template. */
export type Asked = Pick<
  CreateChangeSetCommandInput,
  'ChangeSetType' | 'TemplateBody' | 'TemplateURL' | 'Parameters' | 'Tags' | 'DeploymentMode'
>

/**
 * Has CloudFormation work out what a template would change; nothing is changed yet. `undefined`:
 * there is nothing to change, and no change set is left.
 *
 * @param revision tells one from another that is left behind.
 */
export async function createChangeSet(
  cloud: Cloud,
  stack: string,
  { revision, signal, ...asked }: Asked & { revision: string; signal: AbortSignal | undefined },
): Promise<ChangeSet | undefined> {
  await dropChangeSets(cloud, stack)
  const { CreateChangeSetCommand } = cloud.sdk
  const { Id: id = '' } = await asking(`plan the changes of stack ${stack}`, () =>
    cloud.cloudFormation.send(
      new CreateChangeSetCommand({
        StackName: stack,
        ChangeSetName: `${PREFIX}${revision}`,
        Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
        // A bucket that was kept when its stack was removed is taken into the new one.
        ...(asked.DeploymentMode === undefined ? { ImportExistingResources: true } : {}),
        ...asked,
      }),
    ),
  )
  const { status, reason, changes } = await planned(cloud, id, signal)
  // Its list has resources alone: it is empty where only outputs change.
  if (status === 'CREATE_COMPLETE') return { id, stack, changes }
  await dropChangeSets(cloud, stack)
  if (isEmpty(reason)) return undefined
  throw new MoraineError('usage', `CloudFormation refuses the template of ${stack}: ${reason}`, {
    hint: 'Nothing was changed.',
  })
}

/** What CloudFormation says of a change set without changes: it counts as failed. */
const isEmpty = (reason: string) =>
  /didn't contain changes|No updates are to be performed/i.test(reason)

/** Waits until a change set is worked out. */
async function planned(cloud: Cloud, id: string, signal: AbortSignal | undefined) {
  const { DescribeChangeSetCommand } = cloud.sdk
  for (;;) {
    const changes: CloudChange[] = []
    let token: string | undefined
    let status: string
    let reason: string
    do {
      const page = await asking('read the planned changes', () =>
        cloud.cloudFormation.send(
          new DescribeChangeSetCommand({ ChangeSetName: id, NextToken: token }),
        ),
      )
      changes.push(...(page.Changes ?? []).map(changeOf))
      status = page.Status ?? ''
      reason = page.StatusReason ?? ''
      token = page.NextToken
    } while (token)
    if (!/_(IN_PROGRESS|PENDING)$/.test(status)) return { status, reason, changes }
    await sleep(cloud.pace, undefined, { signal })
  }
}

function changeOf({ ResourceChange: change = {} }: Change): CloudChange {
  return {
    id: change.LogicalResourceId ?? '',
    type: change.ResourceType ?? '',
    action: change.Action ?? '',
    replacement: change.Replacement,
    policy: change.PolicyAction,
  }
}

/** Has CloudFormation carry a change set out; it goes on by itself, whatever becomes of us. */
export async function execute(
  cloud: Cloud,
  { id, stack }: Pick<ChangeSet, 'id' | 'stack'>,
): Promise<void> {
  const { ExecuteChangeSetCommand } = cloud.sdk
  await asking(`change stack ${stack}`, () =>
    cloud.cloudFormation.send(
      // Without it a bucket of a stack that could not be made would stay behind, empty.
      new ExecuteChangeSetCommand({ ChangeSetName: id, RetainExceptOnCreate: true }),
    ),
  )
}

/** Removes change sets of ours that nobody carries out: those of deployments that were ended. */
export async function dropChangeSets(cloud: Cloud, stack: string): Promise<number> {
  const { ListChangeSetsCommand, DeleteChangeSetCommand } = cloud.sdk
  const { Summaries = [] } = await asking(`list the change sets of stack ${stack}`, async () => {
    try {
      return await cloud.cloudFormation.send(new ListChangeSetsCommand({ StackName: stack }))
    } catch (error) {
      if (/does not exist/.test((error as Error).message)) return { Summaries: [] }
      throw error
    }
  })
  const left = Summaries.filter(
    ({ ChangeSetName, ExecutionStatus }) =>
      ChangeSetName?.startsWith(PREFIX) && !/^EXECUTE_/.test(ExecutionStatus ?? ''),
  )
  for (const { ChangeSetId } of left)
    await asking(`remove a change set of stack ${stack}`, () =>
      cloud.cloudFormation.send(new DeleteChangeSetCommand({ ChangeSetName: ChangeSetId })),
    )
  return left.length
}
