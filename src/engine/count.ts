import type { Session } from './engine.js'

/** The number in the column `n` of a query's one row. */
export async function count(session: Session, sql: string): Promise<number> {
  return Number((await session.rows(sql))[0]?.n)
}
