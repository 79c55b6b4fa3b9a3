import { secondsOf } from '../../../define/interval.js'
import type { Job } from '../../../plan/jobs.js'
import {
  arn,
  att,
  explained,
  type Json,
  join,
  type Resource,
  type Resources,
  ref,
  type Statement,
} from '../cfn.js'
import {
  type Context,
  DEPLOYED,
  deployedVariable,
  IDS,
  objects,
  root,
  tagsByName,
} from '../context.js'
import { sparkName } from '../jobs/handing-over.js'
import { jobsAfter } from '../jobs.js'
import { jobId, LIMITS, nameFor } from '../names.js'
import { rule } from './events.js'
import { jobStatements, role } from './iam.js'
import { queueArn, queuesFor } from './sqs.js'
import { isGlueInNetwork, NETWORK, networkName } from './vpc.js'

/** CPUs of a worker: a task has all of them, and the memory beside the JVM. */
const CPUS = { 'G.1X': 4, 'G.2X': 8, 'G.4X': 16, 'G.8X': 32 } as const

/** What lies beside the functions' zip, behind its name. */
export const SPARK_FILES = {
  runner: '.spark/runner.py',
  archive: '.spark/moraine-spark.tar.gz',
  definition: '.spark/lake.tar.gz',
} as const

/**
 * The job of Glue that builds what is too large for a job's function: Spark schedules the workers
 * that a function is one of. One run at a time; Glue adds workers as there are tasks.
 */
export function sparkJob(context: Context, job: Job): Resources {
  const { glue } = context.deploy
  if (!glue) return {}
  const id = jobId(job)
  const { worker = 'G.1X', workers = 10, version = '6.0', timeout = '4h' } = glue
  return {
    ...role(context, `${id}SparkRole`, {
      name: `${job.name}-spark`,
      principal: 'glue.amazonaws.com',
      statements: statements(context, job),
    }),
    [`${id}Spark`]: explained(
      {
        Type: 'AWS::Glue::Job',
        Properties: {
          Name: sparkName(context, job),
          Description: `Builds what is too large for a function: ${job.name} of the lake ${context.lake.name}`,
          Role: att(`${id}SparkRole`),
          GlueVersion: version,
          WorkerType: worker,
          NumberOfWorkers: workers,
          ExecutionProperty: { MaxConcurrentRuns: 1 },
          MaxRetries: 0,
          Timeout: Math.ceil((secondsOf(timeout) ?? 0) / 60),
          ...(isGlueInNetwork(context) ? { Connections: { Connections: [ref(NETWORK)] } } : {}),
          Command: { Name: 'glueetl', PythonVersion: '3', ScriptLocation: file('runner') },
          DefaultArguments: argumentsOf(context, job, { cpus: CPUS[worker], workers }),
          Tags: tagsByName(context),
        },
      },
      {
        CKV_AWS_195: 'Objects are encrypted as their bucket says; the log has no rows.',
        'AwsSolutions-GL1': 'Its log has names and counts, as those of functions do, and no rows.',
        'AwsSolutions-GL3': 'It has no bookmarks: the log of the lake says what is done.',
      },
    ),
    ...(job.datasets.some(({ tier }) => tier !== 'bronze')
      ? { [`${id}SparkEnd`]: sparkEnd(context, job) }
      : {}),
  }
}

/**
 * The end of a run of Glue wakes the job: what was to be handed over while the run came to its end
 * was refused, and no file may come that asks for it again.
 */
const sparkEnd = (context: Context, job: Job): Resource =>
  rule(context, {
    name: job.name,
    as: `${job.name}-spark`,
    pattern: {
      source: ['aws.glue'],
      'detail-type': ['Glue Job State Change'],
      detail: { jobName: [sparkName(context, job)], state: ['SUCCEEDED'] },
    },
    transformer: {
      // The queue takes equal messages for one.
      InputPathsMap: { run: '$.detail.jobRunId' },
      InputTemplate: `{"job":${JSON.stringify(job.name)},"cause":"upstream","intake":false,"glueRun":<run>}`,
    },
  })

/** Characters of names in one rule, whose pattern may have 4,096. */
const MOST_NAMES = 3000

/**
 * Runs of Glue that failed before Moraine could say so, such as those that no worker was found for:
 * they become dead letters, which have an alarm.
 */
export function sparkFailures(context: Context): Resources {
  if (!context.deploy.glue) return {}
  const parts: string[][] = [[]]
  for (const job of context.jobs) {
    const name = sparkName(context, job)
    const last = parts.at(-1) as string[]
    if (JSON.stringify([...last, name]).length <= MOST_NAMES) last.push(name)
    else parts.push([name])
  }
  return Object.fromEntries(
    parts.map((jobName, i): [string, Resource] => [
      `SparkFailures${i === 0 ? '' : i + 1}`,
      {
        Type: 'AWS::Events::Rule',
        Properties: {
          Name: nameFor(context.prefix, `SparkFailures${i === 0 ? '' : i + 1}`, LIMITS.rule),
          EventPattern: {
            source: ['aws.glue'],
            'detail-type': ['Glue Job State Change'],
            detail: { jobName, state: ['FAILED', 'TIMEOUT', 'ERROR'] },
          },
          Targets: [{ Id: 'dead', Arn: att(IDS.dead) }],
        },
      },
    ]),
  )
}

/** The address of a file that is deployed with the code. */
const file = (of: keyof typeof SPARK_FILES): Json =>
  join('s3://', ref(IDS.bucket), '/', ref('CodeKey'), SPARK_FILES[of])

function argumentsOf(
  context: Context,
  job: Job,
  { cpus, workers }: { cpus: number; workers: number },
): Json {
  const { secrets = {}, environment = {} } = context.deploy
  return {
    '--enable-auto-scaling': 'true',
    '--job-bookmark-option': 'job-bookmark-disable',
    '--conf': `spark.task.cpus=${cpus}`,
    '--extra-files': join(file('archive'), ',', file('definition')),
    '--MORAINE_JOB': job.name,
    '--MORAINE_ROOT': root(),
    '--MORAINE_ARCHIVE': file('archive'),
    '--MORAINE_DEFINITION': file('definition'),
    // One of the workers has the driver.
    '--MORAINE_TASKS': String(Math.max(1, workers - 1)),
    '--MORAINE_CORES': String(cpus),
    '--MORAINE_QUEUES': queuesFor(context, job),
    ...Object.fromEntries(
      Object.entries(deployedVariable(context)).map(([name, value]) => [`--${name}`, value]),
    ),
    ...(Object.keys(secrets).length > 0 ? { '--MORAINE_SECRETS': JSON.stringify(secrets) } : {}),
    ...(Object.keys(environment).length > 0
      ? { '--MORAINE_ENVIRONMENT': JSON.stringify(environment) }
      : {}),
  }
}

/** What the function of the job may do to the lake, and what Glue itself needs. */
function statements(context: Context, job: Job): Statement[] {
  const asked = jobsAfter(job, context.jobs).map(({ name }) => queueArn(context, name))
  const allow = (Sid: string, Action: readonly string[], Resource: Json): Statement => ({
    ...{ Sid, Effect: 'Allow', Action, Resource },
  })
  return jobStatements(context, job, [
    allow('Code', ['s3:GetObject'], objects(`${DEPLOYED}code/*`)),
    allow(
      'Logs',
      ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      arn('logs', 'log-group:/aws-glue/*'),
    ),
    ...(asked.length > 0 ? [allow('GoOn', ['sqs:SendMessage'], asked)] : []),
    ...(isGlueInNetwork(context) ? networkStatements(context) : []),
  ])
}

/** What Glue needs to put a job into a network: it finds its way, and makes interfaces there. */
function networkStatements(context: Context): Statement[] {
  return [
    {
      ...{ Sid: 'Connection', Effect: 'Allow', Action: ['glue:GetConnection'] },
      Resource: [arn('glue', 'catalog'), arn('glue', `connection/${networkName(context)}`)],
    },
    {
      Sid: 'Network',
      Effect: 'Allow',
      Action: [
        'ec2:CreateNetworkInterface',
        'ec2:DeleteNetworkInterface',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeRouteTables',
        'ec2:DescribeSecurityGroups',
        'ec2:DescribeSubnets',
        'ec2:DescribeVpcAttribute',
        'ec2:DescribeVpcEndpoints',
      ],
      Resource: '*',
    },
    {
      Sid: 'NetworkTags',
      Effect: 'Allow',
      Action: ['ec2:CreateTags', 'ec2:DeleteTags'],
      Resource: arn('ec2', 'network-interface/*'),
      Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['aws-glue-service-resource'] } },
    },
  ]
}
