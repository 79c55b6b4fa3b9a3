import type { Job } from '../../../plan/jobs.js'
import type { Resources } from '../cfn.js'
import type { Context } from '../context.js'
import { jobEvents } from '../services/events.js'
import { jobRole } from '../services/iam.js'
import { jobFunction } from '../services/lambda.js'
import { jobSchedule } from '../services/schedules.js'
import { sparkJob } from '../services/spark.js'

/** What one job has. */
export function jobResources(context: Context, job: Job): Resources {
  return {
    ...jobRole(context, job),
    ...jobFunction(context, job),
    ...sparkJob(context, job),
    ...jobEvents(context, job),
    ...jobSchedule(context, job),
  }
}
