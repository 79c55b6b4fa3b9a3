import type { Lake } from '../../define/lake.js'
import type { Job } from '../../plan/jobs.js'
import type { AwsDeploy } from '../options/aws.js'
import type { Resources } from './cfn.js'
import { type Context, contextOf } from './context.js'
import { deployedJobs } from './jobs.js'
import { checkDeployment } from './problems.js'
import { jobEvents } from './services/events.js'
import { jobRole } from './services/iam.js'
import { kms } from './services/kms.js'
import { jobFunction } from './services/lambda.js'
import { logs } from './services/logs.js'
import { s3 } from './services/s3.js'
import { jobSchedule, scheduleGroup } from './services/schedules.js'
import { sqs } from './services/sqs.js'
import { type Group, type Stack, stacksOf } from './stacks.js'

/** What is deployed of a lake. */
export interface Deployment {
  /** In the order in which they are made; they are removed in the opposite one. */
  readonly stacks: readonly Stack[]
}

export interface TemplateOptions {
  /**
   * In which stack a job lies already, by the job's name: a job that moved to another stack would
   * be made there before it is removed here, and names can't be given twice.
   */
  readonly placed?: ReadonlyMap<string, string>
}

/**
 * The CloudFormation of a lake. The same lake gives the same templates, byte for byte; nothing is
 * read or called.
 *
 * @throws DefinitionError with all that the services of AWS would refuse.
 */
export function template(
  lake: Lake,
  deploy: AwsDeploy,
  { placed = new Map() }: TemplateOptions = {},
): Deployment {
  const context = contextOf(lake, deploy, deployedJobs(lake))
  checkDeployment(context)
  const groups: Group[] = [
    { name: 'base', phase: 'base', resources: { ...kms(context), ...s3(context) } },
    { name: 'shared', phase: 'rest', resources: shared(context) },
    ...context.jobs.map(
      (job): Group => ({ name: job.name, phase: 'rest', resources: jobResources(context, job) }),
    ),
  ]
  return { stacks: stacksOf(groups, { prefix: context.prefix, lake: lake.name, placed }) }
}

function shared(context: Context): Resources {
  return { ...logs(context), ...sqs(context), ...scheduleGroup(context) }
}

function jobResources(context: Context, job: Job): Resources {
  return {
    ...jobRole(context, job),
    ...jobFunction(context, job),
    ...jobEvents(context, job),
    ...jobSchedule(context, job),
  }
}
