import { MoraineError } from '../../../errors.js'
import type { OwnerOf } from '../plan/stack.js'
import { dropChangeSets } from './change-set.js'
import type { Cloud } from './cloud.js'
import { asking } from './failures.js'
import { type Following, follow, isChanging, lastEvent } from './follow.js'
import { reasons } from './reasons.js'
import { type Deployed, lookAt } from './status.js'

/** What must be done to a stack before it can be changed. */
export type Recovery = 'remake' | 'roll back' | undefined

/** Stacks that were never made: nothing can be done to them but to remove what is left. */
const UNMADE = /^(ROLLBACK_COMPLETE|ROLLBACK_FAILED|CREATE_FAILED|DELETE_FAILED)$/

/** What an earlier deployment left behind, and what has to be done about it. */
export function recoveryOf(stack: Deployed | undefined): Recovery {
  if (stack === undefined) return undefined
  if (UNMADE.test(stack.status)) return 'remake'
  return stack.status === 'UPDATE_ROLLBACK_FAILED' ? 'roll back' : undefined
}

/** Whether a stack has a template: one that was only planned has none yet. */
export const isMade = (stack: Deployed | undefined): stack is Deployed =>
  stack !== undefined && stack.status !== 'REVIEW_IN_PROGRESS' && recoveryOf(stack) !== 'remake'

/** Waits until nobody changes a stack: a deployment that was ended goes on in the account. */
export async function quiet(
  cloud: Cloud,
  name: string,
  following: Following,
): Promise<Deployed | undefined> {
  const stack = await lookAt(cloud, name)
  if (stack === undefined || !isChanging(stack)) return stack
  await follow(cloud, stack.id, await lastEvent(cloud, stack.id), following)
  return quiet(cloud, name, following)
}

/**
 * Brings a stack that failed to where it can be changed.
 *
 * @returns the stack, or `undefined` where it has to be made anew.
 */
export async function recover(
  cloud: Cloud,
  stack: Deployed,
  ownerOf: OwnerOf,
  following: Following,
): Promise<Deployed | undefined> {
  const { DeleteStackCommand, ContinueUpdateRollbackCommand } = cloud.sdk
  const recovery = recoveryOf(stack)
  if (recovery === undefined) return stack
  const since = await lastEvent(cloud, stack.id)
  await dropChangeSets(cloud, stack.name)
  const command = { StackName: stack.name }
  const again = () =>
    recovery === 'remake'
      ? cloud.cloudFormation.send(new DeleteStackCommand(command))
      : cloud.cloudFormation.send(new ContinueUpdateRollbackCommand(command))
  await asking(`recover stack ${stack.name}`, async () => void (await again()))
  const ended = await follow(cloud, stack.id, since, following)
  if (recoveryOf(ended.stack) === undefined) return ended.stack
  const ids = ended.failures.map(({ id }) => id)
  throw new MoraineError(
    'storage',
    `Stack ${stack.name} is in ${ended.stack?.status} and could not be recovered${reasons(ended.failures, ownerOf)}`,
    {
      hint:
        recovery === 'remake'
          ? `Remove what holds it back, or leave it: aws cloudformation delete-stack --stack-name ${stack.name}${ids.length > 0 ? ` --retain-resources ${ids.join(' ')}` : ''}`
          : `Remove what holds it back, then deploy again; or pass over it: aws cloudformation continue-update-rollback --stack-name ${stack.name}${ids.length > 0 ? ` --resources-to-skip ${ids.join(' ')}` : ''}`,
    },
  )
}
