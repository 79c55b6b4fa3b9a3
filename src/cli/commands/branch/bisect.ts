import type { Command } from 'commander'
import { bisect, type Flip } from '../../../branch/bisect.js'
import { MoraineError } from '../../../errors.js'
import { queryLake } from '../../../query/query.js'
import { Journal } from '../../../step/journal.js'
import { examples } from '../../examples.js'
import { plural, readableTime } from '../../output/format.js'
import { printable } from '../../output/terminal.js'
import { openLog } from '../../project.js'
import { limitsFor, withLimits } from '../../query-limits.js'

export function define(command: Command): Command {
  return withLimits(command)
    .argument('<sql>', 'one SELECT whose first value is true or false')
    .option('--from <commit>', 'the earlier commit (default: the oldest that is visible)')
    .option('--to <commit>', 'the later commit (default: the newest)')
    .addHelpText(
      'after',
      examples(
        [
          'since when are there negative amounts?',
          'moraine bisect "select count(*) > 0 from silver.orders where amount < 0"',
        ],
        [
          'which commit brought revenue below what it was?',
          'moraine bisect --from 120 "select sum(revenue) < 1000000 from gold.daily_revenue"',
        ],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const [sql] = command.args as [string]
  const { from, to } = command.opts<{ from?: string; to?: string }>()
  await using project = await openLog(command)
  const { log, storage } = project
  await project.needsLake()
  const limits = limitsFor(command, project.lake?.queries)
  // What is wrong with the query itself is said of the newest state, and not taken for an answer.
  const last = numberOf('--to', to)
  const newest = last === undefined ? await log.head() : await log.visibleAt(last)
  // A condition has one row: of a query that has more, no more are read.
  const ask = async (state: typeof newest) => {
    const all = { ...limits, rows: Number.POSITIVE_INFINITY }
    await using result = await queryLake(storage, state, sql, { limits: all })
    const rows: Record<string, unknown>[] = []
    for await (const batch of result.batches) {
      rows.push(...batch)
      if (rows.length > 1) break
    }
    return conditionOf(rows)
  }
  await ask(newest)
  const flip = await bisect(log, { from: numberOf('--from', from), to: last }, ask)
  const { run: id } = flip.commit
  // Records of runs go before commits do.
  const found = id === null ? undefined : await new Journal(storage).find(id).catch(() => undefined)
  const steps = (found?.record?.steps ?? []).filter(({ outcome }) => outcome !== 'unchanged')
  const { changes, ...commit } = flip.commit
  const changed = [
    ...new Set([
      ...(changes.batches ?? []).map(({ dataset }) => dataset),
      ...Object.keys(changes.tables ?? {}),
    ]),
  ]
  project.show({ ...flip, commit: { ...commit, changed }, steps }, function* () {
    yield* flipLines(flip, changed)
    for (const { dataset, reason } of steps) yield `  ${dataset}  ${printable(reason)}`
  })
  return 0
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new MoraineError('usage', `${option} ${text} is not the number of a commit`, {
    hint: 'List the commits with: moraine history',
  })
}

/** The one value of a result, which says yes or no. */
function conditionOf(rows: readonly Record<string, unknown>[]): boolean {
  const values = Object.values(rows[0] ?? {})
  const [value] = values
  if (rows.length === 1 && values.length === 1 && (value === null || typeof value === 'boolean'))
    return value === true
  throw new MoraineError('usage', 'The query must give one row with one value, true or false', {
    hint: 'For example: moraine bisect "select count(*) > 0 from silver.orders where amount < 0"',
  })
}

function* flipLines({ before, after, commit, asked }: Flip, changed: string[]): Iterable<string> {
  const { number, time, author, run, message } = commit
  yield `It is ${after} since commit ${number}, and was ${before} before (${plural(asked, 'commit')} asked).`
  yield ''
  yield `commit ${number}  ${readableTime(time)}  ${printable(author)}${run ? `  run ${run}` : ''}`
  yield `  ${printable(message)}${changed.length > 0 ? `: ${changed.join(', ')}` : ''}`
}
