import { MoraineError } from '../../errors.js'
import { Table } from '../../iceberg/table.js'
import type { Storage } from '../../storage/storage.js'
import type { Changes, CommitInfo, LakeState, Offsets, TableState } from '../commit.js'
import { conflictsOf } from '../fold.js'
import type { CommitFiles, CommitLog } from '../log.js'

/** A log, and the storage that its tables lie in. */
export interface LakeLog {
  log: CommitLog
  storage: Storage
}

/** What is committed, and what is known of its files. */
interface Committed {
  changes: Changes
  info: CommitInfo
  files?: CommitFiles
}

const ATTEMPTS = 20

/**
 * Commits new versions of tables. Where others have given names to snapshots of the same tables
 * meanwhile, or statistics, and have left their rows as they were, the new versions keep those.
 *
 * @throws MoraineError of kind `conflict` where others have changed more.
 */
export async function commitTables(
  lake: LakeLog,
  base: LakeState,
  { changes, info, files = {} }: Committed,
): Promise<LakeState> {
  let [on, mine] = [base, changes]
  for (let attempt = 0; ; attempt++) {
    try {
      return await lake.log.commit(on, mine, info, files)
    } catch (error) {
      const isConflict = error instanceof MoraineError && error.kind === 'conflict'
      const head = isConflict && attempt < ATTEMPTS ? await lake.log.head() : on
      const next = head.number > on.number ? await rebased(lake, on, head, mine) : undefined
      if (!next) throw error
      on = head
      mine = next
    }
  }
}

/** Changes of one state as changes of a later one; `undefined` where they are in its way. */
async function rebased(
  { log, storage }: LakeLog,
  base: LakeState,
  head: LakeState,
  mine: Changes,
): Promise<Changes | undefined> {
  const moved = Object.keys(mine.tables ?? {}).filter(
    (name) => base.tables[name]?.metadata !== head.tables[name]?.metadata,
  )
  if (moved.length === 0) return undefined
  const mayMeet = new Set(moved.map((name) => `table ${name}`))
  for (let number = base.number + 1; number <= head.number; number++) {
    const entry = await log.entry(number)
    const both = entry ? conflictsOf(mine, entry.commit.changes) : ['a commit that is missing']
    if (!both.every((name) => mayMeet.has(name))) return undefined
  }
  const tables = { ...mine.tables }
  for (const name of moved) {
    const states = [tables[name], base.tables[name], head.tables[name]]
    const [own, before, theirs] = states
    if (!own || !before || !theirs) return undefined
    const table = await rebasedTable(storage, own, before, theirs)
    if (!table) return undefined
    tables[name] = table
  }
  return { ...mine, tables, ...readOf(mine, tables) }
}

async function rebasedTable(
  storage: Storage,
  mine: TableState,
  before: TableState,
  theirs: TableState,
): Promise<TableState | undefined> {
  if (shapeOf(before) !== shapeOf(theirs)) return undefined
  // What was not written again is the others' own.
  if (mine.metadata === before.metadata) {
    const { metadata, sha256, sameRowsAs: same } = theirs
    return {
      ...mine,
      metadata,
      ...(sha256 ? { sha256 } : {}),
      ...(same ? { sameRowsAs: same } : {}),
    }
  }
  const { sameRowsAs: same } = mine
  const sameRows = same?.includes(before.metadata) ? { sameRowsAs: [theirs.metadata, ...same] } : {}
  const [made, from, on] = await Promise.all(
    [mine, before, theirs].map((state) => Table.load(storage, state)),
  )
  const table = await (made as Table).rebased(from as Table, on as Table)
  return table && { ...mine, ...sameRows, ...table.pointer }
}

/** All that the log says of a table but where it lies. */
function shapeOf({ metadata: _, sha256: __, sameRowsAs: ___, ...others }: TableState): string {
  return JSON.stringify(others)
}

/** How far datasets have read tables of the same changes, which lie elsewhere now. */
function readOf(mine: Changes, tables: NonNullable<Changes['tables']>): Pick<Changes, 'offsets'> {
  if (!mine.offsets) return {}
  const moved = (of: Offsets): Offsets =>
    Object.fromEntries(
      Object.entries(of).map(([name, seen]) => {
        const [was, is] = [mine.tables?.[name]?.metadata, tables[name]?.metadata]
        return [name, is !== undefined && seen === was ? is : seen]
      }),
    )
  const offsets = Object.entries(mine.offsets).map(([name, of]) => [name, of && moved(of)])
  return { offsets: Object.fromEntries(offsets) }
}
