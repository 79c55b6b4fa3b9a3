import { homedir } from 'node:os'
import { join } from 'node:path'
import { nearest } from '../define/nearest.js'
import type { Field } from '../define/types/column-type.js'
import type { ResultRow } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { LakeState } from '../log/commit.js'
import { refuseReading } from '../log/format/features.js'
import { Heartbeat } from '../log/live.js'
import { variable } from '../settings.js'
import type { TableRef } from '../sql/guard.js'
import { Batches, bronzeFiles, bronzeLineage, columnsOf } from '../step/batches.js'
import { currentUser } from '../step/context.js'
import { Naming } from '../step/naming.js'
import { tableFiles } from '../step/table-files.js'
import { damageIn } from '../storage/damage.js'
import type { Staging } from '../storage/staging.js'
import { type Storage, stagingOf } from '../storage/storage.js'
import { type Grant, MemoryBudget } from './budget.js'
import { asList, type Limits } from './limits.js'
import type { RelationFiles, Reply } from './protocol.js'
import type { Pushed } from './pushdown.js'
import { Worker } from './query-process.js'

/** What the queries of this process may have together. */
const budget = new MemoryBudget()

/** How a query is run. */
export interface QueryOptions {
  /** What it may use: whoever asks says so, as the lake has a word in it. */
  limits: Limits
  /** Stops the query, and ends its process. */
  signal?: AbortSignal
}

/** A query's result while it is read; `close` ends the query's process. */
export interface QueryResult extends AsyncDisposable {
  columns: Field[]
  /** Rows in batches; the query waits while nobody reads. */
  batches: AsyncIterable<ResultRow[]>
  /** How much of the tables had to be opened. */
  files: { opened: number; total: number; bytes: number }
  close(): Promise<void>
}

/**
 * Runs one SELECT over the lake as it is in a state. The query runs in a process of its own, in an engine that can
 * open nothing but the files of the tables it names.
 *
 * @throws MoraineError of kind `query` when it is refused or fails, of kind `limit` when it needs more than it may use; the
 *   reason of the signal when that has stopped it.
 */
export async function queryLake(
  storage: Storage,
  state: LakeState | Promise<LakeState>,
  sql: string,
  { limits: asked, signal }: QueryOptions,
): Promise<QueryResult> {
  signal?.throwIfAborted()
  // Nobody else may wait for it while this query waits for others.
  Promise.resolve(state).catch(() => {})
  const grant = await budget.take(asked.sharesMemory ? undefined : asked.memory, {
    most: asked.memory,
    patience: asked.time,
    signal,
  })
  const limits = { ...asked, memory: grant.memory }
  const worker = workerFor(limits, signal, grant)
  const names: string[] = []
  // Says while the query goes on what it reads.
  let heartbeat: Heartbeat | undefined
  const close = async () => {
    try {
      await heartbeat?.stop()
      await worker.close()
    } finally {
      grant.giveBack()
    }
  }
  try {
    // Side by side: the process takes its time to start.
    const staging = stagingOf(storage)
    const root = staging.readableRoots().find(({ url }) => url === storage.url)
    const parse = {
      type: 'parse',
      sql,
      limits,
      ...(root ? { extensions: extensionFolder() } : {}),
    } as const
    const [parsed, read] = await Promise.all([worker.ask(parse, 'parsed'), state])
    heartbeat = Heartbeat.ofReader(storage, currentUser(), read.number)
    const { tables, views } = await throughViews(worker, read, parsed.tables)
    names.push(...tables.map(({ table: { tier, name } }) => `${tier}.${name}`))
    for (const name of names) refuseReading(read, findName(read, name))
    const scans = await Promise.all(
      tables.map(({ table, predicates }) => scan(storage, read, table, predicates)),
    )
    const { reaches } = parsed
    // What a view takes of a table is not looked into.
    const named = views.length > 0 ? undefined : parsed.named
    const found = await Promise.all(
      scans.map((s) =>
        atHand(staging, s, (file) => reaches && isWorthIt(s, file, named, root?.always)),
      ),
    )
    const relations = [...found.map(({ relation }) => relation), ...views]
    const access = found.some(({ inPlace }) => inPlace) ? await root?.access() : undefined
    const run = { type: 'run', relations, ...(access ? { access } : {}) } as const
    const { columns } = await worker.ask(run, 'columns')
    const files = {
      opened: relations.reduce((sum, r) => sum + r.files.length, 0),
      total: scans.reduce((sum, s) => sum + s.total, 0),
      bytes: scans.reduce((sum, s) => sum + s.bytes, 0),
    }
    return {
      columns,
      files,
      close,
      batches: batchesOf(worker, storage, names, close),
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw damageIn(error, storage, names) ?? error
  }
}

type AskedTable = Extract<Reply, { type: 'parsed' }>['tables'][number]

/** The tables that a query reads, directly or through views, and the views. */
async function throughViews(
  worker: Worker,
  state: LakeState,
  asked: readonly AskedTable[],
): Promise<{ tables: AskedTable[]; views: RelationFiles[] }> {
  const known = new Map(
    Object.entries(state.views ?? {}).map(([name, view]) => [name.toLowerCase(), view]),
  )
  const nameOf = ({ tier, name }: TableRef) => `${tier}.${name}`.toLowerCase()
  const tables = new Map<string, AskedTable>()
  const views: RelationFiles[] = []
  for (const wanted of asked) {
    const view = known.get(nameOf(wanted.table))
    if (!view) tables.set(nameOf(wanted.table), wanted)
    else views.push({ ...wanted.table, schema: null, columns: [], files: [], query: view.sql })
  }
  for (const { query = '' } of views) {
    const read = await worker.ask({ type: 'tables', sql: query }, 'tables')
    // Conditions of the question are not those of the view.
    for (const table of read.tables) tables.set(nameOf(table), { table, predicates: [] })
  }
  return { tables: [...tables.values()], views }
}

/** A process for a query; where none can be started, its memory goes back. */
function workerFor(limits: Limits, signal: AbortSignal | undefined, grant: Grant): Worker {
  try {
    return new Worker(limits, signal)
  } catch (error) {
    grant.giveBack()
    throw error
  }
}

/** All rows of a query whose result is known to be small. */
export async function queryRows(
  storage: Storage,
  state: LakeState,
  sql: string,
  { limits, signal }: QueryOptions,
): Promise<ResultRow[]> {
  const options = { limits: asList(limits), ...(signal ? { signal } : {}) }
  await using result = await queryLake(storage, state, sql, options)
  const rows: ResultRow[] = []
  for await (const batch of result.batches) rows.push(...batch)
  return rows
}

async function* batchesOf(
  worker: Worker,
  storage: Storage,
  tables: readonly string[],
  close: () => Promise<void>,
): AsyncGenerator<ResultRow[]> {
  try {
    for (;;) {
      const { rows, isLarge = false } = await worker.ask({ type: 'next' }, 'rows')
      if (!rows) {
        if (!isLarge) worker.release()
        return
      }
      yield rows
    }
  } catch (error) {
    throw damageIn(error, storage, tables) ?? error
  } finally {
    await close()
  }
}

/** Where DuckDB's extensions are, which the query's process does not know. */
function extensionFolder(): string {
  return variable('MORAINE_EXTENSIONS') ?? join(homedir(), '.duckdb', 'extensions')
}

/** A table with its files as the query's process opens them, which is nothing else: on this machine, or where they lie. */
async function atHand(
  staging: Staging,
  { relation, sizes }: Scan,
  stays: (file: DataFile | undefined) => boolean,
): Promise<{ relation: RelationFiles; inPlace: boolean }> {
  const all = relation.files.flatMap(({ location, deletes = [] }) => [
    location,
    ...deletes.map((list) => list.location),
  ])
  const inPlace = new Set(all.filter((l) => stays(sizes.get(l)) && staging.isReadInPlace(l)))
  await staging.fetch(all.filter((location) => !inPlace.has(location)))
  const here = (location: string) =>
    inPlace.has(location) ? location : `file://${staging.localPath(location)}`
  const files = relation.files.map(({ location, named = location, deletes, ...file }) => ({
    ...file,
    location: here(location),
    ...(relation.schema ? { named } : {}),
    ...(deletes ? { deletes: deletes.map((d) => ({ ...d, location: here(d.location) })) } : {}),
  }))
  return { relation: { ...relation, files }, inPlace: inPlace.size > 0 }
}

/** Bytes of a file that are sooner brought whole than looked into. */
const SMALL = 2 ** 20
/** Bytes of a table's files from which on copies would be too much of the disk. */
const LARGE = 2 ** 30

/** Whether a file is better read where it lies than copied: where most of it is not asked for, or copies would be large. */
function isWorthIt(
  { relation, bytes }: Scan,
  file: DataFile | undefined,
  named: readonly string[] | undefined,
  always = false,
): boolean {
  if (always || bytes > LARGE) return true
  if (!file || !named || file.bytes < SMALL) return false
  const fields = relation.schema?.fields.filter(({ name }) => named.includes(name.toLowerCase()))
  const asked = (fields ?? []).reduce((sum, { id }) => sum + (file.columns.get(id)?.size ?? 0), 0)
  return asked < file.bytes / 2
}

/** What a query needs of one table: files, out of how many, of how many bytes. */
interface Scan {
  relation: RelationFiles
  /** What is known of data files, by location. */
  sizes: ReadonlyMap<string, DataFile>
  total: number
  bytes: number
}

async function scan(
  storage: Storage,
  state: LakeState,
  { tier, name }: TableRef,
  predicates: readonly Pushed[],
): Promise<Scan> {
  if (tier === 'bronze') return scanBronze(storage, state, name)
  const known = findName(state, `${tier}.${name}`)
  const table = await loadTable(storage, state, state.tables[known] as TablePointer)
  const certain = predicates.filter((p) => isCertain(p, table))
  const tasks = await table.plan(certain)
  const files = tableFiles(storage, table, tasks)
  return {
    relation: { tier, name, schema: table.schema, columns: [], files },
    sizes: new Map(tasks.map(({ file }, i) => [files[i]?.location ?? '', file])),
    total: table.totals.files,
    bytes: tasks.reduce((sum, { file }) => sum + file.bytes, 0),
  }
}

/** Tables as queries of one state have found them, by their metadata: what describes them is read once. */
const loaded = new WeakMap<LakeState, Map<string, Table>>()

async function loadTable(storage: Storage, state: LakeState, at: TablePointer): Promise<Table> {
  const tables = loaded.get(state) ?? new Map<string, Table>()
  loaded.set(state, tables)
  const table = tables.get(at.metadata) ?? (await Table.load(storage, at))
  tables.set(at.metadata, table)
  return table
}

/** A text column compared with a number is compared as a number, so its bounds say nothing. */
function isCertain(predicate: Pushed, table: Table): boolean {
  const column = table.schema.fields.find(
    (f) => f.name.toLowerCase() === predicate.column.toLowerCase(),
  )
  return column?.type !== 'string' || predicate.textual || predicate.values.length === 0
}

async function scanBronze(storage: Storage, state: LakeState, name: string) {
  const known = findName(state, `bronze.${name}`)
  const pointers = state.batches[known] ?? []
  const manifests = await new Batches(storage).manifests(pointers)
  const naming = pointers.some(({ collidingNames: names }) => names)
    ? Naming.of(manifests)
    : undefined
  const files = bronzeFiles(storage, manifests, false, naming)
  const columns = [...bronzeLineage, ...(naming?.columnsOf(manifests) ?? columnsOf(manifests))]
  return {
    relation: { tier: 'bronze', name, schema: null, columns, files },
    sizes: new Map(),
    total: files.length,
    bytes: manifests.flatMap((m) => m.files).reduce((sum, file) => sum + file.bytes, 0),
  }
}

function findName(state: LakeState, wanted: string): string {
  const all = [state.batches, state.tables, state.views ?? {}].flatMap((of) => Object.keys(of))
  const found = all.find((name) => name.toLowerCase() === wanted.toLowerCase())
  if (found) return found
  const similar = nearest(wanted, all)
  throw new MoraineError(
    'query',
    `There is no table ${wanted} in this lake${state.number === 0 ? ' yet' : ''}`,
    {
      hint: similar
        ? `Did you mean ${similar}?`
        : all.length > 0
          ? `Its tables are: ${all.join(', ')}`
          : 'Fill the lake first: moraine run',
    },
  )
}
