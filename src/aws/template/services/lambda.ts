import type { Job } from '../../../plan/jobs.js'
import { att, explained, type Json, type Resource, type Resources, ref } from '../cfn.js'
import { type Context, deployedVariable, IDS, keyArn, root, tagsOf } from '../context.js'
import { handingOver } from '../jobs/handing-over.js'
import { sizesOf } from '../jobs/sizes.js'
import { functionName, jobId } from '../names.js'
import { queuesFor } from './sqs.js'

/** What is known of a function. */
export interface FunctionOf {
  readonly name: string
  readonly description: string
  /** What `index.mjs` exports: `inbox`, `schedule`, `project`, `catalog`. */
  readonly handler: string
  /** What its role is called in the template. */
  readonly role: string
  /** The job for which it runs; it asks its own queue for what is left when time is up. */
  readonly job?: string
  readonly memory: number
  readonly disk: number
  readonly timeout: number
  readonly environment?: Readonly<Record<string, Json>>
}

/** The function of a job, which takes messages of its queue. */
export function jobFunction(context: Context, job: Job): Resources {
  const id = jobId(job)
  const made = lambdaFunction(context, {
    name: job.name,
    description: `Runs ${job.name} of the lake ${context.lake.name}`,
    handler: 'inbox',
    role: `${id}Role`,
    job: job.name,
    environment: { MORAINE_QUEUES: queuesFor(context, job), ...handingOver(context, job) },
    ...sizesOf(context, job),
  })
  return { [`${id}Function`]: made }
}

/** A function whose code is the lake's zip, at `CodeKey` of the lake's own bucket. */
export function lambdaFunction(context: Context, of: FunctionOf): Resource {
  const { deploy, prefix } = context
  const key = keyArn(context)
  const secrets = Object.keys(deploy.secrets ?? {}).length > 0
  return explained(
    {
      Type: 'AWS::Lambda::Function',
      Properties: {
        FunctionName: functionName(prefix, of.name),
        Description: of.description.slice(0, 256),
        Runtime: 'nodejs24.x',
        Architectures: [deploy.architecture === 'x64' ? 'x86_64' : 'arm64'],
        Handler: `index.${of.handler}`,
        Code: { S3Bucket: ref(IDS.bucket), S3Key: ref('CodeKey') },
        Role: att(of.role),
        MemorySize: of.memory,
        EphemeralStorage: { Size: of.disk },
        Timeout: of.timeout,
        LoggingConfig: { LogGroup: ref(IDS.logGroup), LogFormat: 'JSON' },
        TracingConfig: { Mode: 'Active' },
        // Lambda ends what invokes itself some 16 times, as a long job does; `lambda/work` bounds
        // it.
        ...(of.job === undefined ? {} : { RecursiveLoop: 'Allow' }),
        ...(key === undefined ? {} : { KmsKeyArn: key }),
        ...(deploy.vpc
          ? {
              VpcConfig: {
                SubnetIds: deploy.vpc.subnets,
                SecurityGroupIds: deploy.vpc.securityGroups,
              },
            }
          : {}),
        Environment: {
          Variables: {
            ...deploy.environment,
            ...(secrets ? { MORAINE_SECRETS: JSON.stringify(deploy.secrets) } : {}),
            ...of.environment,
            MORAINE_ROOT: root(),
            ...deployedVariable(context),
            ...(of.job === undefined ? {} : { MORAINE_JOB: of.job }),
            MORAINE_CACHE: '/tmp/cache',
          },
        },
        Tags: tagsOf(context),
      },
    },
    {
      CKV_AWS_116: 'It takes messages of a queue, which has dead letters.',
      CKV_AWS_115:
        'Concurrency is bounded by queues and schedules; reserving it takes it from the account.',
      ...(deploy.vpc
        ? {}
        : {
            CKV_AWS_117:
              'It reaches services of AWS alone, with its own role; vpc puts it into a network.',
          }),
      'AwsSolutions-L1': 'nodejs24.x is the newest runtime of Node.',
    },
  )
}
