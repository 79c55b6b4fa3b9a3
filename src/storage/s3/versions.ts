import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3'
import { statusOf } from './failures.js'
import type { clientsFor } from './settings.js'

type Clients = Awaited<ReturnType<typeof clientsFor>>

/** What was removed; `path` is an object's key. */
export interface Purged {
  versions: number
  kept: { path: string; why: string }[]
}

/** A version, or what says that an object was removed. */
interface Version {
  Key?: string | undefined
  VersionId?: string | undefined
}

/** Where versions are looked for. */
interface Below {
  bucket: string
  prefix: string
  /** Why a version can't be removed; `undefined` where no lock is the reason. */
  hinders: (version: {
    Bucket: string
    Key: string
    VersionId: string
  }) => Promise<string | undefined>
}

/**
 * Removes versions of objects that newer ones, or their removal, have taken the place of. What says
 * that an object was removed goes last, and only where nothing would come back without it.
 */
export async function purgeVersions(
  { s3, client }: Clients,
  { bucket, prefix, hinders }: Below,
): Promise<Purged> {
  const found: Purged = { versions: 0, kept: [] }
  const markers: Version[] = []
  const remove = async ({ Key, VersionId }: Version) => {
    const named = { Bucket: bucket, Key: Key as string, VersionId: VersionId as string }
    try {
      await client.send(new s3.DeleteObjectCommand(named))
      found.versions++
    } catch (error) {
      const why = await hinders(named)
      if (why === undefined) throw error
      found.kept.push({ path: named.Key, why })
    }
  }
  let from: Version = {}
  for (let more = true; more; ) {
    const asked = new s3.ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: `${prefix}/`,
      ...(from.Key ? { KeyMarker: from.Key, VersionIdMarker: from.VersionId } : {}),
    })
    const page = await client.send(asked).catch(noVersions)
    for (const version of page.Versions ?? [])
      if (!version.IsLatest && version.VersionId !== undefined) await remove(version)
    markers.push(...(page.DeleteMarkers ?? []))
    from = { Key: page.NextKeyMarker, VersionId: page.NextVersionIdMarker }
    more = page.IsTruncated === true && from.Key !== undefined
  }
  const held = new Set(found.kept.map(({ path }) => path))
  for (const marker of markers) if (!held.has(marker.Key ?? '')) await remove(marker)
  return found
}

/** A storage that knows no versions keeps none. */
function noVersions(error: unknown): ListObjectVersionsCommandOutput {
  if ((error as Error).name === 'NotImplemented' || statusOf(error) === 501)
    return { $metadata: {} }
  throw error
}

/** The version of an object that is there, and its tag; nothing where there is none. */
export async function versionOf(
  { s3, client }: Clients,
  named: { Bucket: string; Key: string },
): Promise<{ version?: string; etag?: string }> {
  try {
    const { VersionId, ETag } = await client.send(new s3.HeadObjectCommand(named))
    return { ...(VersionId ? { version: VersionId } : {}), ...(ETag ? { etag: ETag } : {}) }
  } catch (error) {
    if (statusOf(error) === 404) return {}
    throw error
  }
}
