import { MoraineError } from '../../errors.js'
import { shownUrl } from '../../secrets.js'
import { PATIENT, patiently } from '../../storage/retry.js'
import { S3Storage } from '../../storage/s3/s3.js'
import { isInNoData, isNoData, skippedName } from './folders.js'
import { markOf, mayBeOfLake, writtenByLakes } from './lakes.js'
import { objectPattern } from './object-pattern.js'
import type { SourceFile } from './source-file.js'

const patience = { total: PATIENT }

/** A bucket, and which of its objects are meant. */
interface Objects {
  storage: S3Storage
  bucket: string
  /** What the path names: a key, the beginning of keys, or a pattern. */
  key: string
  /** What all of their keys begin with. */
  prefix: string
  /** Which are meant of those that are there. */
  among: (keys: readonly string[]) => Meant
  /** The folder whose names a pattern begins to spell: not all that is in it is listed. */
  within?: string
}

interface Meant {
  matches: (key: string) => boolean
  /** What of a key that does not match is skipped for its name. */
  skips: (key: string) => string | undefined
}

const buckets = new Map<string, S3Storage>()

/** `s3://bucket/in/*.csv`, with settings behind a `?` as for lakes. */
function objectsAt(path: string): Objects {
  const [, bucket = '', rest = '', settings = ''] =
    /^s3:\/\/([^/?]+)\/?([^?]*)(\?.*)?$/.exec(withSettings(path)) ?? []
  // A bucket's name has neither: these are credentials, which do not belong here and are not told.
  if (/[:@]/.test(`${bucket}${rest.split('/', 1)[0]}`) && path.includes('@'))
    throw new MoraineError('usage', `'${shownUrl(path)}' is not a valid S3 location`, {
      hint: 'Use the form s3://bucket/folder/*.csv. Credentials are found where AWS tools find them.',
    })
  const at = `s3://${bucket}${settings}`
  const storage = buckets.get(at) ?? new S3Storage(at, null)
  buckets.set(at, storage)
  const key = decoded(rest)
  const pattern = objectPattern(key)
  if (!pattern) {
    const folder = key === '' || key.endsWith('/') ? key : `${key}/`
    const inside = (other: string) => other.startsWith(folder) && other !== key
    const meant: Meant = {
      matches: (other) => other === key || (inside(other) && !isNoData(other.slice(folder.length))),
      skips: (other) => (inside(other) ? skippedBelow(folder, other) : undefined),
    }
    return { storage, bucket, key, prefix: key, among: () => meant }
  }
  const { prefix } = pattern
  const root = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const among = (keys: readonly string[]): Meant => {
    const fits = pattern.among(keys)
    return {
      matches: (other) => fits(other) && !isInNoData(other, key),
      skips: (other) =>
        fits(other) && isInNoData(other, key) ? skippedBelow(root, other) : undefined,
    }
  }
  return { storage, bucket, key, prefix, among, ...(root === prefix ? {} : { within: root }) }
}

/** What begins with a prefix, without what lakes have written, and which of it is meant. */
async function listed({ storage, prefix, within, among }: Objects) {
  const all = await patiently(storage.url, patience, () => storage.list(prefix))
  const keys = all.map(({ path: key }) => key)
  // The mark of a lake is not among them that lies beside what the pattern spells.
  const isLake =
    within !== undefined &&
    mayBeOfLake(keys, within) &&
    (await patiently(storage.url, patience, () => storage.folders(markOf(within)))).length > 0
  const isOfLake = writtenByLakes(keys, isLake ? [within] : [])
  const found = all.filter(({ path: key }) => !isOfLake(key))
  return { found, ...among(found.map(({ path: key }) => key)) }
}

function skippedBelow(folder: string, key: string): string | undefined {
  const name = skippedName(key.slice(folder.length))
  return name === undefined ? undefined : folder + name
}

/** A key as a URL has it; one with a `%` that means nothing there is taken as it is. */
function decoded(rest: string): string {
  try {
    return decodeURIComponent(rest)
  } catch {
    return rest.replaceAll('%3F', '?')
  }
}

/** A `?` is a pattern unless settings follow it. */
function withSettings(path: string): string {
  const at = path.lastIndexOf('?')
  return at < 0 || /^\?[a-zA-Z]+=/.test(path.slice(at)) ? path : path.replaceAll('?', '%3F')
}

/**
 * The objects that a path in a bucket stands for, as files.
 *
 * @param skipped what is skipped for its name; folders end with a `/`.
 */
export async function objectsOf(path: string, skipped: string[] = []): Promise<SourceFile[]> {
  const objects = objectsAt(path)
  const { storage, bucket } = objects
  const { found, matches, skips } = await listed(objects)
  for (const { path: key } of found) {
    const name = matches(key) ? undefined : skips(key)
    if (name !== undefined) skipped.push(`s3://${bucket}/${name}`)
  }
  return found
    .filter((object) => matches(object.path) && !object.path.endsWith('/'))
    .map(({ path: key, size, modified, etag }) => {
      let receivedTag: string | undefined
      const remote: NonNullable<SourceFile['remote']> = {
        download: async (to, signal) => {
          const received = await patiently(storage.url, { ...patience, signal }, () =>
            storage.download(key, to, signal),
          )
          remote.version = received.version
          receivedTag = received.etag
        },
        range: (from, length) =>
          patiently(storage.url, patience, () => storage.range(key, from, length)),
        identify: async () => {
          const there = await patiently(storage.url, patience, () => storage.versionOf(key))
          if (there.etag === etag) remote.version = there.version
        },
        isSame: async () => {
          if (receivedTag !== undefined && receivedTag === etag) return true
          // Listed again: a look at the object itself tells its time less exactly, and some stores
          // call it otherwise.
          const now = (await storage.list(key)).find((object) => object.path === key)
          return now?.size === size && now.modified === modified
        },
      }
      return { path: key, name: `s3://${bucket}/${key}`, size, modified, remote }
    })
}

/**
 * Removes an object that was brought here, where the bucket keeps versions: no other version of it
 * goes.
 */
export async function removeObject(path: string, { path: key, remote }: SourceFile): Promise<void> {
  if (remote?.version !== undefined)
    await objectsAt(path).storage.removeVersion(key, remote.version)
}

/**
 * The objects that a path in a bucket stands for, whose bytes are read by ranges; `prefix` is what
 * the path names.
 */
export async function rangedObjects(path: string): Promise<{
  bucket: string
  prefix: string
  settings: string
  objects: { key: string; size: number; range(from: number, length: number): Promise<Buffer> }[]
}> {
  const at = objectsAt(path)
  const { storage, bucket, key } = at
  const { found: all, matches } = await listed(at)
  const found = all.filter(({ path }) => matches(path))
  // Brackets may stand in the name of a folder.
  const isName = found.some(({ path }) => path.startsWith(key))
  return {
    bucket,
    prefix: isName ? key : at.prefix,
    settings: /\?[a-zA-Z]+=.*$/.exec(path)?.[0] ?? '',
    objects: found.map(({ path: key, size }) => ({
      key,
      size,
      range: (from, length) => storage.range(key, from, length),
    })),
  }
}

/** One object, whose bytes are read by ranges. */
export async function objectAt(
  path: string,
): Promise<{ key: string; size: number; range(from: number, length: number): Promise<Buffer> }> {
  const { storage, key } = objectsAt(path)
  const found = await storage.stat(key)
  if (!found)
    throw new MoraineError('source', `There is no object ${key} in ${storage.url}`, {
      hint: 'Check its name; patterns are not supported here.',
    })
  return { key, size: found.size, range: (from, length) => storage.range(key, from, length) }
}
