import { millisecondsOf } from '../../../define/interval.js'
import type { Job } from '../../../plan/jobs.js'
import { account, arn, att, explained, type Resource, type Resources, ref } from '../cfn.js'
import { type Context, IDS, tagsOf } from '../context.js'
import { expressionOf } from '../jobs/cron.js'
import { isPaused, jobId, LIMITS, nameFor } from '../names.js'
import { keyStatements, role } from './iam.js'
import { queueArn } from './sqs.js'

/** Whether EventBridge Scheduler starts a job. */
function goesByClock(job: Job): boolean {
  return job.schedule?.kind === 'cron' || job.schedule?.kind === 'every'
}

/** What all schedules of a lake share: their group, and the role that starts jobs. */
export function scheduleGroup(context: Context): Resources {
  const jobs = context.jobs.filter(goesByClock)
  if (jobs.length === 0) return {}
  return {
    Schedules: {
      Type: 'AWS::Scheduler::ScheduleGroup',
      Properties: { Name: context.prefix, Tags: tagsOf(context) },
    },
    ...role(context, 'SchedulerRole', {
      name: 'scheduler',
      principal: 'scheduler.amazonaws.com',
      // Not by way of schedules of other accounts, or of other lakes.
      condition: {
        StringEquals: {
          'aws:SourceAccount': account,
          'aws:SourceArn': arn('scheduler', `schedule-group/${context.prefix}`),
        },
      },
      statements: [
        {
          Sid: 'Send',
          Effect: 'Allow',
          Action: ['sqs:SendMessage'],
          Resource: [...jobs.map(({ name }) => queueArn(context, name)), att(IDS.dead)],
        },
        ...keyStatements(context, ['kms:Decrypt', 'kms:GenerateDataKey']),
      ],
    }),
  }
}

/** When a job runs. `moraine deploy` leaves paused schedules paused, by `State`. */
export function jobSchedule(context: Context, job: Job): Resources {
  const { schedule } = job
  if (schedule?.kind !== 'cron' && schedule?.kind !== 'every') return {}
  const said = expressionOf(schedule)
  if ('problem' in said) return {}
  const id = jobId(job)
  const jitter = Math.floor(millisecondsOf(schedule.policy.jitter ?? '0ms') / 60_000)
  const made: Resource = {
    Type: 'AWS::Scheduler::Schedule',
    DependsOn: [`${id}Queue`],
    Properties: {
      Name: nameFor(context.prefix, job.name, LIMITS.schedule),
      GroupName: ref('Schedules'),
      Description: `Runs ${job.name}`,
      ScheduleExpression: said.expression,
      ScheduleExpressionTimezone: said.timezone,
      State: isPaused(context.deploy, job.name) ? 'DISABLED' : 'ENABLED',
      FlexibleTimeWindow:
        jitter >= 1
          ? { Mode: 'FLEXIBLE', MaximumWindowInMinutes: Math.min(jitter, 1440) }
          : { Mode: 'OFF' },
      Target: {
        Arn: queueArn(context, job.name),
        RoleArn: att('SchedulerRole'),
        Input: JSON.stringify({
          job: job.name,
          cause: 'schedule',
          // No two times make the same message, which the queue would take for one.
          due: '<aws.scheduler.scheduled-time>',
        }),
        SqsParameters: { MessageGroupId: job.name },
        DeadLetterConfig: { Arn: att(IDS.dead) },
        RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 10 },
      },
    },
  }
  const reason = 'It holds nothing but the name of a job and a time.'
  return { [`${id}Schedule`]: explained(made, { CKV_AWS_297: reason }) }
}

/** What EventBridge Scheduler can't do as the schedules of jobs say. */
export function scheduleProblems({ jobs }: Context) {
  return jobs.flatMap(({ name, schedule, datasets }) => {
    if (schedule?.kind !== 'cron' && schedule?.kind !== 'every') return []
    const said = expressionOf(schedule)
    if ('expression' in said) return []
    const text = schedule.kind === 'cron' ? schedule.pattern : schedule.interval
    const dataset = datasets.find((one) => `${one.tier}.${one.name}` === name)
    const place = dataset?.place && { ...dataset.place, near: text }
    const call = `${schedule.kind}('${text}')`
    return [{ message: `${name}: ${call} ${said.problem}`, hint: said.hint, place }]
  })
}
