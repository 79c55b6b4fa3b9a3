import { MoraineError } from '../../../errors.js'
import { filesOfMetadata, knownOf } from '../../../iceberg/all-files.js'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { registeredTable, registeredView } from '../../../iceberg/spec/updates/registered.js'
import type { Storage } from '../../../storage/storage.js'
import { badRequest, forbidden } from '../errors.js'
import type { MetadataFiles, MetadataPointer } from '../files.js'
import { type Locations, ownPlaces } from '../locations.js'
import type { Claim } from './claims.js'

/**
 * Makes sure that files of a table lie where they may, and that it names no others.
 *
 * @param before what was known to be so already.
 * @throws RestError otherwise.
 */
export async function refuseElsewhere(
  parts: { storage: Storage; locations: Locations },
  metadata: AnyMetadata,
  claim: Claim,
  before?: AnyMetadata,
): Promise<void> {
  const { locations } = parts
  locations.refuseElsewhere(metadata, claim, before)
  const known = new Set(before?.snapshots.map((snapshot) => String(snapshot['snapshot-id'])))
  const own = { ...claim, own: ownPlaces(metadata) }
  for (const snapshot of metadata.snapshots) {
    if (known.has(String(snapshot['snapshot-id']))) continue
    const paths = [snapshot['manifest-list'] ?? [], snapshot.manifests ?? []].flat()
    for (const path of paths) locations.checked(path, own, 'file')
  }
  await refuseForeignFiles(parts, metadata, own, before)
}

const STATISTICS = ['statistics', 'partition-statistics'] as const

/**
 * Makes sure that new snapshots, their manifests and statistics name no files of tables that the
 * caller may not read: whoever reads the table would be led to them.
 *
 * @param before what was checked when it was committed.
 * @throws RestError for the first file that may not be named, and for what can't be read.
 */
async function refuseForeignFiles(
  { storage, locations }: { storage: Storage; locations: Locations },
  metadata: AnyMetadata,
  claim: Claim,
  before: AnyMetadata | undefined,
): Promise<void> {
  if (claim.caller.principal.rights.unlimited) return
  try {
    const known = before && (await knownOf(storage, before as unknown as Json))
    const files = filesOfMetadata(storage, withNewStatistics(metadata, before), known)
    for await (const { location } of files) locations.granted(location, claim, 'file')
  } catch (error) {
    if (!(error instanceof MoraineError) || !['corrupt', 'storage'].includes(error.kind))
      throw error
    if (error.retryable) throw error
    throw forbidden(
      `What the new snapshots name can't be checked against access in lake.ts: ${error.message}`,
    )
  }
}

function withNewStatistics(metadata: AnyMetadata, before: AnyMetadata | undefined): Json {
  const kept = STATISTICS.map((name) => {
    const old = new Set(before?.[name]?.map((one) => one['statistics-path']))
    return [name, (metadata[name] ?? []).filter((one) => !old.has(one['statistics-path']))]
  })
  return { ...metadata, ...Object.fromEntries(kept) }
}

/** A table of which a request to register one names the file of metadata. */
export const tableToRegister = (request: Json, claim: Claim, parts: Read) =>
  toRegister(request, claim, parts, registeredTable)

/** The same of a view. */
export const viewToRegister = (request: Json, claim: Claim, parts: Read) =>
  toRegister(request, claim, parts, registeredView)

/** What files are read by that a client names. */
interface Read {
  locations: Locations
  files: MetadataFiles
}

async function toRegister<T>(
  request: Json,
  claim: Claim,
  { locations, files }: Read,
  checked: (json: Json) => T,
): Promise<{ at: Required<MetadataPointer>; metadata: T }> {
  const location = request['metadata-location']
  if (typeof location !== 'string') throw badRequest('metadata-location is missing')
  locations.checked(location, claim, 'file')
  const path = locations.pathOf(location)
  if (path === undefined) throw badRequest(`${location} is not in the lake`)
  const { json, sha256 } = await files.unknown(path)
  return { at: { metadata: path, sha256 }, metadata: checked(json) }
}
