import { quoteText } from '../define/sql.js'
import type { Session } from './engine.js'

/** The engine's parse tree of a text, as JSON; a text that can't be parsed gives one that says so. */
export async function parseTree(session: Session, sql: string): Promise<string> {
  const [row] = await session.rows(
    `SELECT CAST(json_serialize_sql(${quoteText(sql)}) AS VARCHAR) AS tree`,
  )
  return String(row?.tree)
}
