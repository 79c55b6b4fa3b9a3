import { randomUUID } from 'node:crypto'
import type { Workgroup } from '../../define/access/workgroup.js'
import type { Lake } from '../../define/lake.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'
import type { Estimate } from '../estimate.js'
import { describeQuery, type QueryResult, queryLake } from '../query.js'
import { keepWarm } from '../spawn.js'
import { Executions } from './executions.js'
import { type PastQuery, QueryHistory } from './history.js'
import type {
  AnswerColumn,
  Caller,
  Description,
  Execution,
  QueryAnswer,
  QueryRequest,
  QueryStatistics,
  ResultPage,
  VisibleTable,
} from './request.js'
import { type Kept, Reuse } from './reuse.js'
import { Spool } from './spool.js'
import { noStatistics, watchReading } from './statistics.js'
import { visibleTables } from './visible.js'
import { tooMuch, Workgroups } from './workgroups.js'

/** Bytes of the longest statement, as Athena has it. */
const LONGEST = 262_144
/** Processes that wait for the next query. */
const WARM = 8

/** A lake that is asked. */
export interface ServiceOptions {
  storage: Storage
  log: CommitLog
  lake?: Pick<Lake, 'datasets' | 'queries' | 'workgroups'>
  /** US dollars for bytes that a query reads. */
  priceOf?: (bytes: number) => number
  /** Hears of queries that could not be kept in the history. */
  onError?: (error: unknown) => void
  now?: () => Date
  newId?: () => string
}

/**
 * Answers SQL of those who have proved who they are, within their rights and limits. All protocols
 * ask here, and none reaches an engine in another way.
 */
export class QueryService {
  readonly workgroups: Workgroups
  private readonly executions: Executions
  private readonly reuse = new Reuse()
  private readonly past: QueryHistory
  private readonly now: () => Date
  private readonly newId: () => string

  constructor(private readonly options: ServiceOptions) {
    this.now = options.now ?? (() => new Date())
    this.newId = options.newId ?? randomUUID
    const { workgroups = [], queries } = options.lake ?? {}
    this.workgroups = new Workgroups(workgroups, queries, this.now)
    this.executions = new Executions((...asked) => this.ask(...asked), this.now, this.newId)
    this.past = new QueryHistory(options.storage, options.onError)
    keepWarm(WARM)
  }

  /**
   * Reads what was asked today before this process began, of all servers: budgets of a day go on
   * from there.
   */
  async resume(): Promise<void> {
    const day = this.now().toISOString().slice(0, 10)
    for (const { workgroup, bytesEstimated, reused, error } of await this.past.load(day))
      if (!reused && !error) this.workgroups.count(workgroup, day, bytesEstimated)
  }

  /** The last queries that this principal has asked, or that all have if it may see everything. */
  history(principal: Caller): PastQuery[] {
    return this.past.list(principal)
  }

  /**
   * What a query would give, and the parameters that it takes; no data is read.
   *
   * @throws MoraineError of kind `query` when it is refused.
   */
  async describe(request: QueryRequest): Promise<Description> {
    const { storage, log } = this.options
    const { principal, sql, signal, schema } = request
    checkLength(request)
    const { columns, parameters } = await describeQuery(storage, log.head(), sql, {
      limits: this.limitsFor(request),
      rights: principal.rights,
      owner: principal.name,
      ...(schema ? { schema } : {}),
      ...(signal ? { signal } : {}),
    })
    return { columns: columns.map(({ name, sqlType: type }) => ({ name, type })), parameters }
  }

  /**
   * Runs a query. Its rows have to be read, or the answer closed.
   *
   * @throws MoraineError of kind `query` when it is refused or fails, of kind `limit` when it needs
   *   more than it may use; the reason of the signal when that has stopped it.
   */
  async query(request: QueryRequest): Promise<QueryAnswer> {
    return this.ask(this.newId(), request)
  }

  /** Starts a query whose result is kept; the same client token starts it once. */
  start(request: QueryRequest, { clientToken }: { clientToken?: string } = {}): Execution {
    checkLength(request)
    return this.executions.start(request, clientToken)
  }

  /** @throws MoraineError of kind `usage` for one that this principal did not start. */
  execution(id: string, principal: Caller): Execution {
    return this.executions.get(id, principal)
  }

  /** Resolves when a query is done, whatever became of it. */
  finished(id: string, principal: Caller): Promise<Execution> {
    return this.executions.done(id, principal)
  }

  /** What this principal has started, the newest first. */
  allExecutions(principal: Caller): Execution[] {
    return this.executions.list(principal)
  }

  /** Rows of a result, from one number on. */
  results(
    id: string,
    principal: Caller,
    { from = 0, most = 1000 }: { from?: number; most?: number } = {},
  ): Promise<ResultPage> {
    return this.executions.results(id, principal, from, most)
  }

  /** All rows of a result, in batches. */
  resultRows(id: string, principal: Caller): AsyncIterable<RowValue[][]> {
    return this.executions.rows(id, principal)
  }

  /** Stops a query, if it still runs. */
  stop(id: string, principal: Caller): Execution {
    return this.executions.stop(id, principal)
  }

  /** Tables and views that this principal may query, with their columns. */
  async tables(principal: Caller): Promise<VisibleTable[]> {
    const { storage, log, lake } = this.options
    return visibleTables(storage, await log.head(), lake, principal)
  }

  async close(): Promise<void> {
    await this.executions.close()
    this.reuse.close()
    await this.past.flush()
  }

  private async ask(
    id: string,
    asked: QueryRequest,
    admitted: (statistics: QueryStatistics) => void = () => {},
  ): Promise<QueryAnswer> {
    const { workgroups, reuse } = this
    const group = workgroups.find(asked.principal, asked.workgroup)
    checkLength(asked)
    const request = { ...asked, workgroup: group.name }
    const began = performance.now()
    const statistics = noStatistics()
    const leave = await workgroups.enter(group, request.principal, request.signal)
    statistics.queuedMs = Math.round(performance.now() - began)
    admitted(statistics)
    const ended = (error?: unknown) => {
      leave()
      statistics.runMs = Math.round(performance.now() - began) - statistics.queuedMs
      this.note({ id, request, statistics, error })
    }
    try {
      const state = await this.options.log.head()
      const kept = reuse.find(request, state)
      if (!kept) return await this.run({ id, request, group, statistics, state, ended })
      Object.assign(statistics, { reused: true, rows: kept.spool.rows })
      statistics.bytesEstimated = kept.bytesEstimated
      return answerOf({ id, statistics, columns: kept.columns, rows: reuse.rows(kept) }, ended)
    } catch (error) {
      ended(error)
      throw error
    }
  }

  /** Runs what no kept result answers. */
  private async run(one: Run): Promise<QueryAnswer> {
    const { id, request, group, statistics, state } = one
    const { principal, sql, signal, schema, parameters } = request
    let estimate: Estimate | undefined
    let takeBack = () => {}
    let watch: ReturnType<typeof watchReading> | undefined
    try {
      const result = await queryLake(this.options.storage, state, sql, {
        limits: this.workgroups.limits(group),
        rights: principal.rights,
        owner: principal.name,
        ...(parameters ? { parameters } : {}),
        ...(schema ? { schema } : {}),
        ...(signal ? { signal } : {}),
        judge: (found, process) => {
          estimate = found
          statistics.bytesEstimated = found.bytes
          takeBack = this.workgroups.admit(group, found)
          watch = watchReading(process, this.workgroups.most(group, found), (bytes) =>
            tooMuch(group.name, bytes, group.maxScan ?? 0, true),
          )
        },
      })
      const columns = result.columns.map(({ name, sqlType: type }) => ({ name, type }))
      const rows = this.rowsOf(result, {
        ...one,
        columns,
        watch,
        estimate: estimate as Estimate | undefined as Estimate,
      })
      return answerOf({ id, statistics, columns, rows }, async (error) => {
        await result.close()
        one.ended(error)
      })
    } catch (error) {
      takeBack()
      statistics.bytesRead = watch?.end() ?? 0
      throw error
    }
  }

  private async *rowsOf(
    { batches }: QueryResult,
    { request, statistics, columns, estimate, watch }: Reading,
  ): AsyncGenerator<RowValue[][]> {
    const names = columns.map(({ name }) => name)
    const { maxRows = Number.POSITIVE_INFINITY } = request
    const keeper = this.keeperOf(request, estimate)
    try {
      for await (const batch of batches) {
        const rows = batch.slice(0, maxRows - statistics.rows).map((row) => valuesOf(row, names))
        statistics.rows += rows.length
        await keeper?.add(rows)
        yield rows
        if (statistics.rows >= maxRows) break
      }
      keeper?.keep(columns)
    } finally {
      statistics.bytesRead = watch?.end() ?? statistics.bytesEstimated
      statistics.price = this.options.priceOf?.(statistics.bytesEstimated) ?? 0
      await keeper?.close()
    }
  }

  /** Keeps rows while they are read, as long as they are few. */
  private keeperOf(request: QueryRequest, { isRepeatable, refs, state, bytes }: Estimate) {
    const madeOf = isRepeatable ? this.reuse.madeOf(refs, request, state) : undefined
    if (madeOf === undefined) return undefined
    let spool: Spool | undefined = new Spool()
    const close = async () => {
      await spool?.close().catch(() => {})
      spool = undefined
    }
    return {
      close,
      add: async (rows: RowValue[][]) => {
        await spool?.add(rows)
        if (spool && !this.reuse.fits(spool)) await close()
      },
      keep: (columns: AnswerColumn[]) => {
        if (spool)
          this.reuse.keep(request, { columns, spool, tables: refs, madeOf, bytesEstimated: bytes })
        spool = undefined
      },
    }
  }

  private note({ id, request, statistics, error }: Ended): void {
    this.past.add({
      id,
      time: this.now(),
      principal: request.principal.name,
      workgroup: request.workgroup ?? '',
      sql: request.sql,
      error,
      statistics,
    })
  }

  private limitsFor(request: QueryRequest) {
    return this.workgroups.limits(this.workgroups.find(request.principal, request.workgroup))
  }
}

/** A query that runs. */
interface Run {
  id: string
  request: QueryRequest
  group: Workgroup
  statistics: QueryStatistics
  state: LakeState
  /** Is told once that it is over. */
  ended: (error?: unknown) => void
}

/** A query whose rows are read. */
interface Reading extends Run, Pick<Kept, 'columns'> {
  estimate: Estimate
  watch: ReturnType<typeof watchReading> | undefined
}

interface Ended {
  id: string
  request: QueryRequest
  statistics: QueryStatistics
  error: unknown
}

/** An answer whose end is told once, however it comes. */
function answerOf(
  answer: Pick<QueryAnswer, 'id' | 'columns' | 'rows' | 'statistics'>,
  ended: (error?: unknown) => unknown,
): QueryAnswer {
  let end: Promise<void> | undefined
  const over = (error?: unknown) => {
    end ??= (async () => {
      await ended(error)
    })()
    return end
  }
  const close = () => over()
  async function* rows() {
    try {
      yield* answer.rows
    } catch (error) {
      await over(error)
      throw error
    } finally {
      await over()
    }
  }
  return { ...answer, rows: rows(), close, [Symbol.asyncDispose]: close }
}

const valuesOf = (row: ResultRow, names: readonly string[]) =>
  names.map((name) => row[name] as RowValue)

/** @throws MoraineError of kind `usage` for what is no question. */
function checkLength({ sql }: QueryRequest): void {
  if (Buffer.byteLength(sql) <= LONGEST) return
  throw new MoraineError('usage', `The statement is longer than ${LONGEST} bytes`, {
    hint: 'Pass values as parameters, or put them into a table.',
  })
}
