import { ownValue } from '../../own-value.js'
import type { Cause } from '../../schedule/scheduler.js'

/** An object that has arrived in a bucket. */
export interface ArrivedObject {
  bucket: string
  key: string
}

/** A job that is to run, as a schedule, another function or a person says. */
export interface JobRequest {
  job: string
  cause: Cause
  /** How many invocations have worked on it before, one after the other. */
  turn: number
  /** How many of the last of these have built nothing. */
  idle?: number
  /** `false`: what has come to the lake already is built, and nothing more is taken in. */
  intake?: boolean
  /** Whether a function has begun with it before that may have ended in the middle of it. */
  again?: boolean
  /** Whether its messages come once more if it fails. */
  triesLeft?: boolean
}

/** What a message says. */
export type Message =
  | { kind: 'objects'; objects: readonly ArrivedObject[] }
  | { kind: 'job'; request: JobRequest }
  /** Something that nothing has to be done for, such as a deletion. */
  | { kind: 'nothing'; why: string }
  | { kind: 'unknown'; why: string }

type Fields = Record<string, unknown>

/**
 * Reads the text of a message: an event of EventBridge, a notification of S3, either of them by way
 * of SNS, or a request to run a job.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
export function readMessage(text: string): Message {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    return { kind: 'unknown', why: 'it is not JSON' }
  }
  return readEvent(found)
}

/** Reads an event that a function is invoked with. */
export function readEvent(event: unknown): Message {
  if (!isObject(event)) return { kind: 'unknown', why: 'it is not an object' }
  if (typeof event.job === 'string') return { kind: 'job', request: requestIn(event, event.job) }
  if (event.Type === 'Notification' && typeof event.Message === 'string')
    return readMessage(event.Message)
  if (event.Event === 's3:TestEvent') return { kind: 'nothing', why: 'S3 tries its notifications' }
  if (event.source === 'aws.s3') return bridged(event)
  if (Array.isArray(event.Records)) return notified(event.Records)
  return { kind: 'unknown', why: 'it is neither an event of S3 nor a request to run a job' }
}

const causes: readonly Cause[] = ['schedule', 'event', 'upstream', 'retry']

function requestIn(event: Fields, job: string): JobRequest {
  const { cause, turn, idle, intake } = event
  return {
    job,
    cause: causes.find((one) => one === cause) ?? 'schedule',
    turn: counted(turn),
    ...(counted(idle) > 0 ? { idle: counted(idle) } : {}),
    ...(intake === false ? { intake } : {}),
  }
}

const counted = (value: unknown) => (typeof value === 'number' && value > 0 ? Math.floor(value) : 0)

/** EventBridge has keys as they are. */
function bridged(event: Fields): Message {
  const type = String(event['detail-type'])
  if (type !== 'Object Created') return { kind: 'nothing', why: `S3 says: ${type}` }
  const { bucket, object } = isObject(event.detail) ? event.detail : {}
  const found = objectIn(bucket, object)
  return found
    ? { kind: 'objects', objects: [found] }
    : { kind: 'unknown', why: 'it names no object' }
}

/** S3's own notifications have keys as forms of the web encode them. */
function notified(records: readonly unknown[]): Message {
  const objects: ArrivedObject[] = []
  for (const record of records) {
    if (!isObject(record) || !isObject(record.s3))
      return { kind: 'unknown', why: 'one of its records is not of S3' }
    if (!String(record.eventName).startsWith('ObjectCreated:')) continue
    const found = objectIn(record.s3.bucket, record.s3.object)
    const key = found && decoded(found.key)
    if (!found || key === undefined) return { kind: 'unknown', why: 'a record names no object' }
    objects.push({ ...found, key })
  }
  return objects.length > 0
    ? { kind: 'objects', objects }
    : { kind: 'nothing', why: 'no object was created' }
}

function objectIn(bucket: unknown, object: unknown): ArrivedObject | undefined {
  const name = isObject(bucket) ? ownValue(bucket, 'name') : undefined
  const key = isObject(object) ? ownValue(object, 'key') : undefined
  return typeof name === 'string' && typeof key === 'string' ? { bucket: name, key } : undefined
}

function decoded(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null
