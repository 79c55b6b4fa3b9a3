import { fullName } from '../define/dataset.js'
import { secondsOf } from '../define/interval.js'
import type { Lake } from '../define/lake.js'
import type { Job } from '../plan/jobs.js'
import type { ScheduleEvent } from '../schedule/scheduler.js'
import type { RunRecord } from '../step/events.js'
import { type AlertMessage, notExported, tell } from './alerts.js'
import type { DaemonEvent } from './daemon-options.js'

type JobFinished = ScheduleEvent & { type: 'job-finished' }

/** Alerts people, of each thing once until it is over. */
export class Notifier {
  /** Jobs, datasets and checks that people were alerted of. */
  private readonly alerted = new Set<string>()
  private readonly started = Date.now()

  /** @param ended ends attempts to send alerts that do not arrive. */
  constructor(
    private readonly lake: Lake,
    private readonly onEvent: (event: DaemonEvent) => void,
    private readonly ended: AbortSignal,
  ) {}

  /** Tells people what a run found, once until it is over. */
  jobFinished(event: ScheduleEvent): void {
    if (event.type !== 'job-finished' || event.again) return
    const { job, record } = event
    this.outcome(event)
    for (const { dataset, quarantine } of record.steps)
      for (const { id, name, reason, failures, held } of quarantine?.objects ?? [])
        if (failures === 1 || held)
          this.once(`quarantined ${id} ${held}`, {
            on: 'quarantined',
            job,
            dataset,
            run: record.run,
            message: `${name} could not be read: ${reason}; ${held ? `it stays in quarantine: moraine quarantine show ${id}` : 'it will be retried'}`,
          })
    this.warnings(job, record)
    this.exports(job, record)
  }

  /** Exports that fail: once until they succeed again. The run itself is no worse for it. */
  private exports(job: string, { run, exports = [] }: RunRecord): void {
    for (const { warehouse, table, dataset, outcome, reason } of exports) {
      const key = `export ${warehouse} ${table}`
      const told = { job, dataset, run }
      if (outcome === 'failed')
        this.once(key, { on: 'failed', ...told, message: notExported(warehouse, reason) })
      else if (this.alerted.delete(key))
        this.send({ on: 'recovered', ...told, message: `exported to ${warehouse} again` })
    }
  }

  private outcome({ job, record, timedOut }: JobFinished): void {
    const failed = record.steps.find(({ error }) => error)
    const { message = record.error?.message, hint } = failed?.error ?? {}
    const way = failed?.outcome === 'held' ? `. ${hint}` : ''
    if (record.outcome === 'failed' || timedOut)
      this.once(`failed ${job}`, {
        on: 'failed',
        job,
        ...(failed ? { dataset: failed.dataset } : {}),
        run: record.run,
        message: timedOut
          ? 'it was stopped because it took too long'
          : `${message ?? 'it failed'}${way}`,
      })
    else if (record.outcome === 'done' && this.alerted.delete(`failed ${job}`))
      this.send({ on: 'recovered', job, run: record.run, message: 'it succeeded again' })
  }

  /** Checks that warn: once until they pass again. */
  private warnings(job: string, record: RunRecord): void {
    for (const { dataset, checks = [] } of record.steps)
      for (const { check, passed, severity, message: found = check } of checks) {
        if (severity !== 'warn') continue
        const key = `warned ${dataset} ${check}`
        if (passed) this.alerted.delete(key)
        else this.once(key, { on: 'warned', job, dataset, run: record.run, message: found })
      }
  }

  /** Datasets that were not brought up to date for longer than they say. */
  stale(jobs: readonly Job[], successes: ReadonlyMap<string, Date>): void {
    for (const { name, datasets } of jobs)
      for (const dataset of datasets) {
        const { freshWithin } = dataset.about
        if (freshWithin === undefined) continue
        const last = successes.get(name)?.getTime() ?? this.started
        const key = `stale ${fullName(dataset)}`
        if (Date.now() - last <= (secondsOf(freshWithin) as number) * 1000) this.alerted.delete(key)
        else
          this.once(key, {
            on: 'stale',
            job: name,
            dataset: fullName(dataset),
            message: `it was last updated ${new Date(last).toISOString()}, longer ago than ${freshWithin}`,
          })
      }
  }

  /** The storage responds again. */
  storageIsBack(seconds: number): void {
    if (this.alerted.delete('failed storage'))
      this.send({
        on: 'recovered',
        job: 'storage',
        message: `it was unavailable for ${seconds} s`,
      })
  }

  /** Alerts people of what they were not alerted of, or what has been over since. */
  once(key: string, alert: Omit<AlertMessage, 'lake' | 'time'>): void {
    if (this.alerted.has(key)) return
    this.alerted.add(key)
    this.send(alert)
  }

  private send(what: Omit<AlertMessage, 'lake' | 'time'>): void {
    const { lake, onEvent } = this
    const alert = { ...what, lake: lake.name, time: new Date().toISOString() }
    onEvent({ type: 'alert', alert })
    void tell(lake.alerts, alert, {
      onFailure: (message) => onEvent({ type: 'warning', message }),
      signal: this.ended,
    })
  }
}
