import type { Command } from 'commander'
import type { JournalEntry } from '../../../step/journal.js'
import { Journal } from '../../../step/journal.js'
import { again } from '../../branch/again.js'
import { spanOf } from '../../duration.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { duration, plural, readableTime, toJson } from '../../output/format.js'
import { closing, stepLine } from '../../output/summary.js'
import { textTable } from '../../output/table.js'
import { openLog, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument('[run]', 'a run to show in detail: its steps, notes and failures')
    .option('-n, --limit <runs>', 'number of runs to show, newest first', '20')
    .option('--failed', 'only runs that failed, were stopped, or never ended')
    .option(
      '--since <time>',
      'only runs that started at or after this time, or in this last while (12h)',
    )
    .option('--until <time>', 'only runs that started before this time, or this long ago')
    .addHelpText(
      'after',
      examples(
        ['what ran recently?', 'moraine runs'],
        ['what failed last night?', 'moraine runs --failed --since 12h'],
        ['what ran that day?', 'moraine runs --since 2026-01-31 --until 2026-02-01'],
        ['why?', 'moraine runs 20260131T020000000Z-1a2b3c'],
      ),
    )
}

interface Options {
  limit: number
  failed?: boolean
  since?: string
  until?: string
}

export async function run(command: Command): Promise<number> {
  const { storage, json } = await openLog(command)
  const journal = new Journal(storage)
  const [wanted] = command.args
  if (wanted !== undefined) return showRun(journal, wanted, json)
  const options = command.opts<Options>()
  const { limit, failed = false, since, until } = options
  const found = await runsOf(journal, options)
  const runs = found.slice(0, limit)
  if (json) print(toJson(runs.map(shortJson), 2))
  else if (runs.length === 0 && failed) print('No such run failed.')
  else if (runs.length === 0 && (since ?? until) !== undefined)
    print('No run started in that time.')
  else if (runs.length === 0) print(again('No runs yet. Start one with: moraine run'))
  else printList(runs)
  if (!json && found.length > limit)
    print(colors.dim(`\nThe newest ${plural(limit, 'run')}; show more with --limit N`))
  return 0
}

/** The newest runs that are asked for, and one more where there are more of them. */
async function runsOf(journal: Journal, options: Options): Promise<JournalEntry[]> {
  const { limit, failed = false } = options
  const { from, to } = spanOf(options)
  const runs: JournalEntry[] = []
  for await (const entry of journal.newestFirst()) {
    const started = new Date(entry.started)
    if (runs.length > limit || (from && started < from)) break
    if (to && started >= to) continue
    if (!failed || entry.record?.outcome !== 'done') runs.push(entry)
  }
  return runs
}

/** How a run ended, in a word. */
function outcomeOf({ record, damaged }: JournalEntry): string {
  return record?.outcome ?? (damaged ? 'damaged' : 'not ended')
}

function shortJson(entry: JournalEntry) {
  const { run, started, record } = entry
  return { run, started, outcome: outcomeOf(entry), ...(record ?? {}) }
}

function printList(runs: readonly JournalEntry[]): void {
  const rows = runs.map((entry) => ({
    run: entry.run,
    started: readableTime(entry.started).replace(/\.\d+/, ''),
    took: entry.record ? duration(secondsOf(entry.record)) : '',
    outcome: outcomeOf(entry),
    what: whatOf(entry),
  }))
  print(
    textTable(
      ['run', 'started', 'took', 'outcome', 'what'].map((name) => ({ name })),
      rows,
    ),
  )
  if (runs.some(({ record, damaged }) => !record && !damaged))
    print('\nnot ended: it is still running, or was killed; the next run continues its work.')
}

function secondsOf({ started, finished }: { started: string; finished: string }): number {
  return (new Date(finished).getTime() - new Date(started).getTime()) / 1000
}

function whatOf({ record }: JournalEntry): string {
  if (!record) return ''
  const failed = record.steps.filter(({ outcome }) => outcome === 'failed' || outcome === 'held')
  if (failed.length > 0) return failed.map(({ dataset }) => dataset).join(', ')
  if (record.error) return record.error.message
  const done = record.steps.filter(({ outcome }) => outcome === 'done').length
  if (record.outcome === 'cancelled')
    return `stopped after ${done === 0 ? 'no step' : plural(done, 'step')}`
  return done === 0 ? 'nothing to do' : plural(done, 'step')
}

/** A run as it was shown when it ended. */
async function showRun(journal: Journal, wanted: string, json: boolean): Promise<number> {
  const entry = await journal.find(wanted)
  if (json) {
    print(toJson(shortJson(entry), 2))
    return 0
  }
  const { run, started, record, damaged } = entry
  print(`${colors.bold(run)}  ${readableTime(started)}${record ? `, by ${record.author}` : ''}\n`)
  if (!record && damaged) {
    print(again('Its record is damaged: moraine repair shows whether it can be restored.'))
    return 0
  }
  if (!record) {
    print('It has not ended: it is still running, or was killed. The next run continues its work.')
    return 0
  }
  const width = Math.max(0, ...record.steps.map(({ dataset }) => dataset.length))
  for (const step of record.steps) print(stepLine(step, width))
  print(closing(record))
  return 0
}
