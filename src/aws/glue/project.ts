import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { GlueTable } from './client.js'
import type { LakeMark } from './marks.js'
import { databaseNames, isDatabaseName, namesOf } from './names.js'
import type { ProjectOptions } from './options.js'
import { TableProjector } from './project-table.js'
import { type Projected, ProjectionReport } from './report.js'
import { wantedOf } from './wanted.js'

/** How often the log is read again for projectors that are ahead. */
const ROUNDS = 5

/**
 * Shows the lake in Glue's catalog as the log has it: a database a layer, and in it what changed
 * since it was last projected. It may be killed anywhere and called again; any number may be at it.
 *
 * @throws MoraineError of kind `usage` for a lake that does not lie in a bucket.
 */
export async function project(options: ProjectOptions): Promise<Projected> {
  const { lake, storage, log, names } = options
  if (!storage.url.startsWith('s3://'))
    throw new MoraineError('usage', `The lake at ${storage.url} does not lie in a bucket`, {
      hint: 'Athena reads S3 alone. Copy the lake: moraine copy s3://…',
    })
  const databases = databaseNames(lake, names ?? namesOf(lake.deploy))
  refuseNames(Object.values(databases))
  const mark = { lake: lake.name, root: storage.url }
  let state = await log.head()
  for (let round = 1; ; round++) {
    const report = new ProjectionReport(state.number)
    const ahead = await projectState(options, { state, mark, databases, report, round })
    if (ahead === undefined) return report.result()
    const next = await log.head()
    // Of a commit that is not there any more, readers are told once the log has been read again.
    if (round >= ROUNDS && next.number < ahead)
      throw new MoraineError('conflict', `The catalog changes faster than it can be projected`, {
        retryable: true,
        hint: 'Run it again.',
      })
    state = next
  }
}

interface Round {
  state: LakeState
  mark: LakeMark
  databases: Record<string, string>
  report: ProjectionReport
  round: number
}

/** @returns the commit that the catalog has already, where the log has to be read again for it. */
async function projectState(
  options: ProjectOptions,
  { state, mark, databases, report, round }: Round,
): Promise<number | undefined> {
  const { glue, dryRun = false, signal } = options
  const wanted = wantedOf(options, state, databases, report)
  const found = new Map<string, GlueTable[] | undefined>()
  for (const database of new Set(Object.values(databases))) {
    signal?.throwIfAborted()
    const tables = await glue.tables(database)
    found.set(database, tables)
    // One that is empty may be one that is not there.
    if (tables?.length || !wanted.some((one) => one.database === database)) continue
    if (!dryRun) await glue.createDatabase(database, `The lake ${mark.lake} at ${mark.root}`)
  }
  const projector = new TableProjector(options, { mark, state, report, isNewest: round > 1 })
  let ahead: number | undefined
  const seen = new Set<string>()
  for (const one of wanted) {
    signal?.throwIfAborted()
    seen.add(`${one.database}.${one.table}`)
    const table = found.get(one.database)?.find(({ Name }) => Name === one.table)
    ahead = later(ahead, await projector.project(one, table))
  }
  for (const [database, tables] of found)
    for (const table of tables ?? []) {
      signal?.throwIfAborted()
      if (seen.has(`${database}.${table.Name}`)) continue
      ahead = later(ahead, await projector.remove(database, table))
    }
  return ahead
}

const later = (a: number | undefined, b: number | undefined) =>
  a === undefined ? b : b === undefined ? a : Math.max(a, b)

function refuseNames(names: readonly string[]): void {
  const bad = names.find((name) => !isDatabaseName(name))
  if (bad !== undefined)
    throw new MoraineError('usage', `'${bad}' is not a valid name of a database for Athena`, {
      hint: 'Use lower-case letters, digits and _.',
    })
}
