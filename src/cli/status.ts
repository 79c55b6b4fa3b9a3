import type { Command } from 'commander'
import { type AnyDataset, fullName } from '../define/dataset.js'
import { messageOf } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { plan, type Step } from '../plan/plan.js'
import { removedFrom } from '../plan/removed.js'
import { hash } from '../run/context.js'
import { Journal, type JournalEntry } from '../run/journal.js'
import { acceptCommand, type Held, heldOf, heldText } from '../run/shrink.js'
import { discoverAll } from './discoveries.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { count, readableTime, size, toJson } from './output/format.js'
import { textTable } from './output/table.js'
import { openProject, print } from './project.js'
import { removedLines } from './removed.js'

export function define(command: Command): Command {
  return command.addHelpText('after', examples(['the state of the lake', 'moraine status']))
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
  const state = await log.head()
  const { discoveries, problems } = await discoverAll(storage, state, lake.datasets)
  const steps = plan({
    datasets: lake.datasets,
    view: state,
    discoveries,
    full: false,
    hash,
    now: new Date(),
  })
  const rows = steps.map((step) => statusOf(step, state, problems[step.name]))
  const removed = removedFrom(lake.datasets, state)
  const [last] = await new Journal(storage).latest(1)
  if (json) {
    const { number: commit, time } = state
    print(
      toJson(
        {
          lake: lake.name,
          root: storage.url,
          commit,
          time,
          datasets: rows,
          removed,
          lastRun: runJson(last),
        },
        2,
      ),
    )
    return 0
  }
  print(`${colors.bold(lake.name)}  ${colors.dim(storage.url.replace('file://', ''))}`)
  print(
    state.number === 0
      ? 'Empty. Fill it with: moraine run\n'
      : `Commit ${state.number}, ${readableTime(state.time ?? '')}\n`,
  )
  printTable(rows)
  for (const line of removedLines(removed)) print(line)
  if (last) print(`\nLast run: ${last.run}, ${last.record?.outcome ?? 'running, or it was killed'}`)
  return 0
}

interface Status {
  dataset: string
  rows: number | null
  bytes: number | null
  files: number | null
  in?: number
  discarded?: number
  superseded?: number
  state: string
  /** An extract that has far fewer rows than the one that is there, and waits for somebody to accept it. */
  held?: Held
  upToDate: boolean
  description: string | null
  owner: string | null
  tags: readonly string[]
}

function statusOf({ dataset, name, decision }: Step, state: LakeState, problem: unknown): Status {
  const upToDate = decision.action === 'none' && problem === undefined
  const reason = problem === undefined ? decision.reason : messageOf(problem)
  const { description, owner, tags } = dataset.about
  const about = { description: description ?? null, owner: owner ?? null, tags: tags ?? [] }
  const common = { dataset: name, state: reason, upToDate, ...about }
  const held = heldOf(state, name)
  if (dataset.tier === 'bronze' && held)
    return {
      ...common,
      state: `${heldText(held)}; ${acceptCommand(name)} takes them`,
      held,
      ...bronzeTotals(dataset, state),
    }
  if (dataset.tier === 'bronze') return { ...common, ...bronzeTotals(dataset, state) }
  const table = state.tables[name]
  if (!table) return { ...common, rows: null, bytes: null, files: null }
  const { rows, bytes, files, counts } = table
  const { in: read, discarded, superseded } = counts ?? {}
  return {
    ...common,
    rows,
    bytes,
    files,
    ...(counts
      ? { in: read as number, discarded: discarded as number, superseded: superseded as number }
      : {}),
  }
}

function bronzeTotals(dataset: AnyDataset, state: LakeState) {
  const batches = state.batches[fullName(dataset)]
  if (!batches) return { rows: null, bytes: null, files: null }
  const sum = (pick: 'rows' | 'bytes') => batches.reduce((n, b) => n + b[pick], 0)
  return { rows: sum('rows'), bytes: sum('bytes'), files: batches.length }
}

function printTable(rows: readonly Status[]): void {
  const number = (n: number | null | undefined) => (n === null || n === undefined ? '' : count(n))
  const shown = rows.map((row) => ({
    dataset: row.dataset,
    rows: number(row.rows),
    size: row.bytes === null ? '' : size(row.bytes),
    discarded: number(row.discarded),
    superseded: number(row.superseded),
    ' ': row.upToDate ? '✔' : '•',
    state: row.state,
  }))
  const right = ['rows', 'size', 'discarded', 'superseded']
  const names = ['dataset', 'rows', 'size', 'discarded', 'superseded', ' ', 'state']
  print(
    textTable(
      names.map((name) => ({ name, right: right.includes(name) })),
      shown,
    ),
  )
}

function runJson(entry: JournalEntry | undefined): object | null {
  return entry
    ? { run: entry.run, started: entry.started, outcome: entry.record?.outcome ?? null }
    : null
}
