import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import { MoraineError } from '../../../errors.js'
import type { RowCounts } from '../../../log/commit.js'
import { reasonsSql } from '../../../query/discarded-reasons.js'
import { queryRows } from '../../../query/query.js'
import { exportRows } from '../../discarded-export.js'
import { checkRule, isFor, silverNamed } from '../../discarded-rule.js'
import { showTrend } from '../../discarded-trend.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { count, plural, toJson } from '../../output/format.js'
import { printable } from '../../output/terminal.js'
import { openProject, print } from '../../project.js'
import { limitsFor, withLimits } from '../../query-limits.js'

export function define(command: Command): Command {
  return withLimits(command)
    .argument('<dataset>', 'a silver dataset')
    .option('-n, --examples <examples>', 'number of examples per reason', '3')
    .option('--rule <name>', 'only rows discarded for this rule or column')
    .option('--trend', 'show how many rows each of the last runs discarded')
    .option('--export <format>', 'export them all as csv, for the owner of the source')
    .option('--escape-formulas', "with --export: put a ' before texts that a spreadsheet would run")
    .addHelpText(
      'after',
      examples(
        ['why were rows discarded, and which files are they from?', 'moraine discarded orders'],
        ['is it getting worse?', 'moraine discarded orders --trend'],
        ['for the owner of the source', 'moraine discarded orders --export csv > bad.csv'],
        ['all of them', 'moraine query "from discarded.orders"'],
      ),
    )
}

interface Options {
  examples: number
  rule?: string
  trend?: boolean
  export?: string
  escapeFormulas?: boolean
}

interface Reason {
  reason: string
  rows: number
  examples: { file: string | null; line: number | null; batch: string; raw: string | null }[]
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json, house } = await openProject(command)
  const dataset = silverNamed(lake, command.args[0] as string)
  const state = await log.head()
  const counts = state.tables[fullName(dataset)]?.counts
  if (!counts)
    throw new MoraineError('usage', `${fullName(dataset)} is not built yet`, {
      hint: 'Build it with: moraine run',
    })
  const options = command.opts<Options>()
  const limits = limitsFor(command, lake.queries)
  if (options.rule !== undefined) await checkRule({ storage, state }, dataset, options.rule, limits)
  if (options.trend) return showTrend(storage, dataset, { json, branch: house.branch })
  if (options.export !== undefined) return exportRows({ storage, state }, dataset, options, limits)
  const limit = options.examples
  const reasons =
    counts.discarded === 0
      ? []
      : await readReasons(dataset.name, limit, options.rule, (sql) =>
          queryRows(storage, state, sql, { limits }),
        )
  if (json) print(toJson({ dataset: fullName(dataset), ...counts, reasons }, 2))
  else printReasons(fullName(dataset), counts, reasons)
  return 0
}

async function readReasons(
  name: string,
  limit: number,
  rule: string | undefined,
  query: (sql: string) => Promise<Record<string, unknown>[]>,
): Promise<Reason[]> {
  const rows = await query(reasonsSql(name, limit, isFor(rule)))
  return rows.map((row) => ({
    reason: String(row.reason),
    rows: Number(row.n),
    examples: (
      row.examples as { file: string; line: bigint | null; batch: string; raw: string }[]
    ).map((example) => ({
      ...example,
      line: example.line === null ? null : Number(example.line),
    })),
  }))
}

function printReasons(name: string, counts: RowCounts, reasons: readonly Reason[]): void {
  print(
    `${colors.bold(name)}: ${plural(counts.in, 'row')} in = ${count(counts.kept)} kept + ${count(counts.discarded)} discarded + ${count(counts.superseded)} superseded${counts.deleted ? ` + ${plural(counts.deleted, 'deletion')}` : ''}${counts.expired ? ` + ${count(counts.expired)} expired` : ''}${counts.forgotten ? ` + ${count(counts.forgotten)} forgotten` : ''}`,
  )
  for (const { reason, rows, examples: found } of reasons) {
    print(`\n${colors.yellow(plural(rows, 'row'))}  ${reason}`)
    for (const { file, line, raw } of found)
      print(
        `  ${colors.dim(file === null ? 'from another table' : line ? `${file}:${line}` : file)}  ${cut(raw ?? '')}`,
      )
  }
  if (reasons.length > 0) print(colors.dim('\nA row may have several reasons.'))
}

function cut(text: string): string {
  const line = printable(text, (c) => (c === '\t' ? '→' : '·'))
  return line.length > 140 ? `${line.slice(0, 139)}…` : line
}
