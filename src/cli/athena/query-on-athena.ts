import type { Command } from 'commander'
import { compareRows, type Difference } from '../../aws/athena/compare.js'
import { renderForAthena } from '../../aws/athena/render-query.js'
import { runOnAthena } from '../../aws/athena/run-query.js'
import { rowsOf } from '../../aws/athena/values.js'
import { databaseNames, namesOf } from '../../aws/glue/names.js'
import type { Field } from '../../define/types/column-type.js'
import type { ResultRow } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { queryLake } from '../../query/query.js'
import { refuseQueryOn } from '../branch/branch-for.js'
import colors from '../output/colors.js'
import { plural, size, toJson } from '../output/format.js'
import { show } from '../output/terminal.js'
import { openProject } from '../project.js'
import { limitsFor } from '../query-limits.js'
import type { AthenaCliOptions } from './athena-options.js'

/** A result that is all there. */
interface HeldResult {
  columns: Field[]
  rows: ResultRow[]
}

/**
 * Asks a question of Athena, and of the lake as well if told to.
 *
 * @returns what Athena gave; how it differs from what is given here, where both were asked.
 */
export async function queryOnAthena(
  command: Command,
  sql: string,
): Promise<HeldResult & { difference?: Difference }> {
  const { on, workgroup, output, prefix, compare } = command.opts<AthenaCliOptions>()
  if (on !== 'athena')
    throw new MoraineError('usage', `Unknown engine '${on}'`, { hint: 'Use --on athena.' })
  if (output !== undefined && !/^s3:\/\/[^/]+\//.test(output))
    throw new MoraineError('usage', `--output ${output} is not a place in S3`, {
      hint: 'Write it as s3://bucket/prefix/',
    })
  await using project = await openProject(command)
  refuseQueryOn(project.house.branch)
  await project.needsLake()
  const signal = project.stopped()
  const { storage, log, lake } = project
  const state = await log.head()
  const names = prefix === undefined ? namesOf(lake.deploy) : { prefix }
  const databases = databaseNames(lake, names)
  const session = await project.session()
  const rendered = await renderForAthena(session, { storage, state }, sql, databases)
  const answer = await runOnAthena(rendered.sql, { workgroup, output }, { signal })
  const { columns } = rendered
  const rows = rowsOf(answer, columns)
  const { scannedBytes, milliseconds } = answer
  show(
    colors.dim(
      `Athena scanned ${size(scannedBytes)} in ${(milliseconds / 1000).toFixed(1)} s (${answer.id})\n`,
    ),
    process.stderr,
  )
  if (!compare) return { columns, rows }
  const here: ResultRow[] = []
  await using local = await queryLake(storage, state, sql, {
    limits: limitsFor(command, lake.queries),
    signal,
  })
  for await (const batch of local.batches) here.push(...batch)
  return { columns, rows, difference: compareRows(here, rows, columns) }
}

/** How two results differ, for people; `undefined` where they do not. */
export function* differenceLines({ same, onlyHere, onlyThere }: Difference): Iterable<string> {
  if (onlyHere.rows + onlyThere.rows === 0) {
    yield `Athena gives the same ${plural(same, 'row')} as the lake.`
    return
  }
  yield `In both: ${plural(same, 'row')}. Only here: ${onlyHere.rows}. Only on Athena: ${onlyThere.rows}.`
  for (const [where, { examples }] of [
    ['here', onlyHere],
    ['Athena', onlyThere],
  ] as const)
    for (const row of examples)
      yield `  only ${where === 'here' ? 'here' : 'on Athena'}: ${toJson(row)}`
  yield 'If the catalog is behind the lake, bring it up to date: moraine project'
}
