import type { VisibleTable } from '../../../query/service/request.js'
import { parameterCount, parameterNumbers } from '../sql/parameters.js'
import type { Settings } from '../sql/settings.js'
import { type CatalogRow, relationSql } from './relation.js'
import { catalogRelation } from './relations/all.js'
import { relationName, rewriteCatalog, withClause } from './rewrite.js'
import { visibleOf } from './visible.js'

/** What a statement may have of PostgreSQL's own; most statements have nothing. */
const OWN =
  /\bpg_|\binformation_schema\b|::\s*(?:pg_catalog|"|name\b|oid\b|reg|xid|cid|int2vector|oidvector|jsonb|bpchar|citext|unknown|any)|\bas\s+(?:name|oid|reg\w+|jsonb|"char")\s*\)|\bcurrent_|\bsession_user\b|\bversion\s*\(|_privilege\s*\(|\bformat_type\b|_description\s*\(|\barray_(?:upper|lower)\b|\bcardinality\b|\bquote_(?:ident|literal)\b|\bparse_ident\b|\bset_config\b|\bjsonb?_build_object\b|\bto_reg|\binet_|\btxid_|\bcollate\b|~|\bgenerate_series\b|\bstring_to_array\b|'\{[^']*\}'\s*::/i

interface Asking {
  tables: () => Promise<readonly VisibleTable[]>
  user: string
  database: string
  settings: Settings
}

/** A statement for the engine; with the rows of catalogs, where it reads some. */
export interface WithCatalog {
  sql: string
  /** Parameters of the statement itself. */
  count: number
  /** The value of the parameter after these. */
  rows: string | undefined
}

/**
 * A statement with all that PostgreSQL has of its own written as plain SQL. The relations of its
 * catalogs become subqueries with names, whose rows are what this user may see and come as a
 * parameter: the engine's own catalogs are never asked.
 */
export async function withCatalog(
  sql: string,
  asking: Asking,
  values: readonly unknown[] = [],
): Promise<WithCatalog> {
  const count = parameterCount(sql)
  if (!OWN.test(sql)) return { sql, count, rows: undefined }
  const { tables, user, database, settings } = asking
  const visible = visibleOf({
    ...{ tables: await tables(), user, database },
    path: pathOf(settings),
    settings: settings.all(),
  })
  const { sql: rewritten, relations } = rewriteCatalog(sql, visible, values)
  const rows: Record<string, readonly CatalogRow[]> = {}
  const subqueries = relations.map(([schema, name]) => {
    const relation = catalogRelation(schema, name)
    const found = relation?.rows(visible) ?? []
    const key = `${schema}.${name}`
    rows[key] = found
    const from = `json_extract(CAST($${count + 1} AS JSON), '$."${key}"')`
    return `${relationName(schema, name)} AS MATERIALIZED (${relationSql(relation ?? { columns: [] }, found, from)})`
  })
  const all = withSubqueries(rewritten, [...subqueries, ...unused(rewritten, count)])
  // A parameter that no relation takes its rows from would be one too many.
  const isAsked = all.includes(`$${count + 1} AS JSON`)
  return { sql: all, count, rows: isAsked ? JSON.stringify(rows) : undefined }
}

function withSubqueries(sql: string, subqueries: readonly string[]): string {
  if (subqueries.length === 0) return sql
  const own = withClause(sql)
  const head = `WITH ${own?.isRecursive ? 'RECURSIVE ' : ''}${subqueries.join(',\n')}`
  return own ? `${head},${own.rest}` : `${head}\n${sql}`
}

/** Parameters of functions that were written otherwise: they have values all the same. */
function unused(sql: string, count: number): string[] {
  if (count === 0) return []
  const used = parameterNumbers(sql)
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((n) => !used.has(n))
  if (missing.length === 0) return []
  return [`"unused" AS (SELECT ${missing.map((n) => `CAST($${n} AS VARCHAR)`).join(', ')})`]
}

/** The schemas of a search path, by their names. */
export function pathOf(settings: Settings): string[] {
  return settings
    .get('search_path')
    .split(/\s*,\s*/)
    .map((name) => name.replace(/^"|"$/g, ''))
    .filter((name) => name !== '' && name !== '$user' && name !== 'public')
}
