import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import type { AnyDataset, Bronze } from '../../../define/model.js'
import type { Field } from '../../../define/types/column-type.js'
import { messageOf, type Problem } from '../../../errors.js'
import type { LakeState } from '../../../log/commit.js'
import { select } from '../../../plan/graph.js'
import { changesOf, decideIntake, plan, type Step } from '../../../plan/plan.js'
import { type Removed, removedFrom } from '../../../plan/removed.js'
import { type ColumnChange, sayChange } from '../../../plan/schema-diff.js'
import { bindNew, newSql, type SqlLeft } from '../../../run/bind-new.js'
import { olderDefinition } from '../../../run/older-definition.js'
import { redact } from '../../../secrets.js'
import { hash } from '../../../step/context.js'
import { type Storage, stagingOf } from '../../../storage/storage.js'
import { discoverAll } from '../../discoveries.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { renderError, renderProblem } from '../../output/errors.js'
import { plural, toJson } from '../../output/format.js'
import { show } from '../../output/terminal.js'
import { openProject, type Project, print } from '../../project.js'
import { removedLines } from '../../removed.js'

export function define(command: Command): Command {
  return command
    .argument(
      '[dataset...]',
      'datasets to plan: a name, a layer, tag:NAME; add + for upstream or downstream',
    )
    .option('--full', 'plan a rebuild from all inputs')
    .addHelpText(
      'after',
      examples(
        ['what would a run do?', 'moraine plan'],
        [
          'what would it do for one dataset and everything upstream?',
          'moraine plan +gold.daily_revenue',
        ],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const project = await openProject(command)
  const full = command.opts<{ full?: boolean }>().full ?? false
  const planned = await makePlan(project, command.args, full)
  const { problems, changes, left, older } = planned
  if (project.json) print(toJson(planJson(planned), 2))
  else printPlan(planned)
  const breaking = [...changes.values()].flat().some((change) => change.breaking)
  const unsure = [problems, older].some((of) => Object.keys(of).length > 0)
  return unsure || left.problems.length > 0 || breaking ? 1 : 0
}

interface Planned {
  steps: readonly Step[]
  /** What keeps sources from being looked at. */
  problems: Record<string, unknown>
  changes: Changes
  /** Datasets that the lake holds and lake.ts no longer has. */
  removed: readonly Removed[]
  /** What somebody should know of a source, by the name of its dataset. */
  notes: Readonly<Record<string, readonly string[]>>
  /** Datasets whose definition is an earlier one, which a run refuses to build by: what it would say. */
  older: Readonly<Record<string, string>>
  /** SQL that can only be bound once more of bronze has arrived. */
  left: SqlLeft
}

/** What a run would do; SQL that is new is bound first. */
export async function makePlan(
  { lake, storage, log }: Pick<Project, 'lake' | 'storage' | 'log'>,
  selectors: readonly string[],
  full: boolean,
): Promise<Planned> {
  const datasets = select(lake, selectors)
  const state = await log.head()
  const { discoveries, problems } = await discoverAll(storage, state, datasets)
  const arriving = (dataset: AnyDataset) =>
    problems[fullName(dataset)] !== undefined ||
    decideIntake(discoveries[fullName(dataset)]).action === 'intake'
  const left = await bindNewSql(datasets, state, storage, arriving)
  const steps = plan({ datasets, view: state, discoveries, full, hash, now: new Date() })
  const notes = Object.fromEntries(
    Object.entries(discoveries).flatMap(([name, discovery]) =>
      'notes' in discovery && discovery.notes.length > 0 ? [[name, discovery.notes]] : [],
    ),
  )
  const changes = await schemaChanges(steps, left.columns, state, storage)
  const older = Object.fromEntries(
    steps.flatMap(({ dataset, name, decision }) => {
      const found = decision.action === 'build' ? olderDefinition(dataset, state, hash) : undefined
      return found ? [[name, found.message]] : []
    }),
  )
  return {
    steps,
    problems,
    changes,
    left,
    notes,
    older,
    removed: removedFrom(lake.datasets, state),
  }
}

type Columns = ReadonlyMap<AnyDataset, readonly Field[]>
type Changes = ReadonlyMap<string, readonly ColumnChange[]>

const nothingLeft: SqlLeft = { problems: [], unbound: new Map(), columns: new Map() }

/** SQL that is new is bound before anything runs; what is built has been bound before. */
export async function bindNewSql(
  datasets: readonly AnyDataset[],
  state: LakeState,
  storage: Storage,
  arriving: (dataset: AnyDataset) => boolean,
): Promise<SqlLeft> {
  const wanted = newSql(datasets, state)
  if (wanted.size === 0) return nothingLeft
  const { openEngine } = await import('../../../engine/open.js')
  const { Batches } = await import('../../../step/batches.js')
  const engine = await openEngine({ threads: 1, staging: stagingOf(storage) })
  try {
    // Definitions are bound against no rows: there is nothing that they could have to open.
    await engine.confine([])
    const session = await engine.open()
    const left = await bindNew(session, wanted, state, new Batches(storage), arriving)
    session.close()
    return left
  } finally {
    await engine.close()
  }
}

/** How the columns of tables that are there will change. */
async function schemaChanges(
  steps: readonly Step[],
  columns: Columns,
  state: LakeState,
  storage: Storage,
): Promise<Changes> {
  const found = new Map<string, ColumnChange[]>()
  for (const { dataset, name, decision } of steps) {
    const table = state.tables[name]
    const fresh = columns.get(dataset)
    if (decision.action !== 'build' || !table || !fresh) continue
    if (changesOf(dataset, table, hash) === undefined) continue
    const { Table } = await import('../../../iceberg/table.js')
    const { columnChanges } = await import('../../../step/schema-change.js')
    const before = await Table.load(storage, table)
    const shown = fresh.filter((column) => !column.name.startsWith('_'))
    const changes = columnChanges(before, shown, decision.renamed)
    if (changes.length > 0) found.set(name, changes)
  }
  return found
}

function planJson({ steps, problems, changes, left, notes, older, removed }: Planned): object {
  return {
    ...(removed.length > 0 ? { removed } : {}),
    ...(left.problems.length > 0 ? { maybe: left.problems.map(asProblem) } : {}),
    steps: steps.map(({ name, decision }) => ({
      dataset: name,
      action: problems[name] ? 'error' : decision.action,
      ...(decision.action === 'build' ? { mode: decision.mode } : {}),
      reason: problems[name] ? redact(messageOf(problems[name])) : decision.reason,
      ...(changes.has(name) ? { columns: changes.get(name) } : {}),
      ...(notes[name] ? { notes: notes[name] } : {}),
      ...(older[name] ? { older: older[name] } : {}),
    })),
  }
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

function printPlan(planned: Planned): void {
  const { steps, problems, changes, left, older, removed } = planned
  printSteps(planned)
  for (const line of removedLines(removed)) print(line)
  const doing = steps.filter(({ name, decision }) => decision.action !== 'none' && !problems[name])
  print('')
  const unread = Object.keys(problems).length
  if (unread > 0) print(`${plural(unread, 'source')} can't be read, so the plan may be incomplete.`)
  else if (doing.length === 0) print('Nothing to do: the lake is up to date.')
  else print(`${plural(doing.length, 'step')} to do. Start with: moraine run`)
  if ([...changes.values()].flat().some((change) => change.breaking))
    print(
      'Columns that readers may use are removed or changed, so a run will refuse this. Keep the old columns next to the new ones, or use --allow-breaking',
    )
  for (const message of Object.values(older)) print(`${colors.yellow('!')} ${message}`)
  if (Object.keys(older).length > 0)
    print('A run uses an older definition only with --accept-definition')
  printLeft(left)
  for (const problem of Object.values(problems)) show(`\n${renderError(problem)}\n`, process.stderr)
}

/** A line for each step, and what changes of its columns. */
export function printSteps({
  steps,
  problems,
  changes,
  notes,
}: Omit<Planned, 'left' | 'older' | 'removed'>): void {
  const width = Math.max(...steps.map(({ name }) => name.length))
  const words = {
    intake: colors.green('ingest '),
    build: colors.cyan('build  '),
    none: colors.dim('nothing'),
  }
  for (const { name, decision } of steps) {
    const mode =
      decision.action === 'build' && decision.mode === 'incremental' ? ' (incremental)' : ''
    const word = problems[name] ? colors.red('error  ') : words[decision.action]
    const reason = problems[name] ? 'its source cannot be read, see below' : decision.reason
    print(`${word}  ${name.padEnd(width)}  ${colors.dim(`${reason}${mode}`)}`)
    for (const note of notes[name] ?? []) print(`${' '.repeat(11 + width)}${colors.dim(note)}`)
    for (const change of changes.get(name) ?? []) {
      const said = sayChange(change)
      print(
        `${' '.repeat(11 + width)}${change.breaking ? colors.red(`${said}  breaks readers`) : colors.green(said)}`,
      )
    }
  }
}
