import type { LifecycleRule } from '@aws-sdk/client-s3'
import { secondsOf } from '../define/interval.js'
import type { Lake } from '../define/lake.js'
import type { Bronze } from '../define/model.js'

/** How the lake calls its own rules. */
export const idOf = (prefix: string, what: string) =>
  `moraine ${prefix === '' ? '/' : prefix}: ${what}`

/**
 * Days after which parts of uploads that nobody finished go: what vacuum gives files that nothing
 * refers to.
 */
const UNFINISHED = 7

/**
 * What a bucket can do by itself: S3 judges objects by their age alone, so it may only take what no
 * commit can lead to any more, and move what only a rebuild reads.
 */
export function lifecycleRules(
  lake: Lake,
  prefix: string,
  { removed, archiveClass }: { removed: number; archiveClass: string | undefined },
): LifecycleRule[] {
  const root = prefix === '' ? '' : `${prefix}/`
  const rule = (what: string, below: string, does: Partial<LifecycleRule>): LifecycleRule => ({
    ID: idOf(prefix, what),
    Status: 'Enabled',
    Filter: { Prefix: root + below },
    ...does,
  })
  const archived = lake.datasets.filter(
    (d): d is Bronze => d.tier === 'bronze' && d.archive && d.keep !== undefined,
  )
  return [
    rule('unfinished uploads', '', {
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: UNFINISHED },
    }),
    rule('removed objects', '', {
      NoncurrentVersionExpiration: { NoncurrentDays: removed },
      Expiration: { ExpiredObjectDeleteMarker: true },
    }),
    ...(archiveClass === undefined ? [] : archived).map(({ name, keep }) =>
      rule(`archive of ${name}`, `archive/${name}/files/`, {
        Transitions: [
          {
            Days: Math.ceil((secondsOf(keep as string) as number) / 86_400),
            StorageClass: archiveClass as 'GLACIER_IR',
          },
        ],
      }),
    ),
  ]
}
