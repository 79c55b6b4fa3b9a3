import type { Command } from 'commander'
import { fullName } from '../define/dataset.js'
import { quoteName } from '../define/sql.js'
import { MoraineError } from '../errors.js'
import type { RowCounts } from '../log/commit.js'
import { named } from '../plan/graph.js'
import { queryRows } from '../query/query.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { plural, toJson } from './output/format.js'
import { printable } from './output/printable.js'
import { openProject, print } from './project.js'

export function define(command: Command): Command {
  return command
    .argument('<dataset>', 'a silver dataset')
    .option('-n, --examples <n>', 'examples for each reason', '3')
    .addHelpText(
      'after',
      examples(
        ['why were rows discarded, and where do they come from?', 'moraine discarded orders'],
        ['all of them', 'moraine query "from discarded.orders"'],
      ),
    )
}

interface Reason {
  reason: string
  rows: number
  examples: { file: string | null; line: number | null; raw: string | null }[]
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
  const wanted = (command.args[0] as string).replace(/^discarded\./i, 'silver.')
  const dataset = named(lake, wanted).find((d) => d.tier === 'silver')
  if (!dataset)
    throw new MoraineError('usage', `'${wanted}' is not a silver dataset`, {
      hint: `Only silver discards rows: ${lake.datasets
        .filter((d) => d.tier === 'silver')
        .map((d) => d.name)
        .join(', ')}`,
    })
  const state = await log.head()
  const counts = state.tables[fullName(dataset)]?.counts
  if (!counts)
    throw new MoraineError('usage', `${fullName(dataset)} is not built yet`, {
      hint: 'Build it with: moraine run',
    })
  const limit = Number(command.opts<{ examples: string }>().examples)
  const reasons =
    counts.discarded === 0
      ? []
      : await readReasons(dataset.name, limit, (sql) => queryRows(storage, state, sql))
  if (json) print(toJson({ dataset: fullName(dataset), ...counts, reasons }, 2))
  else printReasons(fullName(dataset), counts, reasons)
  return 0
}

async function readReasons(
  name: string,
  limit: number,
  query: (sql: string) => Promise<Record<string, unknown>[]>,
): Promise<Reason[]> {
  const rows = await query(`
    SELECT reason, count(*) AS n,
      list({file: _source_file, line: _source_line, raw: left(raw, 300)} ORDER BY _batch, _source_file, _source_line)[1:${Math.max(0, limit)}] AS examples
    FROM (SELECT unnest(reasons) AS reason, raw, _source_file, _source_line, _batch FROM discarded.${quoteName(name)})
    GROUP BY reason ORDER BY n DESC, reason`)
  return rows.map((row) => ({
    reason: String(row.reason),
    rows: Number(row.n),
    examples: (row.examples as { file: string; line: bigint | null; raw: string }[]).map(
      (example) => ({
        ...example,
        line: example.line === null ? null : Number(example.line),
      }),
    ),
  }))
}

function printReasons(name: string, counts: RowCounts, reasons: readonly Reason[]): void {
  print(
    `${colors.bold(name)}: ${plural(counts.in, 'row')} in = ${counts.kept.toLocaleString('en-US')} kept + ${counts.discarded.toLocaleString('en-US')} discarded + ${counts.superseded.toLocaleString('en-US')} superseded${counts.deleted ? ` + ${plural(counts.deleted, 'deletion')}` : ''}`,
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
