import type { LakeState } from '../../log/commit.js'
import { ownValue } from '../../own-value.js'
import type { TableRef } from '../../sql/guard.js'
import { sha256 } from '../../storage/checksum.js'
import { isSystem } from '../system/scan.js'
import { pointersOf } from '../tables.js'
import { exactText } from './asked.js'
import type { AnswerColumn, Caller, QueryRequest } from './request.js'
import type { Spool } from './spool.js'

/** A result that is kept, and what it was made of. */
export interface Kept {
  columns: AnswerColumn[]
  spool: Spool
  tables: readonly TableRef[]
  /** What the log said of these tables, and what was kept of them from whoever asked. */
  madeOf: string
  bytesEstimated: number
  /** Those that have found it: it is removed once they are done. */
  readers: number
  isDropped: boolean
}

/** Results that are kept, their bytes together, and of one. */
const MOST = 500
const MOST_BYTES = 512 * 2 ** 20
const LARGEST = 32 * 2 ** 20

/**
 * Results of queries that were asked before, each for whoever asked. One is given again where the
 * text, its values and settings are the same, every table is at the same version, and the rights
 * of whoever asks would give the same rows: never by its age.
 */
export class Reuse {
  private readonly kept = new Map<string, Kept>()
  private bytes = 0

  /** A kept result that is what the query would give now, which stays until it is released. */
  find(request: QueryRequest, state: LakeState): Kept | undefined {
    const key = keyOf(request)
    const found = this.kept.get(key)
    if (!found) return undefined
    if (madeOf(found.tables, request.principal, state) !== found.madeOf) {
      this.drop(key)
      return undefined
    }
    // The most recently used comes last.
    this.kept.delete(key)
    this.kept.set(key, found)
    found.readers++
    return found
  }

  /** Says that a result that was found is read no longer. */
  async release(kept: Kept): Promise<void> {
    kept.readers--
    if (kept.isDropped && kept.readers === 0) await kept.spool.close()
  }

  /** What a result is made of, before it is read: what the log says may be another thing after. */
  madeOf(tables: readonly TableRef[], request: QueryRequest, state: LakeState): string | undefined {
    return madeOf(tables, request.principal, state)
  }

  /** Whether a result that grows may still be kept. */
  fits(spool: Spool): boolean {
    return spool.bytes <= LARGEST
  }

  keep(request: QueryRequest, kept: Omit<Kept, 'readers' | 'isDropped'>): void {
    const key = keyOf(request)
    this.drop(key)
    this.kept.set(key, { ...kept, readers: 0, isDropped: false })
    this.bytes += kept.spool.bytes
    while (this.kept.size > MOST || this.bytes > MOST_BYTES) {
      const [oldest] = this.kept.keys()
      if (oldest === undefined) return
      this.drop(oldest)
    }
  }

  close(): void {
    for (const key of [...this.kept.keys()]) this.drop(key)
  }

  private drop(key: string): void {
    const found = this.kept.get(key)
    if (!found) return
    this.kept.delete(key)
    this.bytes -= found.spool.bytes
    found.isDropped = true
    if (found.readers === 0) found.spool.close().catch(() => {})
  }
}

/** The question with all that changes its rows, but the tables. */
function keyOf({ principal, sql, parameters, schema, workgroup, maxRows }: QueryRequest): string {
  return sha256(exactText([principal.name, sql, parameters, schema, workgroup, maxRows]))
}

/**
 * What tables are at, and what is kept of them from whoever asks; `undefined` where one of them may
 * not be queried, or is not there.
 */
function madeOf(
  tables: readonly TableRef[],
  { rights }: Caller,
  state: LakeState,
): string | undefined {
  const parts = tables.map((table) => {
    // What is computed is another thing each time, whatever an engine may have called a table.
    if (isSystem(table)) return undefined
    const found = pointersOf(state, table)
    if (!found || !rights.mayQuery(found.levels)) return undefined
    const view = ownValue(state.views ?? {}, found.levels.join('.'))
    return [found.levels, found.pointer, view, rights.rules(found.levels)]
  })
  return parts.includes(undefined) ? undefined : sha256(exactText([parts, state.renamed]))
}
