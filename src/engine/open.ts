import type { Staging } from '../storage/staging.js'
import type { Engine } from './engine.js'

export interface EngineOptions {
  /** Bytes that the engine may use; beyond it spills to disk. Default: 60 % of the machine's. */
  memory?: number
  /**
   * Bytes that the whole process should stay within; without a number it leaves the machine a
   * tenth.
   */
  process?: number | undefined
  /** Bytes of disk that it may spill. Default, and at most: half of what is free. */
  spill?: number | undefined
  threads?: number
  /** Where it finds the objects of buckets: that of the storages which it works with. */
  staging?: Staging
  /** The folder with the engine's extensions, where it is not its own. */
  extensions?: string | undefined
  /**
   * Whether sessions know how far their statements are. The engine then counts that with each of
   * its tasks, which takes up to a tenth of the time of short statements. Default: no.
   */
  watched?: boolean
}

/** The version of the engine: `v1.5.5`. */
export async function engineVersion(): Promise<string> {
  return (await import('./duckdb/driver.js')).version()
}

/** Starts the engine that runs in this process. It is loaded only now: that takes its time. */
export async function openEngine({ process, ...options }: EngineOptions = {}): Promise<Engine> {
  const [{ DuckDB }, { MemoryGuard }] = await Promise.all([
    import('./duckdb/duckdb.js'),
    import('./duckdb/memory-guard.js'),
  ])
  return DuckDB.start({ ...options, guard: MemoryGuard.within(process) })
}
