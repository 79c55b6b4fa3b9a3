import { compact } from './compact.js'
import type { FunctionLake } from './function-lake.js'
import { request, requestNext } from './go-on.js'
import type { FunctionJob } from './jobs.js'
import { tell } from './log.js'
import type { JobRequest } from './messages.js'
import { type FunctionContext, type JobEnd, runJob } from './run-job.js'

/** What becomes of a job's messages. */
export type Answer =
  /** They have been seen to. */
  | 'done'
  /** They come again. */
  | 'again'

/**
 * Runs a job for its messages: what is left when time is up is asked for by a message of its own,
 * so that it takes no attempt of these.
 */
export async function work(
  of: FunctionLake,
  job: FunctionJob,
  asked: JobRequest,
  context: FunctionContext,
): Promise<Answer> {
  const end = await runJob(of, job, asked, context)
  if (end.kind === 'paused') {
    tell('warn', {
      event: 'job paused',
      job: job.name,
      message: 'nothing was run; what has arrived stays where it is until the job is resumed',
      hint: `moraine schedule --resume ${job.name}`,
    })
    return 'done'
  }
  await requestNext(of, job, end.record)
  if (end.kind === 'done') await compact(of, job, end.record, context)
  return end.kind === 'later' ? goOn(job, asked, end) : end.kind === 'again' ? 'again' : 'done'
}

async function goOn(
  job: FunctionJob,
  asked: JobRequest,
  { record }: Extract<JobEnd, { kind: 'later' }>,
): Promise<Answer> {
  const next: JobRequest = { ...asked, turn: asked.turn + 1 }
  const isSent = await request(next, [record.run])
  tell(isSent ? 'info' : 'warn', {
    event: 'job goes on',
    job: job.name,
    run: record.run,
    turn: next.turn,
    message: isSent
      ? 'time was up; the next invocation goes on from what is done'
      : 'time was up; the messages come again, as this function knows no queue of the job',
  })
  return isSent ? 'done' : 'again'
}
