import type { Levels } from '../../define/access/rights.js'
import { quoteName } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { keepRecent } from '../../recent.js'
import { sha256 } from '../../storage/checksum.js'
import type { AnswerColumn, Caller, VisibleColumn, VisibleTable } from './request.js'

/** Tables whose types are remembered. */
const MOST = 2000

/** A table or view as it is in the lake, and its levels. */
export interface Shown {
  table: VisibleTable
  levels: Levels
}

/** The columns that a query has for whoever asks; nothing of their values is read. */
type Describe = (sql: string, caller: Caller) => Promise<AnswerColumn[]>

/**
 * Types of columns as rows have them for whoever asks: a mask may make a text of a number, in a
 * table, and in all views that read it. The engine says what it makes of it.
 */
export class ShownTypes {
  private readonly known = new Map<string, Promise<readonly AnswerColumn[]>>()

  constructor(private readonly describe: Describe) {}

  /** Tables with their columns as their rows are for a caller. */
  async of(
    all: readonly Shown[],
    caller: Caller,
    state: Pick<LakeState, 'number'>,
  ): Promise<VisibleTable[]> {
    const masks = all.flatMap(({ levels }) => {
      const found = caller.rights.rules(levels)?.masks ?? {}
      return Object.keys(found).length > 0 ? [{ levels, masks: found }] : []
    })
    if (masks.length === 0) return all.map(({ table }) => table)
    const shown: VisibleTable[] = []
    for (const { table, levels } of all) {
      const own = masks.find((one) => one.levels === levels)
      // What a view reads is not looked for here: it may be anything that is masked.
      const isView = table.kind === 'view'
      if ((!own && !isView) || table.columns.length === 0) shown.push(table)
      else {
        const made = isView ? [masks, state.number] : [own, table.columns]
        const columns = await this.columnsOf(table, caller, [caller.name, levels, made])
        const hidden = isView ? undefined : namesOf(own?.masks ?? {})
        shown.push({ ...table, columns: table.columns.map(typed(columns, hidden)) })
      }
    }
    return shown
  }

  private async columnsOf({ schema, name }: VisibleTable, caller: Caller, made: unknown) {
    const key = sha256(JSON.stringify(made))
    const sql = `SELECT * FROM ${quoteName(schema)}.${quoteName(name)}`
    const found = this.known.get(key) ?? this.describe(sql, caller)
    keepRecent(this.known, key, found, MOST)
    try {
      return await found
    } catch (error) {
      this.known.delete(key)
      // One that cannot be queried, or whose files are gone, has no rows of whatever type.
      const isLasting = error instanceof MoraineError && !/^(limit|storage)$/.test(error.kind)
      if (isLasting) return []
      throw error
    }
  }
}

const namesOf = (masks: object) => new Set(Object.keys(masks).map((name) => name.toLowerCase()))

/** A column with the type that it has in rows, where it is one of those that may have another. */
function typed(columns: readonly AnswerColumn[], names: ReadonlySet<string> | undefined) {
  const types = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]))
  return (column: VisibleColumn): VisibleColumn => {
    const name = column.name.toLowerCase()
    const type = types.get(name)
    if (type === undefined || names?.has(name) === false) return column
    // What a mask fails on is shown as NULL.
    return { ...column, type, nullable: names === undefined ? column.nullable : true }
  }
}
