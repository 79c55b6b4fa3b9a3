import type { Command } from 'commander'
import { afterNow } from '../../../bronze/database/checkpoint.js'
import type { Held } from '../../../bronze/held.js'
import { quarantineText } from '../../../bronze/quarantine/messages.js'
import { acceptCommand, heldOf, heldText } from '../../../bronze/shrink.js'
import { fullName } from '../../../define/dataset.js'
import type { AnyDataset } from '../../../define/model.js'
import { messageOf } from '../../../errors.js'
import type { LakeState } from '../../../log/commit.js'
import { quarantinedOf } from '../../../log/quarantined.js'
import { plan, type Step } from '../../../plan/plan.js'
import { removedFrom } from '../../../plan/removed.js'
import { hash } from '../../../step/context.js'
import { Journal, type JournalEntry } from '../../../step/journal.js'
import { discoverAll } from '../../discoveries.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { count, readableTime, size, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { openProject, print } from '../../project.js'
import { removedLines } from '../../removed.js'

export function define(command: Command): Command {
  return command
    .option('--check', 'also check the sources for new data')
    .addHelpText(
      'after',
      examples(
        ['the state of the lake, from its log', 'moraine status'],
        ['and whether its sources have new data', 'moraine status --check'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
  const state = await log.head()
  const check = command.opts<{ check?: boolean }>().check ?? false
  const { discoveries, problems } = check
    ? await discoverAll(storage, state, lake.datasets)
    : { discoveries: {}, problems: {} as Record<string, unknown> }
  const steps = plan({
    datasets: lake.datasets,
    view: state,
    discoveries,
    full: false,
    hash,
    now: new Date(),
  })
  const removed = removedFrom(lake.datasets, state)
  const rows = steps.map((step) => statusOf(step, state, check, problems[step.name]))
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
  for (const { dataset, notes } of rows)
    for (const note of notes) print(`${colors.cyan('ℹ')} ${dataset}: ${note}`)
  if (!check)
    print('\nFrom the log only. To check the sources for new data: moraine status --check')
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
  /** Objects that could not be read, and were set aside. */
  quarantined?: number
  /** What somebody should know of it. */
  notes: readonly string[]
  description: string | null
  owner: string | null
  tags: readonly string[]
}

function statusOf(
  { dataset, name, decision }: Step,
  state: LakeState,
  checked: boolean,
  problem: unknown,
): Status {
  const upToDate = decision.action === 'none' && problem === undefined
  const bronze = dataset.tier === 'bronze'
  const known = bronze && !checked ? batchesOf(dataset, state) : decision.reason
  const reason = problem === undefined ? known : messageOf(problem)
  const quarantined = quarantinedOf(state, name)
  const quarantine = quarantineText(quarantined)
  const notes = [
    ...laterOf(dataset, state),
    ...(quarantine ? [`${quarantine}: moraine quarantine`] : []),
  ]
  const { description, owner, tags } = dataset.about
  const about = { description: description ?? null, owner: owner ?? null, tags: tags ?? [] }
  const counted = quarantined.length > 0 ? { quarantined: quarantined.length } : {}
  const common = { dataset: name, state: reason, upToDate, notes, ...counted, ...about }
  const held = heldOf(state, name)
  if (bronze && held)
    return {
      ...common,
      state: `${heldText(held)}; ${acceptCommand(name)} accepts them`,
      held,
      ...bronzeTotals(dataset, state),
    }
  if (bronze) return { ...common, ...bronzeTotals(dataset, state) }
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

/** What the log knows of a bronze dataset's rows. */
function batchesOf(dataset: AnyDataset, state: LakeState): string {
  const batches = state.batches[fullName(dataset)] ?? []
  const day = /\/(\d{4}-\d\d-\d\d)\//.exec(batches.at(-1)?.manifest ?? '')?.[1]
  if (batches.length === 0) return 'it has no data yet'
  const many = batches.length === 1 ? '1 batch' : `${count(batches.length)} batches`
  return `${many}${day ? `, the last on ${day}` : ''}`
}

/** Rows of a database whose cursor lies after now. */
function laterOf(dataset: AnyDataset, state: LakeState): string[] {
  if (dataset.tier !== 'bronze' || dataset.from.kind !== 'database') return []
  const { later } = (state.watermarks[fullName(dataset)] ?? {}) as { later?: number }
  return later ? [afterNow(dataset.from.cursor ?? '', later)] : []
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
