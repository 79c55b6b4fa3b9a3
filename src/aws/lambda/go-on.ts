import { createHash } from 'node:crypto'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { variable } from '../../settings.js'
import type { RunRecord } from '../../step/events.js'
import type { FunctionLake } from './function-lake.js'
import { type FunctionJob, jobsAfter, jobsBehind } from './jobs.js'
import { tell } from './log.js'
import type { JobRequest } from './messages.js'

/** Where requests for a job's runs are sent; `undefined` for one that has no queue. */
function queueOf(job: string): string | undefined {
  const text = variable('MORAINE_QUEUES')
  if (!text) return undefined
  try {
    const url = Object.entries(JSON.parse(text)).find(([name]) => name === job)?.[1]
    return typeof url === 'string' ? url : undefined
  } catch (cause) {
    throw new MoraineError('usage', 'MORAINE_QUEUES is not JSON', {
      cause,
      hint: 'Deploy the lake again: moraine deploy',
    })
  }
}

/**
 * Asks for another run of a job, once for each reason.
 *
 * @param about what the request is about: the same text makes one message of several within five
 *   minutes.
 * @returns whether the job has a queue.
 */
export async function request(
  { job, again: _, triesLeft: __, ...rest }: JobRequest,
  about: readonly string[],
): Promise<boolean> {
  const url = queueOf(job)
  if (url === undefined) return false
  const sqs = await importPeer('@aws-sdk/client-sqs')
  const region = variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION') ?? 'us-east-1'
  const endpoint = variable('AWS_ENDPOINT_URL')
  const client = new sqs.SQSClient({ region, ...(endpoint ? { endpoint } : {}) })
  const id = createHash('sha256')
    .update(JSON.stringify([job, ...about]))
    .digest('hex')
  try {
    await client.send(
      new sqs.SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify({ job, ...rest }),
        ...(url.endsWith('.fifo') ? { MessageGroupId: job, MessageDeduplicationId: id } : {}),
      }),
    )
  } finally {
    client.destroy()
  }
  return true
}

/**
 * Asks for runs of the jobs that run after what a run has changed.
 *
 * @param again whether a run before it may have changed something, and ended before it asked.
 */
export async function requestNext(
  { jobs }: FunctionLake,
  job: FunctionJob,
  record: RunRecord,
  again = false,
): Promise<void> {
  for (const { name } of again ? jobsBehind(jobs, job) : jobsAfter(jobs, record)) {
    if (name === job.name) continue
    const next = { job: name, cause: 'upstream', turn: 0 } as const
    if (!(await request(next, [record.run])))
      tell('warn', {
        event: 'warning',
        job: name,
        message: `it runs after ${job.name}, but this function knows no queue of it`,
      })
  }
}
