import type { Lake } from '../define/lake.js'
import type { Engine } from '../engine/engine.js'
import { type EngineOptions, openEngine } from '../engine/open.js'
import { CommitLog } from '../log/log.js'
import { machineMemory } from '../process/memory.js'
import type { RunOptions } from '../run/options.js'
import { variable } from '../settings.js'
import type { RunRecord } from '../step/events.js'
import type { Staging } from '../storage/staging.js'
import { type Storage, stagingOf } from '../storage/storage.js'
import { type OpenOptions, openStorage } from './root.js'

/**
 * What all work on one lake shares. It is put together here and nowhere else: by commands, the
 * daemon, programs (`openLake`), processes that work for them, and tests. What is of one lake lives
 * as long as this does, and not as long as the process.
 */
export class Lakehouse<S extends Storage = Storage> {
  /** Where its engines find the objects of its storage. */
  readonly staging: Staging

  constructor(
    readonly storage: S,
    /** What time it is. */
    readonly now: () => Date = () => new Date(),
    readonly log: CommitLog = new CommitLog(storage),
    /** The branch that all work is on; `undefined` for main. */
    readonly branch?: string,
  ) {
    this.staging = stagingOf(storage)
  }

  /** @throws MoraineError of kind `usage` for a URL of a kind that is not known. */
  static at(root: string, options: OpenOptions = {}) {
    return new Lakehouse(openStorage(root, options))
  }

  /**
   * The same lake, as it is on a branch.
   *
   * @throws MoraineError of kind `usage` where there is none of that name.
   */
  async onBranch(name: string): Promise<Lakehouse<S>> {
    const { openNamed } = await import('../log/branch/named.js')
    return new Lakehouse(this.storage, this.now, await openNamed(this.log.main, name), name)
  }

  /**
   * Starts an engine that finds the lake's objects; with extensions from MORAINE_EXTENSIONS, or
   * else its own folder.
   */
  startEngine(options: EngineOptions = {}): Promise<Engine> {
    const extensions = variable('MORAINE_EXTENSIONS')
    return openEngine({ extensions, ...options, staging: this.staging })
  }

  /** Brings the lake up to date, and what it exports; see `runLake`. */
  async run(lake: Lake, options: Omit<RunOptions, 'storage' | 'log'>): Promise<RunRecord> {
    const { runLake } = await import('../run/execute.js')
    const { storage, log, now, branch } = this
    const on = branch === undefined ? {} : { branch }
    const record = await runLake(lake, { now, ...options, ...on, storage, log })
    // What lies on a branch is not what others should see.
    if (lake.exports.length === 0 || branch !== undefined) return record
    const { exportAfterRun } = await import('../export/export-lake.js')
    const startEngine = () => this.startEngine({ memory: exportMemory() })
    return exportAfterRun({ lake, storage, log, startEngine }, record, options.onEvent)
  }
}

/** Bytes for the engine of an export, which streams: beside the run's own. */
const exportMemory = () => Math.max(512 * 2 ** 20, Math.floor(machineMemory() * 0.15))
