import type { Command } from 'commander'
import { waitingForReview } from '../../../branch/waiting.js'
import { fullName } from '../../../define/dataset.js'
import type { AnyDataset } from '../../../define/model.js'
import type { Engine } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import { findLakeFile } from '../../../load/load.js'
import { Threads } from '../../../load/threads.js'
import { trialsOf } from '../../../load/trial.js'
import { select } from '../../../plan/graph.js'
import { endNow } from '../../../process/end-now.js'
import { olderDefinition } from '../../../run/older-definition.js'
import { lineageTarget, OpenLineage } from '../../../run/openlineage.js'
import { abortController } from '../../../signals.js'
import { hash } from '../../../step/context.js'
import { PATIENT, type Patience } from '../../../storage/retry.js'
import { Staging } from '../../../storage/staging.js'
import { waitingLines } from '../../branch/lines.js'
import { shareMemory, startEngine, withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { confirm } from '../../output/confirm.js'
import { toJson } from '../../output/format.js'
import { LiveView } from '../../output/live.js'
import { PlainView } from '../../output/plain.js'
import { machineLine } from '../../output/summary.js'
import { show } from '../../output/terminal.js'
import { tellWaits } from '../../output/waits.js'
import { openProject, type Project, print } from '../../project.js'
import { openStepEngines, withEngine, workerOptions, workersOf } from './step-engines.js'

export function define(command: Command): Command {
  return withEngine(withMemory(command))
    .argument(
      '[dataset...]',
      'datasets to run: a name, a layer, tag:NAME; add + for upstream or downstream',
    )
    .option(
      '--backfill <from..until>',
      'read database rows again whose cursor is in a range, such as 2026-01-01..2026-02-01',
    )
    .option('--full', 'rebuild from all inputs')
    .option('--allow-loss', 'rebuild even if inputs no longer have all of their rows')
    .option(
      '--accept-shrink <dataset>',
      'accept a full extract of a dataset that was held back because it has far fewer rows',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option(
      '--reread <dataset>',
      'read all files of a dataset again, with its current definition',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option(
      '--accept-definition',
      'build even if a newer definition has replaced this one: it is intended',
    )
    .option('--allow-breaking', 'remove columns or change their type even if that breaks readers')
    .addHelpText(
      'after',
      examples(
        ['everything that is out of date', 'moraine run'],
        ['one dataset and everything upstream', 'moraine run +gold.daily_revenue'],
        ['on four processes', 'moraine run --engine workers:4'],
        ['rebuild a dataset and everything downstream', 'moraine run silver.orders+ --full'],
        [
          'read the rows of January again',
          'moraine run bronze.orders+ --backfill 2026-01-01..2026-02-01',
        ],
      ),
    )
}

interface Options {
  acceptShrink?: string[]
  reread?: string[]
  backfill?: string
  full?: boolean
  acceptDefinition?: boolean
  allowBreaking?: boolean
  allowLoss?: boolean
}

/** Starts the engine and loads the definition side by side: neither waits for the other. */
async function open(
  command: Command,
  patience: Patience,
): Promise<{ engine: Engine; project: Project }> {
  const staging = new Staging()
  const [engine, project] = await Promise.allSettled([
    startEngine(command, { staging }),
    openProject(command, { patience, staging }),
  ])
  if (engine.status === 'rejected') throw engine.reason
  if (project.status === 'rejected') {
    await engine.value.close()
    throw project.reason
  }
  const opened = { engine: engine.value, project: project.value }
  try {
    const workers = workersOf(command, opened.project.lake)
    // They share the memory of the command.
    if (workers > 0) await shareMemory(command, opened.engine, { workers })
    return opened
  } catch (error) {
    await opened.engine.close()
    throw error
  }
}

/**
 * Whether a range is known to end where it begins, or before: numbers, or days and times as
 * databases write them.
 */
function isReversed(from: string, until: string): boolean {
  const numbers = [from, until].every((text) => /^-?\d+$/.test(text))
  if (numbers) return BigInt(from) >= BigInt(until)
  const times = [from, until].every((text) => /^\d{4}-\d\d-\d\d/.test(text))
  return times && from >= until
}

function parseRange(text: string): { from: string; until: string } {
  const [from, until, ...more] = text.split('..')
  const hint = 'Give the start and the end: --backfill 2026-01-01..2026-02-01'
  if (!from || !until || more.length > 0)
    throw new MoraineError('usage', `--backfill ${text} is not a range`, { hint })
  if (isReversed(from, until))
    throw new MoraineError('usage', `--backfill ${text} is empty: it ends at or before its start`, {
      hint,
    })
  return { from, until }
}

/** Rows are read again by the cursor of a database's table; other sources have none. */
function refuseOthers(selected: readonly AnyDataset[]): void {
  const bronze = selected.filter((dataset) => dataset.tier === 'bronze')
  const [other] = bronze.filter(({ from }) => from.kind !== 'database')
  const hint =
    'Name a dataset that reads a table with a cursor: moraine run bronze.orders+ --backfill 2026-01-01..2026-02-01'
  if (other)
    throw new MoraineError(
      'usage',
      `${fullName(other)} does not read a database, so --backfill cannot read its rows again`,
      { hint, place: other.place },
    )
  if (bronze.length === 0)
    throw new MoraineError(
      'usage',
      'None of these datasets reads a source, so --backfill has nothing to read again',
      { hint },
    )
}

/**
 * On a terminal whoever has an older lake.ts is asked; elsewhere the datasets that it would rebuild
 * fail.
 */
async function isMeant(
  { log }: Pick<Project, 'log'>,
  selected: readonly AnyDataset[],
): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false
  const state = await log.head()
  const older = selected.flatMap((dataset) => olderDefinition(dataset, state, hash) ?? [])
  if (older.length === 0) return false
  const what = older.map(({ message }) => `! ${message}`).join('\n')
  const question =
    older.length === 1
      ? 'Build it with the older definition?'
      : 'Build them with the older definitions?'
  return confirm(`${what}\n${question}`, process.stdin, process.stdout)
}

/** What the run, or one before it, has left for a review. */
async function showWaiting({ lake, log, house }: Project): Promise<void> {
  if (lake.publish !== 'review' || house.branch !== undefined) return
  for (const line of waitingLines(await waitingForReview(log))) print(line)
}

const isFailed = ({ outcome }: { outcome: string }) => outcome === 'failed'

export async function run(command: Command): Promise<number> {
  const abort = abortController()
  const { engine, project } = await open(command, { total: PATIENT, signal: abort.signal })
  const { lake, storage, folder, json } = project
  const {
    backfill,
    full = false,
    acceptDefinition = false,
    allowBreaking = false,
    allowLoss = false,
    acceptShrink = [],
    reread = [],
  } = command.opts<Options>()
  const view = json ? undefined : process.stdout.isTTY ? new LiveView() : new PlainView()
  const unwatch = tellWaits((text) => {
    if (view) view.waiting(text)
    else if (text !== undefined) show(`${text}\n`, process.stderr)
  })
  const stop = (name: 'SIGINT' | 'SIGTERM') => {
    if (abort.signal.aborted) endNow(name)
    abort.abort()
    view?.stopping()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  const javascript = new Threads(findLakeFile(folder))
  const target = lineageTarget()
  const lineage = target && new OpenLineage(target, { name: lake.name, url: storage.url })
  try {
    // A selector that names nothing is told before a run begins.
    const selected = select(lake, command.args)
    await using engines = await openStepEngines(command, project, command.args)
    const range = backfill === undefined ? undefined : parseRange(backfill)
    if (range) refuseOthers(selected)
    const isAccepted = acceptDefinition || (!json && (await isMeant(project, selected)))
    const record = await project.house.run(lake, {
      engine,
      ownEngine: true,
      javascript,
      ...workerOptions(command, lake, engines),
      tryApart: trialsOf(project.trialPlace),
      full,
      acceptDefinition: isAccepted,
      allowBreaking,
      allowLoss,
      acceptShrink,
      reread,
      ...(range ? { backfill: range } : {}),
      select: command.args,
      signal: abort.signal,
      onEvent: (event) => {
        view?.event(event)
        lineage?.event(event)
      },
    })
    const problem = await lineage?.close()
    if (problem) show(`! ${problem}\n`, process.stderr)
    const machines = engines?.machines ?? []
    if (json) print(toJson(machines.length > 0 ? { ...record, workers: machines } : record, 2))
    else for (const one of machines) show(`${machineLine(one)}\n`)
    if (!json) await showWaiting(project)
    if (!json) for (const line of project.leftByRuns) print(colors.dim(line))
    if (record.outcome === 'done') return record.exports?.some(isFailed) ? 1 : 0
    return record.error?.kind === 'definition' ? 2 : 1
  } finally {
    view?.close()
    unwatch()
    await javascript.close()
    await engine.close()
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
