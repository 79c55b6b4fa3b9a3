import { variable } from '../../settings.js'
import { TRIED } from '../template/names.js'
import { type FunctionLake, functionLake } from './function-lake.js'
import { dropPlaces, jobFor } from './jobs.js'
import { tell } from './log.js'
import { type JobRequest, type Message, readEvent, readMessage } from './messages.js'
import type { FunctionContext } from './run-job.js'
import { type Answer, work } from './work.js'

/** A message of a queue. */
export interface QueueRecord {
  messageId: string
  body: string
  attributes?: { ApproximateReceiveCount?: string }
}

export interface QueueEvent {
  Records: readonly QueueRecord[]
}

/** Messages that come again. */
export interface QueueAnswer {
  batchItemFailures: { itemIdentifier: string }[]
}

/** What is asked of a job, and by which messages. */
interface Asked {
  request: JobRequest
  messages: string[]
}

/**
 * Runs the jobs that a batch of messages is for, each once: a message is a sign to look, so that it
 * may come twice, late, or after what it is about was ingested.
 */
export async function inbox(event: unknown, context: FunctionContext): Promise<QueueAnswer> {
  const of = await functionLake()
  const failed = new Set<string>()
  for (const { request, messages } of askedIn(of, event))
    if ((await runFor(of, request, context)) === 'again') for (const id of messages) failed.add(id)
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) }
}

/** What the messages of an event ask for, by jobs. */
export function askedIn(of: FunctionLake, event: unknown): Asked[] {
  const asked = new Map<string, Asked>()
  for (const { messageId, body, attributes } of recordsOf(event))
    for (const one of requestsIn(of, readMessage(body), messageId)) {
      const tries = attributes?.ApproximateReceiveCount
      const isAgain = tries !== undefined && Number(tries) > 1
      const triesLeft = tries !== undefined && Number(tries) < TRIED
      const request = { ...one, ...(isAgain ? { again: true } : {}), triesLeft }
      const before = asked.get(request.job)
      asked.set(request.job, {
        request: before ? together(before.request, request) : request,
        messages: [...(before?.messages ?? []), messageId],
      })
    }
  return [...asked.values()]
}

/** The messages of a queue; an event that comes without one is a message by itself. */
function recordsOf(event: unknown): QueueRecord[] {
  const { Records } = (event ?? {}) as Partial<QueueEvent>
  const isQueue = Array.isArray(Records) && Records.every((one) => typeof one?.body === 'string')
  return isQueue ? [...Records] : [{ messageId: '', body: JSON.stringify(event) }]
}

/** One run for both: it goes as far as the one that wants more. */
const together = ({ intake, ...a }: JobRequest, b: JobRequest): JobRequest => ({
  ...a,
  ...(intake === false && b.intake === false ? { intake } : {}),
  turn: Math.max(a.turn, b.turn),
  idle: Math.max(a.idle ?? 0, b.idle ?? 0),
  again: a.again || b.again || false,
  // One that fails for good is told of, whatever comes again beside it.
  triesLeft: (a.triesLeft && b.triesLeft) || false,
  // What was scheduled looks at more than what an event is about.
  cause: a.cause === 'event' ? b.cause : a.cause,
})

function requestsIn(of: FunctionLake, message: Message, id: string): JobRequest[] {
  if (message.kind === 'job') return [message.request]
  if (message.kind === 'objects') {
    const places = dropPlaces(of.jobs, of.house.storage)
    const jobs = message.objects.map((object) => ({ object, job: jobFor(object, places) }))
    for (const { object } of jobs.filter(({ job }) => job === undefined))
      strange(id, `no inbox of the lake is at s3://${object.bucket}/${object.key}`)
    const names = new Set(jobs.flatMap(({ job }) => job ?? []))
    return [...names].map((job) => ({ job, cause: 'event', turn: 0 }))
  }
  if (message.kind === 'unknown') strange(id, message.why)
  return []
}

/** What comes again would be no better: it is told, and done with. */
const strange = (message: string, why: string) =>
  tell('warn', { event: 'message ignored', message, why })

async function runFor(
  of: FunctionLake,
  request: JobRequest,
  context: FunctionContext,
): Promise<Answer> {
  const own = variable('MORAINE_JOB')
  const job = of.jobs.find(({ name }) => name === request.job)
  if (job && (own === undefined || own === job.name)) return work(of, job, request, context)
  tell('error', {
    event: 'job unknown',
    job: request.job,
    message: job
      ? `this function is for ${own}`
      : 'the lake has no job of that name, or has it no longer',
    jobs: of.jobs.map(({ name }) => name),
    hint: 'If the dataset was renamed, deploy the lake again: moraine deploy',
  })
  return 'done'
}

/**
 * Runs the job that a schedule, another function or a person asks for; Lambda tries again what is
 * thrown.
 */
export async function schedule(event: unknown, context: FunctionContext): Promise<object> {
  const message = readEvent(event)
  const job = message.kind === 'job' ? message.request.job : variable('MORAINE_JOB')
  if (job === undefined)
    throw new Error('the event names no job, and MORAINE_JOB is not set: send { "job": "…" }')
  const request: JobRequest =
    message.kind === 'job' ? message.request : { job, cause: 'schedule', turn: 0 }
  const answer = await runFor(await functionLake(), request, context)
  if (answer === 'again') throw new Error(`${job} is not done yet, and is tried again`)
  return { job, answer }
}
