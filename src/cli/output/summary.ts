import { DefinitionError } from '../../errors.js'
import type { WorkersOnMachine } from '../../load/workers/step-engines.js'
import type { RunRecord, StepResult } from '../../step/events.js'
import { again } from '../branch/again.js'
import colors from './colors.js'
import { renderError, renderProblem } from './errors.js'
import { count, duration, plural, size } from './format.js'
import { printable } from './terminal.js'

const marks: Record<StepResult['outcome'], string> = {
  done: colors.green('✔'),
  unchanged: colors.dim('·'),
  failed: colors.red('✖'),
  blocked: colors.yellow('⊘'),
  cancelled: colors.yellow('■'),
  held: colors.yellow('!'),
}

/** One line for a step that has ended. */
export function stepLine(result: StepResult, width: number): string {
  const name = result.dataset.padEnd(width)
  const text = describe(result)
  return `${marks[result.outcome]} ${result.outcome === 'unchanged' ? colors.dim(`${name}  ${text}`) : `${name}  ${text}`}`
}

function describe(result: StepResult): string {
  switch (result.outcome) {
    case 'done':
      return [...amountOf(result), duration(result.seconds), ...speed(result)].join(', ')
    case 'failed':
      return colors.red(
        `failed: ${result.error ? shortened(result.dataset, result.error).message.split('\n')[0] : ''}`,
      )
    case 'blocked':
      return colors.yellow(`not run: ${result.reason}`)
    case 'held':
      return colors.yellow(result.reason)
    case 'cancelled':
      return colors.yellow('cancelled')
    default:
      return result.reason
  }
}

/** What was built; a view has no rows of its own. */
const amountOf = (result: StepResult): string[] =>
  result.counts || result.rows !== undefined ? [rowsOf(result)] : []

function rowsOf({ counts, rows, bytes, dataset }: StepResult): string {
  if (!counts) return `${plural(rows ?? 0, 'row')}${bytes === undefined ? '' : ` (${size(bytes)})`}`
  const lost = [
    ...(counts.discarded > 0 ? [`${count(counts.discarded)} discarded`] : []),
    ...(counts.superseded > 0 ? [`${count(counts.superseded)} superseded`] : []),
    ...(counts.deleted ? [`${plural(counts.deleted, 'deletion')}`] : []),
    ...(counts.expired ? [`${count(counts.expired)} expired`] : []),
    ...(counts.replaced > 0 ? [`${plural(counts.replaced, 'older row')} replaced`] : []),
  ]
  const kept = `${plural(counts.in, 'row')} in = ${count(counts.kept)} kept`
  return dataset.startsWith('silver.')
    ? [kept, ...lost].join(' + ').replace(/ \+ (\S+ older rows? )/, ', $1')
    : kept
}

function speed({ counts, rows, seconds }: StepResult): string[] {
  const read = counts?.in ?? rows ?? 0
  return read >= 10_000 && seconds > 0 ? [`${count(Math.round(read / seconds))} rows/s`] : []
}

/** What is to be said when a run has ended: warnings, failures in full, and the outcome. */
export function closing(record: RunRecord): string {
  const out: string[] = []
  for (const step of record.steps) {
    for (const note of step.notes ?? [])
      out.push(`${colors.cyan('ℹ')} ${step.dataset}: ${printable(note)}`)
    if (step.stale)
      out.push(
        `${colors.yellow('!')} ${step.dataset}: ${plural(step.stale, 'key')} ${step.stale === 1 ? 'keeps its' : 'keep their'} last valid row; the newest one is invalid`,
      )
    for (const { check, passed, severity, message } of step.checks ?? [])
      if (!passed && severity === 'warn')
        out.push(`${colors.yellow('!')} ${step.dataset}: ${check}: ${printable(message ?? '')}`)
    for (const warning of step.sourceWarnings ?? [])
      out.push(`${colors.yellow('!')} ${step.dataset}: ${printable(warning)}`)
    for (const { reason, rows } of step.warnings ?? [])
      out.push(
        `${colors.yellow('!')} ${step.dataset}: ${plural(rows, 'row')} kept with a warning: ${printable(reason)}`,
      )
  }
  for (const { dataset, outcome, error } of record.steps)
    if (error && !isSaidElsewhere(record, dataset, error))
      out.push(
        `\n${outcome === 'held' ? colors.yellow('!') : colors.red('✖')} ${colors.bold(dataset)}: ${renderProblem(withColumn(shortened(dataset, error)))}`,
      )
  if (record.error) out.push(`\n${failureOf(record.error)}`)
  out.push(outcome(record))
  return out.join('\n')
}

/** Storage that is away fails one step after another, and the run: it is told of once. */
function isSaidElsewhere(record: RunRecord, dataset: string, error: StepResult['error']): boolean {
  if (error?.kind !== 'storage') return false
  const { message } = error
  const first = record.steps.find((step) => step.error?.message === message)
  return record.error?.message === message || first?.dataset !== dataset
}

function failureOf(error: NonNullable<RunRecord['error']>): string {
  if (error.problems) return renderError(new DefinitionError(error.problems))
  return `${colors.red('✖')} ${renderProblem(error)}`
}

/** Without the dataset's name, where it has just been said. */
function shortened(dataset: string, error: NonNullable<StepResult['error']>) {
  const { message } = error
  const said = message.startsWith(`${dataset}: `) ? message.slice(dataset.length + 2) : message
  return { ...error, message: said }
}

function withColumn({ place, ...error }: NonNullable<StepResult['error']>) {
  return { ...error, place: place && { column: 1, ...place } }
}

function outcome(record: RunRecord): string {
  const seconds = (new Date(record.finished).getTime() - new Date(record.started).getTime()) / 1000
  const done = record.steps.filter((step) => step.outcome === 'done').length
  const last = record.commits.at(-1)
  const on = record.branch === undefined ? '' : ` of branch ${record.branch}`
  const { review } = record
  const main = last === undefined ? '' : `, commit ${last}${on}`
  const where = review ? `${main}, commit ${review.commit} of branch ${review.branch}` : main
  if (record.outcome === 'cancelled')
    return `\n${colors.yellow('Stopped.')} What was ingested is kept; tables are unchanged. Continue with: ${again('moraine run')}`
  if (record.outcome === 'failed') {
    const stopped = record.steps.filter((step) => ['failed', 'blocked'].includes(step.outcome))
    if (!record.error && stopped.length === 0) {
      const held = record.steps.filter((step) => step.outcome === 'held')
      const rest = review
        ? `The rest waits for a review${where}.`
        : record.commits.length > 0
          ? `The rest is published${where}.`
          : ''
      return `\n${colors.yellow('Held back')}: ${held.map(({ dataset }) => dataset).join(', ')}. ${rest}`.trimEnd()
    }
    if (record.error?.problems)
      return `\n${colors.red('Nothing was built')}: no table was changed.${last === undefined ? '' : ` What was ingested is kept${where}.`}`
    const published = review
      ? `What succeeded waits for a review${where}.`
      : record.commits.length > 0
        ? `What succeeded is published${where}.`
        : 'Nothing was published.'
    return `\n${colors.red('Failed')} after ${duration(seconds)}. ${published}`
  }
  const tried = new Set(record.steps.map(({ dataset }) => `${dataset} ${UNBUILT}`))
  const unbuilt = record.steps.find(({ reason }) => reason.endsWith(UNBUILT) && !tried.has(reason))
  if (done === 0 && unbuilt)
    return `\nNothing was built: ${unbuilt.reason}. Build it and everything upstream: ${again(`moraine run +${unbuilt.dataset}`)}`
  if (done === 0 && record.steps.some(({ quarantine }) => quarantine?.objects.length))
    return `\n${colors.yellow('No new data could be read')}. See: moraine quarantine`
  if (done === 0)
    return `\nNothing to do: no source has new data, and no definition has changed.${waitingText(record)}`
  return `\n${colors.green('Done')} in ${duration(seconds)}${where}.`
}

const UNBUILT = 'is not built yet'

/** Sources of which nothing has come so far, so that what reads them can't be built. */
function waitingText({ steps }: RunRecord): string {
  const found = steps.flatMap(({ reason }) => /^(\S+) has no data yet$/.exec(reason)?.[1] ?? [])
  if (found.length === 0) return ''
  return `\nNothing has arrived yet for ${[...new Set(found)].join(', ')}: what reads it is built once something has.`
}

/** What the workers of a run ran on. */
export function machineLine(on: WorkersOnMachine): string {
  const { workers, host, platform, cores, memory, node, duckdb } = on
  const has = `${platform}, ${plural(cores, 'core')}, ${size(memory)} of memory`
  const runs = `Node ${node}, DuckDB ${duckdb.replace(/^v/, '')}`
  return colors.dim(`${plural(workers, 'worker')} on ${host}: ${has}; ${runs}`)
}
