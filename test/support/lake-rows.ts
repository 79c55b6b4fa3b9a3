import { openEngine } from '../../src/engine/open.js'
import type { RowCounts } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { Relations } from '../../src/step/relations.js'
import { LocalStorage } from '../../src/storage/local.js'

/**
 * How far a lake's datasets have read their inputs, and its sources were read; and what is known of
 * its tables beside their rows. Files that have other names in each lake are left out.
 */
export async function progressOfLake(root: string): Promise<Record<string, unknown>> {
  const { offsets, watermarks, tables } = await new CommitLog(new LocalStorage(root)).head()
  /** Versions of tables are known by their files. */
  const seen = (input: string, of: number | string) => {
    if (typeof of === 'number') return of
    const { metadata, sameRowsAs = [] } = tables[input] ?? {}
    return of === metadata || sameRowsAs.includes(of) ? 'all of it' : 'an earlier version'
  }
  const read = Object.entries(offsets).map(([name, inputs]) => {
    const entries = Object.entries(inputs).map(([input, of]) => [input, seen(input, of)])
    return [name, Object.fromEntries(entries)]
  })
  const known = Object.entries(tables).map(([name, table]) => {
    const { metadata: _, sha256: __, bytes: ___, files: ____, sameRowsAs, ...rest } = table
    return [name, { ...rest, versions: sameRowsAs?.length ?? 0 }]
  })
  return {
    offsets: Object.fromEntries(read),
    watermarks,
    tables: Object.fromEntries(known),
  }
}

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
