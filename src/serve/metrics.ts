import type { RunRecord } from '../step/events.js'

/** Upper bounds of the seconds that runs take. */
const SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200]

type Labels = Readonly<Record<string, string>>

/** Counts what happens, in the text format that Prometheus reads. */
export class Metrics {
  private readonly counts = new Map<string, Map<string, number>>()
  private readonly buckets = new Map<string, { counts: number[]; sum: number; n: number }>()

  run(job: string, record: RunRecord): void {
    this.add('moraine_runs_total', { job, outcome: record.outcome })
    const seconds = (Date.parse(record.finished) - Date.parse(record.started)) / 1000
    const series = this.buckets.get(job) ?? { counts: SECONDS.map(() => 0), sum: 0, n: 0 }
    for (const [i, bound] of SECONDS.entries())
      if (seconds <= bound) series.counts[i] = (series.counts[i] ?? 0) + 1
    series.sum += seconds
    series.n++
    this.buckets.set(job, series)
    if (record.outcome === 'done')
      this.set(
        'moraine_last_success_timestamp_seconds',
        { job },
        Date.parse(record.finished) / 1000,
      )
    for (const { dataset, outcome, counts, rows = 0 } of record.steps) {
      this.add('moraine_steps_total', { dataset, outcome })
      if (outcome !== 'done') continue
      if (!counts) {
        this.add('moraine_rows_total', { dataset, result: 'written' }, rows)
        continue
      }
      for (const result of ['in', 'kept', 'discarded', 'superseded'] as const)
        this.add('moraine_rows_total', { dataset, result }, counts[result])
    }
  }

  /**
   * What is in quarantine, whoever put it there or took it out; of what was in it and is not any
   * more, none.
   */
  quarantine(objects: readonly { dataset: string }[]): void {
    const series = this.series('moraine_quarantined_objects')
    for (const labels of series.keys()) series.set(labels, 0)
    for (const { dataset } of objects) this.add('moraine_quarantined_objects', { dataset })
  }

  /** Whether storage is there. */
  storage(up: boolean): void {
    this.set('moraine_storage_up', {}, up ? 1 : 0)
    this.add('moraine_storage_outages_total', {}, up ? 0 : 1)
  }

  /** Bytes of requests that are being received. */
  held(bytes: number): void {
    this.set('moraine_ingest_held_bytes', {}, bytes)
  }

  /** All of it, with what the process itself takes. */
  text(): string {
    this.set('process_resident_memory_bytes', {}, process.memoryUsage.rss())
    this.set('process_start_time_seconds', {}, Date.now() / 1000 - process.uptime())
    const lines: string[] = []
    for (const [name, series] of this.counts) {
      lines.push(`# HELP ${name} ${help[name]}`)
      lines.push(`# TYPE ${name} ${name.endsWith('_total') ? 'counter' : 'gauge'}`)
      for (const [labels, value] of series) lines.push(`${name}${labels} ${value}`)
    }
    if (this.buckets.size > 0) {
      lines.push('# HELP moraine_run_seconds Duration of runs.')
      lines.push('# TYPE moraine_run_seconds histogram')
    }
    for (const [job, { counts, sum, n }] of this.buckets) {
      for (const [i, bound] of [...SECONDS.entries()])
        lines.push(`moraine_run_seconds_bucket${labelsOf({ job, le: String(bound) })} ${counts[i]}`)
      lines.push(`moraine_run_seconds_bucket${labelsOf({ job, le: '+Inf' })} ${n}`)
      lines.push(`moraine_run_seconds_sum${labelsOf({ job })} ${sum}`)
      lines.push(`moraine_run_seconds_count${labelsOf({ job })} ${n}`)
    }
    return `${lines.join('\n')}\n`
  }

  private add(name: string, labels: Labels, n = 1): void {
    const series = this.series(name)
    const key = labelsOf(labels)
    series.set(key, (series.get(key) ?? 0) + n)
  }

  private set(name: string, labels: Labels, value: number): void {
    this.series(name).set(labelsOf(labels), value)
  }

  private series(name: string): Map<string, number> {
    const known = this.counts.get(name) ?? new Map<string, number>()
    this.counts.set(name, known)
    return known
  }
}

const help: Readonly<Record<string, string>> = {
  moraine_runs_total: 'Runs of jobs, by outcome.',
  moraine_steps_total: 'Steps of runs, by outcome.',
  moraine_rows_total: 'Rows that steps read or wrote, by outcome.',
  moraine_quarantined_objects: 'Files and requests that could not be read and were quarantined.',
  moraine_last_success_timestamp_seconds: 'Time of the last success of a job.',
  moraine_storage_up: 'Whether the storage of the lake can be read and written.',
  moraine_storage_outages_total: 'How often the storage of the lake became unavailable.',
  moraine_ingest_held_bytes: 'Bytes of requests that have been received but are not durable yet.',
  process_resident_memory_bytes: 'Resident memory.',
  process_start_time_seconds: 'Start time of the process.',
}

function labelsOf(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
