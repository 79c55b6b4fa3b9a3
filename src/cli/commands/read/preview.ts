import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import { quoteName } from '../../../define/sql/sql.js'
import { MoraineError } from '../../../errors.js'
import { named } from '../../../plan/graph.js'
import { queryLake } from '../../../query/query.js'
import type { FileFormat, FilesOptions } from '../../../source/declare/files.js'
import type { Preview } from '../../../source/preview/first-rows.js'
import { previewObject } from '../../../source/preview/object.js'
import { previewFile } from '../../../source/preview/preview.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, toJson } from '../../output/format.js'
import { MAX_CELL, textTable } from '../../output/table.js'
import { type GlobalOptions, openProject, print } from '../../project.js'
import { tableColumn } from '../../query/result-formats.js'
import { limitsFor, withLimits } from '../../query-limits.js'

export function define(command: Command): Command {
  return withLimits(command)
    .argument(
      '<dataset|file>',
      'a dataset, or a raw file: delimited text, JSON, Parquet, Excel; also s3://bucket/key',
    )
    .option('-n, --limit <rows>', 'number of rows', '10')
    .option('--format <format>', `what the file is: ${formats.join(', ')} (default: as found)`)
    .option('--delimiter <text>', 'delimited text: the field delimiter; \\t for a tab')
    .option('--header <line>', 'the line of the header, or two lines: 3, 3-4; or none')
    .option('--skip <lines>', 'lines to skip before the header or the first record')
    .option('--footer <lines>', 'lines to skip at the end')
    .option('--comment <text>', 'characters that start a comment line')
    .option('--quote <character>', 'the quote character, or none')
    .option('--escape <character>', 'the escape character')
    .option('--null <text...>', 'strings that mean NULL')
    .option('--encoding <label>', 'the character encoding')
    .option(
      '--rows <path>',
      'JSON: the keys that lead to the rows (data.items); XML: their element',
    )
    .option('--sheet <name>', 'Excel: the sheet, by its name or number')
    .option('--range <text>', 'Excel: the cells to read: B3:F200, B:F, 3:200, B3')
    .addHelpText(
      'after',
      examples(
        ['the first rows of a dataset', 'moraine preview silver.orders'],
        ['what is in this file?', 'moraine preview data/orders.csv -n 5'],
        [
          'a report with two lines above its header',
          'moraine preview report.csv --header 3 --footer 1',
        ],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const [what] = command.args as [string]
  const options = command.optsWithGlobals<GlobalOptions & { limit: number } & TextOptions>()
  const { limit } = options
  const path = resolve(options.directory, what)
  const isFile = (await stat(path).catch(() => undefined))?.isFile()
  const text = textOptions(options)
  const isObject = what.startsWith('s3://')
  if (text && !isFile && !isObject && !isPath(what))
    throw new MoraineError(
      'usage',
      `Options for reading apply to files, but '${what}' is a dataset`,
    )
  if (!isFile && isPath(what))
    throw new MoraineError('usage', `There is no file ${path}`, {
      hint: 'Relative paths start at the project folder. To preview a dataset, use its name: moraine preview silver.orders',
    })
  const preview = isObject
    ? await previewObject(what, limit, text)
    : isFile
      ? await previewFile(path, limit, text)
      : await previewDataset(command, what, limit)
  if (options.json) print(toJson(preview.rows, 2))
  else {
    print(textTable(preview.columns.map(tableColumn), preview.rows, { longest: MAX_CELL }))
    print(
      colors.dim(
        `${preview.note ? `${preview.note}; ` : ''}the first ${plural(preview.rows.length, 'row')}`,
      ),
    )
  }
  return 0
}

/** Whether a name can only be that of a file. */
function isPath(what: string): boolean {
  if (what.startsWith('s3://')) return false
  return (
    /[/\\]/.test(what) ||
    /\.(?:[ct]sv|txt|log|jsonl?|ndjson|xml|xlsx|parquet|avro|gz|zip|zst)$/i.test(what)
  )
}

const formats: readonly FileFormat[] = [
  'delimited',
  'json',
  'jsonl',
  'xml',
  'excel',
  'parquet',
  'avro',
]

/** Options of the command that say how a file is read. */
interface TextOptions {
  format?: string
  rows?: string
  sheet?: string
  range?: string
  delimiter?: string
  header?: string
  skip?: number
  footer?: number
  comment?: string
  quote?: string
  escape?: string
  null?: string[]
  encoding?: string
}

/** The options of `files()` that are meant; `undefined` where none is given. */
function textOptions(given: TextOptions): FilesOptions<string> | undefined {
  const { delimiter, skip, footer, comment, quote, escape: mark, encoding } = given
  const { format, rows, sheet, range } = given
  if (format !== undefined && !formats.includes(format as FileFormat))
    throw new MoraineError('usage', `Unknown format '${format}'`, {
      hint: `Use one of: ${formats.join(', ')}`,
    })
  const lines = given.header?.split('-').map(Number) ?? []
  const [first, last = first] = lines
  const isNone = given.header === 'none'
  if (!isNone && lines.some((line) => !Number.isInteger(line) || line < 1))
    throw new MoraineError('usage', `--header ${given.header} is not a line number`, {
      hint: 'Write the line of the header, or two lines: --header 3, --header 3-4, --header none',
    })
  const header = isNone ? false : first && ([first, last as number] as const)
  const found = {
    delimiter: delimiter?.replaceAll('\\t', '\t'),
    header,
    skip,
    footer,
    comment,
    quote: quote === 'none' ? null : quote,
    escape: mark,
    nulls: given.null,
    encoding,
    format,
    rows,
    sheet: sheet && /^[1-9]\d*$/.test(sheet) ? Number(sheet) : sheet,
    range,
  }
  const said = Object.entries(found).filter(([, value]) => value !== undefined)
  return said.length === 0 ? undefined : Object.fromEntries(said)
}

async function previewDataset(command: Command, what: string, limit: number): Promise<Preview> {
  const { lake, storage, log } = await openProject(command)
  const name = tableName(what, () => named(lake, what))
  const [tier = '', table = ''] = name.split('.')
  const sql = `SELECT * FROM ${quoteName(tier)}.${quoteName(table)} LIMIT ${limit}`
  // What a view computes may be much; how many rows are shown is said already.
  const limits = { ...limitsFor(command, lake.queries), rows: limit }
  await using result = await queryLake(storage, await log.head(), sql, { limits })
  const rows = []
  for await (const batch of result.batches) rows.push(...batch)
  return { columns: result.columns, rows, note: name }
}

function tableName(what: string, find: () => ReturnType<typeof named>): string {
  if (what.toLowerCase().startsWith('discarded.')) return what
  const found = find()
  if (found.length === 1) return fullName(found[0] as never)
  throw new MoraineError('usage', `'${what}' could be ${found.map(fullName).join(' or ')}`, {
    hint: `Add its layer: moraine preview ${fullName(found[0] as never)}`,
  })
}
