import pino from 'pino'
import { fullName } from '../../define/dataset.js'
import { messageOf } from '../../errors.js'
import type { Job } from '../../plan/jobs.js'
import { redact } from '../../secrets.js'
import type { DaemonEvent } from '../../serve/daemon-options.js'
import colors from './colors.js'
import { stepLine } from './summary.js'
import { printableJson, show } from './terminal.js'

type Level = 'info' | 'warn' | 'error'

/** The time of day here, as people read it beside what happened. */
function clock(now: Date): string {
  return now.toTimeString().slice(0, 8)
}

/**
 * Tells what a long-running process does: a line for people on a terminal, an object of JSON a line
 * anywhere else.
 */
export class ProcessLog {
  private readonly logger: pino.Logger | undefined
  private readonly width: number

  constructor(json: boolean, jobs: readonly Job[]) {
    const names = jobs.flatMap(({ datasets }) =>
      datasets.map((dataset) => fullName(dataset).length),
    )
    this.width = Math.max(0, ...names)
    if (!json) return
    const options = {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
    }
    const stdout = pino.destination({ fd: 1, sync: true })
    const output = { write: (line: string) => stdout.write(printableJson(line)) }
    const formatters = { level: (level: string) => ({ level }) }
    this.logger = pino({ ...options, formatters }, output)
  }

  /** @param text what people see; nothing where it is left out. */
  tell(fields: Readonly<Record<string, unknown>>, text?: string, level: Level = 'info'): void {
    if (this.logger) this.logger[level](fields, text?.trim())
    else if (text !== undefined) show(`${colors.dim(clock(new Date()))} ${text}\n`)
  }

  /** Says why a request failed, of which its client was told only that it did. */
  failed(error: unknown): void {
    this.tell({ event: 'request failed' }, `A request failed: ${redact(messageOf(error))}`, 'warn')
  }

  event(event: DaemonEvent): void {
    if (event.type === 'run') this.runEvent(event)
    else if (event.type === 'job-finished') this.jobFinished(event)
    else this.sign(event)
  }

  private sign(event: Exclude<DaemonEvent, { type: 'run' | 'job-finished' }>): void {
    switch (event.type) {
      case 'job-started': {
        const { job, cause, attempt } = event
        this.tell({ event: 'job started', job, cause, attempt })
        break
      }
      case 'job-failed':
        this.tell(
          { event: 'job failed', job: event.job },
          `✖ ${event.job}  ${event.message}`,
          'error',
        )
        break
      case 'job-lost':
        this.tell(
          { event: 'job lost', job: event.job },
          `· ${event.job}  another process has taken it over`,
          'warn',
        )
        break
      case 'alert': {
        const { alert } = event
        const text = `${colors.yellow('!')} ${alert.dataset ?? alert.job} ${alert.on}: ${alert.message}`
        this.tell({ event: 'alert', ...alert }, text, 'warn')
        break
      }
      case 'notes': {
        const { dataset, notes } = event
        this.tell({ event: 'notes', dataset, notes }, `ℹ ${dataset}: ${notes.join('; ')}`)
        break
      }
      case 'storage-down':
        this.tell(
          { event: 'storage is away', since: new Date(event.since).toISOString() },
          `! the storage does not respond; retrying: ${event.message}`,
          'error',
        )
        break
      case 'storage-up':
        this.tell(
          { event: 'storage answers', seconds: event.seconds },
          `· the storage responds again, after ${event.seconds} s`,
        )
        break
      default:
        this.tell({ event: 'warning' }, `! ${event.message}`, 'warn')
    }
  }

  private jobFinished({ job, record, again }: DaemonEvent & { type: 'job-finished' }): void {
    const fields = { event: 'job finished', job, run: record.run, outcome: record.outcome, again }
    const failed = record.outcome === 'failed'
    const text = failed && again ? `· ${job}  will be retried` : undefined
    this.tell(fields, text, failed ? 'error' : 'info')
  }

  private runEvent({ job, run, event }: DaemonEvent & { type: 'run' }): void {
    if (event.type === 'step-started')
      this.tell({ event: 'step started', job, run, dataset: event.dataset, step: event.reason })
    if (event.type !== 'step-finished') return
    const { result } = event
    const { dataset, outcome, reason: step, seconds, rows, counts, error } = result
    const level = outcome === 'failed' ? 'error' : outcome === 'held' ? 'warn' : 'info'
    const fields = {
      event: 'step finished',
      job,
      run,
      dataset,
      step,
      outcome,
      seconds,
      rows,
      counts,
    }
    const text = outcome === 'unchanged' ? undefined : stepLine(result, this.width)
    if (this.logger) this.tell(error ? { ...fields, error } : fields, undefined, level)
    else this.tell({}, text)
  }
}
