import { fullName } from '../../../define/dataset.js'
import type { LakeState } from '../../../log/commit.js'
import { sha256 } from '../../../storage/checksum.js'
import type { TableInput } from '../client.js'
import { LISTS } from '../names.js'
import type { ProjectOptions } from '../options.js'
import { type Databases, placeOf } from '../places.js'
import type { ProjectionReport } from '../report.js'
import type { WantedTable } from '../wanted-table.js'
import { descriptorOf } from './formats.js'
import { batchesHash, partitionKeys } from './partitions.js'
import { bronzeParts, tableColumns } from './parts.js'

type On = Pick<ProjectOptions, 'lake' | 'storage'>

/** The bronze datasets of a state, with their batches as partitions. */
export async function bronzeOf(
  { lake, storage }: On,
  state: LakeState,
  databases: Databases,
  report: ProjectionReport,
): Promise<WantedTable[]> {
  const all = Object.entries(state.batches).filter(([, pointers]) => pointers.length > 0)
  return Promise.all(
    all.flatMap(([dataset, pointers]) => {
      const place = placeOf(dataset, databases)
      if (!place) return []
      const about = lake.datasets.find((one) => fullName(one) === dataset)?.about
      return [bronzeTable(dataset, place, about?.description)]

      async function bronzeTable(
        name: string,
        { database, table }: { database: string; table: string },
        description: string | undefined,
      ): Promise<WantedTable> {
        const { parts, notes } = await bronzeParts(storage, pointers)
        const all = new Set(notes)
        const columns = tableColumns(parts, all)
        for (const note of all) report.note(name, note)
        const folder = `${LISTS}${table}`
        const newest = parts.at(-1)?.format ?? 'parquet'
        const input: TableInput = {
          Name: table,
          ...(description ? { Description: description } : {}),
          TableType: 'EXTERNAL_TABLE',
          Parameters: { EXTERNAL: 'TRUE', classification: newest },
          PartitionKeys: partitionKeys,
          StorageDescriptor: descriptorOf(newest, columns, storage.locate(folder)),
        }
        return {
          dataset: name,
          database,
          table,
          pointer: false,
          version: sha256(JSON.stringify(input)).slice(0, 32),
          batches: batchesHash(parts),
          partitions: { storage, folder, parts },
          describe: async () => input,
        }
      }
    }),
  )
}
