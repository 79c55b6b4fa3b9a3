import { DefinitionError, type Problem } from '../../errors.js'
import type { Json, Resource } from './cfn.js'
import type { Context } from './context.js'
import { jobId } from './names.js'
import { problem } from './problems.js'
import { MOST, MOST_POLICIES, sizeOf } from './services/policy-size.js'
import { type Group, MOST_BYTES, MOST_OUTPUTS, MOST_RESOURCES, type Stack } from './stacks.js'

/**
 * Bytes of all variables of a function:
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const MOST_ENVIRONMENT = 4096

/**
 * Characters of what says who may assume a role:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
const MOST_TRUST = 2048

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html */
const MOST_RULES = 1000

/**
 * Holds what was made of a lake against limits of services that are told by sizes alone.
 *
 * @throws DefinitionError with all that they would refuse.
 */
export function checkLimits(context: Context, groups: readonly Group[]): void {
  const problems = groups.flatMap(({ name, resources }) => {
    const all = Object.entries(resources)
    return [
      ...tooMany(context, name, all.length),
      ...all.flatMap(([id, resource]) => tooLarge(context, id, resource)),
    ]
  })
  if (problems.length > 0) throw new DefinitionError(problems)
}

/**
 * Holds stacks against what CloudFormation takes: jobs stay in the stack that has them already,
 * however much more they need by now.
 *
 * @throws DefinitionError with all that it would refuse.
 */
export function checkStacks(context: Context, stacks: readonly Stack[]): void {
  const problems = stacks.flatMap(({ name, template }) => {
    const { Resources, Outputs = {} } = template
    const sizes: [number, string, number][] = [
      [Object.keys(Resources).length, 'resources', MOST_RESOURCES],
      [Object.keys(Outputs).length, 'outputs', MOST_OUTPUTS],
      [JSON.stringify(template).length, 'bytes', MOST_BYTES],
    ]
    return sizes
      .filter(([size, , most]) => size > most)
      .map(([size, what, most]) =>
        problem(context, {
          message: `Stack ${name} would have ${size} ${what}, and a stack of CloudFormation has at most ${most}`,
          hint: 'Jobs stay in the stack that they are in. Deploy without the schedules and inboxes of some of them, and then with them: they come into another stack.',
        }),
      )
  })
  if (problems.length > 0) throw new DefinitionError(problems)
}

function tooMany(context: Context, name: string, count: number): Problem[] {
  if (count <= MOST_RESOURCES) return []
  return [
    problem(context, {
      message: `The lake has ${context.jobs.length} jobs: what they share (${name}) would be ${count} resources, and a stack of CloudFormation has at most ${MOST_RESOURCES}`,
      hint: 'Give fewer datasets a schedule or an inbox of their own, or divide the lake.',
    }),
  ]
}

function tooLarge(context: Context, id: string, { Type, Properties = {} }: Resource): Problem[] {
  const job = context.jobs.find((one) => id.startsWith(jobId(one)))
  const whose = job ? job.name : id
  if (Type === 'AWS::IAM::Role') {
    const trust = sizeOf(Properties.AssumeRolePolicyDocument, context.deploy.region)
    if (trust > MOST_TRUST)
      return [
        problem(context, {
          message: `The trust policy of ${whose} would have ${trust} characters, and IAM takes ${MOST_TRUST}`,
          hint: 'Name one role that all members may assume, rather than each of them.',
          near: 'members',
        }),
      ]
    const { length } = (Properties.ManagedPolicyArns ?? []) as readonly Json[]
    if (length <= MOST_POLICIES) return []
    return [
      problem(context, {
        message: `The role of ${whose} would need ${length} policies of ${MOST} characters, and a role has at most ${MOST_POLICIES}`,
        hint: job
          ? `It runs ${job.datasets.length} datasets: give some of them a schedule of their own, and they are other jobs with other roles.`
          : 'Name whole layers rather than many tables.',
      }),
    ]
  }
  if (Type === 'AWS::IAM::ManagedPolicy') {
    const size = sizeOf(Properties.PolicyDocument, context.deploy.region)
    if (size <= MOST) return []
    return [
      problem(context, {
        message: `A policy of ${whose} would have ${size} characters, and IAM takes ${MOST}`,
        hint: 'Use shorter names of datasets and secrets.',
      }),
    ]
  }
  if (Type === 'AWS::S3::Bucket') return tooManyRules(context, Properties)
  if (Type !== 'AWS::Lambda::Function') return []
  const { Variables } = Properties.Environment as { Variables: Json }
  const size = sizeOf(Variables, context.deploy.region)
  if (size <= MOST_ENVIRONMENT) return []
  return [
    problem(context, {
      message: `The variables of the function of ${whose} would have ${size} bytes, and Lambda allows ${MOST_ENVIRONMENT}`,
      hint: 'Give shorter names, or read long values from a file beside lake.ts. Each job that runs after this one is in them, too.',
      near: 'environment',
    }),
  ]
}

function tooManyRules(context: Context, properties: NonNullable<Resource['Properties']>) {
  const { Rules } = properties.LifecycleConfiguration as unknown as { Rules: readonly Json[] }
  if (Rules.length <= MOST_RULES) return []
  return [
    problem(context, {
      message: `The bucket would have ${Rules.length} rules of lifecycle, and S3 takes ${MOST_RULES}: each folder has one whose dataset keeps its rows for a shorter time than removed objects are kept`,
      hint: "Keep removed objects no longer than the rows of any dataset: aws({ noncurrent: '7d' })",
      near: 'noncurrent',
    }),
  ]
}
