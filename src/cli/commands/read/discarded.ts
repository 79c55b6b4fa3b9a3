import type { Command } from 'commander'
import { parse, stringify } from 'lossless-json'
import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import type { Silver } from '../../../define/model.js'
import { nearest } from '../../../define/nearest.js'
import { quoteName } from '../../../define/sql/sql.js'
import { MoraineError } from '../../../errors.js'
import type { LakeState, RowCounts } from '../../../log/commit.js'
import { named } from '../../../plan/graph.js'
import type { Limits } from '../../../query/limits.js'
import { queryLake, queryRows } from '../../../query/query.js'
import { isForRule } from '../../../silver/discarded.js'
import { Journal } from '../../../step/journal.js'
import type { Storage } from '../../../storage/storage.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { csvRecord } from '../../output/csv.js'
import { count, plural, readableTime, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { printable, writeData } from '../../output/terminal.js'
import { openProject, print } from '../../project.js'
import { limitsFor, withLimits } from '../../query-limits.js'

export function define(command: Command): Command {
  return withLimits(command)
    .argument('<dataset>', 'a silver dataset')
    .option('-n, --examples <examples>', 'number of examples per reason', '3')
    .option('--rule <name>', 'only rows discarded for this rule or column')
    .option('--trend', 'show how many rows each of the last runs discarded')
    .option('--export <format>', 'export them all as csv, for the owner of the source')
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
}

interface Reason {
  reason: string
  rows: number
  examples: { file: string | null; line: number | null; batch: string; raw: string | null }[]
}

/** The silver dataset that is meant. */
export function silverNamed(lake: Lake, name: string): Silver<any> {
  const wanted = name.replace(/^discarded\./i, 'silver.')
  const dataset = named(lake, wanted).find((d): d is Silver<any> => d.tier === 'silver')
  if (dataset) return dataset
  throw new MoraineError('usage', `'${wanted}' is not a silver dataset`, {
    hint: `Only silver discards rows: ${lake.datasets
      .filter((d) => d.tier === 'silver')
      .map((d) => d.name)
      .join(', ')}`,
  })
}

export async function run(command: Command): Promise<number> {
  const { lake, storage, log, json } = await openProject(command)
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
  if (options.trend) return showTrend(storage, dataset, json)
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

/** A lake as it was at one time. */
interface At {
  storage: Storage
  state: LakeState
}

/** Refuses the name of a rule or a column that the dataset does not have, where no reason begins so either. */
export async function checkRule(
  { storage, state }: At,
  dataset: Silver<any>,
  rule: string,
  limits: Limits,
): Promise<void> {
  const known = [...dataset.rules.map(({ name }) => name), ...Object.keys(dataset.schema.shape)]
  if (known.some((name) => rule === name || rule.startsWith(`${name}:`))) return
  if (!state.tables[fullName(dataset)]) return
  const found = await queryRows(
    storage,
    state,
    `SELECT 1 FROM (SELECT unnest(reasons) AS reason FROM discarded.${quoteName(dataset.name)}) WHERE ${isForRule('reason', rule)} LIMIT 1`,
    { limits },
  )
  if (found.length > 0) return
  const similar = nearest(rule, known)
  throw new MoraineError(
    'usage',
    `${fullName(dataset)} has no rule or column '${rule}', and no row was discarded for it`,
    {
      hint: similar
        ? `Did you mean '${similar}'?`
        : `Its rules and columns are: ${known.join(', ')}`,
    },
  )
}

const isFor = (rule: string | undefined) =>
  rule === undefined ? 'true' : isForRule('reason', rule)

async function readReasons(
  name: string,
  limit: number,
  rule: string | undefined,
  query: (sql: string) => Promise<Record<string, unknown>[]>,
): Promise<Reason[]> {
  const rows = await query(`
    SELECT reason, count(*) AS n,
      list({file: _source_file, line: _source_line, batch: _batch, raw: left(raw, 300)} ORDER BY _batch, _source_file, _source_line)[1:${Math.max(0, limit)}] AS examples
    FROM (SELECT unnest(reasons) AS reason, raw, _source_file, _source_line, _batch FROM discarded.${quoteName(name)})
    WHERE ${isFor(rule)} GROUP BY reason ORDER BY n DESC, reason`)
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
    `${colors.bold(name)}: ${plural(counts.in, 'row')} in = ${count(counts.kept)} kept + ${count(counts.discarded)} discarded + ${count(counts.superseded)} superseded${counts.deleted ? ` + ${plural(counts.deleted, 'deletion')}` : ''}${counts.expired ? ` + ${count(counts.expired)} expired` : ''}`,
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

/** Runs that the trend goes back. */
const RUNS = 30

/** What the last runs that read rows discarded. */
async function showTrend(storage: Storage, dataset: Silver<any>, json: boolean): Promise<number> {
  const entries = await new Journal(storage).latest(RUNS)
  const runs = entries.reverse().flatMap(({ run, started, record }) => {
    const step = record?.steps.find((s) => s.dataset === fullName(dataset) && s.counts)
    if (!step?.counts || step.counts.in === 0) return []
    const { in: read, discarded } = step.counts
    return [
      { run, started, in: read, discarded, share: discarded / read, reasons: step.discarded ?? [] },
    ]
  })
  if (json) {
    print(toJson(runs, 2))
    return 0
  }
  const most = Math.max(...runs.map(({ share }) => share), 0)
  const columns = ['run at', 'in', 'discarded', '%', ' ', 'mostly for'].map((name) => ({
    name,
    right: ['in', 'discarded', '%'].includes(name),
  }))
  const rows = runs.map(({ started, in: read, discarded, share, reasons }) => ({
    'run at': readableTime(started),
    in: read,
    discarded,
    '%': (share * 100).toFixed(2),
    ' ': '▇'.repeat(most === 0 ? 0 : Math.ceil((share / most) * 20)),
    'mostly for': reasons[0]?.reason ?? '',
  }))
  print(rows.length === 0 ? 'None of the last runs has read rows.' : textTable(columns, rows))
  return 0
}

/** Columns of an export beside the data's own. */
const OWN = ['_reasons', '_source_file', '_source_line', '_batch', '_raw']

/** Writes all discarded rows, with their raw values as columns of their own. */
async function exportRows(
  { storage, state }: At,
  dataset: Silver<any>,
  { export: format, rule }: Pick<Options, 'export' | 'rule'>,
  limits: Limits,
): Promise<number> {
  if (format !== 'csv')
    throw new MoraineError('usage', `Discarded rows cannot be exported as ${format}`, {
      hint: 'Use csv, or: moraine query --format json "from discarded.…"',
    })
  const table = `discarded.${quoteName(dataset.name)}`
  const [found] = await queryRows(
    storage,
    state,
    `SELECT list(DISTINCT k) AS names FROM (SELECT unnest(json_keys(raw)) AS k FROM ${table} WHERE json_valid(raw))`,
    // It is ours, and has one row.
    { limits: { ...limits, rows: Number.POSITIVE_INFINITY } },
  )
  const names = ((found?.names as string[] | null) ?? []).sort()
  await using result = await queryLake(
    storage,
    state,
    `SELECT array_to_string(reasons, '; ') AS reasons, _source_file, _source_line, _batch, raw FROM ${table}
     WHERE len(list_filter(reasons, lambda reason: ${isFor(rule)})) > 0 ORDER BY _batch, _source_file, _source_line`,
    { limits },
  )
  // Data may have columns of any name, these included.
  const taken = new Set(names.map((name) => name.toLowerCase()))
  const own = (name: string): string => (taken.has(name) ? own(`_${name}`) : name)
  const [reasonsName, fileName, lineName, batchName, rawName] = OWN.map(own)
  await writeData(csvRecord([reasonsName, fileName, lineName, batchName, ...names, rawName]))
  for await (const batch of result.batches)
    for (const { reasons, _source_file: file, _source_line: line, _batch, raw } of batch) {
      const values = valuesIn(String(raw))
      const shown = values
        ? [...names.map((name) => values[name] ?? null), null]
        : [...names.map(() => null), raw]
      await writeData(csvRecord([reasons, file, line, _batch, ...shown]))
    }
  return 0
}

/** The raw values of a row, numbers with every digit; `undefined` for a line that could not be split. */
function valuesIn(raw: string): Record<string, string | null> | undefined {
  try {
    const found = parse(raw)
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined
    const text = (value: unknown) =>
      value === null || typeof value === 'string' ? value : (stringify(value) ?? null)
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, text(value)]))
  } catch {
    return undefined
  }
}

function cut(text: string): string {
  const line = printable(text, (c) => (c === '\t' ? '→' : '·'))
  return line.length > 140 ? `${line.slice(0, 139)}…` : line
}
