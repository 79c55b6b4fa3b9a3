import { quoteName } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { pathsOf, type ScanTask } from '../iceberg/deletes.js'
import type { TableVersion } from '../iceberg/version.js'
import type { PartRange } from '../log/commit.js'
import type { StepContext } from '../step/context.js'
import { tableFiles } from '../step/table-files.js'
import type { OpenParts, Part, PartValues } from './partition.js'

/** Parts of a gold table that are computed anew. */
export interface ReplacedParts {
  /** The rows of other parts that share a file with theirs. */
  others: string
  /** Files of the table that hold rows of them. */
  removed: ReadonlySet<string>
  said: string
  /** Whether parts within ranges are among them, or may be. */
  touchAny: Part['touchesAny']
}

/** What is computed of a gold table whose input changed in places; its query is that of a part. */
export interface TouchedParts extends ReplacedParts {
  count: number
  /** The computed rows of touched parts, with rows that only share a file with replaced ones. */
  rows(computed: string): string
  /** Which parts are touched, where that can be said one by one. */
  values: PartValues | undefined
  /**
   * All parts that are not final, for who can't be told which are touched; `undefined` where no
   * part is final.
   */
  open: (() => Promise<ReplacedParts & OpenParts & { expired: string[] }>) | undefined
}

interface Replacing {
  context: StepContext
  session: Session
  columns: readonly Field[]
  by: string
  part: Part
  gold: TableVersion
  /** Inputs of which rows are gone. */
  expired: string[]
}

/** Tells which files of a gold table, and which rows of them, the parts that were found replace. */
export async function replacedBy(work: Replacing): Promise<TouchedParts> {
  const { context, session, columns, by, part, gold, expired } = work
  const names = columns.map((c) => quoteName(c.name)).join(', ')
  const { name } = part.column
  const here = quoteName(name)
  const replace = (tasks: readonly ScanTask[], isReplaced: string) => {
    const rows = session.tables.scan(gold.schema, tableFiles(context.storage, gold, tasks))
    const others = `SELECT ${names} FROM (${rows}) WHERE NOT ${isReplaced}`
    return { removed: pathsOf(tasks), others }
  }
  const tasks = await gold.plan(part.predicates())
  const isTouched = part.isTouched(here)
  const touched = replace(
    tasks.filter((task) => part.mayHold(task, gold, name)),
    isTouched,
  )
  const computed = (sql: string) => `SELECT ${names} FROM (${sql}) WHERE ${isTouched}`
  const { open } = part
  const allOpen = async (parts: OpenParts) => {
    const rest = (await gold.plan()).filter((task) => part.mayHoldOpen(task, gold, name))
    return {
      ...replace(rest, part.isOpen(here)),
      ...parts,
      expired,
      said: `all of '${by}' after ${parts.after} computed`,
      touchAny: (ranges: readonly PartRange[]) => part.opensAny(ranges),
    }
  }
  return {
    ...touched,
    count: part.count,
    rows: (sql) => session.dialect.rows.union([computed(sql), touched.others]),
    values: part.values,
    said: `${part.count} of '${by}' computed`,
    touchAny: (ranges) => part.touchesAny(ranges),
    open: open && (() => allOpen(open)),
  }
}
