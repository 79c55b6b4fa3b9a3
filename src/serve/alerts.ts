import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { isOpenToOthers } from '../define/access/encrypted.js'
import type { Alert, AlertOn } from '../define/alert.js'
import { MoraineError, messageOf } from '../errors.js'
import { backoff } from '../storage/retry.js'

/** What people are told. */
export interface AlertMessage {
  on: AlertOn
  lake: string
  job: string
  dataset?: string
  run?: string
  message: string
  time: string
}

/** What people are told of a table that a warehouse lacks. */
export const notExported = (warehouse: string, reason: string) =>
  `not exported to ${warehouse}: ${reason}`

/** Milliseconds that somebody who is told may take to answer. */
const PATIENCE = 10_000

/** How often an alert is sent that does not arrive: over some ten minutes. */
const ATTEMPTS = 8
/** Milliseconds between the first two, and at most between two. */
const FIRST = 2_000
const LONGEST = 300_000

/** How an alert that does not arrive is sent again. */
export interface Resending {
  /** Told of what went wrong, the first time and when it is given up. */
  onFailure: (message: string) => void
  signal: AbortSignal
}

/**
 * Makes sure that addresses which are secrets are not sent where others can read them.
 *
 * @throws MoraineError of kind `usage` that says what to do.
 */
export async function checkAlerts(alerts: readonly Alert[]): Promise<void> {
  for (const alert of alerts) {
    if (alert.kind === 'command' || typeof alert.url === 'string') continue
    const { url } = alert
    // Whether it is there is seen when something is to be told.
    const address = await (async () => url())().catch(() => '')
    if (isOpenToOthers(address))
      throw new MoraineError('usage', `alert.${alert.kind}(…): ${new Unencrypted().message}`)
  }
}

/**
 * Tells all who want to know. Nobody who can't be reached keeps others from it, and each is tried
 * again for a while.
 */
export async function tell(
  alerts: readonly Alert[],
  message: AlertMessage,
  resending: Resending,
): Promise<void> {
  const matching = alerts.filter(({ on }) => on.includes(message.on))
  await Promise.all(matching.map((alert) => deliver(alert, message, resending)))
}

async function deliver(
  alert: Alert,
  message: AlertMessage,
  { onFailure, signal }: Resending,
): Promise<void> {
  const about = `an alert by ${alert.kind} could not be sent`
  for (let attempt = 0; ; attempt++) {
    try {
      return await send(alert, message)
    } catch (error) {
      const last = attempt + 1 >= ATTEMPTS || signal.aborted || error instanceof Unencrypted
      if (last) return onFailure(`${about} and was given up: ${messageOf(error)}`)
      if (attempt === 0) onFailure(`${about} and will be retried: ${messageOf(error)}`)
      const pause = backoff(attempt, FIRST, LONGEST)
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {})
    }
  }
}

/** Whoever reads along would know what the address keeps secret. */
class Unencrypted extends Error {
  constructor() {
    super(
      'its address is a secret, which would be sent unencrypted. Use https://; if it is not secret, give it as a string instead',
    )
  }
}

async function send(alert: Alert, message: AlertMessage): Promise<void> {
  if (alert.kind === 'command') return runProgram(alert.command, `${JSON.stringify(message)}\n`)
  const isSecret = typeof alert.url === 'function'
  const url = typeof alert.url === 'function' ? await alert.url() : alert.url
  if (isSecret && isOpenToOthers(url)) throw new Unencrypted()
  const body = alert.kind === 'slack' ? { text: textOf(message) } : message
  // Where it goes is often a secret itself, and so is not told.
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  }).catch((error) => {
    throw new Error(error.name === 'TimeoutError' ? 'no response' : 'connection refused')
  })
  if (!answer.ok) throw new Error(`the response is ${answer.status}`)
}

const marks: Readonly<Record<AlertOn, string>> = {
  failed: '✖',
  recovered: '✔',
  stale: '⏳',
  warned: '⚠',
  quarantined: '☣',
}

function textOf({ on, lake, job, dataset, message }: AlertMessage): string {
  return `${marks[on]} ${lake}: ${dataset ?? job} ${on}: ${message}`
}

function runProgram([program = '', ...args]: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout: PATIENCE, killSignal: 'SIGKILL' }, (error) =>
      error ? reject(error) : resolve(),
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
