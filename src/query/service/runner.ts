import { randomUUID } from 'node:crypto'
import type { Workgroup } from '../../define/access/workgroup.js'
import type { Lake } from '../../define/lake.js'
import { SYSTEM } from '../../define/sql/name.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'
import type { Estimate } from '../estimate.js'
import { type QueryResult, queryLake } from '../query.js'
import type { QueryHistory } from './history.js'
import type { ServerState } from './kept/server-state.js'
import { readAs } from './read-as.js'
import type {
  AnswerColumn,
  Caller,
  QueryAnswer,
  QueryRecord,
  QueryRequest,
  QueryStatistics,
} from './request.js'
import { type Kept, Reuse } from './reuse.js'
import { Spool } from './spool.js'
import { noStatistics, readsNothing, watchReading } from './statistics.js'
import type { Admitted, Workgroups } from './workgroups.js'

/** Bytes of the longest statement, as Athena has it. */
const LONGEST = 262_144

/** A lake that is asked. */
export interface ServiceOptions {
  storage: Storage
  log: CommitLog
  lake?: Pick<Lake, 'datasets' | 'queries' | 'workgroups'>
  /** US dollars for bytes that a query reads. */
  priceOf?: (bytes: number) => number
  /** What outlives the server; without it, executions and named queries end with it. */
  state?: ServerState | undefined
  /** Hears of what could not be kept, and of tables that cannot be read. */
  onError?: (error: unknown) => void
  /** Milliseconds for which a query waits for whoever reads its rows. */
  slowAfter?: number
  now?: () => Date
  newId?: () => string
}

/** What a service does for its queries. */
interface OfService {
  /** Resolves once it is counted what was asked today before this process began. */
  counted: () => Promise<void>
  /** An error as it is told to whoever asked. */
  told: (caller: Caller, error: unknown) => unknown
}

/** Runs queries in their turn, within the limits of their workgroups, or gives results again. */
export class Runner {
  private readonly reuse = new Reuse()
  /** Errors that the history knows. */
  private readonly noted = new WeakSet<object>()

  constructor(
    private readonly options: ServiceOptions,
    private readonly workgroups: Workgroups,
    private readonly past: QueryHistory,
    private readonly of: OfService,
  ) {}

  close(): void {
    this.reuse.close()
  }

  async ask(
    id: string,
    asked: QueryRequest,
    admitted: (statistics: QueryStatistics) => void = () => {},
  ): Promise<QueryAnswer> {
    const { workgroups } = this
    const statistics = noStatistics()
    const cost: Cost = { counted: 0 }
    const began = performance.now()
    const { group, request, leave } = await this.refusing(asked, async () => {
      const found = workgroups.find(asked.principal, asked.workgroup)
      checkLength(asked)
      if (found.maxScanPerDay !== undefined) await this.of.counted()
      const enters = workgroups.enter(found, asked.principal, asked.signal)
      return { group: found, request: { ...asked, workgroup: found.name }, leave: await enters }
    })
    statistics.queuedMs = Math.round(performance.now() - began)
    admitted(statistics)
    const ended = (error?: unknown) => {
      leave()
      statistics.runMs = Math.round(performance.now() - began) - statistics.queuedMs
      this.note({ id, request, statistics, error, ...cost })
    }
    try {
      const state = await this.options.log.head()
      return await this.answer({ id, request, group, statistics, state, cost, leave, ended })
    } catch (error) {
      const told = this.told(request, error)
      ended(told)
      throw told
    }
  }

  /** Gives a result again, or runs the query. */
  private async answer(one: Run): Promise<QueryAnswer> {
    const { reuse } = this
    const { id, request, statistics, state } = one
    const kept = isFresh(request) ? undefined : reuse.find(request, state)
    if (!kept) return this.run(one)
    const { columns, tables } = kept
    const other = insteadOf(one, columns)
    if (other) {
      await reuse.release(kept).catch(() => {})
      return this.answer(other)
    }
    // Nothing runs for it.
    one.leave()
    Object.assign(statistics, { reused: true, rows: kept.spool.rows })
    statistics.bytesEstimated = kept.bytesEstimated
    const read = readAs(tables, request.principal, state)
    const rows = kept.spool.batches()
    return answerOf({ id, statistics, columns, readAs: read, rows }, async (error) => {
      await reuse.release(kept).catch(() => {})
      one.ended(error)
    })
  }

  private told({ principal }: QueryRequest, error: unknown): unknown {
    return this.of.told(principal, error)
  }

  /**
   * Has the history tell of a statement that was refused before it ran, whoever refused it: once,
   * however many hands the error goes through.
   *
   * @param told the error as the history has it.
   */
  refused(request: QueryRequest, error: unknown, told: unknown = error): void {
    // Whoever is to come again has not been refused.
    const isBusy = error instanceof MoraineError && error.kind === 'limit' && error.retryable
    if (isBusy || this.isNoted(error)) return
    this.known(error)
    const { principal, workgroup } = request
    const [usual] = this.workgroups.of(principal)
    this.note({
      id: (this.options.newId ?? randomUUID)(),
      request: { ...request, workgroup: workgroup ?? usual?.name ?? '' },
      ...{ statistics: noStatistics(), error: told, counted: 0 },
    })
  }

  /** Says that the history knows of an error already. */
  known<E>(error: E): E {
    if (error instanceof Object) this.noted.add(error)
    return error
  }

  private isNoted(error: unknown): boolean {
    for (let one = error; one instanceof Object; one = (one as { cause?: unknown }).cause)
      if (this.noted.has(one)) return true
    return false
  }

  /** Does what may refuse a statement. */
  async refusing<T>(request: QueryRequest, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const told = this.told(request, error)
      this.refused(request, told)
      throw told
    }
  }

  /** Runs what no kept result answers. */
  private async run(one: Run): Promise<QueryAnswer> {
    const { request, group, statistics, state, cost } = one
    const { principal, sql, signal, schema, parameters, places } = request
    const { storage, log } = this.options
    let result: QueryResult
    let estimate: Estimate | undefined
    let admitted: Admitted | undefined
    let watch: ReturnType<typeof watchReading> | undefined
    // What asks for the history sees all that is over.
    if (/queries/i.test(sql) && principal.rights.mayQuery([SYSTEM, 'queries']))
      await this.past.flush()
    try {
      result = await queryLake(storage, state, sql, {
        limits: this.workgroups.limits(group),
        rights: principal.rights,
        owner: principal.name,
        log,
        ...(parameters ? { parameters } : {}),
        ...(schema ? { schema } : {}),
        ...(places ? { places } : {}),
        ...(signal ? { signal } : {}),
        judge: (found, process) => {
          estimate = found
          statistics.bytesEstimated = found.bytes
          admitted = this.workgroups.admit(group, found)
          cost.counted = found.bytes
          const price = this.options.priceOf?.(found.bytes) ?? 0
          const begun = { ...one, ...cost, error: undefined }
          this.past.begin(this.recordOf({ ...begun, statistics: { ...statistics, price } }))
          watch =
            found.refs.length === 0
              ? readsNothing
              : watchReading(process, this.workgroups.most(group, found))
        },
      })
    } catch (error) {
      statistics.bytesRead = watch?.end() ?? 0
      // An error may tell of what was read as a row does.
      if (watch === undefined || isBeforeReading(error)) {
        admitted?.takeBack()
        cost.counted = 0
      } else cost.counted = admitted?.ended(statistics.bytesRead) ?? 0
      throw error
    }
    const judged = estimate as Estimate | undefined as Estimate
    return this.opened(one, result, { estimate: judged, watch, admitted })
  }

  /** The answer of a query that runs, or of what is asked in its place. */
  private async opened(
    one: Run,
    result: QueryResult,
    { estimate, watch, admitted }: Opened,
  ): Promise<QueryAnswer> {
    const { id, statistics, cost } = one
    const columns = result.columns.map(({ name, sqlType: type }) => ({ name, type }))
    const other = insteadOf(one, columns)
    if (other) {
      // Only its columns were looked at: it counts as it is asked next.
      watch?.end()
      await result.close()
      admitted?.takeBack()
      cost.counted = 0
      return this.answer(other)
    }
    // Whether or not its rows are read: its bytes count.
    statistics.price = this.options.priceOf?.(statistics.bytesEstimated) ?? 0
    const rows = this.rowsOf(result, { ...one, columns, watch, estimate })
    const read = readAs(estimate.refs, one.request.principal, estimate.state)
    return answerOf({ id, statistics, columns, readAs: read, rows }, async (error) => {
      // Of rows that nobody has read to their end.
      statistics.bytesRead ||= watch?.end() ?? 0
      await result.close()
      cost.counted = admitted?.ended(statistics.bytesRead) ?? 0
      one.ended(error)
    })
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
    } catch (error) {
      throw this.told(request, error)
    } finally {
      statistics.bytesRead = watch?.end() ?? statistics.bytesEstimated
      await keeper?.close()
    }
  }

  /** Keeps rows while they are read, as long as they are few. */
  private keeperOf(request: QueryRequest, { isRepeatable, refs, state, bytes }: Estimate) {
    const isKept = isRepeatable && !request.places
    const madeOf = isKept ? this.reuse.madeOf(refs, request, state) : undefined
    if (madeOf === undefined) return undefined
    let spool: Spool | undefined = new Spool()
    const close = async () => {
      await spool?.close().catch(() => {})
      spool = undefined
    }
    return {
      close,
      add: async (rows: RowValue[][]) => {
        // What can't be kept, on a disk that is full, is answered all the same.
        const isKept = await spool?.add(rows).then(
          () => true,
          () => false,
        )
        if (spool && !(isKept && this.reuse.fits(spool))) await close()
      },
      keep: (columns: AnswerColumn[]) => {
        if (spool)
          this.reuse.keep(request, { columns, spool, tables: refs, madeOf, bytesEstimated: bytes })
        spool = undefined
      },
    }
  }

  private note(ended: Ended): void {
    this.known(ended.error)
    this.past.add(this.recordOf(ended))
  }

  private recordOf({ id, request, statistics, error, counted }: Ended): QueryRecord {
    return {
      ...{ id, counted },
      time: this.options.now?.() ?? new Date(),
      principal: request.principal.name,
      workgroup: request.workgroup ?? '',
      sql: request.written ?? request.sql,
      error,
      statistics,
    }
  }
}

const isFresh = ({ fresh = false, places }: QueryRequest) => fresh || places !== undefined

/** Whether a query has failed as it was bound to its tables, or its files were fetched. */
const isBeforeReading = (error: unknown): boolean =>
  error instanceof MoraineError &&
  (error.kind === 'query' ? /^(Binder|Catalog|Parser) Error/.test(error.message) : isAway(error))

const isAway = ({ kind }: MoraineError) => kind === 'storage' || kind === 'corrupt'

/** The same question in other words, where whoever asks has such for its columns. */
function insteadOf(one: Run, columns: AnswerColumn[]): Run | undefined {
  const { inOtherWords, ...request } = one.request
  const sql = inOtherWords?.(columns)
  return sql === undefined ? undefined : { ...one, request: { ...request, sql } }
}

/** Bytes of the day that a query has used of its workgroup. */
interface Cost {
  counted: number
}

/** A query that runs. */
interface Run {
  id: string
  request: QueryRequest
  group: Workgroup
  statistics: QueryStatistics
  state: LakeState
  cost: Cost
  /** Gives its place among those that run back. */
  leave: () => void
  /** Is told once that it is over. */
  ended: (error?: unknown) => void
}

/** A query whose rows are read. */
interface Reading extends Run, Pick<Kept, 'columns'>, Omit<Opened, 'admitted'> {}

/** What is known of a query once it runs. */
interface Opened {
  estimate: Estimate
  watch: ReturnType<typeof watchReading> | undefined
  admitted: Admitted | undefined
}

interface Ended extends Cost {
  id: string
  request: QueryRequest
  statistics: QueryStatistics
  error: unknown
}

/** An answer whose end is told once, however it comes. */
function answerOf(
  answer: Pick<QueryAnswer, 'id' | 'columns' | 'rows' | 'statistics' | 'readAs'>,
  ended: (error?: unknown) => unknown,
): QueryAnswer {
  let end: Promise<void> | undefined
  const over = (error?: unknown) => {
    end ??= (async () => {
      await ended(error)
    })()
    return end
  }
  const found = answer.rows[Symbol.asyncIterator]()
  const close = async () => {
    await over()
    // What its rows hold is let go of where nobody reads them to their end.
    await found.return?.()
  }
  async function* rows() {
    try {
      yield* { [Symbol.asyncIterator]: () => found }
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

/**
 * A statement is judged as it was sent: another dialect may take more words for it.
 *
 * @throws MoraineError of kind `usage` for what is no question.
 */
export function checkLength({ sql, written = sql }: QueryRequest): void {
  if (Buffer.byteLength(written) <= LONGEST) return
  throw new MoraineError('usage', `The statement is longer than ${LONGEST} bytes`, {
    hint: 'Pass values as parameters, or put them into a table.',
  })
}
