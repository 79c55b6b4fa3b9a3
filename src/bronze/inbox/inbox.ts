import { resolve } from 'node:path'
import type { Bronze } from '../../define/model.js'
import type { InboxSource } from '../../define/source.js'
import type { LakeState } from '../../log/commit.js'
import { heardOf } from '../../log/live.js'
import type { Databases } from '../../source/database/open.js'
import type { Batches } from '../../step/batches.js'
import { type Storage, stagingOf } from '../../storage/storage.js'
import { nothingYet } from '../batch-commit.js'
import { landingOf } from '../ingest/landing.js'
import type { Offer } from '../offer.js'
import { DropBucket } from './bucket.js'
import type { Drop } from './drop.js'
import { Feed } from './feed.js'
import { DropFolder } from './folder.js'
import { InboxIntake } from './intake.js'

export { readDropped } from './read-dropped.js'

/** The place where the files of a dataset are dropped: a folder of this machine, or a bucket's URL. */
export function placeOf(storage: Storage, dataset: Bronze, source: InboxSource): string {
  const { path, base } = source
  if (path?.startsWith('s3://')) return path
  if (path !== undefined) return resolve(base, path)
  const own = storage.address ?? storage.url
  if (!own.startsWith('s3://'))
    return stagingOf(storage).localPath(storage.locate(landingOf(dataset)))
  const [root = '', settings] = own.split('?')
  return `${root.replace(/\/$/, '')}/${landingOf(dataset)}/${settings ? `?${settings}` : ''}`
}

/** Looks whether files were dropped, or whether the feed has rows to lay down. */
export async function discoverDropped(
  dataset: Bronze,
  source: InboxSource,
  state: LakeState,
  batches: Batches,
  databases: Databases,
): Promise<Offer> {
  const place = placeOf(batches.storage, dataset, source)
  const drop: Drop = place.startsWith('s3://')
    ? new DropBucket(place)
    : new DropFolder(place, source.settle, () => heardOf(batches.storage))
  const feed =
    source.feed && (await Feed.look(dataset, source.feed, state, batches.storage, databases))
  const work = new InboxIntake(dataset, source, drop, batches)
  const { ready, unfinished, notes } = await work.look(state, source.settle)
  const n = ready.length
  const landed = n === 0 ? [] : [`${n} ${n === 1 ? 'file has' : 'files have'} arrived`]
  const news = [...(feed?.news ? [feed.news] : []), ...landed].join('; ')
  const waiting = unfinished === 1 ? '1 file is' : `${unfinished} files are`
  return {
    discovery: {
      news: news || undefined,
      none: feed ? `its feed has ${feed.none}` : 'no files have arrived',
      notes: [...notes, ...(unfinished > 0 ? [`${waiting} still being written`] : [])],
    },
    take: async (context, base) => {
      const fed = feed?.news ? await feed.take(context, base) : nothingYet(base)
      const files = feed?.news ? (await work.look(fed.state, source.settle)).ready : ready
      const done = await work.take(context, fed.state, files)
      // What the feed laid down has been taken in as files.
      const idle = done.files === 0 && feed ? fed.notes.map((note) => `its feed: ${note}`) : []
      const notes = [...idle, ...done.notes]
      return { ...done, notes, commits: [...fed.commits, ...done.commits] }
    },
  }
}
