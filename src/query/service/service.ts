import { randomUUID } from 'node:crypto'
import type { ResultColumn, RowValue } from '../../engine/engine.js'
import { withAnyNamed } from '../parameters/named.js'
import { describeQuery } from '../query.js'
import { keepWarm } from '../spawn.js'
import type { PastQuery } from '../system/past-queries.js'
import { Executions } from './executions.js'
import { FairQueue } from './fair-queue.js'
import { type BegunQuery, QueryHistory } from './history.js'
import { lastForgotten } from './kept/forgotten.js'
import { recordsOf } from './kept/server-state.js'
import { NamedQueries } from './named-queries.js'
import type {
  AnswerColumn,
  Caller,
  Description,
  Execution,
  QueryAnswer,
  QueryRequest,
  ResultPage,
  VisibleTable,
} from './request.js'
import { checkLength, Runner, type ServiceOptions } from './runner.js'
import { ShownTypes } from './shown-types.js'
import { toldTo } from './told.js'
import { unheld } from './unheld.js'
import { visibleTables } from './visible.js'
import { Workgroups } from './workgroups.js'

/** Processes that wait for the next query. */
const WARM = 8
/** Queries that are described at the same time, each by a process, and that may wait for that. */
const DESCRIBED = 8
const WAITING = 200
/** Pages of results that are made at the same time. */
const PAGES = 4

/**
 * Answers SQL of those who have proved who they are, within their rights and limits. All protocols
 * ask here, and none reaches an engine in another way.
 */
export class QueryService {
  readonly workgroups: Workgroups
  /** Queries that have names. */
  readonly named: NamedQueries
  private readonly executions: Executions
  private readonly runner: Runner
  private readonly past: QueryHistory
  private counting: Promise<void> | undefined
  private readonly describing = new FairQueue(DESCRIBED, WAITING)
  private readonly paging = new FairQueue(PAGES, WAITING)
  private readonly types = new ShownTypes((sql, principal) =>
    this.described({ sql, principal }).then(({ columns }) => columns.map(plainColumn)),
  )
  private readonly now: () => Date
  private readonly newId: () => string

  constructor(private readonly options: ServiceOptions) {
    this.now = options.now ?? (() => new Date())
    this.newId = options.newId ?? randomUUID
    const { workgroups = [], queries } = options.lake ?? {}
    this.workgroups = new Workgroups(workgroups, queries, this.now)
    const { state, onError = () => {} } = options
    this.executions = new Executions((...asked) => this.runner.ask(...asked), {
      ...{ now: this.now, newId: this.newId, state, onError, head: () => options.log.head() },
    })
    this.named = new NamedQueries(recordsOf(state, 'named'), this.now)
    const forgotten = async () => lastForgotten(await options.log.head())?.time
    const begun = recordsOf<BegunQuery>(state, 'begun')
    this.past = new QueryHistory(options.storage, onError, forgotten, begun)
    this.runner = new Runner(options, this.workgroups, this.past, {
      counted: () => this.counted(),
      told: (caller, error) => this.told(caller, error),
    })
    keepWarm(WARM)
  }

  /**
   * Reads what was asked today before this process began, of all servers: budgets of a day go on
   * from there; and what this server's state has.
   */
  async resume(): Promise<void> {
    await this.executions.load()
    await this.named.load()
    await this.counted()
  }

  /** Where storage was away, that is found out by whoever asks next. */
  private counted(): Promise<void> {
    this.counting ??= this.countDay().catch((error) => {
      this.counting = undefined
      throw error
    })
    return this.counting
  }

  private async countDay(): Promise<void> {
    const day = this.now().toISOString().slice(0, 10)
    for (const { workgroup, bytesEstimated, reused, error, counted } of await this.past.load(day))
      this.workgroups.count(workgroup, day, counted ?? (reused || error ? 0 : bytesEstimated))
  }

  /** The last queries that this principal has asked, or that all have if it may see everything. */
  history(principal: Caller): PastQuery[] {
    return this.past.list(principal)
  }

  /**
   * What a query would give, and the parameters that it takes; no data is read.
   *
   * @throws MoraineError of kind `query` when it is refused, of kind `limit` when too many wait.
   */
  async describe(request: QueryRequest): Promise<Description> {
    const { sql } = request
    const { columns, parameters } = await this.runner.refusing(request, async () => {
      checkLength(request)
      try {
        return await this.described(request)
      } catch (error) {
        // `:name` is no SQL of the engine's, and there are no values that tell it from other texts.
        const named = withAnyNamed(sql)
        if (named === sql) throw error
        return await this.described({ ...request, sql: named }).catch(() => {
          throw error
        })
      }
    })
    return { columns: columns.map(plainColumn), parameters }
  }

  private async described(request: QueryRequest) {
    const { storage, log } = this.options
    const { principal, sql, signal, schema } = request
    const leave = await this.describing.enter(principal.name, signal)
    try {
      return await describeQuery(storage, log.head(), sql, {
        limits: this.limitsFor(request),
        rights: principal.rights,
        owner: principal.name,
        log,
        ...(schema ? { schema } : {}),
        ...(signal ? { signal } : {}),
      })
    } finally {
      leave()
    }
  }

  /**
   * Runs a query. Its rows have to be read, or the answer closed.
   *
   * @throws MoraineError of kind `query` when it is refused or fails, of kind `limit` when it needs
   *   more than it may use; the reason of the signal when that has stopped it.
   */
  async query(request: QueryRequest): Promise<QueryAnswer> {
    const answer = await this.runner.ask(this.newId(), request)
    return unheld(answer, this.options.slowAfter)
  }

  /**
   * Has the history tell of a statement that a protocol refused before it asked: what it could not
   * translate, or does not serve.
   *
   * @param told the error as the history has it.
   */
  refused(request: QueryRequest, error: unknown, told: unknown = error): void {
    this.runner.refused(request, error, told)
  }

  /** An error that stands for one that the history has. */
  known<E>(error: E): E {
    return this.runner.known(error)
  }

  /** Starts a query whose result is kept; the same client token starts it once. */
  start(request: QueryRequest, { clientToken }: { clientToken?: string } = {}): Execution {
    try {
      checkLength(request)
    } catch (error) {
      this.refused(request, error)
      throw error
    }
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

  /**
   * The same for one who makes a text of them: some pages are in memory at the same time, and
   * whoever wants another waits.
   *
   * @throws MoraineError of kind `limit` where too many wait.
   */
  async withResults<T>(
    id: string,
    principal: Caller,
    page: { from: number; most: number },
    use: (page: ResultPage) => Promise<T>,
  ): Promise<T> {
    const leave = await this.paging.enter(principal.name)
    try {
      return await use(await this.results(id, principal, page))
    } finally {
      leave()
    }
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
    const { storage, log, lake, onError } = this.options
    const { types } = this
    try {
      const state = await log.head()
      return await visibleTables({ storage, state, lake, types, onError }, principal)
    } catch (error) {
      throw this.told(principal, error)
    }
  }

  private told(caller: Caller, error: unknown): unknown {
    return toldTo(caller, error, this.options.onError ?? (() => {}))
  }

  async close(): Promise<void> {
    await this.executions.close()
    this.runner.close()
    await this.past.flush()
  }

  private limitsFor(request: QueryRequest) {
    return this.workgroups.limits(this.workgroups.find(request.principal, request.workgroup))
  }
}

const plainColumn = ({ name, sqlType: type }: ResultColumn): AnswerColumn => ({ name, type })
