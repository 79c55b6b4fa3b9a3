import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Field } from '../define/types/column-type.js'
import type { ResultRow } from '../engine/engine.js'
import type { LakeState } from '../log/commit.js'
import { refuseReading } from '../log/format/features.js'
import { Heartbeat } from '../log/live.js'
import { variable } from '../settings.js'
import { type TableRef, tiers } from '../sql/guard.js'
import { currentUser } from '../step/context.js'
import { damageIn } from '../storage/damage.js'
import { type Storage, stagingOf } from '../storage/storage.js'
import { type Grant, MemoryBudget } from './budget.js'
import { asList, type Limits } from './limits.js'
import type { RelationFiles, Reply } from './protocol.js'
import { Worker } from './query-process.js'
import { atHand, isWorthIt, scan } from './scan.js'
import { findName } from './tables.js'

/** What the queries of this process may have together. */
const budget = new MemoryBudget()

/** How a query is run. */
export interface QueryOptions {
  /** What it may use: whoever asks says so, as the lake has a word in it. */
  limits: Limits
  /** Stops the query, and ends its process. */
  signal?: AbortSignal
  /** The columns that are read of a table of another engine, where not all are. */
  declared?: readonly Field[]
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
 * Runs one SELECT over the lake as it is in a state. The query runs in a process of its own, in an
 * engine that can open nothing but the files of the tables it names.
 *
 * @throws MoraineError of kind `query` when it is refused or fails, of kind `limit` when it needs
 *   more than it may use; the
 *   reason of the signal when that has stopped it.
 */
export async function queryLake(
  storage: Storage,
  state: LakeState | Promise<LakeState>,
  sql: string,
  { limits: asked, signal, declared }: QueryOptions,
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
  const begun = (heart: Heartbeat, tables: readonly string[]) => {
    heartbeat = heart
    names.push(...tables)
  }
  try {
    const { columns, files } = await begin({ worker, storage, state, sql, limits, declared }, begun)
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

interface Asked {
  worker: Worker
  storage: Storage
  state: LakeState | Promise<LakeState>
  sql: string
  limits: Limits
  declared: readonly Field[] | undefined
}

/**
 * Has a process prove and begin a query.
 *
 * @param begun is told what is read before anything is.
 */
async function begin(
  { worker, storage, state, sql, limits, declared }: Asked,
  begun: (heartbeat: Heartbeat, tables: readonly string[]) => void,
): Promise<Pick<QueryResult, 'columns' | 'files'>> {
  const staging = stagingOf(storage)
  const root = staging.readableRoots().find(({ url }) => url === storage.url)
  const parse = {
    type: 'parse',
    sql,
    limits,
    ...(root ? { extensions: extensionFolder() } : {}),
  } as const
  // Side by side: the process takes its time to start.
  const [parsed, read] = await Promise.all([worker.ask(parse, 'parsed'), state])
  const heartbeat = Heartbeat.ofReader(storage, currentUser(), read.number)
  begun(heartbeat, [])
  const { tables, views } = await throughViews(worker, read, parsed.tables)
  const names = tables.map(({ table: { tier, name } }) => `${tier}.${name}`)
  begun(heartbeat, names)
  for (const { table } of tables)
    if (tiers.includes(table.tier))
      refuseReading(read, findName(read, `${table.tier}.${table.name}`))
  const scans = await Promise.all(
    tables.map(({ table, predicates }) => scan(storage, read, { table, declared }, predicates)),
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
  return { columns, files }
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
  for (const reference of asked) {
    const view = known.get(nameOf(reference.table))
    if (!view) tables.set(nameOf(reference.table), reference)
    else views.push({ ...reference.table, schema: null, columns: [], files: [], query: view.sql })
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
