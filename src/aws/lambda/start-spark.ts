import { importPeer } from '../../peers.js'
import { variable } from '../../settings.js'
import { tell } from './log.js'

/** The job of Glue that this function hands over to; `undefined` where none was deployed. */
export const glueJob = (): string | undefined => variable('MORAINE_GLUE_JOB')

/** What became of a wish to hand over. */
export type HandedOver =
  | { kind: 'started'; run: string }
  /** One is under way: its end wakes the job, which looks again. */
  | { kind: 'running' }

/**
 * Starts the job of Glue, unless a run of it is under way: Glue lets one run at a time.
 *
 * @param why is told with it, and noted among the run's arguments.
 */
export async function startSpark(job: string, name: string, why: string): Promise<HandedOver> {
  const glue = await importPeer('@aws-sdk/client-glue')
  const region = variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION') ?? 'us-east-1'
  const endpoint = variable('AWS_ENDPOINT_URL')
  const client = new glue.GlueClient({ region, ...(endpoint ? { endpoint } : {}) })
  try {
    const { JobRunId = '' } = await client.send(
      new glue.StartJobRunCommand({ JobName: name, Arguments: { '--moraine-why': why } }),
    )
    const message = `Glue builds what is too large for this function: ${why}`
    tell('info', { event: 'job handed over', job, glueJob: name, glueRun: JobRunId, message })
    return { kind: 'started', run: JobRunId }
  } catch (error) {
    if ((error as { name?: string }).name !== 'ConcurrentRunsExceededException') throw error
    const message = 'a run of it is under way; the job looks again when that is over'
    tell('info', { event: 'job handed over', job, glueJob: name, message })
    return { kind: 'running' }
  } finally {
    client.destroy()
  }
}
