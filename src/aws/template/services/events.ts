import type { Job } from '../../../plan/jobs.js'
import { att, type Json, type Resource, type Resources, ref } from '../cfn.js'
import { type Context, IDS } from '../context.js'
import { idFor, isPaused, jobId, LIMITS, nameFor } from '../names.js'
import { queueArn } from './sqs.js'

/**
 * What arrives for a job: S3 tells EventBridge, and a rule puts it into the job's queue, from which
 * its function takes up to ten messages at a time, each of which it can refuse alone.
 */
export function jobEvents(context: Context, job: Job): Resources {
  const id = jobId(job)
  const pattern = patternOf(job)
  return {
    ...(pattern === undefined ? {} : { [`${id}Rule`]: rule(context, { name: job.name, pattern }) }),
    [`${id}Messages`]: messages(context, job.name, isPaused(context.deploy, job.name)),
  }
}

interface Rule {
  /** What the queue is for. */
  name: string
  pattern: Json
  /** What the rule is called after, unless that is its queue. */
  as?: string
  /** What the queue is told instead of the event. */
  transformer?: Json
}

/** A rule of EventBridge that puts events into a FIFO queue, in one group. */
export function rule(context: Context, { name, pattern, as = name, transformer }: Rule): Resource {
  return {
    Type: 'AWS::Events::Rule',
    DependsOn: [`${idFor(name)}Queue`],
    Properties: {
      Name: nameFor(context.prefix, as, LIMITS.rule),
      EventPattern: pattern,
      Targets: [
        {
          Id: 'queue',
          Arn: queueArn(context, name),
          SqsParameters: { MessageGroupId: name },
          ...(transformer === undefined ? {} : { InputTransformer: transformer }),
          // What can't be delivered for a day would be gone.
          DeadLetterConfig: { Arn: att(IDS.dead) },
        },
      ],
    },
  }
}

/** Hands messages of a queue to the function of the same name. */
export function messages(context: Context, name: string, paused = false): Resource {
  return {
    Type: 'AWS::Lambda::EventSourceMapping',
    DependsOn: [`${idFor(name)}Queue`],
    Properties: {
      EventSourceArn: queueArn(context, name),
      FunctionName: ref(`${idFor(name)}Function`),
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      // A property that goes away is left as it was: one that was paused would stay so.
      Enabled: !paused,
    },
  }
}

/** Objects whose creation a job waits for: files and requests that arrive. */
function patternOf(job: Job): Json | undefined {
  const dataset = job.datasets.find((one) => `${one.tier}.${one.name}` === job.name)
  if (dataset?.tier !== 'bronze') return undefined
  const { from, name } = dataset
  if (from.kind !== 'ingest' && from.kind !== 'inbox') return undefined
  const path = from.kind === 'inbox' ? from.path : undefined
  if (path === undefined) return created(ref(IDS.bucket), `bronze/landing/${name}/`)
  const [, bucket, prefix = ''] = /^s3:\/\/([^/?]+)\/?([^?]*)/.exec(path) ?? []
  // Objects of a folder: what only begins like it is for others.
  return bucket && created(bucket, prefix === '' ? '' : prefix.replace(/\/*$/, '/'))
}

/** Events of S3 about objects that were created below a prefix. */
export const created = (bucket: Json, prefix: string): Json => ({
  source: ['aws.s3'],
  'detail-type': ['Object Created'],
  detail: {
    bucket: { name: [bucket] },
    ...(prefix === '' ? {} : { object: { key: [{ prefix }] } }),
  },
})
