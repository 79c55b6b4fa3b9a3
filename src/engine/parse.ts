import { quoteText } from '../define/sql.js'
import type { Session } from './engine.js'

/** The engine's parse tree of a text, as JSON; a text that can't be parsed gives one that says so. */
export async function parseTree(session: Session, sql: string): Promise<string> {
  const [row] = await session.rows(
    `SELECT CAST(json_serialize_sql(${quoteText(sql)}) AS VARCHAR) AS tree`,
  )
  return String(row?.tree)
}

/** The same of several texts, in their order. */
export async function parseTrees(session: Session, texts: readonly string[]): Promise<string[]> {
  if (texts.length === 0) return []
  const rows = await session.rows(
    `SELECT CAST(json_serialize_sql(t) AS VARCHAR) AS tree FROM (SELECT unnest([${texts.map(quoteText).join(', ')}]) AS t)`,
  )
  return rows.map(({ tree }) => String(tree))
}
