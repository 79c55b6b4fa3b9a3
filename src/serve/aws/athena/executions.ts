import { randomUUID } from 'node:crypto'
import type { Caller } from '../../../query/service/request.js'
import { abortController } from '../../../signals.js'
import { invalidRequest } from '../protocol/failure.js'
import type { AthenaExecution } from './execution.js'
import { failureOf, kindOf, type RunParts, run } from './run.js'

/** Executions that are remembered, of all callers. */
const MOST = 1000

export type Asked = Pick<
  AthenaExecution,
  'query' | 'parameters' | 'catalog' | 'database' | 'workgroup' | 'group' | 'reuse'
> & {
  /** The folder of the result's files, with its slash; `undefined` where results are managed. */
  folder: string | undefined
  token: string | undefined
}

/** What clients asked to be run; each is known to whoever asked alone. */
export class AthenaExecutions {
  private readonly all = new Map<string, AthenaExecution>()
  private readonly tokens = new Map<string, { id: string; asked: string }>()

  constructor(private readonly parts: RunParts) {}

  /** Starts a statement; the same token starts it once. */
  start(caller: Caller, asked: Asked): AthenaExecution {
    const { token, folder, ...rest } = asked
    const key = token === undefined ? undefined : JSON.stringify([caller.name, token])
    const content = JSON.stringify({ ...rest, folder })
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
    execution.done = this.carryOut(execution)
    return execution
  }

  private async carryOut(one: AthenaExecution): Promise<void> {
    try {
      await run(one, this.parts)
      one.state = one.stop.signal.aborted ? 'CANCELLED' : 'SUCCEEDED'
    } catch (error) {
      const { reason, category, type } = failureOf(error)
      one.state = one.stop.signal.aborted ? 'CANCELLED' : 'FAILED'
      one.reason = one.stop.signal.aborted ? 'Query cancelled by user' : reason
      one.error = { category, type, message: one.reason }
      if (category === 1) this.parts.onError?.(error)
    } finally {
      one.completed = Date.now()
      this.trim()
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
    for (const one of this.all.values()) one.stop.abort(new Error('The server is closing'))
    await Promise.all([...this.all.values()].map(({ done }) => done))
  }

  private trim(): void {
    for (const [id, { completed }] of this.all) {
      if (this.all.size <= MOST) return
      if (completed !== undefined) this.all.delete(id)
    }
    for (const [key, { id }] of this.tokens) if (!this.all.has(id)) this.tokens.delete(key)
  }
}
