import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Lake } from '../define/lake.js'
import { MoraineError } from '../errors.js'
import { variable } from '../settings.js'
import { LocalStorage } from '../storage/local.js'
import { within } from '../storage/place/within.js'
import { BRISK, type Patience } from '../storage/retry.js'
import { RetryingStorage } from '../storage/retrying.js'
import { S3Storage } from '../storage/s3/s3.js'
import { s3Place } from '../storage/s3/settings.js'
import { Staging } from '../storage/staging.js'
import type { Storage } from '../storage/storage.js'

/** Where a lake lies when nothing else is said: `MORAINE_ROOT`, or its own root. */
export function rootOf(lake: Lake, folder: string): string {
  const set = variable('MORAINE_ROOT')
  return set ?? resolvedRoot(lake.root, folder)
}

/** A root as `lake.ts` says it: paths begin at its folder. */
export const resolvedRoot = (root: string, folder: string): string =>
  isUrl(root) ? root : resolve(folder, root)

/** Where a lake lies by lake.ts itself, and by its environments. */
export function rootsIn(lake: Lake, folder: string): { by: string; env?: string; root: string }[] {
  const others = Object.entries(lake.environments).flatMap(([env, { root }]) =>
    root === undefined
      ? []
      : [{ by: `environment '${env}'`, env, root: resolvedRoot(root, folder) }],
  )
  return [{ by: 'lake.ts', root: rootOf(lake, folder) }, ...others]
}

/**
 * Whether two roots are of one lake, however they are written: as a path or a URL, by a link, with
 * a slash behind it.
 */
export function isSameRoot(one: string, other: string): boolean {
  const both = [one, other]
  if (both.every((root) => root.startsWith('s3://'))) {
    const [a, b] = both.map(s3Place).map(({ bucket, prefix, endpoint }) => {
      return JSON.stringify([bucket, prefix, endpoint])
    })
    return a === b
  }
  if (both.some((root) => isUrl(root) && !root.startsWith('file://'))) return false
  const [a, b] = both.map((root) =>
    resolve(root.startsWith('file://') ? fileURLToPath(root) : root),
  )
  const found = within(new LocalStorage(a as string), b as string)
  return found.is === 'inside' && found.path === ''
}

/** The folder of the file that defined a lake. */
export function folderOf(lake: Lake): string {
  return lake.place ? dirname(lake.place.file) : process.cwd()
}

export interface OpenOptions {
  /** The folder at which a relative path starts; the working directory. */
  folder?: string
  /** How long it is waited for where it does not answer; ten seconds. */
  patience?: Patience | undefined
  /** Where an engine finds its objects that works with other storages, too. */
  staging?: Staging
}

/**
 * The storage behind a path or URL.
 *
 * @throws MoraineError of kind `usage` for a URL of a kind that is not known.
 */
export function openStorage(root: string, options: OpenOptions = {}): RetryingStorage {
  const { folder = process.cwd(), patience = { total: BRISK }, staging = new Staging() } = options
  const patient = (storage: Storage) => new RetryingStorage(storage, patience)
  if (root.startsWith('file://')) return patient(new LocalStorage(fileURLToPath(root)))
  if (root.startsWith('s3://')) return patient(new S3Storage(root, staging))
  if (isUrl(root))
    throw new MoraineError(
      'usage',
      `A lake cannot be stored at ${root.replace(/:\/\/.*/, '')}:// yet`,
      {
        hint: 'Use a folder, or a URL that starts with file:// or s3://.',
      },
    )
  const [, scheme, rest = ''] = ONE_SLASH.exec(root) ?? []
  if (scheme)
    throw new MoraineError('usage', `'${scheme}:/${rest}' has one slash after its scheme`, {
      hint: `Write ${scheme}://${scheme === 'file' ? '/' : ''}${rest}`,
    })
  return patient(new LocalStorage(isAbsolute(root) ? root : resolve(folder, root)))
}

/** A URL that lacks a slash, which would be the path of a folder; no drive of Windows. */
const ONE_SLASH = /^(s3|file|gs|https?|abfss?|az):\/(?!\/)(.*)$/is

const isUrl = (root: string) => /^[a-z][a-z0-9+.-]+:\/\//i.test(root)
