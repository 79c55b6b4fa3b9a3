import type { Folder } from '../define/export/folder.js'
import type { ExportTable, Target } from '../define/export/target.js'
import type { OpenConnection } from '../define/source.js'
import type { Session } from '../engine/engine.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import {
  checkedConnection,
  databaseError,
  NO_TEXT,
  placeOf,
  secretsOf,
} from '../source/database/failures.js'
import { settled } from '../source/database/settled.js'
import type { Storage } from '../storage/storage.js'
import type { TargetDialect, TargetSession } from './dialect.js'
import type { LakeTable } from './lake-table.js'
import { CommitFailed, GrantFailed } from './load/work.js'

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
  const where = (secrets: readonly string[], at: string) => telling({ at, secrets, dialect })
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
    case 'sqlserver':
      return {
        dialect: (await import('./sqlserver/dialect.js')).sqlserver,
        connect: (await import('./sqlserver/session.js')).connectSqlServer,
      }
    default:
      return {
        dialect: (await import('./postgres/dialect.js')).postgres,
        connect: (await import('./postgres/session.js')).connectPostgres,
      }
  }
}

/** Where an error comes from. */
interface Telling {
  at: string
  secrets: readonly string[]
  dialect: TargetDialect
}

function telling({ at, secrets, dialect }: Telling) {
  return async <T>(use: () => Promise<T>): Promise<T> => {
    try {
      return await use()
    } catch (error) {
      if (error instanceof MoraineError) throw error
      const isUnknown = error instanceof CommitFailed
      const isThere = error instanceof GrantFailed
      const found = isUnknown || isThere ? error.cause : error
      const { error: inner, hint } = dialect.explain?.(found) ?? { error: found, hint: undefined }
      const { message, retryable, hint: known } = databaseError(at, inner, secrets, hint)
      throw new MoraineError('export', message, {
        retryable,
        hint: isUnknown ? UNKNOWN : isThere ? NOT_GRANTED : hintOf(known),
      })
    }
  }
}

/** What is said to who reads a database is of no use to who writes to one. */
const hintOf = (hint: string | undefined) =>
  !hint || hint.startsWith('Run again') ? AGAIN : hint === NO_TEXT ? NO_SUCH_TEXT : hint

const AGAIN =
  'The table in the target is as it was. Export again once that is solved: moraine export'

const UNKNOWN =
  'It happened while the target committed: the table is as it was, or as the lake has it. Export again, which finds out and writes nothing twice: moraine export'

const NOT_GRANTED =
  'The table has the rows of the lake, but not all of grants may read it. Create the users that are missing, or let the one of the export grant SELECT, and export again: moraine export'

const NO_SUCH_TEXT =
  'The table in the target is as it was. It does not hold a character that a text has, such as NUL: remove it in the query of a gold dataset, and export that.'
