import { MoraineError, messageOf } from '../../errors.js'
import { abortController } from '../../signals.js'
import type {
  Caller,
  Execution,
  QueryAnswer,
  QueryRequest,
  QueryStatistics,
  ResultPage,
} from './request.js'
import { Spool } from './spool.js'
import { noStatistics } from './statistics.js'

/** An execution with what belongs to it. */
interface Running {
  execution: Execution
  stop: AbortController
  spool: Spool
  clientToken: string | undefined
  done: Promise<void>
}

/** Executions that are remembered, of all principals, and the bytes of their results. */
const MOST = 1000
const MOST_BYTES = 4 * 2 ** 30

/** Queries that run by themselves; each is known to whoever started it alone. */
export class Executions {
  private readonly all = new Map<string, Running>()

  constructor(
    private readonly ask: (
      id: string,
      request: QueryRequest,
      /** Hears that it waits no longer. */
      admitted: (statistics: QueryStatistics) => void,
    ) => Promise<QueryAnswer>,
    private readonly now: () => Date,
    private readonly newId: () => string,
  ) {}

  /**
   * @param clientToken the same one starts nothing more, and gives the execution of before.
   * @throws MoraineError of kind `usage` where the token was used for another query.
   */
  start(request: QueryRequest, clientToken?: string): Execution {
    const { principal, sql, workgroup, schema } = request
    const known = clientToken === undefined ? undefined : this.byToken(principal, clientToken)
    if (known) {
      if (known.execution.sql !== sql)
        throw new MoraineError('usage', 'The client token was already used for another query', {
          hint: 'Use a new token for each query.',
        })
      return known.execution
    }
    const stop = abortController()
    request.signal?.addEventListener('abort', () => stop.abort(request.signal?.reason))
    const execution: Execution = {
      ...{ id: this.newId(), principal: principal.name, sql, workgroup, schema },
      state: 'queued',
      submitted: this.now(),
      ended: undefined,
      columns: undefined,
      statistics: noStatistics(),
      error: undefined,
    }
    const running: Running = {
      ...{ execution, stop, clientToken, spool: new Spool() },
      done: Promise.resolve(),
    }
    this.all.set(execution.id, running)
    running.done = this.run(running, { ...request, signal: stop.signal })
    return execution
  }

  /** @throws MoraineError of kind `usage` where this principal has none of this id. */
  get(id: string, caller: Caller): Execution {
    return this.of(id, caller).execution
  }

  /** Executions of a principal, the newest first. */
  list(caller: Caller): Execution[] {
    return [...this.all.values()]
      .map(({ execution }) => execution)
      .filter(({ principal }) => principal === caller.name)
      .reverse()
  }

  /** Resolves when it is done, whatever became of it. */
  async done(id: string, caller: Caller): Promise<Execution> {
    const running = this.of(id, caller)
    await running.done
    return running.execution
  }

  async results(id: string, caller: Caller, from: number, most: number): Promise<ResultPage> {
    const { execution, spool } = this.of(id, caller)
    const { state, columns, error } = execution
    if (state !== 'succeeded' || !columns)
      throw new MoraineError('usage', `Query ${id} has no result: it is ${state}`, {
        hint: error?.message ?? 'Wait until it has succeeded.',
      })
    const rows = await spool.page(from, most)
    const next = from + rows.length
    return { columns, rows, next: next < spool.rows ? next : undefined }
  }

  /** All rows in batches. */
  rows(id: string, caller: Caller) {
    return this.of(id, caller).spool.batches()
  }

  stop(id: string, caller: Caller): Execution {
    const { execution, stop } = this.of(id, caller)
    stop.abort(cancelled())
    return execution
  }

  async close(): Promise<void> {
    for (const { stop } of this.all.values()) stop.abort(cancelled())
    await Promise.all([...this.all.values()].map(({ done }) => done))
    await Promise.all([...this.all.values()].map(({ spool }) => spool.close()))
    this.all.clear()
  }

  private async run(running: Running, request: QueryRequest): Promise<void> {
    const { execution, spool, stop } = running
    try {
      await using answer = await this.ask(execution.id, request, (statistics) => {
        execution.state = 'running'
        execution.statistics = statistics
      })
      execution.columns = answer.columns
      for await (const batch of answer.rows) await spool.add(batch)
      stop.signal.throwIfAborted()
      execution.state = 'succeeded'
    } catch (error) {
      execution.state = stop.signal.aborted ? 'cancelled' : 'failed'
      const { kind, hint } =
        error instanceof MoraineError ? error : { kind: 'internal', hint: undefined }
      execution.error = { kind, hint, message: messageOf(error) }
      await spool.close().catch(() => {})
    } finally {
      execution.ended = this.now()
      await this.trim()
    }
  }

  /** Forgets the oldest that have ended. */
  private async trim(): Promise<void> {
    let bytes = 0
    for (const { spool } of this.all.values()) bytes += spool.bytes
    for (const [id, { execution, spool }] of this.all) {
      if (this.all.size <= MOST && bytes <= MOST_BYTES) return
      if (!execution.ended) continue
      this.all.delete(id)
      bytes -= spool.bytes
      await spool.close().catch(() => {})
    }
  }

  private byToken({ name }: Caller, token: string): Running | undefined {
    return [...this.all.values()].find(
      ({ execution, clientToken }) => clientToken === token && execution.principal === name,
    )
  }

  private of(id: string, { name }: Caller): Running {
    const found = this.all.get(id)
    if (found && found.execution.principal === name) return found
    throw new MoraineError('usage', `There is no query ${id}`, {
      hint: 'The id is wrong, another principal started the query, or its result has expired: run it again.',
    })
  }
}

const cancelled = () =>
  new MoraineError('query', 'The query was cancelled', { hint: 'Run it again.' })
