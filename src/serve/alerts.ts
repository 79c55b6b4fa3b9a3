import { execFile } from 'node:child_process'
import type { Alert, AlertOn } from '../define/alert.js'
import { messageOf } from '../errors.js'

/** What people are told. */
export interface Told {
  on: AlertOn
  lake: string
  job: string
  dataset?: string
  run?: string
  message: string
  time: string
}

/** Milliseconds that somebody who is told may take to answer. */
const PATIENCE = 10_000

/** Tells all who want to know; returns what went wrong with that. Nobody who can't be reached keeps others from it. */
export async function tell(alerts: readonly Alert[], told: Told): Promise<string[]> {
  const failures = await Promise.all(
    alerts
      .filter(({ on }) => on.includes(told.on))
      .map((alert) =>
        send(alert, told).then(
          () => [],
          (error) => [`an alert by ${alert.kind} could not be sent: ${messageOf(error)}`],
        ),
      ),
  )
  return failures.flat()
}

async function send(alert: Alert, told: Told): Promise<void> {
  if (alert.kind === 'command') return runProgram(alert.command, `${JSON.stringify(told)}\n`)
  const url = typeof alert.url === 'function' ? await alert.url() : alert.url
  const body = alert.kind === 'slack' ? { text: textOf(told) } : told
  // Where it goes is often a secret itself, and so is not told.
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  }).catch((error) => {
    throw new Error(error.name === 'TimeoutError' ? 'there is no answer' : 'nobody is there')
  })
  if (!answer.ok) throw new Error(`the answer is ${answer.status}`)
}

const marks: Readonly<Record<AlertOn, string>> = {
  failed: '✖',
  recovered: '✔',
  stale: '⏳',
  warned: '⚠',
}

function textOf({ on, lake, job, dataset, message }: Told): string {
  return `${marks[on]} ${lake}: ${dataset ?? job} ${on}: ${message}`
}

function runProgram([program = '', ...args]: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout: PATIENCE }, (error) =>
      error ? reject(error) : resolve(),
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
