import { openEngine } from '../../src/engine/open.js'
import type { RowCounts } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { Relations } from '../../src/step/relations.js'
import { LocalStorage } from '../../src/storage/local.js'

/**
 * All rows of a lake's tables, in order, and what became of all that were ever read: what two lakes
 * have in common that are the same.
 */
export async function rowsOfLake(
  root: string,
): Promise<Record<string, { rows: string[]; counts: RowCounts | undefined }>> {
  const storage = new LocalStorage(root)
  const engine = await openEngine({ threads: 2 })
  try {
    const session = await engine.open()
    const state = await new CommitLog(storage).head()
    const relations = new Relations(storage, state)
    const found: Record<string, { rows: string[]; counts: RowCounts | undefined }> = {}
    for (const [name, { counts }] of Object.entries(state.tables).sort()) {
      const sql = await relations.tableRelation(session, name)
      const rows = await session.rows(
        `SELECT CAST(t AS VARCHAR) AS row FROM (${sql}) AS t ORDER BY 1`,
      )
      found[name] = { rows: rows.map(({ row }) => String(row)), counts }
    }
    return found
  } finally {
    await engine.close()
  }
}
