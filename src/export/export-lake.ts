import { fullName } from '../define/dataset.js'
import type { ExportResult } from '../define/export/exported.js'
import { type ExportTable, exportedAfter, type Warehouse } from '../define/export/target.js'
import type { Lake } from '../define/lake.js'
import { nearest } from '../define/nearest.js'
import type { Engine } from '../engine/engine.js'
import { MoraineError, messageOf } from '../errors.js'
import type { CommitLog } from '../log/log.js'
import type { RunEvent, RunRecord } from '../step/events.js'
import type { Storage } from '../storage/storage.js'
import { dueExports, forgetDue, isDue, noteDue } from './due.js'
import { type ExportOptions, exportTables } from './export.js'
import { shownName } from './load/work.js'

/** What exports of a lake need of it. */
export interface ExportsOf {
  lake: Lake
  storage: Storage
  log: CommitLog
  /** Starts an engine that may write to the folder for temporary files. */
  startEngine(): Promise<Engine>
  /** Has work wait for that of other exports of this process, where these go by turns. */
  inTurn?: <T>(work: () => Promise<T>) => Promise<T>
}

/** Tables of a warehouse that are to be exported. */
export interface Chosen {
  warehouse: Warehouse
  tables: readonly ExportTable[]
}

/**
 * The tables that names choose: those of warehouses, or of datasets (`gold.daily`, `daily`).
 *
 * @throws MoraineError of kind `usage` for a name that is none of these.
 */
export function chosenBy(lake: Lake, names: readonly string[]): Chosen[] {
  const meets = (name: string, warehouse: Warehouse, { dataset }: ExportTable) =>
    [warehouse.name, fullName(dataset), dataset.name].includes(name)
  for (const name of names)
    if (!lake.exports.some((one) => one.tables.some((table) => meets(name, one, table))))
      throw unknownName(lake, name)
  return lake.exports.flatMap((warehouse) => {
    const tables = warehouse.tables.filter(
      (table) => names.length === 0 || names.some((name) => meets(name, warehouse, table)),
    )
    return tables.length > 0 ? [{ warehouse, tables }] : []
  })
}

function unknownName({ exports }: Lake, name: string): MoraineError {
  const known = exports.flatMap((one) => [
    one.name,
    ...one.tables.map(({ dataset }) => fullName(dataset)),
  ])
  const similar = nearest(name, known)
  return new MoraineError('usage', `No warehouse and no exported dataset is named '${name}'`, {
    hint: similar ? `Did you mean ${similar}?` : `There are: ${[...new Set(known)].join(', ')}`,
  })
}

/** Exports what was chosen, as the newest commit has it. */
export async function exportChosen(
  { lake, storage, log, startEngine }: ExportsOf,
  chosen: readonly Chosen[],
  options: Pick<ExportOptions, 'full' | 'dry' | 'at' | 'note'> & {
    onResult?: (result: ExportResult) => void
  } = {},
): Promise<ExportResult[]> {
  const { onResult = () => {}, ...others } = options
  const state = await log.head()
  const engine = await startEngine()
  try {
    const session = await engine.open()
    const results: ExportResult[] = []
    const all = { lake: lake.name, storage, state, log, engine: session, ...others }
    for (const { warehouse, tables } of chosen)
      for await (const result of exportTables(warehouse, tables, all)) {
        results.push(result)
        onResult(result)
      }
    return results
  } finally {
    await engine.close()
  }
}

/**
 * How far each table of the lake's warehouses is behind, as the warehouses say it; nothing is
 * changed. One that can't be asked is told as failed.
 *
 * @param names of datasets; without them those of all.
 */
export async function exportsBehind(
  of: ExportsOf,
  names?: ReadonlySet<string>,
): Promise<ExportResult[]> {
  const chosen = of.lake.exports.flatMap((warehouse) => {
    const tables = warehouse.tables.filter(({ dataset }) => names?.has(fullName(dataset)) ?? true)
    return tables.length > 0 ? [{ warehouse, tables }] : []
  })
  return chosen.length === 0 ? [] : exportChosen(of, chosen, { dry: true })
}

/**
 * Exports after a run: all tables of each warehouse for which the run has published rows, and of
 * those that it could have published to and that lack what an earlier run has published. A failure
 * is told, and changes nothing of the run; the next run tries again. Whoever has stopped the run,
 * as a function whose time is up, waits for no export: that is for the next run as well.
 */
export async function exportAfterRun(
  of: ExportsOf,
  record: RunRecord,
  onEvent: (event: RunEvent) => void = () => {},
): Promise<RunRecord> {
  // What waits for a review is not what others should see.
  if (record.review) return record
  const { storage, inTurn = (work) => work() } = of
  const looked = dueExports(storage)
  // Where nobody can say what was due, it is known what this run has published.
  const chosen = chosenAfter(of.lake, record, await looked.catch(() => []))
  if (chosen.length === 0) return record
  const { run } = record
  const all = chosen.map((warehouse) => ({ warehouse, tables: warehouse.tables }))
  const exports: ExportResult[] = []
  const onResult = (result: ExportResult) => {
    exports.push(result)
    onEvent({ type: 'exported', result })
  }
  const work = async () => {
    const due = await looked
    // It may be long until it is its turn, and the process may end before.
    await Promise.all(chosen.map((warehouse) => noteDue(storage, warehouse, run)))
    if (record.outcome === 'cancelled') return
    await inTurn(() => exportChosen(of, all, { onResult }))
    for (const warehouse of chosen) {
      const isDone = !exports.some((one) => isFailureOf(one, warehouse))
      await forgetDue(storage, warehouse, due, isDone ? run : undefined)
    }
  }
  await work().catch((error) => {
    const told = new Set(exports.map(({ warehouse, table }) => `${warehouse} ${table}`))
    for (const one of all)
      for (const table of one.tables) {
        const failed = failedResult(one, table, error)
        if (!told.has(`${failed.warehouse} ${failed.table}`)) onResult(failed)
      }
  })
  return { ...record, exports }
}

const isFailureOf = (result: ExportResult, { name }: Warehouse) =>
  result.warehouse === name && result.outcome === 'failed'

function chosenAfter(lake: Lake, record: RunRecord, due: readonly string[]): Warehouse[] {
  const namesOf = (steps: RunRecord['steps']) => new Set(steps.map(({ dataset }) => dataset))
  const among = (names: ReadonlySet<string>) =>
    exportedAfter(lake.exports, (dataset) => names.has(fullName(dataset)))
  const done = record.steps.filter(({ outcome }) => outcome === 'done')
  const published = record.commits.length === 0 ? [] : among(namesOf(done))
  const lacking = record.outcome === 'cancelled' ? [] : among(namesOf(record.steps))
  return lake.exports.filter(
    (one) => published.includes(one) || (lacking.includes(one) && isDue(due, one)),
  )
}

/** What kept exports from being tried at all. */
function failedResult(
  { warehouse: { name, schema } }: Chosen,
  { dataset, as }: ExportTable,
  error: unknown,
): ExportResult {
  const { kind = 'unexpected', hint } = error instanceof MoraineError ? error : {}
  const message = messageOf(error)
  return {
    warehouse: name,
    table: shownName({ schema, name: as }),
    dataset: fullName(dataset),
    outcome: 'failed',
    reason: message,
    seconds: 0,
    error: { kind, message, ...(hint ? { hint } : {}) },
  }
}
