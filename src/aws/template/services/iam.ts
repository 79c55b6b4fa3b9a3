import type { Job } from '../../../plan/jobs.js'
import {
  arn,
  att,
  explained,
  type Json,
  join,
  partition,
  policy,
  type Resource,
  type Resources,
  ref,
  type Statement,
  service,
} from '../cfn.js'
import { type Context, IDS, keyArn, objects, tagsOf } from '../context.js'
import { startStatements } from '../jobs/handing-over.js'
import { inLayers, locksObjects, type Rights, rightsOf, sharedSecrets } from '../jobs/rights.js'
import { jobsAfter } from '../jobs.js'
import { jobId, LIMITS, nameInAccount } from '../names.js'
import { divided, MOST_POLICIES } from './policy-size.js'
import { queueArn } from './sqs.js'

/** What runs a job may do, in so few words that a role has room for them if it can. */
export function jobStatements(
  context: Context,
  job: Job,
  beside: readonly Statement[],
): Statement[] {
  const rights = rightsOf(context.lake, context.deploy, job, context.olderFolders)
  const saying = (all: Rights) => [
    ...objectStatements(context, all),
    ...beside,
    ...secretStatements(context, all.secrets),
  ]
  const exact = saying(rights)
  if (divided(exact, context.deploy.region).length <= MOST_POLICIES) return exact
  return saying(inLayers(context, rights))
}

/** The role of a job's function, with policies that say what {@link rightsOf} does. */
export function jobRole(context: Context, job: Job): Resources {
  const id = jobId(job)
  const beside = [...runStatements(context, job), ...startStatements(context, job)]
  const statements = jobStatements(context, job, beside)
  return role(context, `${id}Role`, {
    name: job.name,
    principal: 'lambda.amazonaws.com',
    statements,
  })
}

interface RoleOf {
  readonly name: string
  /** Who takes the role: a service, or principals. */
  readonly principal: string | Json
  /** When they may, where that is not always. */
  readonly condition?: Json
  readonly statements: readonly Statement[]
}

/** A role with as many managed policies as its statements need. */
export function role(
  context: Context,
  id: string,
  { name, principal, condition, statements }: RoleOf,
): Resources {
  const policies = divided(statements, context.deploy.region)
  const ids = policies.map((_, i) => `${id}Policy${i === 0 ? '' : i + 1}`)
  const documents = policies.map((part, i): [string, Resource] => {
    const ending = i === 0 ? '' : `-${i + 1}`
    const made = {
      Type: 'AWS::IAM::ManagedPolicy',
      Properties: {
        ManagedPolicyName: nameInAccount(context, name, LIMITS.policy, ending),
        PolicyDocument: policy(part),
      },
    }
    return [ids[i] as string, explained(made, reasonsFor(part))]
  })
  return {
    ...Object.fromEntries(documents),
    [id]: {
      Type: 'AWS::IAM::Role',
      Properties: {
        RoleName: nameInAccount(context, name, LIMITS.role),
        AssumeRolePolicyDocument: policy([
          {
            Effect: 'Allow',
            Principal: typeof principal === 'string' ? service(principal) : principal,
            Action: 'sts:AssumeRole',
            ...(condition === undefined ? {} : { Condition: condition }),
          },
        ]),
        ManagedPolicyArns: ids.map(ref),
        Tags: tagsOf(context),
      },
    },
  }
}

/** Why a policy has the wildcards that it has. */
function reasonsFor(part: readonly Statement[]): Record<string, string> {
  const sids = new Set(part.filter(({ Resource }) => Resource === '*').map(({ Sid }) => Sid))
  const every = [
    ...(sids.has('Traces') ? ['X-Ray names no resources'] : []),
    ...(sids.has('Network') ? ['interfaces of a network have no names before they are there'] : []),
  ]
  return {
    'AwsSolutions-IAM5': `Wildcards stand behind prefixes of one dataset, table or log${every.length > 0 ? `; ${every.join('; ')}` : ''}.`,
    ...(every.length > 0 ? { CKV_AWS_111: `${every.join('; ')}.` } : {}),
  }
}

/** What is said of objects, of the key, and of other buckets. */
function objectStatements(context: Context, rights: Rights): Statement[] {
  const inLake = (paths: readonly string[]) => paths.filter((path) => !path.startsWith('s3://'))
  const outside = (paths: readonly string[]) => paths.filter((path) => path.startsWith('s3://'))
  const all = (paths: readonly string[]) =>
    [...new Set(inLake(paths))].map((path) => objects(`${path}*`))
  const allow = (Sid: string, Action: string[], Resource: Json[], Condition?: Json): Statement[] =>
    Resource.length === 0
      ? []
      : [{ Sid, Effect: 'Allow', Action, Resource, ...(Condition ? { Condition } : {}) }]
  const elsewhere = outside(rights.reads)
  const seen = inLake([...new Set([...rights.reads, ...rights.writes])])
  return [
    listStatement(seen),
    ...allow('Read', ['s3:GetObject'], all(seen)),
    ...allow('Write', ['s3:PutObject', 's3:AbortMultipartUpload'], all(rights.writes)),
    ...allow('Remove', ['s3:DeleteObject'], all(rights.removes)),
    ...allow(
      'Take',
      ['s3:DeleteObjectVersion'],
      [...all(rights.takes), ...outside(rights.takes).map((path) => s3Arn(`${path.slice(5)}*`))],
    ),
    ...(locksObjects(context) ? allow('Hold', ['s3:PutObjectLegalHold'], all(rights.holds)) : []),
    ...allow('Retain', ['s3:PutObjectRetention', 's3:GetObjectRetention'], all(rights.locks)),
    ...allow(
      'Lock',
      ['s3:GetBucketObjectLockConfiguration'],
      rights.holds.length + rights.locks.length > 0 ? [att(IDS.bucket)] : [],
    ),
    ...listSources(elsewhere),
    ...allow(
      'ReadSources',
      ['s3:GetObject'],
      elsewhere.map((path) => s3Arn(`${path.slice(5)}*`)),
    ),
    ...allow(
      'WriteExports',
      ['s3:PutObject', 's3:AbortMultipartUpload'],
      outside(rights.writes).map((path) => s3Arn(`${path.slice(5)}*`)),
    ),
    ...allow(
      'RemoveElsewhere',
      ['s3:DeleteObject'],
      outside(rights.removes).map((path) => s3Arn(`${path.slice(5)}*`)),
    ),
    ...keyStatements(context, ['kms:Decrypt', 'kms:GenerateDataKey']),
  ]
}

/** Lists prefixes of the lake's bucket. */
export const listStatement = (prefixes: readonly string[]): Statement => ({
  Sid: 'List',
  Effect: 'Allow',
  Action: ['s3:ListBucket'],
  Resource: att(IDS.bucket),
  // Without a prefix it is asked whether one object is there.
  Condition: { StringLikeIfExists: { 's3:prefix': prefixes.map((path) => `${path}*`).sort() } },
})

/**
 * The same for who never asks whether one object is there: without a prefix, all names are told.
 */
export const listOnly = (prefixes: readonly string[]): Statement => ({
  ...listStatement(prefixes),
  Condition: { StringLike: { 's3:prefix': prefixes.map((path) => `${path}*`).sort() } },
})

/** Prefixes of one bucket that are told one by one; of more, what they have in common. */
const MOST_PREFIXES = 10

/**
 * Lists what sources and exports have in other buckets by their prefixes.
 *
 * @param looks whether it is asked if one object is there, as in the lake's own bucket.
 */
export function listSources(locations: readonly string[], looks = true): Statement[] {
  return [...new Set(locations.map(bucketOf))].map((bucket, i) => {
    const keys = locations
      .filter((one) => bucketOf(one) === bucket)
      .map((one) => one.slice(`s3://${bucket}/`.length))
    const some = keys.length > MOST_PREFIXES ? [commonIn(keys)] : keys
    // A folder is also asked for without its slash.
    const prefixes = some.flatMap((key) => [
      `${key}*`,
      ...(key.endsWith('/') ? [key.slice(0, -1)] : []),
    ])
    return {
      Sid: `ListSources${i === 0 ? '' : i + 1}`,
      Effect: 'Allow',
      Action: ['s3:ListBucket'],
      Resource: s3Arn(bucket),
      Condition: {
        [looks ? 'StringLikeIfExists' : 'StringLike']: {
          's3:prefix': [...new Set(prefixes)].sort(),
        },
      },
    }
  })
}

/** What all of some texts begin with. */
function commonIn([first = '', ...others]: readonly string[]): string {
  const until = [...first].findIndex((char, i) => others.some((one) => one[i] !== char))
  return until < 0 ? first : first.slice(0, until)
}

export function keyStatements(context: Context, actions: string[]): Statement[] {
  const key = keyArn(context)
  return key === undefined ? [] : [{ Sid: 'Key', Effect: 'Allow', Action: actions, Resource: key }]
}

const bucketOf = (location: string) => location.slice(5).split('/')[0] as string
export const s3Arn = (path: string): Json => join('arn:', partition, `:s3:::${path}`)

/** What a function of a job needs beside the lake: logs and traces, queues, secrets. */
function runStatements(context: Context, job: Job): Statement[] {
  const asked = [job, ...jobsAfter(job, context.jobs)].map(({ name }) => queueArn(context, name))
  return [
    ...functionStatements(context),
    ...queueStatements(context, job.name),
    { Sid: 'GoOn', Effect: 'Allow', Action: ['sqs:SendMessage'], Resource: asked },
  ]
}

/** Values of secrets, by name or ARN; where none are given, those that every function fetches. */
export function secretStatements(
  { deploy }: Context,
  secrets: readonly string[] = sharedSecrets(deploy),
): Statement[] {
  if (secrets.length === 0) return []
  return [
    {
      Sid: 'Secrets',
      Effect: 'Allow',
      Action: ['secretsmanager:GetSecretValue'],
      Resource: secrets.map((name) =>
        name.startsWith('arn:') ? name : arn('secretsmanager', `secret:${name}-??????`),
      ),
    },
  ]
}

/** What takes messages of a queue. */
export function queueStatements(context: Context, queue: string): Statement[] {
  return [
    {
      Sid: 'Queue',
      Effect: 'Allow',
      Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
      Resource: queueArn(context, queue),
    },
  ]
}

/** What each function does: it writes logs and traces; in a network, it has an interface there. */
export function functionStatements({ deploy }: Context): Statement[] {
  return [
    {
      Sid: 'Logs',
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: att(IDS.logGroup),
    },
    {
      Sid: 'Traces',
      Effect: 'Allow',
      Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
      Resource: '*',
    },
    ...(deploy.vpc
      ? [
          {
            Sid: 'Network',
            Effect: 'Allow' as const,
            Action: [
              'ec2:CreateNetworkInterface',
              'ec2:DescribeNetworkInterfaces',
              'ec2:DescribeSubnets',
              'ec2:DeleteNetworkInterface',
              'ec2:AssignPrivateIpAddresses',
              'ec2:UnassignPrivateIpAddresses',
            ],
            Resource: '*',
          },
        ]
      : []),
  ]
}
