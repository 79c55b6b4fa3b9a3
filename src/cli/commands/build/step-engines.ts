import type { Command } from 'commander'
import { engineNamed, type StepEngine } from '../../../define/engines/step-engine.js'
import type { Lake } from '../../../define/lake.js'
import { MoraineError } from '../../../errors.js'
import { findLakeFile } from '../../../load/load.js'
import { hasOthers, processesOf, StepEngines } from '../../../load/workers/step-engines.js'
import { memoryOfEngine, type Shares } from '../../engine.js'
import { show } from '../../output/terminal.js'
import type { Project } from '../../project.js'

/** Gives a command the option that {@link askedEngine} reads. */
export function withEngine(command: Command): Command {
  return command.option(
    '--engine <engine>',
    'what runs the steps of silver and gold: duckdb (this process), workers:4 (four processes), spark, or spark:local[2]; overrides lake.ts',
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
    hint: 'Use duckdb, workers and their number (--engine workers:4), spark, or spark and its address (--engine spark:local[2]).',
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
 * @param engines how many engines of its own the command has.
 */
export function openStepEngines(
  command: Command,
  { lake, storage, folder }: Pick<Project, 'lake' | 'storage' | 'folder'>,
  { engines = 1 }: Pick<Shares, 'engines'> = {},
): StepEngines | undefined {
  const instead = askedEngine(command, lake)
  if (!hasOthers(lake, instead)) return undefined
  const workers = workersOf(command, lake)
  return new StepEngines({
    lake,
    file: findLakeFile(folder),
    storage,
    instead,
    memory: memoryOfEngine(command, { engines, workers }),
    watched: process.stdout.isTTY,
    log: (text) => show(`${text}\n`, process.stderr),
  })
}

/** What a plan says of where steps run. */
export function placing(command: Command, lake: Lake) {
  const instead = askedEngine(command, lake)
  return { instead, memory: memoryOfEngine(command, { workers: workersOf(command, lake) }) }
}

/** What a run is told of them. */
export function workerOptions(engines: StepEngines | undefined) {
  return engines ? { worker: engines.carryOut, stepsAtOnce: engines.atOnce } : {}
}
