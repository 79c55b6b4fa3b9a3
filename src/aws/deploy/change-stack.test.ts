import * as sdk from '@aws-sdk/client-cloudformation'
import { expect, it } from 'vitest'
import { changeStack } from './change-stack.js'
import type { Cloud } from './cloud/cloud.js'
import type { Template } from './plan/stack.js'

/** CloudFormation with one stack, by what it says of a change set, and what was asked of it. */
function cloudThatSays(set: Partial<sdk.DescribeChangeSetCommandOutput>) {
  const asked: string[] = []
  let StackStatus: sdk.StackStatus = 'UPDATE_COMPLETE'
  const answers: Record<string, () => object> = {
    CreateChangeSetCommand: () => ({ Id: 'set' }),
    DescribeChangeSetCommand: () => set,
    ListChangeSetsCommand: () => ({
      Summaries: asked.includes('CreateChangeSetCommand')
        ? [{ ChangeSetName: 'moraine-1', ChangeSetId: 'set', ExecutionStatus: 'AVAILABLE' }]
        : [],
    }),
    ExecuteChangeSetCommand: () => {
      StackStatus = 'UPDATE_IN_PROGRESS'
      return {}
    },
    DescribeStacksCommand: () => {
      const Stacks = [{ StackName: 'shop-base', StackStatus }]
      StackStatus = 'UPDATE_COMPLETE'
      return { Stacks }
    },
  }
  const client = new sdk.CloudFormationClient({ region: 'eu-central-1' })
  const send = async (command: object) => {
    const { name } = command.constructor
    asked.push(name)
    return answers[name]?.() ?? {}
  }
  const cloudFormation = Object.assign(client, { send })
  return { asked, cloud: { cloudFormation, sdk, pace: 1 } as unknown as Cloud }
}

const template: Template = { Resources: { LakeBucket: { Type: 'AWS::S3::Bucket' } } }
const change = { stack: 'shop-base', template, parameters: {}, made: true, shelf: undefined }
const changing = { ownerOf: () => undefined }

it('carries out what only gives more to other stacks: no resource of it changes', async () => {
  const { asked, cloud } = cloudThatSays({
    Status: 'CREATE_COMPLETE',
    ExecutionStatus: 'AVAILABLE',
    Changes: [],
  })
  expect(await changeStack(cloud, change, changing)).toBe(true)
  expect(asked).toContain('ExecuteChangeSetCommand')
  expect(asked).not.toContain('DeleteChangeSetCommand')
})

it('leaves no change set where CloudFormation finds nothing to change', async () => {
  const StatusReason = "The submitted information didn't contain changes. Submit different …"
  const { asked, cloud } = cloudThatSays({ Status: 'FAILED', StatusReason, Changes: [] })
  expect(await changeStack(cloud, change, changing)).toBe(false)
  expect(asked).not.toContain('ExecuteChangeSetCommand')
  expect(asked).toContain('DeleteChangeSetCommand')
})
