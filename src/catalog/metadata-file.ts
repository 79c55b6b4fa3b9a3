import type { LakeState } from '../log/commit.js'
import type { ExternalRelation } from '../log/external.js'
import type { Storage } from '../storage/storage.js'

/** The newest Iceberg metadata file of a table: what an engine without a catalog is given. */
export interface MetadataFile {
  /** Relative to the lake's root. */
  path: string
  /** In full, as other engines want it: `file:///lake/silver/orders/metadata/…`. */
  location: string
}

/** Where the metadata of a dataset's tables lie. */
export interface MetadataFiles {
  /** `null` for what is no Iceberg table, or is not built yet. */
  metadata: MetadataFile | null
  /** The tables beside it: its discarded rows, and its history. */
  companions?: { name: string; metadata: MetadataFile }[]
}

/** What else a dataset keeps in tables that can be read, by the namespace of each. */
const COMPANIONS = ['discarded', 'history']

/** @param name of the dataset: `silver.orders`. */
export function metadataOf(storage: Storage, { tables }: LakeState, name: string): MetadataFiles {
  const fileOf = (table: string) => {
    const path = tables[table]?.metadata
    return path === undefined ? null : metadataFile(storage, path)
  }
  const [tier, rest] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)]
  const beside = tier === 'silver' ? COMPANIONS.map((companion) => `${companion}.${rest}`) : []
  const companions = beside.flatMap((table) => {
    const metadata = fileOf(table)
    return metadata ? [{ name: table, metadata }] : []
  })
  return { metadata: fileOf(name), ...(companions.length > 0 ? { companions } : {}) }
}

/** The same of what another engine keeps. */
export const externalMetadata = (
  storage: Storage,
  { metadata }: Pick<ExternalRelation, 'metadata'>,
): MetadataFile => metadataFile(storage, metadata)

const metadataFile = (storage: Storage, path: string): MetadataFile => ({
  path,
  location: storage.locate(path),
})
