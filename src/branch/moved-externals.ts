import { MoraineError } from '../errors.js'
import { readsTheSame } from '../iceberg/foreign-metadata.js'
import { FOREIGN } from '../iceberg/foreign-path.js'
import type { Moved } from '../log/branch/moved.js'
import type { OwnChanges } from '../log/branch/own-changes.js'
import type { LakeState } from '../log/commit.js'
import { LEVEL, relationAt, shownKey } from '../log/external.js'
import type { Storage } from '../storage/storage.js'

/** What datasets have read of tables that other engines keep. */
type Reading = Pick<LakeState, 'tables' | 'offsets' | 'external'>

/**
 * Tables of other engines that datasets have read, and that have other rows by now. Their metadata
 * are looked at where they are others.
 */
async function otherRows(storage: Storage, state: Reading): Promise<Moved[]> {
  const found: Moved[] = []
  for (const [dataset, seen] of Object.entries(state.offsets))
    for (const [input, version] of Object.entries(seen)) {
      const table = state.tables[dataset]
      if (!table || typeof version !== 'string' || !version.startsWith(FOREIGN)) continue
      const now = namedIn(state, input)
      // Lakes of version 0.1 held one hash of all of a definition, as a text.
      const declared = Object.hasOwn(Object(table.definition), `external ${input}`)
      if (now?.kind === 'table' && (await isSame(storage, now, version, declared))) continue
      const why = {
        table: 'has other rows or columns by now',
        view: 'is a view by now',
        none: 'does not exist any more',
      }[now?.kind ?? 'none']
      found.push({ dataset, by: input, why: `${input}, a table of another engine, ${why}` })
    }
  return found
}

/** What lies under a name as people read it; levels of a namespace may have a `.` in theirs. */
function namedIn({ external }: Reading, name: string) {
  const at = relationAt(external, name.replaceAll('.', LEVEL))
  if (at) return at
  const all = Object.entries(external?.relations ?? {})
  return all.find(([key]) => shownKey(key) === name)?.[1]
}

/** What can't be read has no rows that anybody has read. */
async function isSame(...asked: Parameters<typeof readsTheSame>): Promise<boolean> {
  try {
    return await readsTheSame(...asked)
  } catch (error) {
    if (error instanceof MoraineError && error.kind === 'corrupt') return false
    throw error
  }
}

/**
 * Tables of other engines that tables of a branch were built from, and of which main, or the branch
 * itself, has other rows by now.
 */
export async function movedExternals(
  storage: Storage,
  own: OwnChanges,
  main: LakeState,
): Promise<Moved[]> {
  const seen = Object.values(own.offsets).flatMap((of) => Object.values(of ?? {}))
  if (!seen.some((version) => String(version).startsWith(FOREIGN))) return []
  const given = <T>(of: Record<string, T | null>) =>
    Object.fromEntries(Object.entries(of).flatMap(([key, value]) => (value ? [[key, value]] : [])))
  const offsets = Object.entries(own.offsets).filter(([name]) => own.tables[name])
  const changed = own.external?.relations ?? {}
  const others = Object.entries(main.external?.relations ?? {}).filter(([key]) => !(key in changed))
  const relations = { ...Object.fromEntries(others), ...given(changed) }
  return otherRows(storage, {
    tables: given(own.tables),
    offsets: given(Object.fromEntries(offsets)),
    external: { namespaces: {}, relations },
  })
}
