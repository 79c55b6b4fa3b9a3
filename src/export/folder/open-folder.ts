import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Folder } from '../../define/export/folder.js'
import { MoraineError, type SourceLocation } from '../../errors.js'
import { shownUrl } from '../../secrets.js'
import { LocalStorage } from '../../storage/local.js'
import { within } from '../../storage/place/within.js'
import { BRISK } from '../../storage/retry.js'
import { RetryingStorage } from '../../storage/retrying.js'
import { S3Storage } from '../../storage/s3/s3.js'
import { type Storage, stagingOf } from '../../storage/storage.js'

/**
 * Where files of exports are written: a storage of its own, which the engine of the lake finds too.
 *
 * @throws MoraineError of kind `export` for a place within the lake, or one that the lake lies in.
 */
export function openFolder(
  { path }: Pick<Folder, 'path'>,
  place: SourceLocation | undefined,
  lake: Storage,
): Storage {
  const storage = new RetryingStorage(
    path.startsWith('s3://')
      ? new S3Storage(path, stagingOf(lake))
      : new LocalStorage(localFolder(path, place)),
    { total: BRISK },
  )
  if (within(lake, storage.url).is !== 'outside')
    throw new MoraineError(
      'export',
      `${shownUrl(storage.url)} and the lake at ${shownUrl(lake.url)} lie within each other`,
      { hint: 'Nothing was written. Choose a folder outside of the lake for exports.' },
    )
  return storage
}

function localFolder(path: string, place: SourceLocation | undefined): string {
  if (path.startsWith('file://')) return fileURLToPath(path)
  return resolve(place ? dirname(place.file) : '.', path)
}
