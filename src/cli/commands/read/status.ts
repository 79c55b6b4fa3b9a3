import type { Command } from 'commander'
import { metadataOf } from '../../../catalog/metadata-file.js'
import type { LakeState } from '../../../log/commit.js'
import { removedFrom } from '../../../plan/removed.js'
import type { Looked } from '../../../run/sources.js'
import { Batches } from '../../../step/batches.js'
import { Journal, type JournalEntry } from '../../../step/journal.js'
import { again, waitingLines } from '../../branch/lines.js'
import { type Status, statusOfAll } from '../../dataset-status.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { externalJson, externalLines } from '../../output/external.js'
import { count, readableTime, size, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { openProject, type Project, print } from '../../project.js'
import { forgettingLines, removedLines } from '../../removed.js'
import { exportsBehind } from '../build/exporting.js'

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
  await using project = await openProject(command)
  const { lake, storage, log, json } = project
  const state = await log.head()
  const check = command.opts<{ check?: boolean }>().check ?? false
  const looked = check ? await look(project, state) : undefined
  const { rows, waiting } = await statusOfAll(project, state, looked)
  const removed = removedFrom(lake.datasets, state)
  const [last] = await new Journal(storage).latest(1)
  const behind = await exportsBehind(project)
  if (json) {
    const { number: commit, time } = state
    print(
      toJson(
        {
          lake: lake.name,
          root: storage.url,
          commit,
          time,
          datasets: rows.map((row) => ({ ...row, ...metadataOf(storage, state, row.dataset) })),
          removed: removed.map((one) => ({ ...one, ...metadataOf(storage, state, one.name) })),
          external: externalJson(storage, state),
          ...(state.forgotten ? { forgotten: state.forgotten } : {}),
          ...behind.json,
          ...(waiting ? { waiting } : {}),
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
      ? again('Empty. Fill it with: moraine run\n')
      : `Commit ${state.number}, ${readableTime(state.time ?? '')}\n`,
  )
  printTable(rows)
  for (const line of [...removedLines(removed), ...forgettingLines(state)]) print(line)
  for (const line of externalLines(state)) print(line)
  for (const { dataset, notes } of rows)
    for (const note of notes) print(`${colors.cyan('ℹ')} ${dataset}: ${note}`)
  for (const line of behind.lines) print(line)
  for (const line of waitingLines(waiting)) print(line)
  if (!check)
    print(again('\nFrom the log only. To check the sources for new data: moraine status --check'))
  if (last) print(`\nLast run: ${last.run}, ${last.record?.outcome ?? 'running, or it was killed'}`)
  return 0
}

/** What sources offer now. */
async function look(
  { lake, log, storage, house }: Project,
  head: LakeState,
): Promise<Pick<Looked, 'discoveries' | 'problems'>> {
  const { Sources, unreadOn } = await import('../../../run/sources.js')
  const { beginOwn } = await import('../../../run/own/begin.js')
  const { branch, ownSources } = house
  const { state } = await beginOwn({ lake, log, branch, ownSources }, head)
  const asked = { unread: unreadOn(log), ownSources }
  await using sources = new Sources(lake.datasets, new Batches(storage), asked)
  return sources.lookAtAll(state)
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
