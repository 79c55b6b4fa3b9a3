import { sha256 } from '../../../storage/checksum.js'
import type { Storage } from '../../../storage/storage.js'
import type { Glue, PartitionInput } from '../client.js'
import { descriptorOf } from './formats.js'
import type { BatchPart } from './parts.js'

/** The columns by which batches are told apart. */
export const partitionKeys = [
  { Name: '_batch', Type: 'string' },
  { Name: '_part', Type: 'string' },
]

/** The commit for which a partition was created. */
const COMMIT = 'moraine.commit'

export interface WantedPartitions {
  storage: Storage
  /** The folder of the lists of files, relative to the lake's root. */
  folder: string
  parts: readonly BatchPart[]
}

/** The batches of a dataset, as a hash: where it is the same, no partition has changed. */
export const batchesHash = (parts: readonly BatchPart[]): string =>
  sha256(JSON.stringify(parts)).slice(0, 32)

/** Makes the partitions of a table those of the wanted batches. */
export async function projectPartitions(
  glue: Glue,
  {
    database,
    table,
    partitions,
  }: { database: string; table: string; partitions?: WantedPartitions },
  commit: number,
): Promise<{ added: number; removed: number }> {
  if (!partitions) return { added: 0, removed: 0 }
  const { parts } = partitions
  const wanted = new Map(parts.map((part) => [keyOf(valuesOf(part)), part]))
  const found = await glue.partitions(database, table)
  const there = new Set<string>()
  let removed = 0
  for (const one of found) {
    const part = wanted.get(keyOf(one.Values))
    if (part && isSame(one, partitions, part)) there.add(keyOf(one.Values))
    // What a projector that is ahead has put there is not ours to judge.
    else if (Number(one.Parameters?.[COMMIT] ?? 0) <= commit) {
      await glue.deletePartition(database, table, one.Values)
      removed++
    } else there.add(keyOf(one.Values))
  }
  const missing = [...wanted].filter(([key]) => !there.has(key)).map(([, part]) => part)
  const inputs: PartitionInput[] = []
  for (const part of missing) inputs.push(await partitionOf(partitions, part, commit))
  if (inputs.length > 0) await glue.createPartitions(database, table, inputs)
  return { added: inputs.length, removed }
}

const valuesOf = ({ batch, part }: BatchPart) => [batch, String(part)]
const keyOf = (values: readonly string[]) => values.join('\u001f')

function isSame(found: PartitionInput, wanted: WantedPartitions, part: BatchPart): boolean {
  return (
    found.StorageDescriptor?.Location === wanted.storage.locate(listFolder(wanted, part)) &&
    found.StorageDescriptor.SerdeInfo?.SerializationLibrary ===
      descriptorOf(part.format, part.columns, '').SerdeInfo?.SerializationLibrary
  )
}

/** Of each content another folder, so that a list that is there is the right one. */
function listFolder({ folder }: WantedPartitions, part: BatchPart): string {
  const hash = sha256(JSON.stringify([part.files, part.columns])).slice(0, 16)
  return `${folder}/${part.batch}-${part.part}-${hash}`
}

async function partitionOf(
  wanted: WantedPartitions,
  part: BatchPart,
  commit: number,
): Promise<PartitionInput> {
  const folder = listFolder(wanted, part)
  const list = new TextEncoder().encode(part.files.map((file) => `${file}\n`).join(''))
  await wanted.storage.createIfAbsent(`${folder}/files.txt`, list)
  const location = wanted.storage.locate(folder)
  return {
    Values: valuesOf(part),
    StorageDescriptor: descriptorOf(part.format, part.columns, location),
    Parameters: { [COMMIT]: String(commit) },
  }
}
