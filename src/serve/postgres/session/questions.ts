import { quoteName } from '../../../define/sql/sql.js'
import type { RowValue } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import type { Caller, QueryRequest } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import { abortController } from '../../../signals.js'
import { pathOf, withCatalog } from '../catalog/with-catalog.js'
import { PgError } from '../pg-error.js'
import { type Command, commandOf } from '../sql/command.js'
import { parameterNumbers, withParameterTypes } from '../sql/parameters.js'
import { durationOf, type Settings } from '../sql/settings.js'
import { pgColumnType } from '../types/column-type.js'
import type { Parameter } from '../types/parameter.js'
import { needsJson, type ResultColumn } from '../types/row-format.js'
import { pgErrorOf } from './errors.js'
import { Running } from './running.js'

/** The part of the query service that sessions ask. */
export type Queries = Pick<QueryService, 'query' | 'describe' | 'tables' | 'refused'>

interface Asking {
  service: Queries
  caller: Caller
  settings: Settings
  database: string
  /** Aborts once the client is gone. */
  gone: AbortSignal
}

/** A statement as the service is asked. */
interface Asked {
  sql: string
  parameters: readonly RowValue[]
  /** The client's own text, where places in it are those of what is asked. */
  own: string | undefined
  /** The same, whatever places in it are. */
  written: string
}

/** What a session asks of the query service, within its settings; one question at a time. */
export class Questions {
  /** Stops what the client waits for. */
  private stopping: AbortController | undefined

  constructor(private readonly asking: Asking) {
    asking.gone.addEventListener('abort', () => this.stopping?.abort(asking.gone.reason))
  }

  /** Stops the query that runs, if one does. */
  cancel(): void {
    this.stopping?.abort(new PgError('57014', 'The query was cancelled by its user'))
  }

  /**
   * Runs a statement.
   *
   * @param parameters values of `$1`, `$2` …
   * @throws PgError
   */
  async run(sql: string, parameters: readonly Parameter[] = []): Promise<Running> {
    return this.ask(await this.asked(sql, parameters))
  }

  /**
   * The columns of a statement, and the types of its parameters as the engine knows them.
   *
   * @param types numbers of the types that the client says of parameters; 0 for those it does not.
   */
  async describe(
    sql: string,
    types: readonly number[],
  ): Promise<{ columns: ResultColumn[]; parameters: (string | undefined)[] }> {
    const typed = withParameterTypes(sql, types)
    const { sql: translated, rows, count } = await this.translated(typed)
    try {
      const { columns, parameters } = await this.asking.service.describe({
        ...this.request(),
        sql: translated,
        written: sql,
        signal: this.asking.gone,
      })
      const own =
        rows === undefined
          ? parameters
          : parameters.filter(({ name }) => name !== String(count + 1))
      const most = Math.max(0, types.length, ...own.map(({ name }) => Number(name) || 0))
      const found = new Map(own.map(({ name, type }) => [name, type]))
      return {
        columns: columns.map(plainName),
        parameters: Array.from({ length: most }, (_, i) => found.get(String(i + 1))),
      }
    } catch (error) {
      throw pgErrorOf(error, translated === sql ? sql : undefined)
    }
  }

  private async asked(sql: string, parameters: readonly Parameter[]): Promise<Asked> {
    const typed = withParameterTypes(
      sql,
      [],
      parameters.map(({ cast }) => cast),
    )
    const values = parameters.map(({ value }) => value)
    const { sql: translated, rows } = await this.translated(typed, values)
    return {
      sql: translated,
      parameters: rows === undefined ? values : [...values, rows],
      own: translated === sql ? sql : undefined,
      written: sql,
    }
  }

  /**
   * What a statement is for; the history tells of one that is refused.
   *
   * @throws PgError
   */
  command(sql: string): Command {
    try {
      parameterNumbers(sql)
      return commandOf(sql)
    } catch (error) {
      this.refused(sql, error)
      throw error
    }
  }

  private refused(sql: string, error: unknown): void {
    const told = error instanceof PgError ? new MoraineError('query', error.message) : error
    this.asking.service.refused({ ...this.request(), sql }, error, told)
  }

  private async translated(sql: string, values: readonly RowValue[] = []) {
    const { service, caller, settings, database } = this.asking
    const tables = () => service.tables(caller)
    try {
      return await withCatalog(sql, { tables, user: caller.name, database, settings }, values)
    } catch (error) {
      this.refused(sql, error)
      throw error
    }
  }

  private async ask({ sql, parameters, own, written }: Asked): Promise<Running> {
    const { service, gone } = this.asking
    gone.throwIfAborted()
    const stop = abortController()
    const began = Date.now()
    const end = this.turn(stop)
    // The columns, where the answer does not tell all of their types.
    let known: ResultColumn[] | undefined
    const inOtherWords = (found: readonly ResultColumn[]) => {
      if (!needsJson(found)) return undefined
      const named = found.map(plainName)
      known = named.map(withJson)
      return asJson(sql, named)
    }
    try {
      const answer = await service.query({
        ...this.request(),
        sql,
        written,
        signal: stop.signal,
        inOtherWords,
        ...(parameters.length > 0 ? { parameters } : {}),
      })
      const columns = (known ?? answer.columns).map(plainName)
      // The first rows are of the statement that began the query; others ask for the rest.
      let spent = Date.now() - began
      const turn = () => {
        const ends = this.turn(stop, spent)
        spent = 0
        return ends
      }
      return new Running({ ...answer, columns }, stop, { own: known ? undefined : own, turn })
    } catch (error) {
      throw pgErrorOf(stop.signal.aborted ? stop.signal.reason : error, known ? undefined : own)
    } finally {
      end()
    }
  }

  /**
   * A statement begins that the client waits for: it is what a cancellation stops.
   *
   * @param spent milliseconds that it has taken already.
   * @returns what ends it.
   */
  private turn(stop: AbortController, spent = 0): () => void {
    const most = durationOf(this.asking.settings.get('statement_timeout')) ?? 0
    const late = () =>
      stop.abort(new PgError('57014', `The query took longer than statement_timeout, ${most} ms`))
    const timer = most > 0 ? setTimeout(late, Math.max(0, most - spent)) : undefined
    this.stopping = stop
    return () => {
      clearTimeout(timer)
      this.stopping = undefined
    }
  }

  private request(): Pick<QueryRequest, 'principal' | 'schema' | 'workgroup'> {
    const { caller, settings } = this.asking
    const schema = pathOf(settings).find((name) => name !== 'pg_catalog')
    const workgroup = settings.has(WORKGROUP) ? settings.get(WORKGROUP) : undefined
    return {
      principal: caller,
      ...(schema ? { schema } : {}),
      ...(workgroup ? { workgroup } : {}),
    }
  }
}

/** The setting that says whose limits hold. */
const WORKGROUP = 'moraine.workgroup'

/** The statement with what PostgreSQL has no type for written as JSON. */
function asJson(sql: string, columns: readonly ResultColumn[]): string {
  const names = columns.map((_, i) => `c${i}`)
  const shown = columns.map(({ name, type }, i) => {
    const value = pgColumnType(type).asJson ? `CAST(to_json(${names[i]}) AS VARCHAR)` : names[i]
    return `${value} AS ${quoteName(name)}`
  })
  return `SELECT ${shown.join(', ')} FROM (${sql}\n) AS result(${names.join(', ')})`
}

const withJson = (column: ResultColumn): ResultColumn =>
  pgColumnType(column.type).asJson ? { ...column, type: 'JSON' } : column

/** A column without the number that the engine adds to a name that comes again. */
function plainName(column: ResultColumn, i: number, all: readonly ResultColumn[]): ResultColumn {
  const base = /^(.*):\d+$/s.exec(column.name)?.[1]
  const isRepeated = base !== undefined && all.slice(0, i).some(({ name }) => name === base)
  return isRepeated ? { ...column, name: base } : column
}
