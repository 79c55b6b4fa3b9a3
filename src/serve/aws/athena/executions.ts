import { randomUUID } from 'node:crypto'
import { rightsOf } from '../../../define/access/rights.js'
import { MoraineError } from '../../../errors.js'
import { recordsOf, type ServerState } from '../../../query/service/kept/server-state.js'
import type { Caller } from '../../../query/service/request.js'
import { surplusOf } from '../../../query/service/surplus.js'
import { abortController } from '../../../signals.js'
import { sha256 } from '../../../storage/checksum.js'
import { invalidRequest } from '../protocol/failure.js'
import type { AthenaExecution, KeptExecution } from './execution.js'
import { failureOf, isUnknown } from './failures.js'
import { kindOf, type RunParts, run } from './run.js'

/** Executions that are remembered, of all callers. */
const MOST = 1000

export type Asked = Pick<
  AthenaExecution,
  'query' | 'parameters' | 'catalog' | 'database' | 'workgroup' | 'group' | 'reuse' | 'reuseMinutes'
> & {
  /** The folder of the result's files, with its slash; `undefined` where results are managed. */
  folder: string | undefined
  token: string | undefined
}

/** What clients asked to be run; each is known to whoever asked alone. */
export class AthenaExecutions {
  private readonly all = new Map<string, AthenaExecution>()
  private readonly tokens = new Map<string, { id: string; asked: string }>()
  private readonly records
  private isClosing = false

  constructor(
    private readonly parts: RunParts,
    state: ServerState | undefined,
  ) {
    this.records = recordsOf<KeptExecution>(state, 'athena-executions')
  }

  /** Reads what was started before this server; what did not end before it did has failed. */
  async load(): Promise<void> {
    const found = await this.records.load()
    for (const { principal, token, ...one } of found.sort((a, b) => a.submitted - b.submitted)) {
      const execution: AthenaExecution = {
        ...one,
        caller: { name: principal, rights: rightsOf([], []) },
        ...{ stop: abortController(), done: Promise.resolve() },
      }
      this.all.set(one.id, execution)
      if (token) this.tokens.set(token.key, { id: one.id, asked: hashOf(token.asked) })
      if (one.completed !== undefined) continue
      failBecauseStopped(execution)
      this.note(execution)
    }
  }

  /** Starts a statement; the same token starts it once. */
  start(caller: Caller, asked: Asked): AthenaExecution {
    const { token, folder, ...rest } = asked
    const key = token === undefined ? undefined : JSON.stringify([caller.name, token])
    const content = sha256(JSON.stringify({ ...rest, folder }))
    const known = key === undefined ? undefined : this.tokens.get(key)
    const before = known && this.all.get(known.id)
    if (known && before) {
      if (known.asked !== content)
        throw invalidRequest('Idempotent parameters do not match', 'IDEMPOTENT_PARAMETERS_MISMATCH')
      return before
    }
    const id = randomUUID()
    const kind = kindOf(rest.query)
    const isText = kind.type !== 'DML'
    const execution: AthenaExecution = {
      ...rest,
      ...kind,
      ...{
        id,
        caller,
        state: 'QUEUED',
        submitted: Date.now(),
        completed: undefined,
        reason: undefined,
      },
      ...{ error: undefined, result: undefined, done: Promise.resolve(), stop: abortController() },
      output: folder === undefined ? undefined : `${folder}${id}.${isText ? 'txt' : 'csv'}`,
      statistics: { scanned: 0, runMs: 0, queuedMs: 0, rows: 0, bytesOut: 0, reused: false },
    }
    this.all.set(id, execution)
    if (key !== undefined) this.tokens.set(key, { id, asked: content })
    this.note(execution)
    execution.done = this.carryOut(execution)
    return execution
  }

  private async carryOut(one: AthenaExecution): Promise<void> {
    try {
      await run(one, this.parts)
      // Also where it was stopped meanwhile: what it was to do is done.
      one.state = 'SUCCEEDED'
    } catch (error) {
      const isStopped = one.stop.signal.aborted && !isUnknown(error)
      if (isStopped && this.isClosing) return failBecauseStopped(one)
      const { reason, category, type } = failureOf(error)
      const { caller, query: sql, group: workgroup } = one
      const told = category === 1 ? error : new MoraineError('query', reason)
      if (!isStopped) this.parts.service.refused({ principal: caller, sql, workgroup }, error, told)
      one.state = isStopped ? 'CANCELLED' : 'FAILED'
      one.reason = isStopped ? 'Query cancelled by user' : reason
      one.error = { category, type, message: one.reason }
      if (category === 1) this.parts.onError?.(error)
    } finally {
      one.completed = Date.now()
      this.note(one)
      await this.trim()
    }
  }

  get(caller: Caller, id: string): AthenaExecution {
    const found = this.all.get(id)
    if (found?.caller.name === caller.name) return found
    throw invalidRequest(`QueryExecution ${id} was not found`)
  }

  /** The newest first. */
  list(caller: Caller, workgroup: string): AthenaExecution[] {
    return [...this.all.values()]
      .filter((one) => one.caller.name === caller.name && one.workgroup === workgroup)
      .reverse()
  }

  stop(caller: Caller, id: string): void {
    const one = this.get(caller, id)
    if (one.completed === undefined) one.stop.abort(new Error('The query was cancelled'))
  }

  async close(): Promise<void> {
    this.isClosing = true
    for (const one of this.all.values()) one.stop.abort(new Error('The server is closing'))
    await Promise.all([...this.all.values()].map(({ done }) => done))
  }

  /** What can't be kept is answered all the same. */
  private note({ caller, stop: _, done: __, ...one }: AthenaExecution): void {
    const [key, token] = [...this.tokens].find(([, { id }]) => id === one.id) ?? []
    const kept = {
      ...{ ...one, principal: caller.name },
      token: key !== undefined && token ? { key, asked: token.asked } : undefined,
    }
    try {
      this.records.note(one.id, kept)
    } catch (error) {
      this.parts.onError?.(error)
    }
  }

  /** Forgets the oldest that have ended, of whoever has the most. */
  private async trim(): Promise<void> {
    while (this.all.size > MOST) {
      const remembered = [...this.all.values()].map(({ id, caller: { name }, completed }) => ({
        ...{ id, spool: { bytes: 0 } },
        execution: {
          principal: name,
          ended: completed === undefined ? undefined : new Date(completed),
        },
      }))
      const one = surplusOf(remembered, { most: MOST, mostBytes: 0 })
      if (!one) break
      this.all.delete(one.id)
      await this.records.delete(one.id).catch((error) => this.parts.onError?.(error))
    }
    for (const [key, { id }] of this.tokens) if (!this.all.has(id)) this.tokens.delete(key)
  }
}

/** What was asked, which earlier servers kept as it was. */
const hashOf = (asked: string) => (asked.startsWith('{') ? sha256(asked) : asked)

/** What a statement wrote is published as a whole, so that it is there or is not. */
function failBecauseStopped(one: AthenaExecution): void {
  const reason =
    'INTERNAL_ERROR: The server was stopped while the statement ran; what it writes was committed as a whole, or not at all'
  const error = { category: 1, type: 0, message: reason }
  Object.assign(one, { state: 'FAILED', reason, error, completed: one.completed ?? Date.now() })
}
