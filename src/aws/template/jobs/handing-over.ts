import type { Job } from '../../../plan/jobs.js'
import { arn, type Json, type Statement } from '../cfn.js'
import type { Context } from '../context.js'
import { nameFor } from '../names.js'

/** What the job of Glue of a job is called. */
export const sparkName = ({ prefix }: Context, job: Job) =>
  nameFor(prefix, `${job.name}-spark`, 255)

/** What the function of a job is told of its job of Glue. */
export function handingOver(context: Context, job: Job): Readonly<Record<string, Json>> {
  const { glue } = context.deploy
  if (!glue) return {}
  return {
    MORAINE_GLUE_JOB: sparkName(context, job),
    ...(glue.from === undefined ? {} : { MORAINE_GLUE_FROM: glue.from }),
  }
}

/** The function of a job may start its job of Glue, and no other. */
export function startStatements(context: Context, job: Job): Statement[] {
  if (!context.deploy.glue) return []
  const Resource = arn('glue', `job/${sparkName(context, job)}`)
  return [{ Sid: 'Spark', Effect: 'Allow', Action: ['glue:StartJobRun'], Resource }]
}
