import type { StepResult } from '../../step/events.js'
import { Journal, type JournalEntry, startOf } from '../../step/journal.js'
import type { Pushed } from '../pushdown.js'
import { daysOf } from './conditions.js'
import {
  checkRecords,
  columnsOf,
  type Records,
  readAll,
  type SystemRow,
  type SystemTable,
  type Types,
} from './system-table.js'

/** Bytes that the record of a run has, more or less. */
const RECORD = 4096

/** A table with rows of each run. */
function ofRuns(
  name: string,
  types: Types,
  rowsOf: (entry: JournalEntry) => SystemRow[],
): SystemTable {
  return {
    columns: columnsOf({ run: 'string', branch: 'string', started: 'timestamp', ...types }),
    async plan({ storage, goesOn }: Records, conditions: readonly Pushed[]) {
      const journal = new Journal(storage)
      const days = daysOf(conditions, 'started')
      const runs = (await journal.ids()).filter((run) => days.has(startOf(run).slice(0, 10)))
      checkRecords(runs.length, `system.${name}`, "started >= TIMESTAMP '2026-01-31'")
      return {
        bytes: runs.length * RECORD,
        async *rows() {
          for await (const entry of readAll(runs, (run) => journal.read(run), goesOn))
            for (const row of rowsOf(entry))
              yield {
                run: entry.run,
                branch: entry.record && (entry.record.branch ?? 'main'),
                started: entry.started,
                ...row,
              }
        },
      }
    },
  }
}

/** `system.runs`: a row of each run, of all branches. */
export const runsTable = ofRuns(
  'runs',
  {
    ended: 'timestamp',
    outcome: 'string',
    author: 'string',
    steps: 'bigint',
    commits: ['bigint'],
    rejected: ['string'],
    put_requests: 'bigint',
    get_requests: 'bigint',
    error_kind: 'string',
    error: 'string',
  },
  ({ record, damaged }) => [
    {
      ended: record?.finished,
      // One that runs, or was killed, has none.
      outcome: damaged ? 'damaged' : record?.outcome,
      author: record?.author,
      steps: record?.steps.length,
      commits: record?.commits,
      rejected: record?.rejected,
      put_requests: record?.requests?.puts,
      get_requests: record?.requests?.gets,
      error_kind: record?.error?.kind,
      error: record?.error?.message,
    },
  ],
)

/** `system.steps`: a row of each dataset of a run that is over. */
export const stepsTable = ofRuns(
  'steps',
  {
    dataset: 'string',
    outcome: 'string',
    reason: 'string',
    seconds: 'double',
    rows_in: 'bigint',
    kept: 'bigint',
    discarded: 'bigint',
    superseded: 'bigint',
    deleted: 'bigint',
    expired: 'bigint',
    rows: 'bigint',
    files: 'bigint',
    bytes: 'bigint',
    failed_checks: ['string'],
    error_kind: 'string',
    error: 'string',
  },
  ({ record }) => (record?.steps ?? []).map(stepRow),
)

function stepRow(step: StepResult): SystemRow {
  const { dataset, outcome, reason, seconds, counts, rows, files, bytes, checks, error } = step
  return {
    ...{ dataset, outcome, reason, seconds, rows, files, bytes },
    rows_in: counts?.in,
    kept: counts?.kept,
    discarded: counts?.discarded,
    superseded: counts?.superseded,
    deleted: counts?.deleted,
    expired: counts?.expired,
    failed_checks: checks?.filter(({ passed }) => !passed).map(({ check }) => check),
    error_kind: error?.kind,
    error: error?.message,
  }
}

/** `system.discarded_trend`: what each run that read rows discarded of a dataset. */
export const discardedTrendTable = ofRuns(
  'discarded_trend',
  {
    dataset: 'string',
    rows_in: 'bigint',
    discarded: 'bigint',
    share: 'double',
    reasons: [{ reason: 'string', rows: 'bigint' }],
  },
  ({ record }) =>
    (record?.steps ?? []).flatMap(({ dataset, counts, discarded: reasons = [] }) =>
      counts && counts.in > 0
        ? [
            {
              ...{ dataset, reasons },
              rows_in: counts.in,
              discarded: counts.discarded,
              share: counts.discarded / counts.in,
            },
          ]
        : [],
    ),
)
