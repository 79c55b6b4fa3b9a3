import { fullName } from '../define/dataset.js'
import type { AnyInput, Gold } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import type { ScanTask } from '../iceberg/deletes.js'
import type { TableVersion } from '../iceberg/version.js'
import { sinceFull } from '../plan/offsets.js'
import type { StepContext } from '../step/context.js'
import { type PartOfFile, tableFiles } from '../step/table-files.js'
import type { Part, PartProof } from './partition.js'

/** An input that decides: what changed in it, and its rows, of which only some are read. */
export interface DrivingInput {
  /** SQL for rows that are new, gone or changed. */
  changed: string
  rows(part: Part, proof: PartProof): Promise<string>
}

/** Finds what changed in an input that decides; `undefined` where nobody knows. */
export async function drivingInput(
  context: StepContext,
  session: Session,
  dataset: Gold,
  driving: AnyInput,
  all: boolean,
): Promise<DrivingInput | undefined> {
  const { relations, storage } = context
  const seen = relations.view.offsets[fullName(dataset)]?.[fullName(driving)]
  if (driving.tier === 'bronze') {
    const pointers = sinceFull(relations.view.batches[fullName(driving)] ?? [])
    const declared = driving.from.columns ?? []
    const relation = async (from: number) => {
      const found = pointers.filter(({ number }) => number > from)
      return (await relations.bronzeRelation(session, found, declared)).sql
    }
    return { changed: await relation(all ? 0 : Number(seen ?? 0)), rows: () => relation(0) }
  }
  const table = await relations.table(fullName(driving))
  if (!table) return undefined
  const after = await table.plan()
  const relation = (tasks: readonly PartOfFile[]) =>
    session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const rows = async (part: Part, proof: PartProof) =>
    relation(await part.filesToRead(proof, after, table))
  if (all) return { changed: relation(after), rows }
  // Without the version that was read last there is nothing to compare with.
  const last = typeof seen === 'string' ? await relations.earlier(seen) : undefined
  if (!last) return undefined
  const before = await last.plan()
  const { gone, added } = compareTasks(before, after)
  return {
    changed:
      gone.length === 0 ? relation(added) : differences(table, relation(added), relation(gone)),
    rows,
  }
}

/**
 * What only one of two versions of a table reads. Rows of a file that stayed come and go by lists
 * of positions.
 */
export function compareTasks(before: readonly ScanTask[], after: readonly ScanTask[]) {
  const key = ({ deletes }: ScanTask) => deletes.map(({ path }) => path).join('\n')
  const left = new Map(before.map((task) => [task.file.path, task]))
  const [gone, added]: [PartOfFile[], PartOfFile[]] = [[], []]
  for (const task of after) {
    const old = left.get(task.file.path)
    left.delete(task.file.path)
    if (!old) added.push(task)
    else if (key(old) !== key(task)) {
      const listed = [...old.deletes, ...task.deletes].every(
        ({ content }) => content === 'position deletes',
      )
      gone.push(listed ? { ...old, only: task.deletes } : old)
      added.push(listed ? { ...task, only: old.deletes } : task)
    }
  }
  return { gone: [...gone, ...left.values()], added }
}

/** Rows that only one of two relations has: rewritten files hold most of their rows unchanged. */
function differences({ schema }: TableVersion, added: string, gone: string): string {
  const names = schema.fields.map((f) => quoteName(f.name)).join(', ')
  return `SELECT ${names} FROM (
    SELECT ${names}, 1 AS _sign FROM (${added}) UNION ALL SELECT ${names}, -1 FROM (${gone}))
    GROUP BY ${names} HAVING sum(_sign) <> 0`
}
