import type { Lake } from '../../define/lake.js'
import type { LakeState } from '../../log/commit.js'
import { Batches } from '../../step/batches.js'
import { Externals } from '../../step/external/externals.js'
import { Relations } from '../../step/relations.js'
import { tablesIn } from '../../step/task/table-source.js'
import type { Storage } from '../../storage/storage.js'

/** The datasets of a lake as they are in a state, tables of other engines included. */
export async function relationsIn(
  storage: Storage,
  state: LakeState,
  { datasets }: Lake,
): Promise<Relations> {
  const externals = await Externals.of(storage, state, datasets, { files: false })
  const source = externals.source(tablesIn(storage))
  return new Relations(storage, externals.on(state), new Batches(storage), source)
}
