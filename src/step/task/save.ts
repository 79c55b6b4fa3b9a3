import { fullName } from '../../define/dataset.js'
import type { Gold, Silver } from '../../define/model.js'
import { Table } from '../../iceberg/table.js'
import type { FileChange } from '../../iceberg/version.js'
import type { Definition, TableState } from '../../log/commit.js'
import { computedOf, definitionOf } from '../../plan/fingerprint.js'
import type { Built } from '../built.js'
import { hash, type RunContext } from '../context.js'
import { countEver, proveNothingLost } from './counts.js'
import type { StepOutput, TableOutput } from './output.js'

/** What saving a step's output needs of its run. */
type Saving = Pick<RunContext, 'relations' | 'storage' | 'run'>

/**
 * Makes new versions of tables from what a step gives, which nobody sees before they are committed,
 * and proves that no row was lost.
 *
 * @param folders where tables lie that are new, by their names.
 */
export async function saveOutput(
  context: Saving,
  dataset: Silver | Gold,
  output: StepOutput,
  folders: Readonly<Record<string, string>>,
): Promise<Built> {
  const name = fullName(dataset)
  const definition = definitionOf(dataset, hash)
  const { view } = context.relations
  const saved = Object.entries(output.tables).map(async ([table, changes]) => {
    const version = await saveTable(context, table, changes, folders)
    const before = changes.continues ? continued(view.tables[table], changes) : {}
    const kept = adoptedOf(view.tables[table], changes)
    const isNow = table === name && changes.state.definition === undefined
    const computed = isNow ? computedOf(dataset, hash) : undefined
    const made = { ...tableState(version, definition), ...(computed ? { computed } : {}) }
    const state = { ...before, ...kept, ...made, ...changes.state }
    return { table, version, state }
  })
  const all = await Promise.all(saved)
  const tables: Record<string, TableState> = {}
  for (const { table, state } of all) tables[table] = state
  const own = all.find(({ table }) => table === name)
  if (own && output.counts) {
    const counts = countEver(view.tables[name]?.counts, output.counts)
    const { adopted } = own.state
    proveNothingLost(name, { ...counts, kept: own.version.totals.rows }, adopted)
    tables[name] = { ...own.state, counts }
  }
  const { views, result, failure } = output
  // What only lets rows go has nothing new to look at.
  const { shape, changes } = output.tables[name] ?? { changes: [] }
  return {
    tables,
    ...(views ? { views } : {}),
    result,
    ...(own && shape ? { written: { table: own.version, files: changes[0]?.added ?? [] } } : {}),
    ...(failure ? { failure } : {}),
  }
}

async function saveTable(
  context: Saving,
  name: string,
  { shape, changes }: TableOutput,
  folders: Readonly<Record<string, string>>,
): Promise<Table> {
  const { storage, relations, run } = context
  const existing = (await relations.stored(name)) ?? Table.create(storage, folders[name] ?? name)
  let table = shape ? existing.reshape(shape) : existing
  for (const change of changes)
    table =
      isNothing(change) && table.snapshot
        ? await table.save()
        : await table.write({ ...change, summary: { 'moraine.run': run } })
  return table
}

function isNothing({ removed, added, deletes }: FileChange): boolean {
  return added.length + deletes.length === 0 && removed !== 'all' && removed.size === 0
}

/**
 * What goes on to be so of a table; versions with the same rows have others once its files change.
 */
function continued(before: TableState | undefined, { changes }: TableOutput): Partial<TableState> {
  if (changes.length === 0) return before ?? {}
  const { sameRowsAs: _, ...others } = before ?? {}
  return others
}

/** What other engines have changed stays, unless all rows are computed. */
function adoptedOf(
  before: TableState | undefined,
  { changes }: TableOutput,
): Pick<TableState, 'adopted'> {
  const isAnew = changes.some(({ removed }) => removed === 'all')
  return before?.adopted && !isAnew ? { adopted: before.adopted } : {}
}

function tableState(table: Table, definition: Definition): TableState {
  return { ...table.pointer, definition, ...table.totals }
}
