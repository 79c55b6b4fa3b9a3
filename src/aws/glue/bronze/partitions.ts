import type { BatchPointer } from '../../../log/commit.js'
import { sha256 } from '../../../storage/checksum.js'
import type { Storage } from '../../../storage/storage.js'
import type { Glue, GlueColumn, PartitionInput } from '../client.js'
import { descriptorOf } from './formats.js'
import type { BatchPart } from './parts.js'

/** The columns by which batches are told apart. */
export const partitionKeys = [
  { Name: '_batch', Type: 'string' },
  { Name: '_part', Type: 'string' },
]

/** What a partition says of itself, among its parameters. */
const KEYS = {
  /** The commit for which it was written. */
  commit: 'moraine.commit',
  /** Of which manifest it is, as a hash. */
  manifest: 'moraine.manifest',
  /** How many partitions its batch has. */
  parts: 'moraine.parts',
} as const

/** How partitions are made of batches: where that changes, so does this, and all are made anew. */
const MAKING = 1

/** The batches of a table. */
export interface Batched {
  storage: Storage
  /** The folder of the lists of files, relative to the lake's root. */
  folder: string
  /** Those that have rows. */
  pointers: readonly BatchPointer[]
}

/** How many partitions were changed. */
export interface Moved {
  added: number
  removed: number
}

/** The batches of a table, as a hash: where it is the same, no partition has changed. */
export const batchesHash = (pointers: readonly BatchPointer[]): string =>
  hashOf(pointers.map(({ batch, manifest, sha256: sum }) => [batch, manifest, sum]))

const manifestHash = ({ manifest, sha256: sum }: BatchPointer) => hashOf([manifest, sum])
const hashOf = (value: unknown) => sha256(JSON.stringify([MAKING, value])).slice(0, 32)

/**
 * The partitions of a table as they were found. Each says of which manifest it is, so that only
 * manifests of batches are read that are new, or others than they were.
 */
export class Partitions {
  private readonly byBatch = new Map<string, PartitionInput[]>()

  constructor(
    private readonly glue: Glue,
    private readonly at: { database: string; table: string; batched: Batched },
    private readonly found: readonly PartitionInput[],
    /** The commit that is projected. */
    private readonly commit: number,
  ) {
    for (const one of found) {
      const batch = one.Values[0] ?? ''
      this.byBatch.set(batch, [...(this.byBatch.get(batch) ?? []), one])
    }
  }

  /** The columns that they have, where these were asked for. */
  get columns(): { columns: GlueColumn[] }[] {
    return this.found.map(({ StorageDescriptor }) => ({
      columns: StorageDescriptor?.Columns ?? [],
    }))
  }

  /** Whether a batch is shown as its manifest says it. */
  shows(pointer: BatchPointer): boolean {
    const own = this.byBatch.get(pointer.batch) ?? []
    const { storage, folder } = this.at.batched
    const hash = manifestHash(pointer)
    return (
      own.length > 0 &&
      own.every(({ Values, StorageDescriptor, Parameters }) => {
        const start = storage.locate(`${folder}/${Values.join('-')}-`)
        return (
          Parameters?.[KEYS.manifest] === hash &&
          Number(Parameters[KEYS.parts]) === own.length &&
          StorageDescriptor?.Location?.startsWith(start)
        )
      })
    )
  }

  /** Makes the partitions of some batches those of their parts. */
  async put(pointers: readonly BatchPointer[], parts: readonly BatchPart[]): Promise<Moved> {
    const { glue } = this
    const { database, table } = this.at
    const create: Promise<PartitionInput>[] = []
    const update: Promise<PartitionInput>[] = []
    const stale = new Set(pointers.flatMap(({ batch }) => this.byBatch.get(batch) ?? []))
    let changed = 0
    for (const part of parts) {
      const wanted = this.partitionOf(part, pointers, parts)
      const there = [...stale].find(({ Values }) => String(Values) === String(wanted.Values))
      if (there) stale.delete(there)
      if (there && !this.isOurs(there)) continue
      const isSame = there !== undefined && hasSameRows(there, wanted)
      if (isSame && saysSame(there, wanted)) continue
      const listed = isSame ? Promise.resolve(wanted) : this.withList(wanted, part)
      if (there && !isSame) changed++
      ;(there ? update : create).push(listed)
    }
    const removed = await this.remove([...stale])
    if (update.length > 0) await glue.updatePartitions(database, table, await Promise.all(update))
    if (create.length > 0) await glue.createPartitions(database, table, await Promise.all(create))
    return { added: create.length + changed, removed: removed + changed }
  }

  /** Removes the partitions of all other batches than these. */
  removeOthers(pointers: readonly BatchPointer[]): Promise<number> {
    const wanted = new Set(pointers.map(({ batch }) => batch))
    return this.remove(this.found.filter(({ Values }) => !wanted.has(Values[0] ?? '')))
  }

  private async remove(all: readonly PartitionInput[]): Promise<number> {
    const { database, table } = this.at
    const own = all.filter((one) => this.isOurs(one))
    for (const { Values } of own) await this.glue.deletePartition(database, table, Values)
    return own.length
  }

  /** What a projector that is ahead has put there is not ours to judge. */
  private isOurs({ Parameters }: PartitionInput): boolean {
    return Number(Parameters?.[KEYS.commit] ?? 0) <= this.commit
  }

  private partitionOf(
    part: BatchPart,
    pointers: readonly BatchPointer[],
    parts: readonly BatchPart[],
  ): PartitionInput {
    const { storage } = this.at.batched
    const pointer = pointers.find(({ batch }) => batch === part.batch) as BatchPointer
    return {
      Values: [part.batch, String(part.part)],
      StorageDescriptor: descriptorOf(
        part.format,
        part.columns,
        storage.locate(this.listFolder(part)),
      ),
      Parameters: {
        [KEYS.commit]: String(this.commit),
        [KEYS.manifest]: manifestHash(pointer),
        [KEYS.parts]: String(parts.filter(({ batch }) => batch === part.batch).length),
      },
    }
  }

  /** A partition whose list of files lies there. */
  private async withList(partition: PartitionInput, part: BatchPart): Promise<PartitionInput> {
    const list = new TextEncoder().encode(part.files.map((file) => `${file}\n`).join(''))
    await this.at.batched.storage.createIfAbsent(`${this.listFolder(part)}/files.txt`, list)
    return partition
  }

  /** Of each content another folder, so that a list that is there is the right one. */
  private listFolder(part: BatchPart): string {
    const hash = sha256(JSON.stringify([part.files, part.columns])).slice(0, 16)
    return `${this.at.batched.folder}/${part.batch}-${part.part}-${hash}`
  }
}

function hasSameRows(a: PartitionInput, b: PartitionInput): boolean {
  const [one, other] = [a.StorageDescriptor, b.StorageDescriptor]
  return (
    one?.Location === other?.Location &&
    one?.SerdeInfo?.SerializationLibrary === other?.SerdeInfo?.SerializationLibrary
  )
}

const saysSame = (a: PartitionInput, b: PartitionInput) =>
  [KEYS.manifest, KEYS.parts].every((key) => a.Parameters?.[key] === b.Parameters?.[key])
