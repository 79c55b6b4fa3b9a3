import type { Changes, LakeState } from '../log/commit.js'

/**
 * What becomes of the watermark of followed logs where the manifest of a batch is another one from
 * now on: that of the last batch says how far each log was read.
 */
export function followedAt(
  { watermarks }: Pick<LakeState, 'watermarks'>,
  dataset: string,
  { from, to }: { from: string; to: string },
): Pick<Changes, 'watermarks'> {
  const watermark = (watermarks[dataset] ?? {}) as { follow?: string }
  return watermark.follow === from
    ? { watermarks: { [dataset]: { ...watermark, follow: to } } }
    : {}
}
