import type { Job } from '../../../plan/jobs.js'
import { isProjected } from '../../options/aws.js'
import {
  account,
  arn,
  att,
  explained,
  type Json,
  join,
  policy,
  type Resource,
  type Resources,
  ref,
  region,
} from '../cfn.js'
import { type Context, IDS, keyArn, tagsOf } from '../context.js'
import { PROJECTION, sizesOf } from '../jobs/sizes.js'
import { jobsAfter } from '../jobs.js'
import { jobId, LIMITS, nameFor, TRIED } from '../names.js'

const DAYS_14 = 1_209_600

/**
 * A queue for each job: FIFO with one group, so that its runs follow each other. What no run could
 * take goes to the dead letters, and so does what schedules could not send.
 */
export function sqs(context: Context): Resources {
  const queues = Object.fromEntries(
    context.jobs.map((job) => [
      `${jobId(job)}Queue`,
      fifo(context, job.name, sizesOf(context, job).timeout),
    ]),
  )
  const all: Resources = {
    [IDS.dead]: explained(queue(context, 'dead', { MessageRetentionPeriod: DAYS_14 }), {
      'AwsSolutions-SQS3': 'It holds dead letters of rules and schedules itself, and has an alarm.',
    }),
    [IDS.deadFifo]: queue(context, 'dead', { MessageRetentionPeriod: DAYS_14, FifoQueue: true }),
    ...queues,
    ...(isProjected(context.deploy)
      ? { ProjectionQueue: fifo(context, 'projection', PROJECTION.timeout) }
      : {}),
  }
  return { ...all, QueuePolicy: queuePolicy(context, Object.keys(all)) }
}

/** A queue whose messages are for one function, one after the other. */
function fifo(context: Context, name: string, timeout: number): Resource {
  return queue(context, name, {
    FifoQueue: true,
    ContentBasedDeduplication: true,
    // As long as a queue can: messages of a job that is paused wait.
    MessageRetentionPeriod: DAYS_14,
    // Others in the group wait as long when a run fails.
    VisibilityTimeout: timeout + 60,
    RedrivePolicy: { deadLetterTargetArn: att(IDS.deadFifo), maxReceiveCount: TRIED },
  })
}

const queueName = ({ prefix }: Context, name: string) =>
  nameFor(prefix, name, LIMITS.queue, '.fifo')

/** The ARN of a job's queue, as a text: what lies in other stacks would have to be exported. */
export const queueArn = (context: Context, name: string): Json =>
  arn('sqs', queueName(context, name))

/** Where a job's function asks for runs: of its own job, and of those that come after it. */
export function queuesFor(context: Context, job: Job): Json {
  const jobs = [job, ...jobsAfter(job, context.jobs)]
  const host = join('https://sqs.', region, '.', ref('AWS::URLSuffix'), '/', account, '/')
  const parts = jobs.flatMap(({ name }, i): Json[] => [
    `${i === 0 ? '{' : '",'}${JSON.stringify(name)}:"`,
    ...(host['Fn::Join'][1] as Json[]),
    queueName(context, name),
  ])
  return join(...parts, '"}')
}

function queue(
  context: Context,
  name: string,
  properties: NonNullable<Resource['Properties']>,
): Resource {
  const key = keyArn(context)
  return {
    Type: 'AWS::SQS::Queue',
    Properties: {
      QueueName: nameFor(context.prefix, name, LIMITS.queue, properties.FifoQueue ? '.fifo' : ''),
      ...(key === undefined
        ? { SqsManagedSseEnabled: true }
        : { KmsMasterKeyId: key, KmsDataKeyReusePeriodSeconds: 3600 }),
      ...properties,
      Tags: tagsOf(context),
    },
  }
}

/** Queues take messages by TLS alone; rules of EventBridge that are the lake's may send them. */
function queuePolicy({ prefix }: Context, queues: readonly string[]): Resource {
  return {
    Type: 'AWS::SQS::QueuePolicy',
    Properties: {
      Queues: queues.map(ref),
      PolicyDocument: policy([
        {
          Sid: 'TlsOnly',
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Action: 'sqs:*',
          Resource: '*',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
        {
          Sid: 'Events',
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: 'sqs:SendMessage',
          // Of the queue that has this policy: to list them all passes what a policy may have.
          Resource: '*',
          Condition: {
            StringEquals: { 'aws:SourceAccount': account },
            ArnLike: { 'aws:SourceArn': arn('events', `rule/${prefix}-*`) },
          },
        },
      ]),
    },
  }
}
