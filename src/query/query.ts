import type { Rights } from '../define/access/rights.js'
import type { Field } from '../define/types/column-type.js'
import type { ParameterValues, QueryParameter, ResultColumn, ResultRow } from '../engine/engine.js'
import type { PlanStep } from '../engine/plan-step.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import type { Heartbeat } from '../log/live.js'
import { LogReader } from '../log/reader.js'
import type { TableRef } from '../sql/guard.js'
import { damageIn } from '../storage/damage.js'
import type { Storage } from '../storage/storage.js'
import { type Asked, type Begun, begin } from './begin.js'
import { type Grant, queryMemory } from './budget.js'
import type { Estimate } from './estimate.js'
import { asList, type Limits } from './limits.js'
import { withNamed } from './parameters/named.js'
import { Worker } from './query-process.js'
import { Scratch } from './system/lines.js'

/** How a query is run. */
export interface QueryOptions {
  /** What it may use: whoever asks says so, as the lake has a word in it. */
  limits: Limits
  /** Stops the query, and ends its process. */
  signal?: AbortSignal
  /** The columns that are read of a table of another engine, where not all are. */
  declared?: readonly Field[]
  /** What whoever asks may see; without it, everything. */
  rights?: Rights
  /** Who asks, where several do: no process serves two of them. */
  owner?: string
  /** Parts of the query that somebody wrote as one expression each, which is proved. */
  expressions?: readonly string[]
  /** Values of `?` and `$1` in their order, or of `:name` and `$name` by names. */
  parameters?: ParameterValues
  /** The namespace of tables that are named without one. */
  schema?: string
  /** A table of which each row has its file and its place there. */
  places?: TableRef
  /** Judges what is about to be read, before anything is: it throws what refuses the query. */
  judge?: (estimate: Estimate, process: QueryProcess) => void
  /** The log of the branch that is asked; without it, that of main. */
  log?: Pick<LogReader, 'entry'>
}

/** The process of a query: its number, and what ends it at once with an error. */
export interface QueryProcess {
  pid: number | undefined
  stop: (reason: unknown) => void
}

/** A query's result while it is read; `close` ends the query's process. */
export interface QueryResult extends AsyncDisposable {
  columns: ResultColumn[]
  /** Rows in batches; the query waits while nobody reads. */
  batches: AsyncIterable<ResultRow[]>
  /** How much of the tables had to be opened. */
  files: { opened: number; total: number; bytes: number }
  /** What was expected to be read. */
  estimate: Estimate
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
  options: QueryOptions,
): Promise<QueryResult> {
  const { limits: asked, signal, declared, rights, parameters, schema, judge, owner } = options
  const { log = new LogReader(storage, 'main'), places } = options
  signal?.throwIfAborted()
  // Nobody else may wait for it while this query waits for others.
  Promise.resolve(state).catch(() => {})
  const grant = await queryMemory.take(asked.sharesMemory ? undefined : asked.memory, {
    most: asked.memory,
    patience: asked.time,
    signal,
  })
  const limits = { ...asked, memory: grant.memory }
  const worker = workerFor(limits, signal, { grant, owner })
  const names: string[] = []
  const scratch = new Scratch()
  // Says while the query goes on what it reads.
  let heartbeat: Heartbeat | undefined
  const close = async () => {
    try {
      await heartbeat?.stop()
      await worker.close()
      await scratch.remove()
    } finally {
      grant.giveBack()
    }
  }
  const begun = (heart: Heartbeat, tables: readonly string[]) => {
    heartbeat = heart
    names.push(...tables)
  }
  try {
    const process = { pid: worker.pid, stop: (reason: unknown) => worker.stop(reason) }
    const judged = judge && ((estimate: Estimate) => judge(estimate, process))
    const given = { declared, rights, schema, judge: judged, log, signal, places }
    const own = { worker, scratch: scratch.folder }
    const { expressions = [] } = options
    const asked = { ...withNamed(sql, parameters), expressions }
    const question = { ...own, storage, state, limits, ...given, ...asked }
    const { columns, files, estimate } = await begin(question, begun)
    return {
      columns,
      files,
      estimate,
      close,
      batches: batchesOf(worker, storage, names, close),
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw damageIn(error, storage, names) ?? error
  }
}

/**
 * What a query would give, and what it takes: bound on its tables, of which nothing is read.
 *
 * @throws MoraineError of kind `query` when it is refused.
 */
export async function describeQuery(
  storage: Storage,
  state: LakeState | Promise<LakeState>,
  sql: string,
  options: QueryOptions,
): Promise<{ columns: ResultColumn[]; parameters: QueryParameter[]; estimate: Estimate }> {
  return looked(storage, state, { sql, options, only: { isDescribed: true } })
}

/**
 * How a query would run: planned on its files, whose rows are not read.
 *
 * @throws MoraineError of kind `query` when it is refused.
 */
export async function explainQuery(
  storage: Storage,
  state: LakeState | Promise<LakeState>,
  sql: string,
  options: QueryOptions,
): Promise<{ estimate: Estimate; plan: PlanStep }> {
  const { estimate, plan } = await looked(storage, state, {
    sql,
    options,
    only: { isExplained: true },
  })
  if (!plan) throw new MoraineError('query', 'The query has no plan')
  return { estimate, plan }
}

/** Asks about a query that is not run. */
async function looked(
  storage: Storage,
  state: LakeState | Promise<LakeState>,
  {
    sql,
    options,
    only,
  }: { sql: string; options: QueryOptions; only: Pick<Asked, 'isDescribed' | 'isExplained'> },
): Promise<Begun> {
  const { limits, signal, rights, schema, owner, parameters } = options
  const { log = new LogReader(storage, 'main') } = options
  Promise.resolve(state).catch(() => {})
  const worker = new Worker(limits, signal, owner)
  const scratch = new Scratch()
  let heartbeat: Heartbeat | undefined
  const question: Asked = {
    ...{ worker, storage, state, limits, rights, schema },
    ...withNamed(sql, parameters),
    declared: undefined,
    ...{ judge: undefined, log, signal, scratch: scratch.folder },
    ...only,
  }
  try {
    const found = await begin(question, (heart) => {
      heartbeat = heart
    })
    worker.release()
    return found
  } finally {
    await heartbeat?.stop()
    await worker.close()
    await scratch.remove()
  }
}

/** A process for a query; where none can be started, its memory goes back. */
function workerFor(
  limits: Limits,
  signal: AbortSignal | undefined,
  { grant, owner }: { grant: Grant; owner: string | undefined },
): Worker {
  try {
    return new Worker(limits, signal, owner)
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
  options: QueryOptions,
): Promise<ResultRow[]> {
  const listed = { ...options, limits: asList(options.limits) }
  await using result = await queryLake(storage, state, sql, listed)
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
