import { redact } from '../../secrets.js'
import { variable } from '../../settings.js'

type Level = 'info' | 'warn' | 'error'
type Fields = Readonly<Record<string, unknown>>

/** Tells CloudWatch what a function does: an object of JSON a line. */
export function tell(level: Level, fields: Fields): void {
  write({ time: new Date().toISOString(), level, ...fields })
}

/** Figures of a run; CloudWatch makes metrics of them. */
export interface Measured {
  lake: string
  job: string
  /** By their names: `Rows`, `Seconds`, `RunsFailed`. */
  figures: Readonly<Record<string, { value: number; unit: 'Count' | 'Seconds' }>>
}

/**
 * Metrics in CloudWatch's embedded format: one dimension for the lake, and one for each job.
 * CloudWatch's guide has it as "Specification: Embedded metric format".
 */
export function measure({ lake, job, figures }: Measured): void {
  const entries = Object.entries(figures)
  write({
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: 'Moraine',
          Dimensions: [['Lake'], ['Lake', 'Job']],
          Metrics: entries.map(([Name, { unit: Unit }]) => ({ Name, Unit })),
        },
      ],
    },
    // Of two deployments of one lake each has figures of its own.
    Lake: variable('MORAINE_DEPLOYED') ?? lake,
    Job: job,
    ...Object.fromEntries(entries.map(([name, { value }]) => [name, value])),
  })
}

const write = (fields: Fields) => void process.stdout.write(`${redact(inOneLine(fields))}\n`)

const inOneLine = (fields: Fields) =>
  JSON.stringify(fields, (_, value) => (typeof value === 'bigint' ? String(value) : value))
