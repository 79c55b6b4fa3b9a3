import type { RunRecord } from '../../step/events.js'
import { compact } from './compact.js'
import type { FunctionLake } from './function-lake.js'
import { request, requestNext } from './go-on.js'
import type { FunctionJob } from './jobs.js'
import { tell } from './log.js'
import type { JobRequest } from './messages.js'
import { reportRun } from './report.js'
import { type FunctionContext, type JobEnd, runJob } from './run-job.js'
import { glueJob, startSpark } from './start-spark.js'

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
      message: 'nothing was run; what has arrived stays where it is until the job is run again',
      hint: `moraine schedule --resume ${job.name} says how; moraine deploy --pause keeps messages`,
    })
    return 'done'
  }
  await requestNext(of, job, end.record, asked.again || end.isRepeated)
  if (end.kind === 'large')
    return handOver(job, end.steps.map(({ dataset, why }) => `${dataset}: ${why}`).join('; '))
  if (end.kind === 'done') await compact(of, job, end.record, context)
  return end.kind === 'later' ? goOn(of, job, asked, end) : end.kind === 'again' ? 'again' : 'done'
}

/** Turns in a row that may build nothing: what they were at is longer than a function. */
const MOST_IDLE = 3

/** Has Glue build what a function can't. */
async function handOver(job: FunctionJob, why: string): Promise<Answer> {
  await startSpark(job.name, glueJob() as string, why)
  return 'done'
}

/** A step that is longer than a function is not begun over and over. */
async function giveUp(
  of: FunctionLake,
  job: FunctionJob,
  asked: JobRequest,
  record: RunRecord,
): Promise<Answer> {
  const why = `${MOST_IDLE} functions in a row ran out of time and built nothing`
  if (glueJob() !== undefined) return handOver(job, why)
  const hint =
    'Give the job more memory, which brings CPU (aws({ jobs: { … } })), or have Glue build what is too large: aws({ glue: {} })'
  const error = { kind: 'limit' as const, message: why, hint }
  tell('error', { event: 'job given up', job: job.name, run: record.run, message: why, hint })
  const failed: RunRecord = { ...record, outcome: 'failed', error }
  await reportRun(of.lake, job, failed, { comesAgain: asked.triesLeft === true })
  // It ends among the dead letters, which have an alarm.
  return 'again'
}

async function goOn(
  of: FunctionLake,
  job: FunctionJob,
  asked: JobRequest,
  { record }: Extract<JobEnd, { kind: 'later' }>,
): Promise<Answer> {
  const hasBuilt = record.steps.some(({ outcome }) => outcome === 'done')
  const idle = hasBuilt ? 0 : (asked.idle ?? 0) + 1
  if (idle >= MOST_IDLE) return giveUp(of, job, asked, record)
  const next: JobRequest = { ...asked, turn: asked.turn + 1, idle }
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
