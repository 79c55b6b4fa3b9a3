import { randomUUID } from 'node:crypto'
import type { Lake } from '../../define/lake.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'
import { limitsOf } from '../limits.js'
import { describeQuery, type QueryResult, queryLake } from '../query.js'
import { keepWarm } from '../spawn.js'
import { Executions } from './executions.js'
import { withNamed } from './named.js'
import type {
  Caller,
  Description,
  Execution,
  QueryAnswer,
  QueryRequest,
  QueryStatistics,
  ResultPage,
  VisibleTable,
} from './request.js'
import { bytesReadBy, noStatistics } from './statistics.js'
import { visibleTables } from './visible.js'

/** Bytes of the longest statement, as Athena has it. */
const LONGEST = 262_144
/** Processes that wait for the next query. */
const WARM = 4

/** A lake that is asked. */
export interface ServiceOptions {
  storage: Storage
  log: CommitLog
  lake?: Pick<Lake, 'datasets' | 'queries'>
  /** US dollars for bytes that a query reads. */
  priceOf?: (bytes: number) => number
  now?: () => Date
  newId?: () => string
}

/**
 * Answers SQL of those who have proved who they are, within their rights and limits. All protocols
 * ask here, and none reaches an engine in another way.
 */
export class QueryService {
  private readonly executions: Executions
  private readonly now: () => Date
  private readonly newId: () => string

  constructor(private readonly options: ServiceOptions) {
    this.now = options.now ?? (() => new Date())
    this.newId = options.newId ?? randomUUID
    this.executions = new Executions((id, request) => this.ask(id, request), this.now, this.newId)
    keepWarm(WARM)
  }

  /**
   * What a query would give, and the parameters that it takes; no data is read.
   *
   * @throws MoraineError of kind `query` when it is refused.
   */
  async describe(request: QueryRequest): Promise<Description> {
    const { storage, log } = this.options
    const { principal, signal, schema } = request
    const { sql } = checked(request)
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
    checked(request)
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
  }

  private async ask(id: string, request: QueryRequest): Promise<QueryAnswer> {
    const { storage, log } = this.options
    const { principal, signal, maxRows, schema } = request
    const { sql, parameters } = checked(request)
    const began = performance.now()
    const statistics = noStatistics()
    const result = await queryLake(storage, log.head(), sql, {
      limits: this.limitsFor(request),
      rights: principal.rights,
      owner: principal.name,
      ...(parameters ? { parameters } : {}),
      ...(schema ? { schema } : {}),
      ...(signal ? { signal } : {}),
      judge: ({ bytes }) => {
        statistics.bytesEstimated = bytes
      },
    })
    const columns = result.columns.map(({ name, sqlType: type }) => ({ name, type }))
    const names = columns.map(({ name }) => name)
    const { close } = result
    const read = this.rowsOf(result, names, { statistics, began, maxRows })
    return { id, columns, statistics, close, rows: read, [Symbol.asyncDispose]: close }
  }

  private async *rowsOf(
    { batches, process, close }: QueryResult,
    names: readonly string[],
    {
      statistics,
      began,
      maxRows = Number.POSITIVE_INFINITY,
    }: { statistics: QueryStatistics; began: number; maxRows: number | undefined },
  ): AsyncGenerator<RowValue[][]> {
    const before = await bytesReadBy(process.pid)
    try {
      for await (const batch of batches) {
        const left = maxRows - statistics.rows
        const rows = batch.slice(0, left).map((row) => valuesOf(row, names))
        statistics.rows += rows.length
        yield rows
        if (statistics.rows >= maxRows) return
      }
    } finally {
      const after = await bytesReadBy(process.pid)
      const isKnown = before !== undefined && after !== undefined
      statistics.bytesRead = isKnown ? after - before : statistics.bytesEstimated
      statistics.runMs = Math.round(performance.now() - began)
      statistics.price = this.options.priceOf?.(statistics.bytesEstimated) ?? 0
      await close()
    }
  }

  private limitsFor(_request: QueryRequest) {
    return limitsOf(this.options.lake?.queries)
  }
}

const valuesOf = (row: ResultRow, names: readonly string[]) =>
  names.map((name) => row[name] as RowValue)

/** @throws MoraineError of kind `usage` for what is no question. */
function checked({ sql, parameters }: QueryRequest) {
  if (Buffer.byteLength(sql) > LONGEST)
    throw new MoraineError('usage', `The statement is longer than ${LONGEST} bytes`, {
      hint: 'Pass values as parameters, or put them into a table.',
    })
  return withNamed(sql, parameters)
}
