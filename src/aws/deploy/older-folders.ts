import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset } from '../../define/model.js'
import { tableFolder } from '../../iceberg/table-folder.js'
import type { LakeState } from '../../log/commit.js'
import { formerNames } from '../../plan/removed.js'
import { ownTables } from '../../step/task/make.js'
import { foldersByName } from '../template/jobs/rights.js'

/**
 * Where objects of datasets lie by what the log leads to, beside the folders that their names say:
 * what was made before a dataset was renamed, or before `folders` said otherwise, stays where it
 * is.
 */
export function olderFolders(lake: Lake, state: LakeState): Map<string, string[]> {
  const found = lake.datasets.map((dataset) => {
    const usual = foldersByName(lake, dataset)
    const others = foldersIn(lake, dataset, state).filter((folder) => !usual.includes(folder))
    return [fullName(dataset), [...new Set(others)].sort()] as const
  })
  return new Map(found.filter(([, folders]) => folders.length > 0))
}

function foldersIn(
  lake: Lake,
  dataset: AnyDataset,
  { tables, batches, renamed = {} }: LakeState,
): string[] {
  const name = fullName(dataset)
  if (dataset.tier !== 'bronze')
    return ownTables(dataset).flatMap((table) => {
      const { metadata } = tables[table] ?? {}
      return metadata === undefined ? [] : [`${tableFolder(metadata)}/`]
    })
  // A batch that lost rows has its manifest elsewhere than the files that it has still.
  const former = formerNames(name, renamed).flatMap((old) =>
    foldersByName(lake, { ...dataset, name: old.slice('bronze.'.length) }),
  )
  const paths = (batches[name] ?? []).flatMap(({ manifest, archived }) =>
    archived ? [manifest, archived.path] : [manifest],
  )
  const folders = paths.flatMap((path) => /^(bronze|archive)\/[^/]+\//.exec(path)?.[0] ?? [])
  return [...former, ...folders]
}
