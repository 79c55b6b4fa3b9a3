import { Table } from '../../iceberg/table.js'
import type { Changes, LakeState, Offsets } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import { sameRowsAs } from '../../log/tables/same-rows.js'
import type { Storage } from '../../storage/storage.js'

/** Who asks for something. */
export interface Author {
  author: string
  run: null
}

/**
 * Leaves tables nothing of what they were: no earlier snapshot, and no word in manifests about
 * files that are gone, whose least and greatest values are those of rows. Readers know the tables
 * as having the same rows.
 */
export async function cleanTables(
  { storage, log }: { storage: Storage; log: CommitLog },
  info: Author,
): Promise<{ state: LakeState; isChanged: boolean }> {
  const base = await log.head()
  const tables: NonNullable<Changes['tables']> = {}
  for (const [name, state] of Object.entries(base.tables)) {
    const table = await Table.load(storage, state)
    if (!(await hasTraces(table))) continue
    const written = await table.write({ removed: new Set(), added: [], ...SAME })
    const clean = await written.expired(new Date(written.lastUpdated + 1)).save()
    tables[name] = { ...state, ...clean.pointer, sameRowsAs: sameRowsAs(state) }
  }
  if (Object.keys(tables).length === 0) return { state: base, isChanged: false }
  const message = 'expire earlier snapshots of tables'
  const changes = { tables, offsets: moved(base, tables) }
  return { state: await log.commit(base, changes, { ...info, message }), isChanged: true }
}

const SAME = { sameRows: true, withoutTraces: true } as const

async function hasTraces(table: Table): Promise<boolean> {
  if (table.metadata.snapshots.length > 1) return true
  return (await table.manifests()).some(({ deleted_files_count: n }) => n > 0)
}

/** Readers have read the tables as they lie now: what they compare with next time is there. */
function moved(base: LakeState, tables: NonNullable<Changes['tables']>): Record<string, Offsets> {
  const is = (seen: number | string, name: string) => {
    const before = base.tables[name]
    const same = seen === before?.metadata || before?.sameRowsAs?.includes(String(seen))
    return same ? (tables[name]?.metadata ?? seen) : seen
  }
  const all = Object.entries(base.offsets).map(([reader, of]) => {
    const now = Object.entries(of).map(([name, seen]) => [name, is(seen, name)] as const)
    return [reader, of, Object.fromEntries(now)] as const
  })
  return Object.fromEntries(
    all.flatMap(([reader, of, now]) =>
      JSON.stringify(of) === JSON.stringify(now) ? [] : [[reader, now]],
    ),
  )
}
