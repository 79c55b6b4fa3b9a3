import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Lake } from '../../src/define/lake.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { ResultRow } from '../../src/engine/engine.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { loadLake } from '../../src/load/load.js'
import type { Changes, LakeState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { limitsOf } from '../../src/query/limits.js'
import { queryRows } from '../../src/query/query.js'
import type { RunOptions } from '../../src/run/options.js'
import type { RunRecord, StepResult } from '../../src/step/events.js'
import { Relations } from '../../src/step/relations.js'
import { LocalStorage } from '../../src/storage/local.js'
import type { Storage } from '../../src/storage/storage.js'
import { command } from './commands.js'

export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

export type Files = Record<string, string | Uint8Array>

/** A project in a folder of its own, as a user has it. */
export class Project {
  private constructor(
    readonly folder: string,
    /** The folder with extensions of the engine. */
    private readonly extensions: string | undefined,
  ) {}

  /** @param inside what its folder is called, below one that is removed when the test ends. */
  static async create(files: Files, extensions?: string, inside = ''): Promise<Project> {
    const project = new Project(join(await temporaryFolder(), inside), extensions)
    await project.write(files)
    return project
  }

  /** One that lies in a folder already. */
  static at(folder: string): Project {
    return new Project(folder, undefined)
  }

  async write(files: Files): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.folder, path)), { recursive: true })
      await writeFile(join(this.folder, path), content)
    }
  }

  get storage(): LocalStorage {
    return new LocalStorage(join(this.folder, 'lake'))
  }

  storageAt(folder: string): LocalStorage {
    return new LocalStorage(folder)
  }

  load(): Promise<Lake> {
    return loadLake(join(this.folder, 'lake.ts'))
  }

  run(options: Omit<RunOptions, 'storage' | 'engine'> = {}): Promise<RunRecord> {
    return this.runOn(this.storage, options)
  }

  /** A run on a storage of the test's own making. */
  async runOn(
    storage: Storage,
    options: Omit<RunOptions, 'storage' | 'engine'> = {},
  ): Promise<RunRecord> {
    const house = new Lakehouse(storage)
    const engine = await house.startEngine({ threads: 2, extensions: this.extensions })
    try {
      return await house.run(await this.load(), { engine, ownEngine: true, ...options })
    } finally {
      await engine.close()
    }
  }

  state(at?: number): Promise<LakeState> {
    const log = new CommitLog(this.storage)
    return at === undefined ? log.head() : log.stateAt(at)
  }

  /** Commits changes of the state, as another version of Moraine might have. */
  async commit(changes: Changes): Promise<void> {
    const log = new CommitLog(this.storage)
    const info = { author: 'test', message: 'an earlier version', run: 'test' }
    await log.commit(await log.head(), changes, info)
  }

  async query(sql: string, at?: number): Promise<ResultRow[]> {
    return queryRows(this.storage, await this.state(at), sql, { limits: limitsOf() })
  }

  /** Runs something that reads the lake's tables in this process, which is quicker than queries. */
  async reading<T>(use: (rows: (sql: string) => Promise<ResultRow[]>) => Promise<T>): Promise<T> {
    const engine = await DuckDB.start({ threads: 2 })
    try {
      const session = await engine.open()
      const state = await this.state()
      const relations = new Relations(this.storage, state)
      for (const name of Object.keys(state.tables)) {
        const [tier = '', table = ''] = name.split('.')
        await session.define(tier, table, await relations.tableRelation(session, name))
      }
      return await use((sql) => session.rows(sql))
    } finally {
      await engine.close()
    }
  }

  /**
   * Runs the built command line in this project, in a process that it may have to itself or not.
   */
  cli(...args: string[]): Promise<Outcome> {
    return command(['-C', this.folder, ...args])
  }
}

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs the command line as a process of its own. */
export function moraine(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [join(repository, 'bin/moraine.js'), ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    out.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    out.stderr += chunk
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...out })))
}

export function step(record: RunRecord, dataset: string): StepResult {
  const found = record.steps.find((s) => s.dataset === dataset)
  if (!found) throw new Error(`${dataset} had no step`)
  return found
}
