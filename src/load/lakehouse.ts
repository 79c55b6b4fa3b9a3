import type { Lake } from '../define/lake.js'
import type { OwnSources } from '../define/options/own-sources.js'
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
    private readonly on?: { branch: string; ownSources: OwnSources },
  ) {
    this.staging = stagingOf(storage)
  }

  /** The branch that all work is on; `undefined` for main. */
  get branch(): string | undefined {
    return this.on?.branch
  }

  /** What the branch reads from elsewhere than main, as an environment says. */
  get ownSources(): OwnSources {
    return this.on?.ownSources ?? new Map()
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
  async onBranch(name: string, ownSources: OwnSources = new Map()): Promise<Lakehouse<S>> {
    const { openNamed } = await import('../log/branch/named.js')
    const log = await openNamed(this.log.main, name)
    return new Lakehouse(this.storage, this.now, log, { branch: name, ownSources })
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
    const { storage, log, now, on } = this
    const record = await runLake(lake, { now, ...options, ...on, storage, log })
    // What lies on a branch is not what others should see.
    if (lake.exports.length === 0 || on !== undefined) return record
    const { exportAfterRun } = await import('../export/export-lake.js')
    const startEngine = () => this.startEngine({ memory: exportMemory() })
    return exportAfterRun({ lake, storage, log, startEngine }, record, options.onEvent)
  }
}

/** Bytes for the engine of an export, which streams: beside the run's own. */
const exportMemory = () => Math.max(512 * 2 ** 20, Math.floor(machineMemory() * 0.15))
