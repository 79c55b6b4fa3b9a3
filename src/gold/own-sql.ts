import { fullName, schemaOf } from '../define/dataset.js'
import type { Gold, SqlValue } from '../define/model.js'
import { isView, quoteText, renderSql } from '../define/sql/sql.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import type { TargetName } from '../sql/bound/target.js'

/** A query that its author has written in SQL of another engine. */
export interface OwnSql {
  sql: string
  place: SourceLocation | undefined
}

/** What `sql.for('trino')` says of a dataset, with the lake's tables as the engine names them. */
export function ownSql(
  dataset: Gold,
  { target, table }: { target: TargetName; table: (schema: string, name: string) => string },
): OwnSql | undefined {
  const own = dataset.dialects?.find(({ dialect }) => dialect === target)
  if (!own) return undefined
  const { place } = own.sql
  const named = (input: Parameters<typeof isView>[0]) => {
    if (isView(input))
      throw new MoraineError(
        'definition',
        `${fullName(dataset)}: its SQL for Trino names ${fullName(input)}, a view, whose query is DuckDB's`,
        { place, hint: 'Write what the view selects, from the datasets that it reads.' },
      )
    return table(schemaOf(input), input.name)
  }
  const history = (name: string) => table('history', name)
  return { sql: renderSql(own.sql, { value: literalOf, dataset: named, history }), place }
}

/** A value as Trino writes it. */
function literalOf(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (Array.isArray(value)) return `(${value.map(literalOf).join(', ')})`
  if (value instanceof Date)
    return `TIMESTAMP ${quoteText(value.toISOString().replace('T', ' ').replace('Z', ' UTC'))}`
  if (typeof value === 'string') return quoteText(value)
  if (typeof value === 'number' && !Number.isInteger(value)) return doubleOf(value)
  return String(value)
}

function doubleOf(value: number): string {
  if (Number.isNaN(value)) return 'nan()'
  if (!Number.isFinite(value)) return value > 0 ? 'infinity()' : '-infinity()'
  return `DOUBLE ${quoteText(String(value))}`
}
