import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fullName } from '../define/dataset.js'
import { quoteName } from '../define/sql.js'
import { MoraineError } from '../errors.js'
import { named } from '../plan/graph.js'
import { queryLake } from '../query/query.js'
import { type Preview, previewFile } from '../source/preview.js'
import { previewObject } from '../source/preview-object.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { plural, toJson } from './output/format.js'
import { textTable } from './output/table.js'
import { type GlobalOptions, openProject, print } from './project.js'
import { tableColumn } from './query.js'

export function define(command: Command): Command {
  return command
    .argument(
      '<dataset|file>',
      'a dataset, or a raw file: delimited text, JSON, Parquet, Excel; also s3://bucket/key',
    )
    .option('-n, --limit <rows>', 'how many rows', '10')
    .addHelpText(
      'after',
      examples(
        ['the first rows of a dataset', 'moraine preview silver.orders'],
        ['what is in this file?', 'moraine preview data/orders.csv -n 5'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const [what] = command.args as [string]
  const options = command.optsWithGlobals<GlobalOptions & { limit: number }>()
  const { limit } = options
  const path = resolve(options.directory, what)
  const isFile = (await stat(path).catch(() => undefined))?.isFile()
  const preview = what.startsWith('s3://')
    ? await previewObject(what, limit)
    : isFile
      ? await previewFile(path, limit)
      : await previewDataset(command, what, limit)
  if (options.json) print(toJson(preview.rows, 2))
  else {
    print(textTable(preview.columns.map(tableColumn), preview.rows))
    print(
      colors.dim(
        `${preview.note ? `${preview.note}; ` : ''}the first ${plural(preview.rows.length, 'row')}`,
      ),
    )
  }
  return 0
}

async function previewDataset(command: Command, what: string, limit: number): Promise<Preview> {
  const { lake, storage, log } = await openProject(command)
  const name = tableName(what, () => named(lake, what))
  const [tier = '', table = ''] = name.split('.')
  const sql = `SELECT * FROM ${quoteName(tier)}.${quoteName(table)} LIMIT ${limit}`
  await using result = await queryLake(storage, await log.head(), sql)
  const rows = []
  for await (const batch of result.batches) rows.push(...batch)
  return { columns: result.columns, rows, note: name }
}

function tableName(what: string, find: () => ReturnType<typeof named>): string {
  if (what.toLowerCase().startsWith('discarded.')) return what
  const found = find()
  if (found.length === 1) return fullName(found[0] as never)
  throw new MoraineError('usage', `'${what}' could be ${found.map(fullName).join(' or ')}`, {
    hint: `Write it with its tier: moraine preview ${fullName(found[0] as never)}`,
  })
}
