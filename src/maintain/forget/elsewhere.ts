import { fullName } from '../../define/dataset.js'
import type { Folder } from '../../define/export/folder.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset, Bronze } from '../../define/model.js'
import type { DatabaseSource } from '../../define/source.js'
import type { LakeState } from '../../log/commit.js'
import { adoptedText } from '../../plan/decide.js'
import { select } from '../../plan/graph.js'
import type { Storage } from '../../storage/storage.js'
import { unreached } from './links.js'
import type { Removal } from './removal.js'

/** What Moraine can't forget: it lists it for those who can. */
export interface Elsewhere {
  /** Tables of warehouses: the next export removes rows of those that follow the lake. */
  exports: string[]
  /** Tables and views that other engines keep. */
  external: string[]
  /** Sources that bring the rows back while they have them. */
  sources: string[]
  /** Datasets that nothing says refers to the rows, and that were not looked into. */
  notLookedInto: string[]
}

export async function elsewhere(
  { lake, storage }: { lake: Lake; storage: Storage },
  state: LakeState,
  { meant, batches }: Removal,
): Promise<Elsewhere> {
  const names = meant.map(({ dataset }) => fullName(dataset))
  const touched = [...new Set(batches.map(({ pointer }) => pointer.dataset))]
  const below = new Set<AnyDataset>(
    select(
      lake,
      [...names, ...touched].map((name) => `${name}+`),
    ),
  )
  const bronze = lake.datasets.filter(
    (one): one is Bronze => one.tier === 'bronze' && touched.includes(fullName(one)),
  )
  return {
    exports: lake.exports.flatMap(({ name, tables, target }) =>
      tables
        .filter(({ dataset }) => below.has(dataset))
        .map(({ as }) => `${name}: ${as}${target.kind === 'folder' ? earlierFiles(target) : ''}`),
    ),
    external: Object.keys(state.external?.relations ?? {}).map((key) =>
      key.replaceAll('\u001f', '.'),
    ),
    sources: await Promise.all(bronze.map((one) => sourceOf(storage, one))),
    notLookedInto: [
      ...unreached(lake, state, new Set(meant.map(({ dataset }) => dataset))),
      ...changedByOthers(state),
    ],
  }
}

/** Gold is computed from rows without the person's; what engines have changed of it stays. */
const changedByOthers = ({ tables }: LakeState) =>
  Object.entries(tables).flatMap(([name, { adopted }]) =>
    adopted && name.startsWith('gold.') ? [`${name}: ${adoptedText(adopted)}`] : [],
  )

/** Who reads an earlier version goes on reading it. */
const earlierFiles = ({ keep }: Folder) =>
  ` (files of earlier versions stay for ${keep}; an export after that removes them)`

/** When rows of a database that the lake has read are read again. */
function whenRead({ cursor, compareKeys }: DatabaseSource): string {
  if (cursor === undefined) return 'all rows are read again once any of them changes'
  if (compareKeys) return 'the next run reads the rows that the lake has not'
  return 'read again when a row changes, and by each full extract'
}

async function sourceOf(storage: Storage, dataset: Bronze): Promise<string> {
  const { from } = dataset
  const name = fullName(dataset)
  switch (from.kind) {
    case 'files':
      return `${name}: ${from.paths.join(', ')} (read again when a file changes, or with --reread)`
    case 'database':
      return `${name}: ${'table' in from.reads ? `table ${from.reads.table}` : 'a query'} of ${from.database} (${whenRead(from)})`
    case 'http':
      return `${name}: its API`
    case 'inbox':
    case 'ingest': {
      const waiting = (await storage.list(`bronze/landing/${dataset.name}/`)).length
      const said = waiting > 0 ? `, of which ${waiting} wait to be read` : ''
      return `${name}: what is ${from.kind === 'inbox' ? 'dropped into its inbox' : 'sent to it'}${said}`
    }
  }
}
