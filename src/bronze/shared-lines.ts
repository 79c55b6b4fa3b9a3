import { count } from '../engine/count.js'
import type { Session } from '../engine/engine.js'
import type { OriginFile } from '../step/batches.js'

/** Files that are looked at together. */
const TOGETHER = 100

/** Whether several rows of a file have the same line, as the file itself says. */
export async function haveSharedLines(
  session: Session,
  files: readonly OriginFile[],
): Promise<boolean> {
  for (let i = 0; i < files.length; i += TOGETHER) {
    const some = files.slice(i, i + TOGETHER)
    await session.files.hold(some)
    const rows = some.map(
      (file, at) =>
        `SELECT ${at} AS file, _source_file, _source_line FROM (${session.files.keptRows(file)})`,
    )
    const shared = `SELECT 1 FROM (${rows.join(' UNION ALL ')}) GROUP BY file, _source_file, _source_line HAVING count(*) > 1 LIMIT 1`
    if ((await count(session, `SELECT count(*) AS n FROM (${shared})`)) > 0) return true
  }
  return false
}
