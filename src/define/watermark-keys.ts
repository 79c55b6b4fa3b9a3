import { feedKey } from './sql/name.js'

/**
 * Under which name the log keeps the quarantine of a dataset: `quarantine.orders` for
 * `bronze.orders`.
 */
export const quarantineKey = (dataset: string): string =>
  dataset.replace(/^bronze\./, 'quarantine.')

/**
 * Under which names the log has what it keeps of a dataset's source, each with the one that it
 * would have if the dataset were called otherwise.
 */
export function watermarkKeys(
  watermarks: Readonly<Record<string, unknown>>,
  dataset: string,
  other = dataset,
): (readonly [key: string, other: string])[] {
  const of = [(name: string) => name, quarantineKey, feedKey]
  return of
    .map((key) => [key(dataset), key(other)] as const)
    .filter(([key]) => key in watermarks)
    .filter(([key]) => key !== feedKey(dataset) || isOfFeed(watermarks[key]))
}

/** A dataset of its own could be called so in lakes of earlier versions. */
const isOfFeed = (watermark: unknown): boolean =>
  typeof watermark === 'object' && watermark !== null && 'feedCommits' in watermark
