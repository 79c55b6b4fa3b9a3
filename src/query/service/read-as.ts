import type { Rights } from '../../define/access/rights.js'
import type { LakeState } from '../../log/commit.js'
import type { TableRef } from '../../sql/guard.js'
import { sha256 } from '../../storage/checksum.js'
import { isSystem } from '../system/scan.js'
import { pointersOf } from '../tables.js'
import { lastForgotten } from './kept/forgotten.js'

interface Reader {
  readonly rights: Rights
}

/** The tables of a result, and as what its reader saw them. */
export interface ReadAs {
  tables: readonly TableRef[]
  /** The commit whose state they were read of. */
  commit: number
  /** What the reader's rights and rules were on these tables, as a checksum. */
  rules: string
}

/** As what somebody reads tables in a state of the lake. */
export function readAs(tables: readonly TableRef[], caller: Reader, state: LakeState): ReadAs {
  return { tables, commit: state.number, rules: rulesOn(tables, caller, state) }
}

/**
 * Whether whoever asks reads the tables of a result as they were read for it, and no rows were
 * forgotten since.
 */
export function isReadSo(
  before: ReadAs | undefined,
  caller: Reader,
  state: LakeState,
): before is ReadAs {
  if (before === undefined || before.commit < (lastForgotten(state)?.commit ?? 0)) return false
  return rulesOn(before.tables, caller, state) === before.rules
}

function rulesOn(tables: readonly TableRef[], { rights }: Reader, state: LakeState): string {
  const parts = tables.map((table) => {
    const levels = isSystem(table)
      ? [table.tier, table.name.toLowerCase()]
      : pointersOf(state, table)?.levels
    return levels && [levels, rights.mayQuery(levels), rights.rules(levels)]
  })
  return sha256(JSON.stringify(parts))
}
