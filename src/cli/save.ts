import { readFile } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { type SavedTable, withSavedQuery } from '../catalog/save-query.js'
import { fullName } from '../define/dataset.js'
import type { AnyInput } from '../define/model.js'
import { openEngine } from '../engine/open.js'
import { MoraineError } from '../errors.js'
import { findLakeFile } from '../load/load.js'
import { variable } from '../settings.js'
import { proveSelect } from '../sql/guard.js'
import { replaceFile } from '../storage/replace-file.js'
import { refuseQueryOn } from './branch/branch-for.js'
import { buildSaved } from './build-saved.js'
import colors from './output/colors.js'
import { plural, toJson } from './output/format.js'
import { openProject, print } from './project.js'
import { limitsFor } from './query-limits.js'

/**
 * Publishes a query's result as a gold table, and keeps the query as its definition in `lake.ts`.
 */
export async function saveQuery(
  command: Command,
  sql: string,
  as: string,
  partitions: readonly string[],
): Promise<number> {
  const { lake, folder, json, root, house } = await openProject(command)
  refuseQueryOn(house.branch)
  const limits = limitsFor(command, lake.queries)
  const name = /^(?:gold\.)?([a-z][a-z0-9_]*)$/i.exec(as)?.[1]
  if (name === undefined)
    throw new MoraineError('usage', `'${as}' is not a valid name of a gold dataset`, {
      hint: 'Use a name such as gold.daily_orders.',
    })
  const target = `gold.${name}`
  if (lake.datasets.some((dataset) => fullName(dataset).toLowerCase() === target.toLowerCase()))
    throw new MoraineError('usage', `${target} already exists`, {
      hint: 'Use another name, or change its definition in lake.ts.',
    })
  const file = findLakeFile(folder)
  const before = await readFile(file, 'utf8')
  const saved = await Promise.all(
    (await tablesOf(sql)).map((table) =>
      withHome(table, [...lake.datasets, ...lake.externals], file, before),
    ),
  )
  const after = withSavedQuery(before, { name, sql, partitions, tables: saved })
  await replaceFile(file, after)
  try {
    const extensions = variable('MORAINE_EXTENSIONS')
    const directory = process.cwd()
    const { record } = await buildSaved({
      ...{ file, root, dataset: target, directory, extensions, limits },
    })
    const [step] = record.steps
    if (record.outcome !== 'done' || !step) {
      const { message = 'it was not built', hint } = step?.error ?? record.error ?? {}
      throw new MoraineError('query', message, hint ? { hint } : {})
    }
    if (json) print(toJson({ dataset: target, rows: step.rows, run: record.run, file }, 2))
    else
      print(
        `${colors.green('✔')} ${target} has ${plural(step.rows ?? 0, 'row')}. Its definition is in lake.ts.`,
      )
    return 0
  } catch (error) {
    // What can't be built is not left behind.
    await replaceFile(file, before)
    throw error
  }
}

/** The tables that a query reads. */
async function tablesOf(sql: string): Promise<SavedTable[]> {
  const engine = await openEngine({ memory: 2 ** 28 })
  try {
    const session = await engine.open()
    return proveSelect(await session.parser.tree(sql), sql).tables
  } finally {
    await engine.close()
  }
}

/** A table with the file that defines it, where that is not `lake.ts` itself. */
async function withHome(
  table: SavedTable,
  datasets: readonly AnyInput[],
  file: string,
  text: string,
): Promise<SavedTable> {
  const name = `${table.tier}.${table.name}`.toLowerCase()
  const home = datasets.find((dataset) => fullName(dataset).toLowerCase() === name)?.place?.file
  if (home === undefined || resolve(home) === resolve(file)) return table
  const content = await readFile(home, 'utf8').catch(() => undefined)
  if (content === undefined) return table
  const folder = dirname(file)
  const plain = (path: string) => resolve(folder, path).replace(/\.[cm]?[jt]s$/, '')
  const specifiers = [...text.matchAll(/from\s*['"](\.[^'"]+)['"]/g)].map(([, path]) => path ?? '')
  const path = relative(folder, home)
    .replaceAll('\\', '/')
    .replace(/\.([cm]?)ts$/, '.$1js')
  const specifier =
    specifiers.find((one) => plain(one) === plain(home)) ??
    (path.startsWith('.') ? path : `./${path}`)
  return { ...table, home: { specifier, text: content } }
}
