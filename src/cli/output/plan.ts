import type { Waiting } from '../../branch/waiting.js'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { messageOf, type Problem } from '../../errors.js'
import type { Decision } from '../../plan/decision.js'
import type { Removed } from '../../plan/removed.js'
import { type ColumnChange, sayChange } from '../../plan/schema-diff.js'
import type { SqlLeft } from '../../run/bind/bind-new.js'
import { isElsewhere, type Placement } from '../../run/placement.js'
import type { Prepared } from '../../run/prepare.js'
import { redact } from '../../secrets.js'
import { again, waitingLines } from '../branch/lines.js'
import { print } from '../project.js'
import { removedLines } from '../removed.js'
import colors from './colors.js'
import { renderError, renderProblem } from './errors.js'
import { plural, size } from './format.js'
import { show } from './terminal.js'

/** How the columns of tables will change, by the tables' names. */
export type Changes = ReadonlyMap<string, readonly ColumnChange[]>

/** What `moraine plan` tells of. */
export interface Planned extends Pick<Prepared, 'stages' | 'expire' | 'problems' | 'left'> {
  changes: Changes
  /** Datasets that the lake holds and lake.ts no longer has. */
  removed: readonly Removed[]
  /** What somebody should know of a source, by the name of its dataset. */
  notes: Readonly<Record<string, readonly string[]>>
  /**
   * Datasets whose definition is an earlier one, which a run refuses to build by: what it would
   * say.
   */
  older: Readonly<Record<string, string>>
  /** Where steps run, by the names of their datasets. */
  on: Readonly<Record<string, Placement>>
  /** The branch that is planned; absent for main. */
  branch?: string | undefined
  /** What earlier runs have built, and a review is yet to publish. */
  waiting?: Waiting | undefined
}

/** What `plan --json` says. */
export function planJson(planned: Planned): object {
  const { stages, expire, problems, changes, left, notes, older, removed, on, waiting } = planned
  return {
    ...(removed.length > 0 ? { removed } : {}),
    ...(left.problems.length > 0 ? { maybe: left.problems.map(asProblem) } : {}),
    steps: stages.map(({ name, decision, pending, after }) => ({
      dataset: name,
      ...(problems[name]
        ? { action: 'error', reason: redact(messageOf(problems[name])) }
        : decisionJson(decision)),
      ...(after.length > 0 ? { after } : {}),
      ...(pending ? { decidedAfter: pending.on, otherwise: decisionJson(pending.otherwise) } : {}),
      ...(changes.has(name) ? { columns: changes.get(name) } : {}),
      ...(notes[name] ? { notes: notes[name] } : {}),
      ...(older[name] ? { older: older[name] } : {}),
      ...(isElsewhere(on) && on[name] ? { on: on[name] } : {}),
    })),
    ...(expire.length > 0
      ? { expire: expire.map(({ name, after }) => ({ dataset: name, after })) }
      : {}),
    ...(waiting ? { waiting } : {}),
  }
}

function decisionJson(decision: Decision): { action: string; mode?: string; reason: string } {
  const { action, reason } = decision
  return action === 'build' ? { action, mode: decision.mode, reason } : { action, reason }
}

function asProblem({ message, hint, place }: Problem): Problem {
  return { message, hint, place }
}

/** What is known of SQL only once more of bronze has arrived. */
function printLeft({ problems, unbound }: SqlLeft): void {
  const by = new Map<Bronze, string[]>()
  for (const [dataset, bronze] of unbound)
    by.set(bronze, [...(by.get(bronze) ?? []), fullName(dataset)])
  for (const [bronze, names] of by)
    print(
      colors.dim(
        `The SQL of ${names.join(', ')} will be checked once ${fullName(bronze)} has data; its columns are not known yet.`,
      ),
    )
  for (const problem of problems) {
    const inputs = problem.unsure.map(fullName).join(', ')
    show(
      `\n${colors.yellow('!')} Unless newly ingested rows of ${inputs} change it:\n${renderProblem(problem)}\n`,
      process.stderr,
    )
  }
}

/** All of a plan, for people. */
export function printPlan(planned: Planned): void {
  const { stages, problems, changes, left, older, removed, branch } = planned
  printSteps(planned)
  for (const line of removedLines(removed)) print(line)
  const doing = stages.filter(({ name, decision }) => decision.action !== 'none' && !problems[name])
  print('')
  const unread = new Set(Object.values(problems)).size
  if (unread > 0) print(`${plural(unread, 'source')} can't be read, so the plan may be incomplete.`)
  else if (doing.length === 0) print('Nothing to do: the lake is up to date.')
  else
    print(
      `${plural(doing.length, 'step')} to do. Start with: ${again(`moraine run${onBranch(branch)}`)}`,
    )
  printLater(planned)
  for (const line of waitingLines(planned.waiting)) print(line)
  if ([...changes.values()].flat().some((change) => change.breaking))
    print(
      'Columns that readers may use are removed or changed, so a run will refuse this. Keep the old columns next to the new ones, or use --allow-breaking',
    )
  for (const message of Object.values(older)) print(`${colors.yellow('!')} ${message}`)
  if (Object.keys(older).length > 0)
    print('A run uses an older definition only with --accept-definition')
  printLeft(left)
  for (const problem of new Set(Object.values(problems)))
    show(`\n${renderError(problem)}\n`, process.stderr)
}

const onBranch = (name: string | undefined) => (name === undefined ? '' : ` --branch ${name}`)

/** What is decided only while a run goes on, and by what. */
function printLater({ stages, expire }: Planned): void {
  if (stages.some(({ pending }) => pending))
    print(
      colors.dim(
        'What reads a dataset that will change is decided after that: if it has nothing new, nothing is built.',
      ),
    )
  if (expire.length > 0)
    print(
      colors.dim(
        `Old batches of ${expire.map(({ name }) => name).join(', ')} expire at the end, once all their readers have read them.`,
      ),
    )
}

/** Where a step runs: `on workers(4): 1 task, reads up to 12 MiB, at most 512 MiB of memory`. */
function sayPlacement({ engine, tasks, bytes, memory, why }: Placement): string {
  const parts = [
    plural(tasks, 'task'),
    ...(bytes > 0 ? [`reads up to ${size(bytes)}`] : []),
    ...(memory === undefined
      ? []
      : [`at most ${size(memory)} of memory${tasks > 1 ? ' each' : ''}`]),
  ]
  return `on ${engine}: ${parts.join(', ')}${why ? `; ${why}` : ''}`
}

/** A line for each step, and what changes of its columns. */
export function printSteps({
  stages,
  problems,
  changes,
  notes,
  on,
}: Pick<Planned, 'stages' | 'problems' | 'changes' | 'notes' | 'on'>): void {
  const width = Math.max(...stages.map(({ name }) => name.length))
  const words = {
    intake: colors.green('ingest '),
    build: colors.cyan('build  '),
    none: colors.dim('nothing'),
  }
  for (const { dataset, name, decision } of stages) {
    const mode =
      decision.action === 'build' && decision.mode === 'incremental' ? ' (incremental)' : ''
    const word = problems[name] ? colors.red('error  ') : words[decision.action]
    const unread = dataset.tier === 'bronze' ? 'its source' : 'a table of another engine'
    const reason = problems[name] ? `${unread} cannot be read, see below` : decision.reason
    print(`${word}  ${name.padEnd(width)}  ${colors.dim(`${reason}${mode}`)}`)
    const place = isElsewhere(on) ? on[name] : undefined
    const placed = place ? [sayPlacement(place)] : []
    for (const note of [...(notes[name] ?? []), ...placed])
      print(`${' '.repeat(11 + width)}${colors.dim(note)}`)
    for (const change of changes.get(name) ?? []) {
      const said = sayChange(change)
      print(
        `${' '.repeat(11 + width)}${change.breaking ? colors.red(`${said}  breaks readers`) : colors.green(said)}`,
      )
    }
  }
}
