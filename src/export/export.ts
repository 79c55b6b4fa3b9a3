import { fullName } from '../define/dataset.js'
import type { ExportResult } from '../define/export/exported.js'
import type { Folder } from '../define/export/folder.js'
import type { ExportTable, Warehouse } from '../define/export/target.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { Definition, LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import type { Storage } from '../storage/storage.js'
import { loadFolder, planFolder } from './folder/load-folder.js'
import { openFolder } from './folder/open-folder.js'
import { lakeTable, metadataOf } from './lake-table.js'
import { loadTable, planTable } from './load/load.js'
import { type Load, type Loaded, type Point, shownName } from './load/work.js'
import { type Connectable, openTarget } from './open.js'

export interface ExportOptions {
  lake: string
  storage: Storage
  state: LakeState
  log: Pick<CommitLog, 'head' | 'stateAt'>
  /** A session of an engine that may write to the folder for temporary files. */
  engine: Session
  full?: boolean
  /** Only tells what would be done. */
  dry?: boolean
  at?: (point: Point) => void
  note?: (text: string) => void
}

/** Exports tables of a warehouse, one after the other; failures are told by the results. */
export async function* exportTables(
  warehouse: Warehouse,
  tables: readonly ExportTable[],
  options: ExportOptions,
): AsyncGenerator<ExportResult> {
  for (const table of tables) yield await exportTable(warehouse, table, options)
}

async function exportTable(
  warehouse: Warehouse,
  given: ExportTable,
  options: ExportOptions,
): Promise<ExportResult> {
  const {
    storage,
    state,
    log,
    lake,
    engine,
    full = false,
    dry = false,
    at = () => {},
    note = () => {},
  } = options
  const { dataset, as } = given
  const table = { schema: warehouse.schema, name: as }
  const name = fullName(dataset)
  const begun = performance.now()
  const result = (more: Pick<ExportResult, 'outcome' | 'reason'> & Partial<ExportResult>) => ({
    warehouse: warehouse.name,
    table: shownName(table),
    dataset: name,
    seconds: Math.round(performance.now() - begun) / 1000,
    ...more,
  })
  try {
    const now = await lakeTable(storage, state, dataset)
    if (!now) return result({ outcome: 'empty', reason: `${name} has no data yet` })
    const newest = async () => (await lakeTable(storage, await log.head(), dataset)) ?? now
    // Most often nothing has changed: then the log need not be read.
    const builtBy: Load['builtBy'] = async (record) =>
      record.metadata === metadataOf(now) ? now.definition : builtThen(log, name, record)
    const work = { lake, storage, engine, table, now, newest, builtBy, full, at, note }
    const { target, grants } = warehouse
    const loaded =
      target.kind === 'folder'
        ? await intoFolder(target, warehouse, work, dry)
        : await intoDatabase(
            { ...warehouse, target, now, storage, table: given },
            { ...work, grants },
            dry,
          )
    return result(dry ? planned(loaded) : told(loaded))
  } catch (error) {
    if (!(error instanceof MoraineError)) throw error
    const { kind, message, hint } = error
    return result({
      outcome: 'failed',
      reason: message,
      error: { kind, message, ...(hint ? { hint } : {}) },
    })
  }
}

/** By what a lake built the version of a dataset that a target says it has, if it ever had it. */
async function builtThen(
  log: ExportOptions['log'],
  dataset: string,
  { commit, metadata }: Parameters<Load['builtBy']>[0],
): Promise<Definition | undefined> {
  if (commit > (await log.head()).number) return undefined
  const then = (await log.stateAt(commit)).tables[dataset]
  return then?.metadata === metadata ? then.definition : undefined
}

type Work = Omit<Load, 'dialect' | 'target' | 'grants'>

async function intoDatabase(
  to: Connectable,
  work: Work & Pick<Load, 'grants'>,
  dry: boolean,
): Promise<Loaded> {
  await using opened = await openTarget(to, work.engine)
  const { dialect, session: target } = opened
  if (to.target.kind === 'redshift' && to.target.catalog !== undefined) {
    const { name, schema = '' } = work.table
    const { rows, commit } = work.now
    const read = { schema, name, rows, commit, grants: work.grants, dry }
    const { target: redshift } = to
    const { readCatalog } = await import('./redshift/catalog.js')
    return await opened.telling(() => readCatalog(target, redshift, read))
  }
  const load = { ...work, dialect, target }
  return await opened.telling(() => (dry ? planTable(load) : loadTable(load)))
}

async function intoFolder(
  target: Folder,
  { place }: Warehouse,
  work: Work,
  dry: boolean,
): Promise<Loaded> {
  const load = { ...work, target, folder: openFolder(target, place, work.storage) }
  return dry ? planFolder(load) : loadFolder(load)
}

function planned({ decision, rows, has, commit }: Loaded) {
  const { action, reason } = decision
  const common = { reason, rows: Number(rows), ...(has === undefined ? {} : { commit: has }) }
  if (action === 'none') return { ...common, outcome: 'unchanged' as const }
  const behind = has === undefined ? {} : { behind: commit - has }
  return { ...common, ...behind, outcome: 'planned' as const, mode: action }
}

function told({ decision, rows, written, commit }: Loaded) {
  const { action, reason } = decision
  if (action === 'none')
    return { outcome: 'unchanged' as const, reason, commit, rows: Number(rows) }
  return {
    outcome: 'exported' as const,
    mode: action,
    reason,
    commit,
    rows: Number(rows),
    written: Number(written),
  }
}
