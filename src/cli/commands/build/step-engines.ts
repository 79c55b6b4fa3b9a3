import type { Command } from 'commander'
import type { Principal } from '../../../define/access/principal.js'
import { engineNamed, engineOf, type StepEngine } from '../../../define/engines/step-engine.js'
import type { Lake } from '../../../define/lake.js'
import type { AnyDataset } from '../../../define/model.js'
import { MoraineError } from '../../../errors.js'
import { findLakeFile } from '../../../load/load.js'
import { refuseUnencrypted } from '../../../load/trino/encrypted.js'
import { hasOthers, processesOf } from '../../../load/workers/engines-of.js'
import type { StepEngines } from '../../../load/workers/step-engines.js'
import { select } from '../../../plan/graph.js'
import { portableOn } from '../../../run/placement.js'
import { variable } from '../../../settings.js'
import { memoryOfEngine, type Shares } from '../../engine.js'
import { show } from '../../output/terminal.js'
import type { Project } from '../../project.js'

/** Gives a command the option that {@link askedEngine} reads. */
export function withEngine(command: Command): Command {
  return command.option(
    '--engine <engine>',
    'what runs the steps of silver and gold: duckdb (this process), workers:4 (four processes), spark, or spark:local[2]; for gold also trino, or trino:http://localhost:8080/lake; overrides lake.ts',
  )
}

/** The engine that the command line names. */
function askedEngine(command: Command, lake: Lake): StepEngine | undefined {
  const { engine: text } = command.opts<{ engine?: string }>()
  if (text === undefined) return undefined
  const declared = [lake, ...lake.datasets].flatMap((one) =>
    'engine' in one && one.engine ? [one.engine] : [],
  )
  const engine = engineNamed(text, declared)
  if (engine) return engine
  throw new MoraineError('usage', `--engine ${text} is not an engine`, {
    hint: 'Use duckdb, workers and their number (--engine workers:4), spark, or spark and its address (--engine spark:local[2]); for gold also trino, with its address unless lake.ts has trino({ … }) (--engine trino:http://localhost:8080/lake).',
  })
}

/** How many processes carry out steps of a command, which share its memory. */
export function workersOf(command: Command, lake: Lake): number {
  return processesOf(lake, askedEngine(command, lake))
}

/**
 * Who carries out the steps of a command's runs; nobody else where all of them are its own
 * process's.
 *
 * @param selectors which datasets the command builds.
 * @param engines how many engines of its own the command has.
 * @throws MoraineError of kind `usage` if an engine can't be what they ask for.
 */
export async function openStepEngines(
  command: Command,
  { lake, storage, folder }: Pick<Project, 'lake' | 'storage' | 'folder'>,
  selectors: readonly string[],
  { engines = 1 }: Pick<Shares, 'engines'> = {},
): Promise<StepEngines | undefined> {
  const instead = askedEngine(command, lake)
  checkTrino(lake, select(lake, selectors), instead)
  if (!hasOthers(lake, instead)) return undefined
  const workers = workersOf(command, lake)
  const { StepEngines } = await import('../../../load/workers/step-engines.js')
  return new StepEngines({
    lake,
    file: findLakeFile(folder),
    storage,
    instead,
    memory: memoryOfEngine(command, { engines, workers }),
    watched: process.stdout.isTTY,
    log: (text) => show(`${text}\n`, process.stderr),
    openRoom: async ({ as: name, ...request }) => {
      const as = forTrino(lake, name)
      const { openRunRoom } = await import('../../../serve/run-room.js')
      return openRunRoom(storage, { ...request, served: { url: 'the catalog of Trino', as } })
    },
  })
}

/**
 * The same of what is built on a branch. Trino builds nothing there: where datasets name it, all
 * steps are those of this process.
 */
export async function openBranchEngines(
  command: Command,
  project: Pick<Project, 'lake' | 'storage' | 'folder'>,
): Promise<StepEngines | undefined> {
  const { lake } = project
  const isByTrino = (dataset: AnyDataset) =>
    dataset.tier !== 'bronze' && engineOf(dataset, lake).engine === 'trino'
  if (!askedEngine(command, lake) && lake.datasets.some(isByTrino)) return undefined
  return openStepEngines(command, project, [])
}

/** What a plan says of where steps run. */
export function placing(command: Command, lake: Lake) {
  const instead = askedEngine(command, lake)
  checkAddresses(lake, lake.datasets, instead)
  return { instead, memory: memoryOfEngine(command, { workers: workersOf(command, lake) }) }
}

/** Makes sure that Trino will be let in, before a run does anything else. */
function checkTrino(lake: Lake, datasets: readonly AnyDataset[], instead?: StepEngine): void {
  checkAddresses(lake, datasets, instead)
  for (const dataset of datasets) {
    const engine = engineOf(dataset, lake, instead)
    if (engine.engine !== 'trino') continue
    if (lake.publish === 'review') throw noReviewByTrino()
    forTrino(lake, engine.as)
  }
}

/** Makes sure that nobody reads along what Trino is sent. */
function checkAddresses(lake: Lake, datasets: readonly AnyDataset[], instead?: StepEngine): void {
  for (const dataset of datasets) {
    const engine = engineOf(dataset, lake, instead)
    if (engine.engine !== 'trino') continue
    const { place } = dataset
    const isOwn = 'engine' in dataset && dataset.engine === engine
    refuseUnencrypted(engine, isOwn && place ? { ...place, near: 'engine:' } : undefined)
  }
}

const noReviewByTrino = () =>
  new MoraineError('usage', 'Trino builds on main alone, and not for a review', {
    hint: "This lake has publish: 'review'. Leave out --engine trino.",
  })

/** What Trino proves itself with in the catalog. */
function forTrino(lake: Lake, as: string | undefined): string | Principal {
  return as === undefined ? catalogToken() : principalNamed(lake, as)
}

/** The token that whoever serves the catalog has, too. */
function catalogToken(): string {
  const token = variable('MORAINE_TOKEN')
  if (token) return token
  throw new MoraineError('usage', 'Trino reads and writes by the catalog, which needs a token', {
    hint: 'Set MORAINE_TOKEN to the token of moraine serve --catalog, or name a principal of the lake: trino({ …, as: … })',
  })
}

/** A principal of the lake. */
function principalNamed({ access }: Lake, name: string): Principal {
  const found = access?.find((one) => one.name === name)
  if (found) return found
  throw new MoraineError('usage', `trino({ as: '${name}' }) is not a principal of the lake`, {
    hint: `Add principal('${name}', { … }) to the access of defineLake`,
  })
}

/** What a run is told of them. */
export function workerOptions(command: Command, lake: Lake, engines: StepEngines | undefined) {
  if (!engines) return {}
  const portable = portableOn(lake, askedEngine(command, lake))
  const { carryOut: worker, atOnce: stepsAtOnce, elsewhere } = engines
  return { worker, stepsAtOnce, elsewhere, portable }
}
