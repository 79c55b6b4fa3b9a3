import type { DuckDBConnection } from '@duckdb/node-api'
import { once } from '../../process/once.js'
import type { JsFunction } from '../../quality/functions.js'
import type { Staging } from '../../storage/staging.js'
import type { Extension, ResultRow } from '../engine.js'
import { isEngineLost, SqlError } from '../sql-error.js'
import { wasStopped } from '../stopped.js'
import type { DuckDBInstance } from './driver.js'
import type { Life } from './lives.js'
import { plainRow, scalarFunction } from './results.js'
import type { StatementGuard } from './statement-guard.js'

/** What all sessions of an engine share. */
export interface Shared {
  /** Names of the functions in JavaScript that SQL can call. */
  functions: Set<string>
  /** What one of them makes: who comes later waits for it. */
  done: Map<string, Promise<void>>
  /** Extensions that could be loaded, or could not, each tried once. */
  loaded: Map<Extension, Promise<boolean>>
  /**
   * How many statements are planned quickly at the moment, and the optimizers that are off
   * otherwise.
   */
  quick: { statements: number; otherwise: string }
  guard: StatementGuard
  /** Where the objects of buckets lie. */
  staging: Staging
}

/** What an engine does for a session. */
export interface Upkeep {
  /** Has it go on with another instance. */
  renew(lost: DuckDBInstance): Promise<void>
  /** Lets the statement that is about to begin read buckets where they lie. */
  reach(): Promise<void>
}

/** Runs statements over one connection, for all parts of a session. */
export class Statements {
  constructor(
    private life: Life,
    private readonly upkeep: Upkeep,
    readonly shared: Shared,
  ) {}

  get connection(): DuckDBConnection {
    return this.life.connection
  }

  /** The number of the instance of the engine. */
  get instance(): number {
    return this.life.number
  }

  goOn(life: Life): void {
    this.life = life
  }

  async run(sql: string): Promise<void> {
    await this.try(sql, (text) => this.connection.run(text))
  }

  async rows(sql: string): Promise<ResultRow[]> {
    const reader = await this.try(sql, (text) => this.connection.runAndReadAll(text))
    return reader.getRowObjects().map(plainRow)
  }

  /** Makes JavaScript callable that SQL names. */
  register(functions: readonly JsFunction[]): void {
    for (const { name, call } of functions) {
      if (this.shared.functions.has(name)) continue
      this.shared.functions.add(name)
      this.connection.registerScalarFunction(scalarFunction(name, call))
    }
  }

  /** Two sessions that make the same thing at the same time would be refused. */
  once(what: string, make: () => Promise<void>): Promise<void> {
    return once(this.shared.done, what, make)
  }

  /** Runs something and turns what the engine throws into an error that says what was run. */
  async try<T>(
    sql: string,
    use: (sql: string) => Promise<T>,
    /** Where it writes. */
    to?: string,
  ): Promise<T> {
    await this.upkeep.reach()
    await this.shared.staging.fetchMentioned(sql)
    try {
      const path = to && this.shared.staging.localPath(to)
      return await this.shared.guard.during(
        () => this.connection.interrupt(),
        path,
        () => use(sql),
      )
    } catch (cause) {
      const { instance } = this.life
      if (isEngineLost(cause)) await this.upkeep.renew(instance).catch(() => {})
      throw wasStopped(cause) ? cause : new SqlError(sql, cause)
    }
  }
}
