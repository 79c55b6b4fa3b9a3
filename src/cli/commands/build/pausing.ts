import type { AwsDeploy } from '../../../aws/options/aws.js'
import { functionName, isLakeBucket, prefixOf } from '../../../aws/template/names.js'
import { MoraineError } from '../../../errors.js'
import { pause, pausedJobs, resume } from '../../../schedule/leases.js'
import { currentUser } from '../../../step/context.js'
import { s3Place } from '../../../storage/s3/settings.js'
import type { Project } from '../../project.js'

/**
 * Pauses a job wherever the lake is served.
 *
 * @throws MoraineError of kind `usage` where functions on AWS run it: their messages are done with
 *   meanwhile, and later nothing says that files have come.
 */
export async function pauseJob(project: Project, job: string): Promise<void> {
  if (deployed(project) !== undefined)
    throw new MoraineError(
      'usage',
      `${job} is run by a function on AWS, which would not hear of what arrives meanwhile`,
      {
        hint: `Keep it in the job's queue: moraine deploy --pause ${job} (where CDK deploys the lake: aws({ paused: ['${job}'] }))`,
      },
    )
  await pause(project.storage, job, currentUser())
}

/**
 * Resumes a job.
 *
 * @returns what is left to do where functions on AWS run it.
 */
export async function resumeJob(project: Project, job: string): Promise<string | undefined> {
  const wasPaused = (await pausedJobs(project.storage)).has(job)
  await resume(project.storage, job)
  const deploy = deployed(project)
  if (!wasPaused || deploy === undefined) return undefined
  const name = functionName(prefixOf(project.lake, deploy), job)
  return `${job}: its function has not heard of what arrived meanwhile. Have it look: aws lambda invoke --function-name ${name} --payload '{"job":"${job}"}' --cli-binary-format raw-in-base64-out out.json`
}

/** The deployment whose bucket the lake lies in. */
function deployed({ lake, storage }: Project): AwsDeploy | undefined {
  const deploy = lake.deploy as AwsDeploy | undefined
  if (deploy === undefined || !storage.url.startsWith('s3://')) return undefined
  return isLakeBucket(s3Place(storage.url).bucket, deploy) ? deploy : undefined
}
