import type { CatalogEntry } from '../../catalog/describe.js'
import type { Lake } from '../../define/lake.js'
import { quoteName } from '../../define/sql/sql.js'
import type { RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { reasonsSql } from '../../query/discarded-reasons.js'
import { plainRows } from '../../query/formats/json-values.js'
import type { Caller } from '../../query/service/request.js'
import type { QueryService } from '../../query/service/service.js'
import { toldTo } from '../../query/service/told.js'
import { isLost } from '../../storage/passing.js'
import { described, type Known, lineageOf, listed } from './described.js'

/** What agents ask of. */
export interface AgentOptions {
  service: Pick<QueryService, 'query' | 'tables'>
  lake: Pick<Lake, 'datasets'>
  /** All that the catalog has, whoever may see it. */
  entries: () => Promise<readonly CatalogEntry[]>
  /** Whose limits hold for queries. */
  workgroup?: string | undefined
  /** Hears of what went wrong inside; agents are told only that something did. */
  onError?: (error: unknown) => void
}

/** Rows that an answer has when nothing is said, and at most. */
export const USUAL_ROWS = 100
export const MOST_ROWS = 1000
/** Characters of the rows of one answer: agents pay for what they read. */
const LONGEST = 100_000

/** A result that an agent reads. */
interface Rows {
  columns: { name: string; type: string }[]
  rows: unknown[][]
  /** Whether there are more rows than these. */
  truncated: boolean
  bytesRead: number
}

/** What an agent can do: it reads, within the rights and limits of its principal. */
export class Tools {
  constructor(
    private readonly options: AgentOptions,
    private readonly caller: Caller,
  ) {}

  async list(search?: string) {
    return { tables: listed(await this.known(), search) }
  }

  async describe(table: string) {
    return described(await this.known(), table) ?? this.unknown(table)
  }

  async lineage(table: string) {
    return lineageOf(await this.known('whole'), table) ?? this.unknown(table)
  }

  async sample(table: string, rows: number, signal?: AbortSignal): Promise<Rows> {
    return this.query(`SELECT * FROM ${await this.sqlName(table)} LIMIT ${rows}`, rows, signal)
  }

  async query(sql: string, most: number, signal?: AbortSignal): Promise<Rows> {
    const { service, workgroup } = this.options
    await using answer = await service.query({
      ...{ principal: this.caller, sql, maxRows: most + 1 },
      ...(workgroup === undefined ? {} : { workgroup }),
      ...(signal ? { signal } : {}),
    })
    const rows: unknown[][] = []
    let left = LONGEST
    let truncated = false
    for await (const batch of answer.rows)
      for (const row of plainRows(batch as RowValue[][])) {
        left -= JSON.stringify(row).length
        truncated ||= rows.length >= most || left < 0
        if (truncated) break
        rows.push(row)
      }
    return { columns: answer.columns, rows, truncated, bytesRead: answer.statistics.bytesRead }
  }

  async discarded(table: string, signal?: AbortSignal) {
    const [tier, name = ''] = table.split('.')
    if (tier !== 'silver' || name === '')
      throw new MoraineError('usage', `${table} discards no rows: only silver tables do`, {
        hint: 'Ask for a table such as silver.orders.',
      })
    const { rows } = await this.query(reasonsSql(name, 3), MOST_ROWS, signal)
    const reasons = rows.map(([reason, count, examples]) => ({ reason, rows: count, examples }))
    return { table, reasons, note: 'A row may have several reasons.' }
  }

  /** @param catalog whether it is of no use without all that the catalog has. */
  private async known(catalog?: 'whole'): Promise<Known> {
    const { service, lake, entries, onError = () => {} } = this.options
    const { caller } = this
    const known = entries().catch((error) => {
      // The service hears of it as well, from its own look at the tables.
      if (catalog === 'whole' || !isLost(error)) throw toldTo(caller, error, () => {})
      // Files of one table are gone or damaged: all others can be asked for.
      onError(error)
      return []
    })
    const [all, tables] = await Promise.all([known, service.tables(caller)])
    return { entries: all, tables, lake, caller }
  }

  /** A table as SQL names it. */
  private async sqlName(asked: string): Promise<string> {
    const { tables } = await this.known()
    const found = tables.find(
      ({ schema, name }) => `${schema}.${name}`.toLowerCase() === asked.toLowerCase(),
    )
    return found ? `${quoteName(found.schema)}.${quoteName(found.name)}` : this.unknown(asked)
  }

  private unknown(table: string): never {
    throw new MoraineError('usage', `There is no table ${table} that you may query`, {
      hint: 'list_tables has all of them; write names as gold.daily.',
    })
  }
}
