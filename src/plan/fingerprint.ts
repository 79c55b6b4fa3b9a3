import type { z } from 'zod'
import { type AnyDataset, fullName, type Gold, type Silver } from '../define/dataset.js'
import { columnTypeOf, defOf } from '../define/schema.js'
import { renderSql, type Sql } from '../define/sql.js'
import { sqlType } from '../define/sql-type.js'
import { columnHints } from '../define/values.js'

/** Raised when the same definition would give other rows than before. */
const MEANING = 1

/**
 * A text that changes when, and only when, a dataset's rows could: names, checks and SQL count;
 * descriptions, owners and schedules do not.
 */
export function definitionText(dataset: AnyDataset): string {
  const parts =
    dataset.tier === 'silver'
      ? silverParts(dataset)
      : dataset.tier === 'gold'
        ? goldParts(dataset)
        : {}
  return JSON.stringify({ meaning: MEANING, dataset: fullName(dataset), ...parts })
}

function silverParts(dataset: Silver<any>): object {
  return {
    from: dataset.from.map(fullName),
    select: Object.entries(dataset.select).map(([name, chosen]) => [name, textOf(chosen)]),
    schema: Object.entries(dataset.schema.shape).map(([name, s]) => [
      name,
      schemaText(s as z.ZodType),
    ]),
    key: dataset.key,
    cursor: dataset.cursor ?? null,
    rules: dataset.rules.map((r) => [r.name, r.severity, renderSql(r.condition)]),
    severity: dataset.severity,
    partitionBy: dataset.partitionBy,
  }
}

function goldParts(dataset: Gold<any>): object {
  const declared = Object.entries(dataset.declared ?? {}) as [string, z.ZodType][]
  return {
    query: renderSql(dataset.query),
    columns: declared.map(([name, schema]) => [name, sqlType(columnTypeOf(schema))]),
    partitionBy: dataset.partitionBy,
  }
}

function textOf(chosen: string | Sql): string {
  return typeof chosen === 'string' ? chosen : renderSql(chosen)
}

/** A Zod schema as text: its definition, functions by their source. */
function schemaText(schema: z.ZodType): string {
  return JSON.stringify([defOf(schema), columnHints.get(schema) ?? null], (_, value) => {
    if (typeof value === 'function') return String(value)
    if (typeof value === 'bigint' || value instanceof RegExp) return String(value)
    if (value && typeof value === 'object' && '_zod' in value) return plainDef(value)
    return value
  })
}

function plainDef(value: { _zod: { def: object } }): object {
  const hint = columnHints.get(value as never)
  return hint ? { ...value._zod.def, hint } : { ...value._zod.def }
}
