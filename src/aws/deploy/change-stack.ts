import { createHash } from 'node:crypto'
import { MoraineError } from '../../errors.js'
import { type ChangeSet, createChangeSet, dropChangeSets, execute } from './cloud/change-set.js'
import type { Cloud } from './cloud/cloud.js'
import { type Following, follow, lastEvent } from './cloud/follow.js'
import { reasons } from './cloud/reasons.js'
import { LONGEST_BODY, type Shelf } from './cloud/shelf.js'
import { holdsData, nounOf } from './plan/risk.js'
import { canonical, type OwnerOf, type Template } from './plan/stack.js'

export interface StackChange {
  stack: string
  template: Template
  parameters: Readonly<Record<string, string>>
  /** Whether the stack is there already. */
  made: boolean
  /** Where a template lies that is too long for a request. */
  shelf: Shelf | undefined
  /** Puts back what somebody changed by hand. */
  revertDrift?: boolean
}

export type Changing = Following & { ownerOf: OwnerOf }

/**
 * Changes one stack by a change set, and waits for the end of it.
 *
 * @returns `false`: CloudFormation found nothing to change.
 * @throws MoraineError with what failed; CloudFormation has rolled the stack back then.
 */
export async function changeStack(
  cloud: Cloud,
  change: StackChange,
  changing: Changing,
): Promise<boolean> {
  const { stack, made } = change
  const { ownerOf, signal } = changing
  const changes = await changesOf(cloud, change, signal)
  if (changes === undefined) return false
  try {
    refuseLosses(changes)
    signal?.throwIfAborted()
  } catch (error) {
    await dropChangeSets(cloud, stack)
    throw error
  }
  const since = await lastEvent(cloud, stack)
  await execute(cloud, changes)
  const { stack: after, failures } = await follow(cloud, stack, since, changing)
  if (after?.status === (made ? 'UPDATE_COMPLETE' : 'CREATE_COMPLETE')) return true
  const why = reasons(failures, ownerOf) || `: ${after?.reason ?? after?.status ?? 'it is gone'}`
  throw new MoraineError(
    'storage',
    `Stack ${stack} could not be ${made ? 'changed' : 'created'}${why}`,
    {
      hint: made
        ? `The stack is ${after?.status === 'UPDATE_ROLLBACK_COMPLETE' ? 'as it was before' : `in ${after?.status}`}. Fix the cause, then: moraine deploy`
        : 'Nothing of it is left but what holds data. Fix the cause, then: moraine deploy',
    },
  )
}

/** The change set of a stack, worked out but not carried out. */
async function changesOf(
  cloud: Cloud,
  { stack, template, parameters, made, shelf, revertDrift }: StackChange,
  signal: AbortSignal | undefined,
): Promise<ChangeSet | undefined> {
  const body = JSON.stringify(template)
  const given = Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
    ParameterKey,
    ParameterValue,
  }))
  const hash = createHash('sha256')
    .update(canonical([template, given]))
    .digest('hex')
  const revision = hash.slice(0, 16)
  return createChangeSet(cloud, stack, {
    revision,
    signal,
    ChangeSetType: made ? 'UPDATE' : 'CREATE',
    Parameters: given,
    ...(revertDrift && made ? { DeploymentMode: 'REVERT_DRIFT' } : {}),
    ...(Buffer.byteLength(body) > LONGEST_BODY && shelf
      ? { TemplateURL: await shelf.layTemplate(stack, revision, body) }
      : { TemplateBody: body }),
  })
}

/** CloudFormation's own word on what it would replace or delete; the plan may not have known. */
function refuseLosses({ changes, stack }: ChangeSet): void {
  const lost = changes.filter(
    ({ type, action, replacement, policy }) =>
      holdsData(type) &&
      (replacement === 'True' ||
        replacement === 'Conditional' ||
        (action === 'Remove' && !policy?.startsWith('Retain'))),
  )
  if (lost.length === 0) return
  const names = lost.map(({ id, type }) => `${nounOf(type)} ${id}`).join(', ')
  throw new MoraineError(
    'usage',
    `Refused: CloudFormation would replace or delete what holds data in stack ${stack}: ${names}`,
    { hint: 'Nothing was changed. See what changes: moraine deploy --diff' },
  )
}
