import type { Stack as Described } from '@aws-sdk/client-cloudformation'
import type { Template } from '../plan/stack.js'
import type { Cloud } from './cloud.js'
import { asking } from './failures.js'

/** A stack as the account has it. */
export interface Deployed {
  name: string
  id: string
  status: string
  reason: string | undefined
  outputs: Readonly<Record<string, string>>
  parameters: Readonly<Record<string, string>>
}

/**
 * A stack, by name or id; `undefined` where there is none, or only what is left of a deleted one.
 */
export async function lookAt(cloud: Cloud, name: string): Promise<Deployed | undefined> {
  const { DescribeStacksCommand } = cloud.sdk
  const found = await asking(`look at stack ${name}`, async () => {
    try {
      const { Stacks } = await cloud.cloudFormation.send(
        new DescribeStacksCommand({ StackName: name }),
      )
      return Stacks?.[0]
    } catch (error) {
      if (/does not exist/.test((error as Error).message)) return undefined
      throw error
    }
  })
  return found === undefined || found.StackStatus === 'DELETE_COMPLETE'
    ? undefined
    : deployedOf(found)
}

function deployedOf(stack: Described): Deployed {
  const pairs = <T>(all: T[] | undefined, key: (one: T) => (string | undefined)[]) =>
    Object.fromEntries((all ?? []).map((one) => key(one).map((text) => text ?? '')))
  return {
    name: stack.StackName ?? '',
    id: stack.StackId ?? '',
    status: stack.StackStatus ?? '',
    reason: stack.StackStatusReason || undefined,
    outputs: pairs(stack.Outputs, (one) => [one.OutputKey, one.OutputValue]),
    parameters: pairs(stack.Parameters, (one) => [one.ParameterKey, one.ParameterValue]),
  }
}

/** The template that a stack was made by. */
export async function templateOf(cloud: Cloud, name: string): Promise<Template> {
  const { GetTemplateCommand } = cloud.sdk
  const { TemplateBody = '{}' } = await asking(`read the template of stack ${name}`, () =>
    cloud.cloudFormation.send(
      new GetTemplateCommand({ StackName: name, TemplateStage: 'Original' }),
    ),
  )
  const template = JSON.parse(TemplateBody) as Partial<Template>
  return { ...template, Resources: template.Resources ?? {} }
}

/** The names in the account of a stack's resources, by those in its template. */
export async function resourcesOf(cloud: Cloud, name: string): Promise<Map<string, string>> {
  const { paginateListStackResources } = cloud.sdk
  const found = new Map<string, string>()
  await asking(`list the resources of stack ${name}`, async () => {
    const pages = paginateListStackResources({ client: cloud.cloudFormation }, { StackName: name })
    for await (const { StackResourceSummaries = [] } of pages)
      for (const one of StackResourceSummaries)
        if (one.ResourceStatus !== 'DELETE_COMPLETE' && one.PhysicalResourceId)
          found.set(one.LogicalResourceId ?? '', one.PhysicalResourceId)
  })
  return found
}
