import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MoraineError, messageOf } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { redact } from '../../secrets.js'
import { abortController } from '../../signals.js'
import { askedOf } from './asked.js'
import { recordsOf, type ServerState } from './kept/server-state.js'
import { isReadSo, type ReadAs } from './read-as.js'
import type {
  Caller,
  Execution,
  QueryAnswer,
  QueryRequest,
  QueryStatistics,
  ResultPage,
} from './request.js'
import { type Piece, Spool } from './spool.js'
import { noStatistics } from './statistics.js'
import { surplusOf } from './surplus.js'

/** An execution with what belongs to it. */
interface Running {
  execution: Execution
  stop: AbortController
  spool: Spool
  clientToken: string | undefined
  /** What was asked with that token. */
  asked?: string | undefined
  /** Whether it was refused, to be asked again: it is remembered until there are others. */
  isBusy?: boolean
  /** Known once it runs. */
  readAs: ReadAs | undefined
  done: Promise<void>
}

/** An execution as it outlives the server. */
interface Kept extends Omit<Execution, 'submitted' | 'ended'> {
  submitted: string
  ended: string | undefined
  clientToken: string | undefined
  asked?: string | undefined
  readAs?: ReadAs | undefined
  /** Where the rows of its result are in their file. */
  pieces: readonly Piece[]
}

/** Executions that are remembered, of all principals, and the bytes of their results. */
const MOST = 1000
const MOST_BYTES = 4 * 2 ** 30

interface ExecutionOptions {
  now: () => Date
  newId: () => string
  /** The newest state of the lake. */
  head: () => Promise<LakeState>
  /** What outlives the server, where something does. */
  state: ServerState | undefined
  /** Hears of what could not be kept, and of what failed inside. */
  onError: (error: unknown) => void
}

/** Queries that run by themselves; each is known to whoever started it alone. */
export class Executions {
  private readonly all = new Map<string, Running>()
  private readonly records
  private isClosing = false

  constructor(
    private readonly ask: (
      id: string,
      request: QueryRequest,
      /** Hears that it waits no longer. */
      admitted: (statistics: QueryStatistics) => void,
    ) => Promise<QueryAnswer>,
    private readonly options: ExecutionOptions,
  ) {
    this.records = recordsOf<Kept>(options.state, 'executions')
  }

  /** Reads what was started before this server, and says what became of what it did not end. */
  async load(): Promise<void> {
    await this.options.state?.forget(await this.options.head())
    const found = await this.records.load()
    for (const one of found.sort((a, b) => (a.submitted < b.submitted ? -1 : 1))) {
      const running = this.reopened(one)
      this.all.set(one.id, running)
      if (running.execution.ended) continue
      const { execution } = running
      Object.assign(execution, { state: 'failed', ended: this.options.now(), error: STOPPED })
      this.note(running, [])
    }
    const { state } = this.options
    if (!state) return
    // Rows of those that did not end.
    const whole = [...this.all.values()].filter(({ execution }) => execution.state === 'succeeded')
    const known = new Set(whole.map(({ execution }) => `${execution.id}.rows`))
    for (const name of await readdir(state.results).catch(() => []))
      if (!known.has(name)) await rm(join(state.results, name), { force: true })
  }

  /**
   * @param clientToken the same one starts nothing more, and gives the execution of before.
   * @throws MoraineError of kind `usage` where the token was used for another query.
   */
  start(request: QueryRequest, clientToken?: string): Execution {
    const { principal, sql, workgroup, schema } = request
    const known = clientToken === undefined ? undefined : this.byToken(principal, clientToken)
    const asked = clientToken === undefined ? undefined : askedOf(request)
    if (known) {
      if (known.execution.sql !== sql || (known.asked !== undefined && known.asked !== asked))
        throw new MoraineError('usage', 'The client token was already used for another query', {
          hint: 'Use a new token for each query.',
        })
      return known.execution
    }
    const stop = abortController()
    const { signal } = request
    signal?.addEventListener('abort', () => stop.abort(signal.reason))
    if (signal?.aborted) stop.abort(signal.reason)
    const execution: Execution = {
      ...{ id: this.options.newId(), principal: principal.name, sql, workgroup, schema },
      state: 'queued',
      submitted: this.options.now(),
      ended: undefined,
      columns: undefined,
      statistics: noStatistics(),
      error: undefined,
    }
    const running: Running = {
      ...{ execution, stop, clientToken, spool: this.spool(execution.id), readAs: undefined },
      ...{ asked, done: Promise.resolve() },
    }
    this.all.set(execution.id, running)
    this.note(running, [])
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
    const { execution, spool } = await this.readable(id, caller)
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
  async *rows(id: string, caller: Caller) {
    const { spool } = await this.readable(id, caller)
    yield* spool.batches()
  }

  stop(id: string, caller: Caller): Execution {
    const { execution, stop } = this.of(id, caller)
    stop.abort(cancelled())
    return execution
  }

  async close(): Promise<void> {
    this.isClosing = true
    for (const { stop } of this.all.values()) stop.abort(cancelled())
    await Promise.all([...this.all.values()].map(({ done }) => done))
    await Promise.all([...this.all.values()].map(({ spool }) => spool.close()))
    this.all.clear()
  }

  private async run(running: Running, request: QueryRequest): Promise<void> {
    const { execution, spool, stop } = running
    let pieces: Piece[] = []
    try {
      await using answer = await this.ask(execution.id, request, (statistics) => {
        execution.state = 'running'
        execution.statistics = statistics
      })
      execution.columns = answer.columns
      running.readAs = answer.readAs
      for await (const batch of answer.rows) await spool.add(batch)
      stop.signal.throwIfAborted()
      if (this.options.state) pieces = await spool.keep()
      execution.state = 'succeeded'
    } catch (error) {
      const isStopped = stop.signal.aborted
      execution.state = isStopped && !this.isClosing ? 'cancelled' : 'failed'
      execution.error = isStopped && this.isClosing ? STOPPED : errorOf(error)
      if (execution.error.kind === 'internal') this.options.onError(error)
      running.isBusy = error instanceof MoraineError && error.kind === 'limit' && error.retryable
      await spool.remove().catch(() => {})
    } finally {
      execution.ended = this.options.now()
      if (running.isBusy) await this.records.delete(execution.id).catch(this.options.onError)
      else this.note(running, pieces)
      await this.trim()
    }
  }

  private spool(id: string): Spool {
    const { state } = this.options
    return new Spool(state ? { path: join(state.results, `${id}.rows`) } : {})
  }

  private reopened({ pieces, clientToken, asked, readAs, ...kept }: Kept): Running {
    const { submitted, ended, ...one } = kept
    const path = join(this.options.state?.results ?? '', `${one.id}.rows`)
    return {
      execution: {
        ...one,
        columns: one.columns,
        workgroup: one.workgroup,
        schema: one.schema,
        error: one.error,
        submitted: new Date(submitted),
        ended: ended === undefined ? undefined : new Date(ended),
      },
      ...{ stop: abortController(), spool: Spool.at(path, pieces), clientToken },
      ...{ asked, readAs, done: Promise.resolve() },
    }
  }

  /** What can't be kept is answered all the same. */
  private note({ execution, clientToken, asked, readAs }: Running, pieces: readonly Piece[]): void {
    const { submitted, ended } = execution
    try {
      this.records.note(execution.id, {
        ...{ ...execution, clientToken, asked, readAs, pieces },
        ...{ submitted: submitted.toISOString(), ended: ended?.toISOString() },
      })
    } catch (error) {
      this.options.onError(error)
    }
  }

  /** Forgets the oldest that have ended, of whoever has the most. */
  private async trim(): Promise<void> {
    const bounds = { most: MOST, mostBytes: MOST_BYTES }
    for (;;) {
      const one = surplusOf([...this.all.values()], bounds)
      if (!one) return
      const { spool, execution } = one
      const { id } = execution
      this.all.delete(id)
      await spool.remove().catch(() => {})
      await this.records.delete(id).catch(this.options.onError)
    }
  }

  private byToken({ name }: Caller, token: string): Running | undefined {
    return [...this.all.values()].find(
      ({ execution, clientToken, isBusy }) =>
        clientToken === token && execution.principal === name && !isBusy,
    )
  }

  /**
   * @throws MoraineError of kind `usage` where whoever asks would not read the same rows now: what
   *   was granted, masked or filtered then holds for rows that are kept, too.
   */
  private async readable(id: string, caller: Caller): Promise<Running> {
    const found = this.of(id, caller)
    if (found.execution.state !== 'succeeded') return found
    if (isReadSo(found.readAs, caller, await this.options.head())) return found
    throw new MoraineError('usage', `The result of query ${id} has expired`, {
      hint: 'What you may read of its tables has changed since, they have, or rows were forgotten: run it again.',
    })
  }

  private of(id: string, { name }: Caller): Running {
    const found = this.all.get(id)
    if (found && found.execution.principal === name) return found
    throw new MoraineError('usage', `There is no query ${id}`, {
      hint: 'The id is wrong, another principal started the query, or its result has expired: run it again.',
    })
  }
}

/** Why a query failed that did not end before its server did. */
const STOPPED = {
  kind: 'query',
  message: 'The server was stopped while the query ran',
  hint: 'Run it again.',
}

const cancelled = () =>
  new MoraineError('query', 'The query was cancelled', { hint: 'Run it again.' })

/** What whoever asked is told: of what is wrong inside, only that something is. */
function errorOf(error: unknown): NonNullable<Execution['error']> {
  if (!(error instanceof MoraineError))
    return { kind: 'internal', hint: undefined, message: 'The server failed to answer' }
  const { kind, hint } = error
  return { kind, hint: hint && redact(hint), message: redact(messageOf(error)) }
}
