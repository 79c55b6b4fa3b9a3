import type { LostPlaces, TableOutput } from '../../step/task/output.js'
import { findVersions } from '../history.js'
import { inBucket } from '../keys.js'
import { writeVersions } from '../write-history.js'
import type { KeysWork } from './latest.js'
import { scratchRows, versionsOf, writePlaces } from './scratch.js'

/** Writes new versions of keys; others see to it that those go which they take the place of. */
export async function keepVersions(work: KeysWork): Promise<{
  tables: Record<string, TableOutput>
  lost: Readonly<Record<string, LostPlaces>>
}> {
  const { context, session, dataset, target, part, bucket } = work
  const files = part.groups.flatMap(({ versions }) => versions)
  const all = scratchRows(context, session, versionsOf(dataset), files)
  const candidates = { sql: `(${inBucket(all, bucket)})` }
  const history = await findVersions(context, session, dataset, candidates, target)
  const tables = await writeVersions(context, session, history, false)
  const { before, leaving, tasks, name } = history
  const lost =
    before &&
    (await writePlaces(
      work,
      before,
      leaving,
      tasks.map(({ file }) => file),
    ))
  return { tables, lost: lost ? { [name]: lost } : {} }
}
