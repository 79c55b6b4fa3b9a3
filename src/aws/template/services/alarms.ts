import { account, att, explained, policy, type Resource, type Resources, ref } from '../cfn.js'
import { type Context, deployedAs, IDS, keyArn, tagsOf } from '../context.js'
import { LASTING_FAILURES, LIMITS, nameFor } from '../names.js'

/**
 * Who hears when something was not done: a topic, and alarms for runs that failed for good and for
 * each queue of dead letters.
 */
export function alarms(context: Context): Resources {
  const { deploy, prefix, lake } = context
  const key = keyArn(context)
  const topic: Resource = {
    Type: 'AWS::SNS::Topic',
    Properties: {
      TopicName: nameFor(prefix, 'alarms', 256),
      DisplayName: `Lake ${lake.name}`.slice(0, 100),
      ...(key === undefined ? {} : { KmsMasterKeyId: key }),
      Tags: tagsOf(context),
    },
  }
  const plain = {
    CKV_AWS_26:
      "CloudWatch can't publish to a topic that the key of SNS itself encrypts; alarms have names of queues, and no rows.",
  }
  return {
    [IDS.topic]: key === undefined ? explained(topic, plain) : topic,
    AlarmsPolicy: topicPolicy(),
    ...(deploy.alarmEmail === undefined
      ? {}
      : {
          AlarmsEmail: {
            Type: 'AWS::SNS::Subscription',
            Properties: {
              TopicArn: ref(IDS.topic),
              Protocol: 'email',
              Endpoint: deploy.alarmEmail,
            },
          },
        }),
    DeadLettersAlarm: deadLetters(
      context,
      IDS.dead,
      'events that reached no queue, or runs of Glue that failed',
    ),
    FailedRunsAlarm: failedRuns(context),
    DeadLettersFifoAlarm: deadLetters(context, IDS.deadFifo, 'messages that no run could take'),
  }
}

/** Runs whose messages are done with, as another attempt would fail as well. */
const failedRuns = (context: Context): Resource =>
  alarm(context, 'FailedRuns', {
    AlarmDescription:
      'A run failed, and is not tried again by itself: its log says why, and what to do',
    Namespace: 'Moraine',
    MetricName: LASTING_FAILURES,
    Dimensions: [{ Name: 'Lake', Value: deployedAs(context) }],
    Statistic: 'Sum',
    Period: 300,
  })

const deadLetters = (context: Context, queue: string, what: string): Resource =>
  alarm(context, queue, {
    AlarmDescription: `There are ${what}: read them in SQS, and redrive them once the cause is repaired`,
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [{ Name: 'QueueName', Value: att(queue, 'QueueName') }],
    Statistic: 'Maximum',
    Period: 60,
    // It goes back when they are gone, and only then.
    OKActions: [ref(IDS.topic)],
  })

/** Tells the topic as soon as there is one of what should be none. */
export function alarm(
  { prefix }: Context,
  name: string,
  metric: NonNullable<Resource['Properties']>,
): Resource {
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: nameFor(prefix, name, LIMITS.alarm),
      ...metric,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      // It goes back with time: that says nothing of whether the cause is gone.
      TreatMissingData: 'notBreaching',
      AlarmActions: [ref(IDS.topic)],
    },
  }
}

function topicPolicy(): Resource {
  return {
    Type: 'AWS::SNS::TopicPolicy',
    Properties: {
      Topics: [ref(IDS.topic)],
      PolicyDocument: policy([
        {
          Sid: 'TlsOnly',
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Action: 'sns:Publish',
          Resource: ref(IDS.topic),
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
        {
          Sid: 'Alarms',
          Effect: 'Allow',
          Principal: { Service: ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com'] },
          Action: 'sns:Publish',
          Resource: ref(IDS.topic),
          Condition: { StringEquals: { 'aws:SourceAccount': account } },
        },
      ]),
    },
  }
}
