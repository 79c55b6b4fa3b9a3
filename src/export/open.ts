import type { Folder } from '../define/export/folder.js'
import type { ExportTable, Target } from '../define/export/target.js'
import type { OpenConnection } from '../define/source.js'
import type { Session } from '../engine/engine.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import {
  checkedConnection,
  databaseError,
  placeOf,
  secretsOf,
} from '../source/database/failures.js'
import { settled } from '../source/database/settled.js'
import type { Storage } from '../storage/storage.js'
import type { TargetDialect, TargetSession } from './dialect.js'
import type { LakeTable } from './lake-table.js'

/** A target that is connected, and what it says in our words. */
export interface Opened extends AsyncDisposable {
  dialect: TargetDialect
  session: TargetSession
  /** Turns what the client library throws into an error of kind `export`, without secrets. */
  telling<T>(use: () => Promise<T>): Promise<T>
}

/** What is connected to, and what for. */
export interface Connectable {
  target: Exclude<Target, Folder>
  place: SourceLocation | undefined
  schema: string | undefined
  table: ExportTable
  now: Pick<LakeTable, 'columns'>
  /** The lake's. */
  storage: Storage
}

/** Connects to the target of a warehouse. */
export async function openTarget(to: Connectable, engine: Session): Promise<Opened> {
  const { target, place } = to
  if (target.kind === 'duckdb') {
    const { connectDuckDB } = await import('./duckdb/target.js')
    const opened = await connectDuckDB(engine, target.path, place, to.storage)
    const { session } = opened
    return {
      ...opened,
      telling: (use) => use(),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    }
  }
  const { dialect, connect } = await kindOf(to, engine)
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

interface Kind {
  dialect: TargetDialect
  connect(connection: OpenConnection): Promise<TargetSession>
}

async function kindOf(to: Connectable, engine: Session): Promise<Kind> {
  const { target, table, now, schema, storage: lake } = to
  switch (target.kind) {
    case 'redshift': {
      const { redshiftDialect } = await import('./redshift/dialect.js')
      const { layoutOf } = await import('./redshift/layout.js')
      const { connectRedshift } = await import('./redshift/session.js')
      return {
        dialect: redshiftDialect(layoutOf(table, now.columns)),
        connect: (connection) => connectRedshift(connection, target, { engine, lake, schema }),
      }
    }
    case 'mysql':
      return {
        dialect: (await import('./mysql/dialect.js')).mysql,
        connect: (await import('./mysql/session.js')).connectMysql,
      }
    default:
      return {
        dialect: (await import('./postgres/dialect.js')).postgres,
        connect: (await import('./postgres/session.js')).connectPostgres,
      }
  }
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
