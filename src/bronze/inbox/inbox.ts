import { resolve } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { InboxSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { heardOf } from '../../log/live.js'
import { shownUrl } from '../../secrets.js'
import { within } from '../../storage/place/within.js'
import { type Storage, stagingOf } from '../../storage/storage.js'
import { nothingYet } from '../batch-commit.js'
import { landingOf } from '../ingest/landing.js'
import type { Lookup } from '../ingestion.js'
import type { Offer } from '../offer.js'
import { InboxBatches } from './batches.js'
import { BucketInbox } from './bucket.js'
import { Feed } from './feed.js'
import { FolderInbox } from './folder.js'
import type { Inbox } from './look.js'

export { readInboxFile } from './ingest-files.js'

/**
 * The place where the files of a dataset are dropped: a folder of this machine, or a bucket's URL.
 *
 * @throws MoraineError of kind `definition` for one in the lake, other than its own there, and for
 *   one that the lake lies in: what is ingested from an inbox is removed from it.
 */
export function placeOf(storage: Storage, dataset: Bronze, source: InboxSource): string {
  const { path, base } = source
  if (path !== undefined) {
    const place = path.startsWith('s3://') ? path : resolve(base, path)
    refuseLake(storage, dataset, place)
    return place
  }
  const own = storage.address ?? storage.url
  if (!own.startsWith('s3://'))
    return stagingOf(storage).localPath(storage.locate(landingOf(dataset)))
  const [root = '', settings] = own.split('?')
  return `${root.replace(/\/$/, '')}/${landingOf(dataset)}/${settings ? `?${settings}` : ''}`
}

function refuseLake(storage: Storage, dataset: Bronze, place: string): void {
  const lies = within(storage, place)
  const own = landingOf(dataset)
  if (lies.is === 'outside') return
  if (lies.is === 'inside' && `${lies.path}/`.startsWith(`${own}/`)) return
  const how = lies.is === 'inside' ? 'lies in the lake' : 'is a folder that the lake lies in'
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: its inbox ${shownUrl(place)} ${how}, whose own files would be ingested and removed`,
    {
      hint: `Nothing was ingested. Choose a folder of its own for the inbox, or leave 'path' out: the lake has ${own} for it.`,
      ...(dataset.place ? { place: dataset.place } : {}),
    },
  )
}

/** Looks whether files were dropped, or whether the feed has rows to lay down. */
export async function discoverInbox(of: Lookup<InboxSource>): Promise<Offer> {
  const { dataset, source, state, batches } = of
  const place = placeOf(batches.storage, dataset, source)
  const inbox: Inbox = place.startsWith('s3://')
    ? new BucketInbox(place)
    : new FolderInbox(place, source.settle, () => heardOf(batches.storage))
  const feed = source.feed && (await Feed.look({ ...of, source: source.feed }))
  const work = new InboxBatches(dataset, source, inbox, batches)
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
    tidy: () => work.tidy(),
    ingest: async (context, base) => {
      const fed = feed?.news ? await feed.ingest(context, base) : nothingYet(base)
      const files = feed?.news ? (await work.look(fed.state, source.settle)).ready : ready
      const done = await work.ingest(context, fed.state, files)
      // What the feed laid down has been taken in as files.
      const idle = done.files === 0 && feed ? fed.notes.map((note) => `its feed: ${note}`) : []
      const notes = [...idle, ...done.notes]
      return { ...done, notes, commits: [...fed.commits, ...done.commits] }
    },
  }
}
