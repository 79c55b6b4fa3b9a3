import type { Folder } from '../define/export/folder.js'
import type { Target } from '../define/export/target.js'
import type { Session } from '../engine/engine.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import {
  checkedConnection,
  databaseError,
  placeOf,
  secretsOf,
} from '../source/database/failures.js'
import { settled } from '../source/database/settled.js'
import type { TargetDialect, TargetSession } from './dialect.js'

/** A target that is connected, and what it says in our words. */
export interface Opened extends AsyncDisposable {
  dialect: TargetDialect
  session: TargetSession
  /** Turns what the client library throws into an error of kind `export`, without secrets. */
  telling<T>(use: () => Promise<T>): Promise<T>
}

/** What is connected to. */
export interface Connectable {
  target: Exclude<Target, Folder>
  place: SourceLocation | undefined
}

/** Connects to the target of a warehouse. */
export async function openTarget(to: Connectable, engine: Session): Promise<Opened> {
  const { target, place } = to
  if (target.kind === 'duckdb') {
    const { connectDuckDB } = await import('./duckdb/target.js')
    const opened = await connectDuckDB(engine, target.path, place)
    const { session } = opened
    return {
      ...opened,
      telling: (use) => use(),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    }
  }
  const { dialect, connect } = await kinds[target.kind]()
  const where = (secrets: readonly string[], at: string) => telling(at, secrets)
  const early = await settled(target.connection)
  const connection = checkedConnection(dialect.name, early, place)
  const tell = where(secretsOf(connection), placeOf(dialect.name, connection))
  const session = await tell(() => connect(connection))
  return {
    dialect,
    session,
    telling: where(session.secrets, session.place),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  }
}

const kinds = {
  postgres: async () => ({
    dialect: (await import('./postgres/dialect.js')).postgres,
    connect: (await import('./postgres/session.js')).connectPostgres,
  }),
  mysql: async () => ({
    dialect: (await import('./mysql/dialect.js')).mysql,
    connect: (await import('./mysql/session.js')).connectMysql,
  }),
}

function telling(at: string, secrets: readonly string[]) {
  return async <T>(use: () => Promise<T>): Promise<T> => {
    try {
      return await use()
    } catch (error) {
      if (error instanceof MoraineError) throw error
      const { message, retryable, hint } = databaseError(at, error, secrets)
      throw new MoraineError('export', message, {
        retryable,
        hint: hint?.startsWith('Run again') || !hint ? AGAIN : hint,
      })
    }
  }
}

const AGAIN =
  'The table in the target is as it was. Export again once that is solved: moraine export'
