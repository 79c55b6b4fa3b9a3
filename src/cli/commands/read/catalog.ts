import type { Command } from 'commander'
import { allEntries } from '../../../catalog/all-entries.js'
import { type CatalogEntry, searchEntries } from '../../../catalog/describe.js'
import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import { MoraineError } from '../../../errors.js'
import { externalRelations } from '../../../log/external.js'
import { named } from '../../../plan/graph.js'
import type { ColumnSource } from '../../../plan/lineage.js'
import { removedFrom } from '../../../plan/removed.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { count, plural, readableTime, size, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { printable } from '../../output/terminal.js'
import { openProject, print } from '../../project.js'
import { removedLines } from '../../removed.js'

export function define(command: Command): Command {
  return command
    .argument('[dataset]', 'a dataset to describe in full')
    .option(
      '--search <text>',
      'only datasets that match a text: names, columns, descriptions, owners, tags',
    )
    .addHelpText(
      'after',
      examples(
        ['all datasets', 'moraine catalog'],
        ['the columns of one dataset, and their lineage', 'moraine catalog silver.orders'],
        ['which datasets have something about customers?', 'moraine catalog --search customer'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  await using project = await openProject(command)
  const { lake, log, json } = project
  const [wanted] = command.args
  const { search } = command.opts<{ search?: string }>()
  const state = await log.head()
  const external = externalRelations(state)
  const isForeign = external.some(({ fullName }) => fullName === wanted)
  const names =
    wanted === undefined || wanted.startsWith('source.') || isForeign
      ? wanted && [wanted]
      : namesOf(lake, wanted)
  const all = await allEntries(await project.session(), project, state, names || undefined)
  const chosen = names ? all.filter(({ name }) => names.includes(name)) : all
  const found = search === undefined ? chosen : searchEntries(chosen, search)
  if (json) print(toJson(found, 2))
  else if (search !== undefined && found.length === 0)
    throw new MoraineError('usage', `No dataset matches '${search}'`, {
      hint: 'Try fewer or shorter words; moraine catalog lists all datasets.',
    })
  else if (names) for (const entry of found) print(inFull(entry))
  else {
    printList(found)
    if (search === undefined)
      for (const line of removedLines(removedFrom(lake.datasets, state))) print(line)
  }
  return 0
}

/** The datasets of a name, or the table of another engine that has it. */
function namesOf(lake: Lake, wanted: string): string[] {
  const name = wanted.toLowerCase()
  const table = lake.externals.find((one) => fullName(one).toLowerCase() === name)
  return table ? [fullName(table)] : named(lake, wanted).map(fullName)
}

function printList(entries: readonly CatalogEntry[]): void {
  const rows = entries.map((entry) => ({
    dataset: entry.name,
    columns: count(entry.columns.length),
    rows: entry.rows === null ? '' : count(entry.rows),
    size: entry.bytes === null ? '' : size(entry.bytes),
    changed: entry.view ? 'a view' : changedText(entry),
    description: entry.description ?? '',
  }))
  const right = ['columns', 'rows', 'size']
  const names = ['dataset', 'columns', 'rows', 'size', 'changed', 'description']
  print(
    textTable(
      names.map((name) => ({ name, right: right.includes(name) })),
      rows,
    ),
  )
}

function inFull(entry: CatalogEntry): string {
  const facts: [string, string | null][] = [
    ['description', entry.description],
    ['owner', entry.owner],
    ['tags', entry.tags.join(', ') || null],
    ['key', entry.key.join(', ') || null],
    ['partitions', entry.partitions.join(', ') || null],
    ['rows', heldText(entry)],
    [entry.tier === 'source' ? 'crawled' : 'changed', changedText(entry)],
    ['problem', entry.problem ?? null],
    ['reads', entry.from.join(', ') || null],
    ['read by', entry.to.join(', ') || null],
    ['location', entry.location],
    ['metadata', entry.metadata?.location ?? null],
  ]
  const told = facts.flatMap(([name, text]) =>
    text === null ? [] : [`${colors.dim(name.padEnd(11))}  ${printable(text)}`],
  )
  const columns = entry.columns.map(({ name, type, description, from, to }) => ({
    column: name,
    type,
    from: sourcesText(from),
    to: sourcesText(to),
    ...(description === null ? {} : { description }),
  }))
  const names = [
    'column',
    'type',
    ...(entry.tier === 'external' ? [] : ['from']),
    ...(entry.tier === 'external' && entry.to.length === 0 ? [] : ['to']),
    ...(columns.some((c) => 'description' in c) ? ['description'] : []),
  ]
  return `${colors.bold(printable(entry.name))}\n${told.join('\n')}\n\n${textTable(
    names.map((name) => ({ name })),
    columns,
  )}\n`
}

function changedText({ tier, changed, problem }: CatalogEntry): string {
  if (problem !== undefined) return 'cannot be read'
  if (changed !== null) return readableTime(changed)
  return tier === 'external' ? '' : 'not built yet'
}

function heldText({ tier, rows, files, bytes }: CatalogEntry): string | null {
  if (rows === null) return null
  if (tier === 'source') return `about ${count(rows)}`
  const n = files ?? 0
  const held = tier === 'bronze' ? `${count(n)} batch${n === 1 ? '' : 'es'}` : plural(n, 'file')
  return `${count(rows)} in ${held}, ${size(bytes ?? 0)}`
}

function sourcesText(sources: readonly ColumnSource[]): string {
  return sources.map(({ table, column }) => `${table}.${column}`).join(', ')
}
