import { fullName } from '../../../define/dataset.js'
import type { LakeState } from '../../../log/commit.js'
import { sha256 } from '../../../storage/checksum.js'
import { LISTS } from '../names.js'
import type { ProjectOptions } from '../options.js'
import { type Databases, placeOf } from '../places.js'
import type { BatchedTable } from '../wanted-table.js'
import { batchesHash } from './partitions.js'

type On = Pick<ProjectOptions, 'lake' | 'storage'>

/** The bronze datasets of a state, with their batches: no manifest is read for it. */
export function bronzeOf(
  { lake, storage }: On,
  state: LakeState,
  databases: Databases,
): BatchedTable[] {
  const all = Object.entries(state.batches).filter(([, pointers]) => pointers.length > 0)
  return all.flatMap(([dataset, every]) => {
    const place = placeOf(dataset, databases)
    if (!place) return []
    const about = lake.datasets.find((one) => fullName(one) === dataset)?.about
    const folder = `${LISTS}${place.table}`
    // One that was discarded, or holds the place of others, has no files.
    const pointers = every.filter(({ rows, bytes }) => rows > 0 || bytes !== 0)
    const description = about?.description
    const written = [place.table, description ?? '', storage.locate(folder)]
    return [
      {
        dataset,
        ...place,
        description,
        pointer: false,
        version: sha256(JSON.stringify(written)).slice(0, 32),
        batches: batchesHash(pointers),
        batched: { storage, folder, pointers },
      },
    ]
  })
}
