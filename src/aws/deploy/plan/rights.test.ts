import { expect, it } from 'vitest'
import { differences } from './difference.js'
import { rightChanges } from './rights.js'
import type { Template } from './stack.js'

const policy = (prefixes: string[], actions: string[], others: object[] = []) =>
  ({
    Resources: {
      Policy: {
        Type: 'AWS::IAM::ManagedPolicy',
        Properties: {
          PolicyDocument: {
            Statement: [
              {
                Effect: 'Allow',
                Action: actions,
                Resource: { 'Fn::Join': ['', ['arn:', { Ref: 'Bucket' }]] },
                Condition: { StringLikeIfExists: { 's3:prefix': prefixes } },
              },
              ...others,
            ],
          },
        },
      },
    },
  }) as Template

const changes = (before: Template, after: Template) => {
  const resources = differences(before, after)
  return { resources, rights: rightChanges(resources, before, after) }
}

it('shows no change of what has the same prefixes, actions and statements in another order', () => {
  const other = { Effect: 'Deny', Action: 'kms:*', Resource: '*' }
  const before = policy(['gold/a/*', '_moraine/*'], ['s3:ListBucket', 's3:GetObject'], [other])
  const after = policy(['_moraine/*', 'gold/a/*'], ['s3:GetObject', 's3:ListBucket'], [other])
  const { Statement } = (after.Resources.Policy as any).Properties.PolicyDocument
  Statement.reverse()
  expect(changes(before, after)).toEqual({ resources: [], rights: [] })
})

it('shows what a policy allows more, in one order of its prefixes', () => {
  const before = policy(['gold/a/*', '_moraine/*'], ['s3:ListBucket'])
  const after = policy(['gold/b/*', '_moraine/*', 'gold/a/*'], ['s3:ListBucket'])
  const { rights } = changes(before, after)
  expect(rights).toMatchObject([{ id: 'Policy', added: [expect.any(String)] }])
  expect(rights[0]?.added[0]).toMatch(/_moraine\/\*,gold\/a\/\*,gold\/b\/\*/)
  expect(rights[0]?.removed).toHaveLength(1)
})

it('shows another order of arguments of a function of CloudFormation, which is another text', () => {
  const before = policy([], ['s3:GetObject'])
  const after = structuredClone(before)
  const { Statement } = (after.Resources.Policy as any).Properties.PolicyDocument
  Statement[0].Resource['Fn::Join'][1].reverse()
  expect(changes(before, after).resources).toHaveLength(1)
})
