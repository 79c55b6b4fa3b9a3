import { access } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { applied, type Drift, driftOf, type Policy } from '../../../catalog/crawl/drift.js'
import { datasetName, type Found } from '../../../catalog/crawl/found.js'
import { definitionsText, lakeNameOf } from '../../../catalog/crawl/write.js'
import { crawlLayer, type LayerDrift } from '../../../catalog/layers.js'
import { register, registeredSources } from '../../../catalog/registry.js'
import { MoraineError } from '../../../errors.js'
import { Lakehouse } from '../../../load/lakehouse.js'
import { variable } from '../../../settings.js'
import { currentUser } from '../../../step/context.js'
import { replaceFile } from '../../../storage/replace-file.js'
import { crawlSource, nameOf, placeOf } from '../../crawl-source.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { count, plural, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { type GlobalOptions, openProject, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument(
      '<source>',
      'a folder, a file, a bucket, or env:NAME for the URL of a database; or a layer: bronze, silver, gold',
    )
    .option('--name <name>', 'name of the source (default: its folder or variable)')
    .option(
      '--out <file>',
      'file to write definitions to (default: NAME.ts, or lake.ts if there is none)',
    )
    .option('--force', 'overwrite existing definitions')
    .option('--on-change <policy>', 'for tables that have changed: update or log', 'update')
    .option(
      '--on-gone <policy>',
      'for tables that no longer exist: deprecate, log or delete',
      'deprecate',
    )
    .addHelpText(
      'after',
      examples(
        ['create definitions for the files in a folder', 'moraine crawl data/'],
        ['for the objects in a bucket', 'moraine crawl s3://exports/shop/'],
        [
          'for the tables of a database whose URL is in SHOP_URL',
          'moraine crawl env:SHOP_URL --name shop',
        ],
        ['does the catalog of a layer still match its files?', 'moraine crawl silver'],
      ),
    )
}

interface Options {
  name?: string
  out?: string
  force?: boolean
  onChange: string
  onGone: string
}

export async function run(command: Command): Promise<number> {
  const [source = ''] = command.args
  return ['bronze', 'silver', 'gold'].includes(source)
    ? runLayer(command, source)
    : runSource(command, source)
}

async function runSource(command: Command, source: string): Promise<number> {
  const global = command.optsWithGlobals<GlobalOptions>()
  const options = command.opts<Options>()
  const folder = resolve(global.directory)
  const policy = policyOf(options)
  const name = datasetName(options.name ?? nameOf(source), new Set())
  const { house, lakeFile, datasets } = await lakeAt(command, folder)
  const { storage, log } = house
  const state = await log.head()
  const sources = await registeredSources(storage, state)
  const known = sources.find((other) => other.name === name)
  // What was crawled before keeps its names.
  const own = new Set(known?.tables.map((table) => table.name))
  const others = sources.filter((other) => other !== known).flatMap(({ tables }) => tables)
  const names = [...datasets, ...others.map((table) => table.name)]
  const taken = new Set(names.filter((other) => !own.has(other)))
  const found = await crawlSource({ command, house, source, folder, name, taken })
  const drift = known ? driftOf(known.tables, found.tables) : []
  const out = options.out ?? (lakeFile ? `${name}.ts` : 'lake.ts')
  const lake = out === 'lake.ts' ? lakeNameOf(basename(folder)) : undefined
  const text = definitionsText(found, `moraine crawl ${placeOf(source)}`, lake)
  const path = join(folder, out)
  const there = await access(path).then(
    () => true,
    () => false,
  )
  // What was crawled before has its definitions, wherever they are by now.
  const write = options.force === true || (!there && (!known || options.out !== undefined))
  if (write) await replaceFile(path, text)
  const tables = known ? applied(known.tables, found.tables, policy) : found.tables
  if (JSON.stringify(tables) !== JSON.stringify(known?.tables))
    await register(
      house,
      state,
      { name, place: placeOf(source), crawled: new Date().toISOString(), tables },
      currentUser(),
    )
  if (global.json) {
    print(
      toJson({ name, out: write ? out : null, drift, notes: found.notes, tables: found.tables }, 2),
    )
    return 0
  }
  printFound(found)
  if (known) printDrift(drift, name)
  const next =
    lake === undefined
      ? `Add its datasets to lake.ts: import { datasets } from './${out.replace(/\.ts$/, '.js')}'`
      : 'Next: npx moraine run'
  if (write)
    print(`${colors.green('✔')} ${out} has a bronze and a silver dataset for each. ${next}`)
  else if (!known)
    print(
      `${out} already exists and was not changed (--force overwrites it, --out writes elsewhere).`,
    )
  return 0
}

function policyOf({ onChange, onGone }: Options): Policy {
  const refuse = (option: string, text: string, known: string) =>
    new MoraineError('usage', `${option} ${text} is not a policy`, { hint: `Use ${known}.` })
  if (onChange !== 'update' && onChange !== 'log')
    throw refuse('--on-change', onChange, 'update or log')
  if (onGone !== 'deprecate' && onGone !== 'log' && onGone !== 'delete')
    throw refuse('--on-gone', onGone, 'deprecate, log or delete')
  return { changed: onChange, gone: onGone }
}

/** The lake of a project, also where there is no definition of one yet. */
async function lakeAt(command: Command, folder: string) {
  const lakeFile = await access(join(folder, 'lake.ts')).then(
    () => true,
    () => false,
  )
  if (lakeFile) {
    const { lake, house } = await openProject(command)
    return { house, lakeFile, datasets: lake.datasets.map(({ name }) => name.toLowerCase()) }
  }
  const { root } = command.optsWithGlobals<GlobalOptions>()
  const house = Lakehouse.at(root ?? variable('MORAINE_ROOT') ?? join(folder, 'lake'))
  return { house, lakeFile, datasets: [] }
}

/** Characters of a place that are shown: a definition may list hundreds of files. */
const LONGEST = 500

function printFound({ tables, notes }: Found): void {
  const rows = tables.map(({ name, at, rows, estimated, columns, key, cursor }) => ({
    table: name,
    at,
    rows: rows === null ? '?' : `${estimated ? 'about ' : ''}${count(rows)}`,
    columns: count(columns.length),
    key: key.join(', '),
    cursor: cursor ?? '',
  }))
  const names = ['table', 'at', 'rows', 'columns', 'key', 'cursor']
  print(
    textTable(
      names.map((name) => ({ name, right: name === 'rows' || name === 'columns' })),
      rows,
      { longest: LONGEST },
    ),
  )
  print('')
  for (const note of notes) print(`ℹ ${note}`)
}

function printDrift(drift: readonly Drift[], name: string): void {
  if (drift.length === 0) print(`${name} has not changed since the last crawl.`)
  for (const { table, change, columns } of drift) {
    print(
      `${change === 'new' ? '+' : change === 'gone' ? '-' : '~'} ${table}${change === 'changed' ? '' : ` is ${change}`}`,
    )
    for (const column of columns) print(`    ${column}`)
  }
}

async function runLayer(command: Command, tier: string): Promise<number> {
  await using project = await openProject(command)
  const { log, json } = project
  const session = await project.session()
  const drift = await crawlLayer(session, project, await log.head(), tier)
  if (json) print(toJson(drift, 2))
  else printLayer(drift, tier)
  return drift.changes.length === 0 ? 0 : 1
}

function printLayer({ tables, changes }: LayerDrift, tier: string): void {
  const good = `${plural(tables, 'table')} of ${tier}: the catalog matches the files. Nothing to change.`
  if (changes.length === 0) print(`${colors.green('✔')} ${good}`)
  for (const change of changes) print(`✖ ${change}`)
}
