import type { Session } from '../../engine/engine.js'
import type { Figures } from '../../engine/export-io.js'
import { MoraineError, messageOf } from '../../errors.js'
import type { Definition } from '../../log/commit.js'
import type { Storage } from '../../storage/storage.js'
import type { Decision } from '../decide.js'
import type { TableName, TargetDialect, TargetSession } from '../dialect.js'
import { type LakeTable, rowsOf } from '../lake-table.js'
import type { ExportRecord } from '../record.js'
import type { Records } from './records.js'

/** Points of a load at which a process can end; tests end it at each. */
const points = ['locked', 'planned', 'staged', 'applied', 'compared', 'recorded', 'done'] as const
export type Point = (typeof points)[number]

/** One table to load, and all it takes. */
export interface Load {
  lake: string
  storage: Storage
  engine: Session
  dialect: TargetDialect
  target: TargetSession
  table: TableName
  now: LakeTable
  /** The same as the lake's newest commit has it. */
  newest: () => Promise<LakeTable>
  /**
   * What this lake built the version by that a target says it has; `undefined`: it never had it.
   */
  builtBy: (record: Pick<ExportRecord, 'commit' | 'metadata'>) => Promise<Definition | undefined>
  full: boolean
  grants: readonly string[]
  /** Told of each point that is reached. */
  at: (point: Point) => void
  /** Told what is waited for. */
  note: (text: string) => void
}

/** What a load did. */
export interface Loaded {
  decision: Decision
  /** Rows that were written, and that the table has now. */
  written: bigint
  rows: bigint
  /** The commit whose rows the target has now. */
  commit: number
  /** The commit that the target has, where nothing was loaded. */
  has?: number | undefined
}

/** Where and how a load is recorded. */
export interface Recording {
  records: Records
  recordOf(written: Written): ExportRecord
}

/** What writing a table has done, before it is recorded. */
export interface Written {
  mode: ExportRecord['mode']
  written: bigint
  figures: Figures
}

/**
 * The table to load where a target has that of a commit. While this export waited, another one may
 * have loaded a later version than this one looked at: a target does not go back behind that.
 */
export async function notBehind(
  { now, newest }: Pick<Load, 'now' | 'newest'>,
  has: number | undefined,
): Promise<LakeTable> {
  return has === undefined || has <= now.commit ? now : newest()
}

/** What the lake knows of the version that a target has. */
export async function knownOf(
  { builtBy, now }: Pick<Load, 'builtBy' | 'now'>,
  record: ExportRecord | undefined,
): Promise<{ isOwn: boolean; hasOtherKey: boolean }> {
  if (!record) return { isOwn: true, hasOtherKey: false }
  const then = await builtBy(record)
  return { isOwn: then !== undefined, hasOtherKey: then?.key !== now.definition.key }
}

export const shownName = ({ schema, name }: TableName) =>
  schema === undefined ? name : `${schema}.${name}`

/** The lake's figures of all rows. */
export async function lakeFigures({ engine, storage, now, dialect }: Load): Promise<Figures> {
  const rows = await rowsOf(engine, storage, now.table)
  return engine.exports.figures(rows, now.columns, dialect.textUnits)
}

/**
 * Why it is not known whether a transaction was committed: the answer of the target is missing, or
 * says that it was not.
 */
export class CommitFailed extends Error {
  constructor(override readonly cause: unknown) {
    super(messageOf(cause))
  }
}

/** Why a table that has its rows may not be read by all who should read it. */
export class GrantFailed extends Error {
  constructor(override readonly cause: unknown) {
    super(messageOf(cause))
  }
}

/** Has grants behind what was committed tell apart that the rows are there. */
export async function granting(grant: () => Promise<unknown>): Promise<void> {
  await grant().catch((cause) => {
    throw new GrantFailed(cause)
  })
}

/** Lets those read the table who should. */
export async function grantAll({ dialect, target, table, grants }: Load): Promise<void> {
  for (const grant of grants) await target.ask(dialect.grant(dialect.named(table), grant))
}

/** Has what makes a load visible tell apart that it failed from that something before did. */
export async function committing(commit: () => Promise<unknown>): Promise<void> {
  await commit().catch((cause) => {
    throw cause instanceof MoraineError ? cause : new CommitFailed(cause)
  })
}

/** @throws MoraineError of kind `export` where target and lake do not have the same. */
export function refuseDifference(
  load: Pick<Load, 'table' | 'now'>,
  difference: string | undefined,
): void {
  if (difference === undefined) return
  throw new MoraineError(
    'export',
    `${shownName(load.table)} would differ from ${load.now.dataset}: ${difference}`,
    {
      hint: 'Nothing was changed. If others change rows of that table, load all of it again: moraine export --full',
    },
  )
}
