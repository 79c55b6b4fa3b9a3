import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { withSavedQuery } from '../catalog/save-query.js'
import { fullName } from '../define/dataset.js'
import { parseTree } from '../engine/parse.js'
import { MoraineError } from '../errors.js'
import { findLakeFile, loadLake } from '../load/load.js'
import { proveSelect } from '../query/guard.js'
import { runLake } from '../run/execute.js'
import { startEngine } from './engine.js'
import colors from './output/colors.js'
import { plural, toJson } from './output/format.js'
import { openProject, print } from './project.js'

/** Publishes a query's result as a gold table, and keeps the query as its definition in `lake.ts`. */
export async function saveQuery(
  command: Command,
  sql: string,
  as: string,
  partitions: readonly string[],
): Promise<number> {
  const { lake, storage, folder, json } = await openProject(command)
  const name = /^(?:gold\.)?([a-z][a-z0-9_]*)$/i.exec(as)?.[1]
  if (name === undefined)
    throw new MoraineError('usage', `'${as}' can't be the name of a gold dataset`, {
      hint: 'Write it as gold.daily_orders.',
    })
  const wanted = `gold.${name}`
  if (lake.datasets.some((dataset) => fullName(dataset).toLowerCase() === wanted.toLowerCase()))
    throw new MoraineError('usage', `There is a ${wanted} already`, {
      hint: 'Choose another name, or change its definition in lake.ts.',
    })
  const file = findLakeFile(folder)
  const before = await readFile(file, 'utf8')
  const engine = await startEngine(command)
  try {
    const session = await engine.open()
    const { tables } = proveSelect(await parseTree(session, sql), sql)
    session.close()
    const after = withSavedQuery(before, { name, sql, partitions, tables })
    await writeFile(file, after)
    try {
      const record = await runLake(await loadLake(file), { storage, engine, select: [wanted] })
      const [step] = record.steps
      if (record.outcome !== 'done' || !step) {
        const { message = 'it was not built', hint } = step?.error ?? record.error ?? {}
        throw new MoraineError('query', message, hint ? { hint } : {})
      }
      if (json) print(toJson({ dataset: wanted, rows: step.rows, run: record.run, file }, 2))
      else
        print(
          `${colors.green('✔')} ${wanted} has ${plural(step.rows ?? 0, 'row')}. Its definition is in lake.ts.`,
        )
      return 0
    } catch (error) {
      // What can't be built is not left behind.
      await writeFile(file, before)
      throw error
    }
  } finally {
    await engine.close()
  }
}
