import { availableParallelism } from 'node:os'
import { engineOf, type StepEngine, slotsOf } from '../../define/engines/step-engine.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset } from '../../define/model.js'
import { engineVersion } from '../../engine/open.js'
import type { Hello, Machine } from '../../engine/workers/protocol.js'
import type { Workers } from '../../engine/workers/workers.js'
import { program } from '../../log/program.js'
import { executeStep } from '../../run/execute-step.js'
import { inParts } from '../../run/split/in-parts.js'
import { userVariable } from '../../settings.js'
import type { StepWorker } from '../../step/context.js'
import type { Storage } from '../../storage/storage.js'
import { type OpenRoom, TrinoSteps } from '../trino/trino-steps.js'
import { type LaidDefinition, layCopy, layDefinition } from './definition.js'
import { enginesOf, type OtherEngine, processesOf } from './engines-of.js'
import { type OpenWorkers, openWorkers } from './open-workers.js'
import { SharedStart } from './shared-start.js'
import { type StepsOfWorkers, stepsBy, type WorkerReady } from './step-workers.js'

export interface StepEnginesOptions {
  lake: Lake
  /** The file that defines it. */
  file: string
  /** The file is a definition that stands for itself already, as `portableDefinition` makes it. */
  isCopy?: boolean
  storage: Storage
  /** The engine of all datasets, whatever the lake and they themselves say. */
  instead?: StepEngine | undefined
  /** Bytes that the engine of each worker may use. */
  memory: number
  /** Whether somebody looks at how far steps are. */
  watched?: boolean
  /** Is told what workers write. */
  log: (text: string) => void
  /** Opens branches of runs' own, on which Trino builds tables. */
  openRoom?: OpenRoom
}

/** Workers that have begun on one machine, those that were replaced as well. */
export interface WorkersOnMachine extends Machine {
  workers: number
  duckdb: string
}

/**
 * Has the steps of a lake's datasets carried out by the engines that are theirs. Engines are
 * started when the first step needs them, and are there until they are closed.
 */
export class StepEngines implements AsyncDisposable {
  /** Steps that are worth having under way at the same time. */
  readonly atOnce: number
  private laid: Promise<LaidDefinition> | undefined
  private readonly trinos: TrinoSteps
  private readonly workers = new Map<string, WorkerReady>()
  private readonly begun = new Map<string, SharedStart<BegunEngine>>()
  /** Those whose start is being ended, too. */
  private readonly starts = new Set<SharedStart<BegunEngine>>()

  constructor(
    private readonly options: StepEnginesOptions,
    private readonly open: OpenWorkers = openWorkers,
  ) {
    const { lake, instead, openRoom } = options
    this.trinos = new TrinoSteps(openRoom)
    const slots = enginesOf(lake, instead).map((one) => slotsOf(one, availableParallelism()))
    this.atOnce = Math.max(availableParallelism(), ...slots, processesOf(lake, instead))
  }

  /** Whether steps of a dataset are carried out by workers. */
  readonly elsewhere = (dataset: AnyDataset): boolean => {
    const { lake, instead } = this.options
    return ['workers', 'spark'].includes(engineOf(dataset, lake, instead).engine)
  }

  readonly carryOut: StepWorker = async (resources, dataset, task) => {
    const { lake, instead } = this.options
    const engine = engineOf(dataset, lake, instead)
    const isView = dataset.tier === 'gold' && dataset.view
    if (engine.engine === 'duckdb' || isView) return executeStep(resources, dataset, task)
    if (engine.engine === 'trino') return this.trinos.of(engine)(resources, dataset, task)
    const { steps } = await this.engine(engine, resources.signal)
    const whole = inParts(slotsOf(engine, availableParallelism()), steps.carryOut)
    try {
      return await whole(resources, dataset, task)
    } finally {
      await steps.forget(task, resources.storage)
    }
  }

  /** The machines on which workers have begun, and how many there. */
  get machines(): WorkersOnMachine[] {
    const found = new Map<string, WorkersOnMachine>()
    for (const { duckdb, machine } of this.workers.values()) {
      const one = { ...machine, duckdb }
      const key = JSON.stringify(one)
      found.set(key, { workers: (found.get(key)?.workers ?? 0) + 1, ...one })
    }
    return [...found.values()]
  }

  /** Ends all workers, whatever they do. */
  async close(): Promise<void> {
    for (const one of this.starts) one.end()
    const begun = await Promise.allSettled([...this.starts].map(({ started }) => started))
    for (const one of begun) if (one.status === 'fulfilled') await one.value.workers.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private engine(engine: OtherEngine, signal: AbortSignal): Promise<BegunEngine> {
    const key = JSON.stringify(engine)
    const known = this.begun.get(key)
    if (known && !known.isEnded) return known.wait(signal)
    const one = new SharedStart((stop) => this.begin(engine, stop))
    this.begun.set(key, one)
    this.starts.add(one)
    // Who tries again is to find another one.
    one.started.catch(() => {
      this.starts.delete(one)
      if (this.begun.get(key) === one) this.begun.delete(key)
    })
    return one.wait(signal)
  }

  private async begin(engine: OtherEngine, stop: AbortSignal): Promise<BegunEngine> {
    const { storage, file, isCopy = false, log, lake } = this.options
    this.laid ??= (isCopy ? layCopy : layDefinition)(storage, file, lake)
    this.laid.catch(() => {
      this.laid = undefined
    })
    const laid = await this.laid
    const workers = await this.open(engine, await this.hello(laid), laid.lay, stop)
    const began = (worker: WorkerReady) => this.workers.set(worker.where, worker)
    const { definitions } = laid
    return { workers, steps: stepsBy(workers, { definitions, log, began }) }
  }

  /** What is said to each worker. */
  private async hello({ path, sha256, environment }: LaidDefinition): Promise<Hello> {
    const { storage, memory, watched, lake, instead } = this.options
    const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions()
    return {
      protocol: 1,
      moraine: program,
      duckdb: await engineVersion(),
      unicode: process.versions.unicode,
      zone: timeZone,
      locale,
      definition: { path, sha256 },
      root: storage.address ?? storage.url,
      environment: environment.filter((name) => userVariable(name)),
      memory: Math.floor(memory),
      threads: Math.max(1, Math.floor(availableParallelism() / processesOf(lake, instead))),
      watched,
    }
  }
}

interface BegunEngine {
  workers: Workers
  steps: StepsOfWorkers
}
