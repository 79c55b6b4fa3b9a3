import type { ExportResult } from '../../define/export/exported.js'
import type { RunEvent } from '../../step/events.js'
import { tell } from './log.js'

/** Tells how a step of a job has ended, or an export after it, if it did anything. */
export function tellStep(job: { name: string }, event: RunEvent): void {
  if (event.type === 'exported') tellExport(job, event.result)
  if (event.type !== 'step-finished') return
  const {
    dataset,
    outcome,
    reason: step,
    seconds,
    rows,
    counts,
    notes,
    error,
    checks,
  } = event.result
  if (outcome === 'unchanged') return
  const broken = checks?.filter(({ passed }) => !passed) ?? []
  const isOdd = outcome === 'held' || broken.length > 0
  const level = outcome === 'failed' ? 'error' : isOdd ? 'warn' : 'info'
  const found = broken.length > 0 ? { checks: broken } : {}
  const fields = { dataset, step, outcome, seconds, rows, counts, notes, error, ...found }
  tell(level, { event: 'step finished', job: job.name, ...fields })
}

function tellExport(job: { name: string }, result: ExportResult): void {
  const { outcome } = result
  if (outcome === 'unchanged' || outcome === 'empty') return
  tell(outcome === 'failed' ? 'error' : 'info', { event: 'exported', job: job.name, ...result })
}
