import type { Lake } from '../../define/lake.js'
import { type AlertMessage, tell as alert, notExported } from '../../serve/alerts.js'
import type { RunRecord } from '../../step/events.js'
import { LASTING_FAILURES } from '../template/names.js'
import type { FunctionJob } from './jobs.js'
import { measure, tell } from './log.js'

/** Milliseconds for which an alert is sent again that does not arrive. */
const PATIENCE = 5_000

/** Kinds of failures that another attempt does not change. */
const LASTING = ['definition', 'usage', 'corrupt', 'limit', 'quality', 'version', 'held']

/** The kinds of all failures of a run. */
export const kindsOf = ({ steps, error }: RunRecord): string[] =>
  [...steps.map((step) => step.error?.kind), error?.kind].filter((kind) => kind !== undefined)

/** Whether what a run failed by stays until somebody does something about it. */
export function isLasting(record: RunRecord): boolean {
  const kinds = kindsOf(record)
  return kinds.length > 0 && kinds.every((one) => LASTING.includes(one))
}

/** What comes after a run. */
interface Next {
  /**
   * Why it is done once more at once: what failed is no failure yet, and what could not be exported
   * is still due.
   */
  repeated?: string
  /** Whether it is tried again later: people hear of failures that are left then. */
  comesAgain?: boolean
}

/** Says what a run did: as a line, as metrics, and to whom the lake alerts. */
export async function reportRun(
  lake: Lake,
  job: FunctionJob,
  record: RunRecord,
  { repeated, comesAgain = false }: Next = {},
): Promise<void> {
  const { run, outcome, commits, error } = record
  const about = { job: job.name, run, outcome, commits, error }
  const level = outcome === 'failed' ? 'error' : 'info'
  if (repeated === undefined) tell(level, { event: 'job finished', ...about })
  else tell('info', { event: 'job repeated', ...about, reason: repeated })
  const counted: RunRecord =
    repeated === undefined ? record : { ...record, outcome: 'done', exports: [] }
  measure({ lake: lake.name, job: job.name, figures: figuresOf(counted) })
  const found = alertsOf(lake, job, counted)
  const messages = comesAgain ? found.filter(({ on }) => on !== 'failed') : found
  const onFailure = (message: string) => tell('warn', { event: 'warning', message })
  const signal = AbortSignal.timeout(PATIENCE)
  await Promise.all(messages.map((one) => alert(lake.alerts, one, { onFailure, signal })))
}

function figuresOf(record: RunRecord) {
  const { steps, outcome, started, finished, exports = [] } = record
  const count = (value: number) => ({ value, unit: 'Count' as const })
  const sum = (of: (step: RunRecord['steps'][number]) => number | undefined) =>
    count(steps.reduce((total, step) => total + (of(step) ?? 0), 0))
  const all = {
    Runs: count(1),
    RunsFailed: count(outcome === 'failed' ? 1 : 0),
    [LASTING_FAILURES]: count(outcome === 'failed' && isLasting(record) ? 1 : 0),
    RowsIngested: sum(({ dataset, rows }) => (dataset.startsWith('bronze.') ? rows : 0)),
    RowsDiscarded: sum(({ counts }) => counts?.discarded),
    ExportsFailed: count(exports.filter((one) => one.outcome === 'failed').length),
    Quarantined: sum(({ quarantine }) => quarantine?.objects.length),
    RunSeconds: {
      value: (Date.parse(finished) - Date.parse(started)) / 1000,
      unit: 'Seconds' as const,
    },
  }
  // Each that is sent is a metric that is paid for; one that is missing is none.
  return Object.fromEntries(Object.entries(all).filter(([, { value }]) => value !== 0))
}

function alertsOf(lake: Lake, { name: job }: FunctionJob, record: RunRecord): AlertMessage[] {
  const { steps, outcome, error, run, exports = [] } = record
  const about = { lake: lake.name, job, run, time: new Date().toISOString() }
  const failed = steps.find((step) => step.error)
  const message = failed?.error?.message ?? error?.message ?? 'it failed'
  const dataset = failed ? { dataset: failed.dataset } : {}
  const failure: AlertMessage[] =
    outcome === 'failed' ? [{ on: 'failed', ...about, ...dataset, message }] : []
  const aside = steps.flatMap(({ dataset, quarantine }) =>
    (quarantine?.objects ?? [])
      .filter(({ failures, held }) => failures === 1 || held)
      .map(({ name, reason }) => ({
        on: 'quarantined' as const,
        ...about,
        dataset,
        message: `${name} could not be read: ${reason}`,
      })),
  )
  // What a conflict ended is not what readers see.
  const warned = steps
    .filter(({ error }) => error?.kind !== 'conflict')
    .flatMap(({ dataset, checks = [] }) =>
      checks
        .filter(({ passed, severity }) => !passed && severity === 'warn')
        .map(({ check, message = check }): AlertMessage => {
          return { on: 'warned', ...about, dataset, message }
        }),
    )
  const unexported = exports
    .filter((one) => one.outcome === 'failed')
    .map(({ warehouse, dataset, reason }): AlertMessage => {
      return { on: 'failed', ...about, dataset, message: notExported(warehouse, reason) }
    })
  return [...failure, ...aside, ...warned, ...unexported]
}
