import type { Command } from 'commander'
import { columnsOfTable } from '../../../branch/diff/table-diff.js'
import type { TextRow } from '../../../branch/why/why.js'
import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import type { Gold } from '../../../define/model.js'
import { quoteName } from '../../../define/sql/sql.js'
import { MoraineError } from '../../../errors.js'
import type { LakeState } from '../../../log/commit.js'
import { select } from '../../../plan/graph.js'
import { stateToRead } from '../../../query/point.js'
import { queryRows } from '../../../query/query.js'
import { inFragments } from '../../../sql/pointer.js'
import { explained } from '../../branch/explained.js'
import { whyLines } from '../../branch/why-lines.js'
import { examples } from '../../examples.js'
import { openProject, type Project, pointOf } from '../../project.js'
import { limitsFor, withLimits } from '../../query-limits.js'

export function define(command: Command): Command {
  return withLimits(command)
    .argument('<dataset>', 'a dataset of gold')
    .requiredOption('--where <where>', 'SQL that says which of its rows are meant')
    .option('--column <column>', 'the column whose value is asked about (default: the whole row)')
    .option('--examples <examples>', 'rows to show of each dataset', '10')
    .option('--at <commit|time>', 'the lake as it was at a commit or a time')
    .addHelpText(
      'after',
      examples([
        'which orders made the revenue of a day, and in which files did they come?',
        `moraine why gold.daily_revenue --where "day = '2026-01-05'" --column revenue`,
      ]),
    )
}

/** Rows that can be asked about at once. */
const ROWS = 100

interface Options {
  where: string
  column?: string
  examples: number
  at?: string
}

export async function run(command: Command): Promise<number> {
  const { where, column, examples: most, at } = command.opts<Options>()
  await using project = await openProject(command)
  await project.needsLake()
  const { lake, log } = project
  const dataset = goldNamed(lake, String(command.args[0]))
  const point = at === undefined ? undefined : pointOf('--at', at)
  const state = point === undefined ? await log.head() : await stateToRead(log, point)
  const columns = await columnsOf(project, state, dataset)
  const own = column === undefined ? undefined : columnNamed(dataset, columns, column)
  const rows = await rowsWhere(command, project, { state, dataset, columns, where })
  const past = point !== undefined
  const asked = { dataset, rows, column: own, most, past }
  const limits = limitsFor(command, lake.queries)
  const why = await explained(project, state, asked, limits)
  project.show({ ...why, commit: state.number }, () => whyLines(why))
  return 0
}

function goldNamed(lake: Lake, name: string): Gold {
  const [dataset, ...others] = select(lake, [name])
  if (dataset?.tier === 'gold' && others.length === 0) return dataset
  throw new MoraineError('usage', `${name} is not a dataset of gold`, {
    hint: 'Name one whose rows are computed by a query: moraine why gold.daily_revenue',
  })
}

/** The columns of a dataset as it is stored. */
async function columnsOf({ storage }: Project, state: LakeState, dataset: Gold) {
  const name = fullName(dataset)
  const view = state.views?.[name]
  if (view) return view.columns.map((column) => column.name)
  const table = state.tables[name]
  if (table) return (await columnsOfTable(storage, table)).map((column) => column.name)
  throw new MoraineError('usage', `${name} is not built yet`, {
    hint: 'Build it with: moraine run',
  })
}

const nameIn = (dataset: Gold) => `gold.${quoteName(dataset.name)}`

function columnNamed(dataset: Gold, columns: readonly string[], name: string): string {
  const found = columns.find((one) => one.toLowerCase() === name.toLowerCase())
  if (found) return found
  throw new MoraineError('usage', `${fullName(dataset)} has no column '${name}'`, {
    hint: `Its columns are: ${columns.join(', ')}`,
  })
}

/** The rows that are meant, as texts. */
async function rowsWhere(
  command: Command,
  { storage, lake }: Project,
  {
    state,
    dataset,
    columns,
    where,
  }: { state: LakeState; dataset: Gold; columns: readonly string[]; where: string },
): Promise<TextRow[]> {
  const texts = columns.map((name, i) => `CAST(${quoteName(name)} AS VARCHAR) AS v${i}`)
  const before = `SELECT ${texts.join(', ')} FROM ${nameIn(dataset)} WHERE (`
  const sql = `${before}${where}\n) ORDER BY ${columns.map((_, i) => i + 1).join(', ')} LIMIT ${ROWS + 1}`
  const limits = { ...limitsFor(command, lake.queries), rows: ROWS + 1 }
  const how = { limits, expressions: [where] }
  const rows = await queryRows(storage, state, sql, how).catch((error) => {
    throw inFragments(error, sql, [{ text: where, at: before.length }])
  })
  if (rows.length === 0)
    throw new MoraineError('usage', `No row of ${fullName(dataset)} is meant by --where ${where}`, {
      hint: `Look at its rows with: moraine preview ${fullName(dataset)}`,
    })
  if (rows.length > ROWS)
    throw new MoraineError('usage', `More than ${ROWS} rows are meant by --where ${where}`, {
      hint: 'Ask about one row, or a few',
    })
  return rows.map((row) =>
    Object.fromEntries(columns.map((name, i) => [name, (row[`v${i}`] ?? null) as string | null])),
  )
}
