import type { Problem } from '../../errors.js'
import { shownUrl } from '../../secrets.js'
import { fullName } from '../dataset.js'
import { secondsOf } from '../interval.js'
import type { AnyInput } from '../model.js'
import { isBroken } from '../problems/mistakes.js'
import type { Folder } from './folder.js'
import type { Redshift } from './redshift.js'
import type { ExportTable, Warehouse } from './target.js'

/** The record of what was loaded stands in a table of this name, beside those that were. */
export const RECORDS = '_moraine_exports'

/** Longest name of a table that all targets take: PostgreSQL cuts longer ones. */
const LONGEST = 63
/** What stands beside a table while it is loaded has its name and some characters more. */
const BESIDE = 15

/** What is wrong with the exports of a lake. */
export function warehouseProblems(
  all: readonly Warehouse[],
  datasets: readonly AnyInput[],
): Problem[] {
  const sound = all.filter((one) => !isBroken(one))
  const names = new Map<string, Warehouse>()
  return sound.flatMap((one) => {
    const first = names.get(one.name)
    names.set(one.name, first ?? one)
    const twice = first && {
      message: `Two warehouses are named '${one.name}'`,
      hint: "Give each a name of its own: warehouse(…, { name: 'reporting', … })",
      place: one.place,
    }
    return [...(twice ? [twice] : []), ...problemsOf(one, datasets)]
  })
}

function problemsOf(one: Warehouse, datasets: readonly AnyInput[]): Problem[] {
  const problems: Problem[] = []
  const add = (message: string, near?: string, hint?: string) =>
    problems.push({
      message: `warehouse '${one.name}': ${message}`,
      hint,
      place: one.place && (near === undefined ? one.place : { ...one.place, near }),
    })
  if (!/^[a-z][a-z0-9_-]*$/.test(one.name))
    add(
      `the name '${one.name}' may contain only lower-case letters, digits, '_' and '-'`,
      `'${one.name}'`,
    )
  if (one.tables.length === 0) add('tables is empty', 'tables', 'List the datasets to export.')
  if (one.schema !== undefined) nameProblem('schema', one.schema, add)
  if (one.schema !== undefined && one.target.kind === 'mysql')
    add(
      'MySQL has no schemas within a database',
      'schema',
      'Remove schema; name the database in the URL.',
    )
  if (one.grants.length > 0 && one.target.kind === 'duckdb')
    add('a file of DuckDB has no users', 'grants', 'Remove grants.')
  if (one.target.kind === 'folder') folderProblems(one, one.target, add)
  if (one.target.kind === 'redshift') redshiftProblems(one, one.target, add)
  else layoutProblems(one, add)
  const taken = new Map<string, ExportTable>()
  for (const table of one.tables) {
    if (table.dataset === undefined) continue
    const name = fullName(table.dataset)
    const other = taken.get(table.as.toLowerCase())
    if (other)
      add(
        `${fullName(other.dataset)} and ${name} would both be the table '${table.as}'`,
        'tables',
        `Give one of them another name: { dataset: ${table.dataset.name}, as: '…' }`,
      )
    taken.set(table.as.toLowerCase(), table)
    nameProblem('table', table.as, add)
    for (const problem of tableProblems(table, datasets))
      add(problem.message, 'tables', problem.hint)
  }
  return problems
}

type Add = (message: string, near?: string, hint?: string) => void

function layoutProblems({ tables }: Warehouse, add: Add): void {
  for (const { as, distKey, sortKey } of tables)
    if (distKey !== undefined || sortKey !== undefined)
      add(
        `${as} has a distKey or sortKey, which only Redshift knows`,
        distKey === undefined ? 'sortKey' : 'distKey',
        'Remove it.',
      )
}

const ROLE = /^(default|arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/:-]+)$/

function redshiftProblems({ schema, tables }: Warehouse, target: Redshift, add: Add): void {
  const { via, role, catalog } = target
  if (!ROLE.test(role))
    add(
      `'${role}' is not a role`,
      'role',
      "Write the ARN of one, such as 'arn:aws:iam::123456789012:role/warehouse', or 'default'.",
    )
  if (catalog === undefined && !/^s3:\/\/[^/?]/.test(via ?? ''))
    add(
      'Redshift loads rows from S3, and via names no place there',
      via === undefined ? 'redshift' : 'via',
      "Add via: 's3://bucket/prefix', or catalog: 'database' to have it read the lake's tables through Glue.",
    )
  const made = catalog === undefined ? tables.map(({ as }) => as) : []
  for (const name of [schema ?? '', ...made])
    if (name !== name.toLowerCase())
      add(
        `Redshift has names in lower case alone, and '${name}' is none`,
        name,
        name === schema
          ? `Write schema: '${name.toLowerCase()}'`
          : `Give the table another name: { dataset: …, as: '${name.toLowerCase()}' }`,
      )
  if (catalog === undefined) return
  if (via !== undefined) add('with catalog nothing is loaded', 'via', 'Remove via or catalog.')
  if (schema === undefined)
    add('with catalog, schema names the external schema', 'catalog', "Add schema: 'lake'.")
  for (const { as, dataset, distKey, sortKey } of tables)
    if (as !== dataset?.name || distKey !== undefined || sortKey !== undefined)
      add(
        `with catalog, ${dataset?.name} is read as it is in Glue`,
        as === dataset?.name ? 'Key' : `'${as}'`,
        'Remove as, distKey and sortKey.',
      )
}

function folderProblems(
  { grants }: Warehouse,
  { path, keep, format, escapeFormulas }: Folder,
  add: Add,
): void {
  if (grants.length > 0) add('a folder has no users', 'grants', 'Remove grants.')
  if (secondsOf(keep) === undefined)
    add(`keep: '${keep}' is not a duration`, 'keep', "Write it as '12h' or '7d'.")
  if (path === '' || /^(?!s3:)[a-z][a-z0-9+.-]+:\/\//i.test(path))
    add(
      `'${shownUrl(path)}' is neither a folder nor a bucket`,
      'folder',
      "Write folder('reports') or folder('s3://bucket/prefix').",
    )
  if (escapeFormulas && format !== 'csv')
    add(`${format} has no formulas`, 'escapeFormulas', 'Remove escapeFormulas.')
}

function nameProblem(what: string, name: string, add: Add): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name.length > LONGEST - BESIDE)
    add(
      `'${name}' is not a name for a ${what}: letters, digits and '_', at most ${LONGEST - BESIDE}`,
      `'${name}'`,
    )
  else if (/^_moraine|__moraine_/i.test(name))
    add(`names with _moraine are Moraine's own`, `'${name}'`, 'Choose another name.')
}

function tableProblems({ dataset }: ExportTable, datasets: readonly AnyInput[]) {
  const name = fullName(dataset)
  const tier: string = dataset.tier
  if (tier !== 'silver' && tier !== 'gold')
    return [
      {
        message: `${name} is neither silver nor gold`,
        hint: 'Export a dataset that is validated.',
      },
    ]
  if (dataset.tier === 'gold' && dataset.view)
    return [
      {
        message: `${name} is a view and has no rows of its own`,
        hint: 'Remove view: true from it, or export the tables that it reads.',
      },
    ]
  if (!datasets.includes(dataset))
    return [
      {
        message: `${name} is not part of this lake`,
        hint: 'Add it to datasets of defineLake.',
      },
    ]
  return []
}
