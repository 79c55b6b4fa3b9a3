import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { machineMemory } from '../../process/memory.js'
import { diskOf, roomToSpill } from '../../storage/disk.js'
import { scratchFolder } from '../../storage/scratch.js'
import { type ObjectAccess, type Readable, Staging } from '../../storage/staging.js'
import type { Engine } from '../engine.js'
import type { EngineOptions } from '../open.js'
import { DuckDBInstance } from './driver.js'
import { Lives } from './lives.js'
import { MemoryGuard } from './memory-guard.js'
import { confinedTo, filesConfinedTo } from './paths.js'
import { DuckDBSession } from './session.js'
import { kibibytes, settle } from './sizes.js'
import { StatementGuard } from './statement-guard.js'
import type { Shared } from './statements.js'

export interface DuckDBOptions extends Omit<EngineOptions, 'process'> {
  /** Looks at the memory of the whole process; without it, that leaves the machine a tenth. */
  guard?: MemoryGuard
  /** What tells of disks. */
  disk?: typeof diskOf
  /** Further settings; they are given to DuckDB as they are. */
  settings?: Readonly<Record<string, string>>
}

/**
 * The embedded engine: everything in this process, larger than memory through a folder for
 * spilling.
 */
export class DuckDB implements Engine {
  private readonly shared: Shared
  /** The roots of buckets that can be read: when their credentials end, and are asked for again. */
  private readonly reached = new Map<string, { ends: number; again: number }>()
  private reaching = Promise.resolve()
  private readonly lives: Lives

  private constructor(
    instance: DuckDBInstance,
    begin: () => Promise<DuckDBInstance>,
    private readonly temporary: string,
    quick: Shared['quick'],
    guard: StatementGuard,
    watched: boolean,
    staging: Staging,
  ) {
    const shared = {
      functions: new Set<string>(),
      done: new Map(),
      loaded: new Map(),
      quick,
      guard,
      staging,
    }
    this.shared = shared
    const forget = () => {
      for (const made of [shared.functions, shared.done, shared.loaded, this.reached]) made.clear()
      quick.statements = 0
    }
    this.lives = new Lives(instance, begin, forget, watched)
  }

  static async start(options: DuckDBOptions = {}): Promise<DuckDB> {
    const temporary = await scratchFolder('engine')
    const { disk = diskOf } = options
    const memory = options.memory ?? Math.floor(machineMemory() * 0.6)
    const room = roomToSpill(disk(temporary))
    const spill = Math.min(
      room ?? Number.POSITIVE_INFINITY,
      options.spill ?? Number.POSITIVE_INFINITY,
    )
    const settings = {
      threads: String(options.threads ?? availableParallelism()),
      memory_limit: kibibytes(memory),
      temp_directory: temporary,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      // None of the user's: the folder is empty. Databases can't be attached where there may be
      // none at all.
      secret_directory: join(temporary, 'secrets'),
      partitioned_write_max_open_files: '1000',
      // Giving memory back to the system after each query, to ask for it again, costs more than it
      // saves.
      allocator_flush_threshold: '1GiB',
      allocator_bulk_deallocation_flush_threshold: '1GiB',
      ...(options.extensions ? { extension_directory: options.extensions } : {}),
      ...options.settings,
    }
    const begin = async () => {
      const instance = await DuckDBInstance.create(':memory:', settings)
      await settle(instance, spill)
      return instance
    }
    const otherwise = options.settings?.disabled_optimizers ?? ''
    const memoryGuard = options.guard ?? MemoryGuard.within()
    const guard = new StatementGuard(temporary, disk, memoryGuard)
    const quick = { statements: 0, otherwise }
    const { watched = false, staging = new Staging() } = options
    return new DuckDB(await begin(), begin, temporary, quick, guard, watched, staging)
  }

  async open(): Promise<DuckDBSession> {
    const session = new DuckDBSession(
      await this.lives.connect(),
      {
        renew: async (lost) => {
          session.goOn(await this.lives.after(lost))
          await this.reachObjects(session)
        },
        reach: () => this.stillReach(),
      },
      this.shared,
    )
    await this.reachObjects(session)
    return session
  }

  /**
   * Lets Parquet files in buckets be read where they lie, where that can be; otherwise copies are
   * read.
   */
  private async reachObjects(session: DuckDBSession): Promise<void> {
    const { staging } = this.shared
    const roots = staging.readableRoots()
    if (roots.length === 0 || !(await session.files.loads('httpfs'))) return
    await this.reachInTurn(roots)
    staging.readInPlace()
  }

  /** A statement goes on with the credentials that there are when it begins. */
  private async stillReach(): Promise<void> {
    if (this.reached.size === 0) return
    const roots = this.shared.staging.readableRoots()
    await this.reachInTurn(roots.filter(({ url }) => this.reached.has(url)))
  }

  private reachInTurn(roots: readonly Readable[]): Promise<void> {
    const turn = this.reaching.catch(() => {}).then(() => this.reachAll(roots))
    this.reaching = turn
    return turn
  }

  private async reachAll(roots: readonly Readable[]): Promise<void> {
    for (const { url, access } of roots) {
      const known = this.reached.get(url)
      const now = Date.now()
      if (known && now < known.again) continue
      try {
        const given = await access(LASTING)
        await this.reach(given)
        const ends = given.expires?.getTime() ?? Number.POSITIVE_INFINITY
        const again = Math.min(Math.max(now + ASKED_AGAIN, ends - LASTING), ends)
        this.reached.set(url, { ends, again })
      } catch (error) {
        if (!known || now >= known.ends) throw error
        this.reached.set(url, { ...known, again: Math.min(now + ASKED_AGAIN, known.ends) })
      }
    }
  }

  /** On a connection of its own: a session may be interrupted at any time. */
  private async reach(access: ObjectAccess): Promise<void> {
    const nothing = async () => {}
    const upkeep = { renew: nothing, reach: nothing }
    const session = new DuckDBSession(await this.lives.connect(), upkeep, this.shared)
    await session.files.reach(access).finally(() => session.close())
  }

  async confine(locations: readonly string[]): Promise<void> {
    // What reads buckets where they lie is loaded now or never.
    if (locations.length > 0) (await this.open()).close()
    await this.lives.confine(locations.flatMap((l) => confinedTo(this.shared.staging, l)))
  }

  confineToFiles(locations: readonly string[]): Promise<void> {
    return this.lives.confineToFiles(
      locations.flatMap((l) => filesConfinedTo(this.shared.staging, l)),
    )
  }

  limitMemory(bytes: number): Promise<void> {
    return this.lives.limitMemory(bytes)
  }

  extensionsFrom(folder: string): Promise<void> {
    return this.lives.extensionsFrom(folder)
  }

  async close(): Promise<void> {
    this.lives.close()
    await rm(this.temporary, { recursive: true, force: true })
  }
}

/** Milliseconds that credentials are to last when a statement begins, where that can be. */
const LASTING = 30 * 60_000
/** Milliseconds between two attempts to have such. */
const ASKED_AGAIN = 2 * 60_000
