import { secondsOf } from '../../../define/interval.js'
import type { Lake } from '../../../define/lake.js'
import type { AnyDataset } from '../../../define/model.js'
import { VACUUMED } from '../../../log/format/folders.js'
import type { Json } from '../cfn.js'
import { type Context, DEPLOYED } from '../context.js'
import { foldersOf, placesOfCopies } from '../jobs/rights.js'

const DAY = 86_400

/** Days for which what was removed can be brought back, where nothing else is said. */
const NONCURRENT = 30

/**
 * Only Moraine removes data, when its retention says so: S3 can't know what commits lead to. What
 * it removed stays as a noncurrent version for a while, in no folder for longer than the rows of
 * its dataset were kept; so does code that was deployed before. Never one of the log, nor of the
 * archive.
 */
export function lifecycle(context: Context): Json[] {
  const { lake, deploy } = context
  const days = (secondsOf(deploy.noncurrent ?? `${NONCURRENT}d`) ?? NONCURRENT * DAY) / DAY
  const expire = (Prefix: string, after: number) => ({
    Id: `removed from ${Prefix}`,
    Status: 'Enabled',
    Prefix,
    NoncurrentVersionExpiration: { NoncurrentDays: Math.max(1, Math.floor(after)) },
    // Otherwise what says that an object was removed stays for ever, with its name.
    ExpiredObjectDeleteMarker: true,
  })
  const removed = [...VACUUMED, DEPLOYED, ...copied(lake)]
  return [
    ...removed.map((folder) => expire(folder, days)),
    ...[...keptShorter(context, days)].map(([folder, kept]) => expire(folder, kept)),
  ]
}

/**
 * Folders of datasets that keep their rows for fewer days, with these: two may share one, where the
 * second was given the first one's name.
 */
function keptShorter(context: Context, days: number): Map<string, number> {
  const found = new Map<string, number>()
  for (const dataset of context.lake.datasets) {
    const kept = keptFor(dataset) / DAY
    if (!(kept < days)) continue
    for (const folder of foldersOf(context, dataset).filter((one) => !one.startsWith('archive/')))
      found.set(folder, Math.min(kept, found.get(folder) ?? kept))
  }
  return found
}

/**
 * Folders in which rows lie for as long as a warehouse copies them; where that is another bucket,
 * the lake has nothing of the name.
 */
function copied(lake: Lake): string[] {
  const folders = placesOfCopies(lake).map((place) => place.replace(/^s3:\/\/[^/]+\//, ''))
  return [...new Set(folders)].filter((folder) => !/^($|_|archive\/)/.test(folder))
}

/** Seconds; infinite where rows stay. */
function keptFor(dataset: AnyDataset): number {
  const kept = dataset.tier === 'bronze' ? dataset.keep : dataset.keep?.for
  return (kept && secondsOf(kept)) || Number.POSITIVE_INFINITY
}
