import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { ResultRow } from '../../../engine/engine.js'
import { MoraineError, messageOf } from '../../../errors.js'
import { isExpiredRun } from '../../../log/branch/ids.js'
import type { CommitLog } from '../../../log/log.js'
import { stateToRead } from '../../../query/point.js'
import { queryLake } from '../../../query/query.js'
import { branchOf } from '../../../step/journal.js'
import { type AthenaCliOptions, athenaOptions } from '../../athena/athena-options.js'
import { branchFor, refuseQueryOn } from '../../branch/branch-for.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, size } from '../../output/format.js'
import { show } from '../../output/terminal.js'
import { type GlobalOptions, openLog, pointOf } from '../../project.js'
import { isExplained } from '../../query/explained-sql.js'
import {
  askedFor,
  explainCost,
  queryOptions,
  valuesOf,
  withTypeHint,
} from '../../query/query-options.js'
import { outputOf, outputOptions } from '../../query/result-output.js'
import { limitsFor, withLimits } from '../../query-limits.js'

export function define(command: Command): Command {
  return athenaOptions(withLimits(queryOptions(outputOptions(command))))
    .argument('[sql]', 'one SELECT over bronze.x, silver.x, gold.x, discarded.x and system.x')
    .option('-f, --file <path...>', 'files with one SELECT each; - is standard input')
    .option('--at <commit|time>', 'the lake as it was at a commit or a time')
    .option('--run <id>', 'what a run built but did not publish because its checks failed')
    .option('--stats', 'show how many files were opened')
    .option(
      '--save-as <name>',
      'publish the result as a gold table and add its definition to lake.ts',
    )
    .option(
      '--partition-by <column...>',
      "with --save-as: partitioning of the table, such as 'month(day)'",
    )
    .addHelpText(
      'after',
      examples(
        [
          'a question',
          'moraine query "select status, count(*) from silver.orders group by status"',
        ],
        [
          'the lake as of yesterday',
          'moraine query --at 2026-01-31T00:00:00Z "from gold.daily_revenue"',
        ],
        [
          'save a query as a dataset',
          'moraine query --save-as gold.by_status "select status, count(*) as n from silver.orders group by 1"',
        ],
        ['write all rows to a file', 'moraine query --out orders.parquet "from silver.orders"'],
        [
          'a question with a value',
          "moraine query --param status=paid 'select count(*) from silver.orders where status = :status'",
        ],
        [
          'how would it run?',
          'moraine query --explain "from silver.orders order by amount limit 5"',
        ],
        [
          'what would it cost on Athena?',
          'moraine query --explain-cost "select status from silver.orders"',
        ],
        ['run queries from files', 'moraine query --file questions/*.sql'],
        [
          'does Athena say the same?',
          'moraine query --on athena --compare "select count(*) from silver.orders"',
        ],
      ),
    )
}

interface Options extends AthenaCliOptions {
  file?: string[]
  at?: string
  run?: string
  out?: string
  stats?: boolean
  param?: string[]
  explain?: boolean
  explainCost?: boolean
  maxScan?: string
  saveAs?: string
  partitionBy?: string[]
}

export async function run(command: Command): Promise<number> {
  const options = command.opts<Options>()
  const questions = await questionsOf(command.args[0], options.file)
  const [first, ...others] = questions
  refuseRowsOf(options, isExplained(first.sql))
  if (options.saveAs !== undefined || options.on !== undefined)
    refuseQueryOn(branchFor('query', command.optsWithGlobals<GlobalOptions>().branch))
  if (options.saveAs !== undefined) {
    if (others.length > 0)
      throw new MoraineError('usage', '--save-as takes exactly one query', {
        hint: 'Name one file.',
      })
    const { saveQuery } = await import('../../save.js')
    return saveQuery(command, first.sql, options.saveAs, options.partitionBy ?? [])
  }
  if (options.on !== undefined) return askAthena(command, questions, options)
  const { storage, log, json, lake } = await openLog(command)
  const limits = limitsFor(command, lake?.queries)
  const point = options.at === undefined ? undefined : pointOf('--at', options.at)
  using output = outputOf(command, { json, queries: questions.length })
  const { format, signal } = output
  // All are asked of the lake as it is at one time.
  const state = stateAsked(log, point, options.run)
  for (const [i, { sql, file = '' }] of questions.entries()) {
    if (i > 0 && format !== 'json') show('\n')
    if (others.length > 0 && format === 'table') show(`${colors.bold(file)}\n`)
    try {
      const about = { storage, state, limits, json: format === 'json', ...valuesOf(options) }
      if (options.explain || isExplained(sql)) {
        const { showPlan } = await import('../../query/explain.js')
        await showPlan(sql, { ...about, log })
        continue
      }
      if (options.explainCost) {
        await explainCost(sql, { ...about, json })
        continue
      }
      const asked = { limits, log, signal, ...askedFor(options) }
      await using result = await queryLake(storage, state, sql, asked)
      await output.write(result)
      if (options.stats)
        show(
          `${result.files.opened} of ${plural(result.files.total, 'file')} opened (${size(result.files.bytes)})\n`,
          process.stderr,
        )
    } catch (thrown) {
      const error = withTypeHint(thrown, options)
      if (others.length === 0 || !(error instanceof MoraineError)) throw error
      const { kind, message, hint } = error
      throw new MoraineError(kind, `${file}: ${message}`, {
        ...(hint ? { hint } : {}),
        cause: error,
      })
    }
  }
  return 0
}

/** What has no rows takes no options that are about them. */
function refuseRowsOf(
  { out, saveAs, on, explain, explainCost }: Options,
  isExplain: boolean,
): void {
  const asked = explain || isExplain ? '--explain' : explainCost ? '--explain-cost' : undefined
  if (out !== undefined && (saveAs ?? asked) !== undefined)
    throw new MoraineError('usage', '--out is for the rows of a result', {
      hint: `Leave out ${asked ?? '--save-as'}, or --out.`,
    })
  if (asked === '--explain' && (saveAs ?? on) !== undefined)
    throw new MoraineError('usage', 'A query that is explained has no rows', {
      hint: `Leave out --explain, or ${on === undefined ? '--save-as' : '--on'}.`,
    })
}

/** The same question on Athena: one at a time, as each is paid for. */
async function askAthena(
  command: Command,
  [{ sql }, ...others]: readonly [Question, ...Question[]],
  { at, run: unpublished, compare = false }: Options,
): Promise<number> {
  if (others.length > 0 || at !== undefined || unpublished !== undefined)
    throw new MoraineError('usage', '--on athena takes exactly one query, on the lake as it is', {
      hint: 'Name one file, and leave out --at and --run.',
    })
  const { json = false } = command.optsWithGlobals<GlobalOptions>()
  using output = outputOf(command, { json, queries: 1 })
  const { differenceLines, queryOnAthena } = await import('../../athena/query-on-athena.js')
  const { columns, rows, difference } = await queryOnAthena(command, sql)
  await output.write({ columns, batches: batchOf(rows) })
  if (!compare || !difference) return 0
  for (const line of differenceLines(difference)) show(`${line}\n`, process.stderr)
  return difference.onlyHere.rows + difference.onlyThere.rows > 0 ? 1 : 0
}

async function* batchOf(rows: ResultRow[]): AsyncIterable<ResultRow[]> {
  yield rows
}

interface Question {
  sql: string
  file?: string
}

/** What is asked: one SELECT as an argument, or those in files. */
async function questionsOf(
  sql: string | undefined,
  files: readonly string[] = [],
): Promise<[Question, ...Question[]]> {
  if (sql !== undefined && files.length > 0)
    throw new MoraineError('usage', 'Give the query as an argument or in files, not both', {
      hint: `Remove '${sql.slice(0, 40)}' or --file.`,
    })
  if (sql !== undefined) return [{ sql }]
  const [first, ...others] = await Promise.all(files.map(readQuestion))
  if (first) return [first, ...others]
  throw new MoraineError('usage', 'No query is given', {
    hint: 'Write it as an argument: moraine query "from gold.daily_revenue"; or give files: --file question.sql',
  })
}

async function readQuestion(file: string): Promise<Question> {
  if (file === '-') return { sql: await text(process.stdin), file: 'standard input' }
  try {
    return { sql: await readFile(resolve(file), 'utf8'), file }
  } catch (error) {
    throw new MoraineError('usage', `${file} can't be read: ${messageOf(error)}`, {
      hint: 'Give files with one SELECT each.',
      cause: error,
    })
  }
}

/** The lake as it is, as it was, or as a run built it but did not publish it. */
async function stateAsked(log: CommitLog, point: number | Date | undefined, run?: string) {
  if (run === undefined) return point === undefined ? log.head() : stateToRead(log, point)
  const branch = /^[\w-]+$/.test(run) ? await log.openBranch(branchOf(run)) : undefined
  if (branch && !isExpiredRun(branch, await log.head())) return branch.head()
  throw new MoraineError('usage', `Run ${run} has no unpublished tables`, {
    hint: 'Only a run whose checks failed has them. List the commits with: moraine history',
  })
}
