import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { crawlBucket } from '../catalog/crawl/bucket.js'
import { crawlDatabase, databaseOf } from '../catalog/crawl/databases.js'
import { crawlFolder } from '../catalog/crawl/folders.js'
import type { Found } from '../catalog/crawl/found.js'
import { MoraineError } from '../errors.js'
import type { Lakehouse } from '../load/lakehouse.js'
import { userVariable } from '../settings.js'
import { abortController } from '../signals.js'
import { startEngine } from './engine.js'

/** What a source is called where nobody says otherwise. */
export function nameOf(source: string): string {
  if (source.startsWith('env:')) return source.slice(4).replace(/_?URL$/i, '') || 'source'
  const plain = source.replace(/^s3:\/\//, '').replace(/\?.*$/, '')
  return databaseOf(source) ?? (basename(resolve(plain)) || 'files')
}

/** A source as it may be shown: without passwords. */
export function placeOf(source: string): string {
  return databaseOf(source) ? source.replace(/\/\/[^/]*@/, '//***@').replace(/\?.*/, '') : source
}

interface Crawl {
  command: Command
  house: Lakehouse
  source: string
  folder: string
  name: string
  /** Names that others have. */
  taken: ReadonlySet<string>
}

/** What a folder, a bucket or a database holds. */
export async function crawlSource({
  command,
  house,
  source,
  folder,
  name,
  taken,
}: Crawl): Promise<Found> {
  const variable = source.startsWith('env:') ? source.slice(4) : `${name.toUpperCase()}_URL`
  const url = source.startsWith('env:') ? userVariable(variable) : source
  if (url === undefined || url === '')
    throw new MoraineError('usage', `The environment variable ${variable} is not set`, {
      hint: 'Set it to the URL of the database.',
    })
  const kind = databaseOf(url)
  const { signal } = abortController()
  if (kind) return crawlDatabase({ kind, url, name, variable, signal, others: taken })
  const bucket = url.startsWith('s3://')
  if (!bucket && /^[a-z][a-z0-9+.-]+:\/\//i.test(url))
    throw new MoraineError('usage', 'This is not a source that can be crawled', {
      hint: 'Use a folder, a file, a bucket (s3://…), or the URL of a PostgreSQL, MySQL or SQL Server database.',
    })
  const engine = await startEngine(command, house)
  try {
    const session = await engine.open()
    return bucket
      ? await crawlBucket(url, session, taken)
      : await crawlFolder(resolve(folder, url), folder, session, taken)
  } finally {
    await engine.close()
  }
}
