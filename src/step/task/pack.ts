import { fullName } from '../../define/dataset.js'
import { checkedAgainst, inputsOf } from '../../define/inputs.js'
import type { AnyInput, Gold, Silver } from '../../define/model.js'
import { historiesIn } from '../../define/sql/sql.js'
import type { TableMetadata } from '../../iceberg/spec/metadata.js'
import { ListedTable, type TableData, type TableVersion } from '../../iceberg/version.js'
import type { BatchPointer } from '../../log/commit.js'
import type { View } from '../../plan/decision.js'
import type { Storage } from '../../storage/storage.js'
import { Batches, type BatchManifest } from '../batches.js'
import { Relations } from '../relations.js'
import type { SentStep } from './codec.js'
import { ownTables } from './make.js'
import type { StepTask } from './task.js'

/*
 * In this process a step asks for manifests of batches and files of tables when it needs them, and
 * of large tables for few. What is sent elsewhere has all of them: who carries it out opens data
 * files, and nothing else.
 */

/** A task with all that it leads to. */
export async function packStep(
  relations: Relations,
  dataset: Silver | Gold,
  task: StepTask,
): Promise<SentStep> {
  const inputs = allInputs(dataset)
  const view = viewOf(dataset, inputs, task.view)
  const batches: Record<string, BatchManifest> = {}
  for (const pointers of Object.values(view.batches))
    for (const pointer of neededOf(task, view, pointers))
      batches[pointer.manifest] = await relations.batches.manifest(pointer)
  const tables: Record<string, TableData> = {}
  for (const name of Object.keys(view.tables)) {
    const table = await relations.table(name)
    if (table?.file) tables[table.file] = await dataOf(table)
  }
  for (const seen of Object.values(view.offsets[fullName(dataset)] ?? {})) {
    const earlier = typeof seen === 'string' && !tables[seen] && (await relations.earlier(seen))
    if (earlier) tables[seen] = await dataOf(earlier)
  }
  return { task: { ...task, view }, batches, tables }
}

/** All datasets that a step may read, by way of views too. */
function allInputs(dataset: Silver | Gold): Set<AnyInput> {
  const found = new Set<AnyInput>()
  const visit = (input: AnyInput) => {
    if (found.has(input)) return
    found.add(input)
    if (input.tier === 'gold' && input.view) for (const one of inputsOf(input)) visit(one)
  }
  for (const input of [...inputsOf(dataset), ...checkedAgainst(dataset)]) visit(input)
  return found
}

/** What a step may see of the lake. */
function viewOf(dataset: Silver | Gold, inputs: ReadonlySet<AnyInput>, view: View): View {
  const histories = [dataset, ...inputs].flatMap((one) =>
    one.tier === 'gold' ? historiesIn(one.query).map(({ name }) => `history.${name}`) : [],
  )
  const names = new Set([...[...inputs].map(fullName), ...ownTables(dataset), ...histories])
  const own = (name: string) => name === fullName(dataset)
  return {
    tables: only(view.tables, (name) => names.has(name)),
    batches: only(view.batches, (name) => names.has(name)),
    offsets: only(view.offsets, own),
    ...(view.expired ? { expired: only(view.expired, (name) => names.has(name)) } : {}),
    ...(view.forgotten ? { forgotten: view.forgotten } : {}),
    ...(view.ownSources ? { ownSources: only(view.ownSources, (name) => names.has(name)) } : {}),
  }
}

function only<T>(from: Readonly<Record<string, T>>, isMeant: (name: string) => boolean) {
  return Object.fromEntries(Object.entries(from).filter(([name]) => isMeant(name)))
}

/**
 * The batches whose manifests a step reads: those of its windows, and all where columns depend on
 * all of them.
 */
function neededOf(
  { dataset, decision }: StepTask,
  view: View,
  pointers: readonly BatchPointer[],
): readonly BatchPointer[] {
  const window = decision.windows.find((one) => one.dataset === pointers[0]?.dataset)
  const isPart = decision.mode === 'incremental' && dataset.startsWith('silver.') && window
  if (
    !isPart ||
    !view.tables[dataset]?.inputColumns ||
    pointers.some(({ collidingNames }) => collidingNames)
  )
    return pointers
  return [...new Set([...window.batches, ...pointers.slice(-1)])]
}

/**
 * A version of a table as plain data: snapshots, with what is known of them, and older metadata are
 * nothing to who reads its files.
 */
async function dataOf(table: TableVersion): Promise<TableData> {
  const { statistics: _, 'partition-statistics': __, ...shape } = table.metadata
  const metadata: TableMetadata = {
    ...shape,
    'current-snapshot-id': -1,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  }
  const { folder, file, isForeign } = table
  const foreign = isForeign ? ({ foreign: true } as const) : {}
  return { metadata, folder, file, files: await table.plan(), ...foreign }
}

/** What a step reads elsewhere, by what it was sent with. */
export function unpackRelations(storage: Storage, sent: SentStep): Relations {
  const { batches, tables, task } = sent
  const missing = (what: string) => new Error(`${what} was not sent with ${task.dataset}`)
  const tell = new Batches(storage, async (path) => {
    const manifest = batches[path]
    if (!manifest) throw missing(path)
    return manifest
  })
  return new Relations(storage, task.view, tell, {
    load: async ({ metadata }) => {
      const data = tables[metadata]
      if (!data) throw missing(metadata)
      return new ListedTable(storage, data)
    },
    has: async (metadata) => Object.hasOwn(tables, metadata),
  })
}
