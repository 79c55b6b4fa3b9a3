import type { StepSize } from '../../step/task/task.js'
import type { PartSizes } from './split-step.js'

/**
 * A part costs some 50 ms of planning: it should have much more to do. Keys are compared in memory,
 * some 50 bytes each.
 */
export const SIZES: PartSizes = {
  rows: 250_000,
  bytes: 32 * 2 ** 20,
  mostBytes: 2 ** 29,
  keys: 16_000_000,
  rangeRows: 40_960,
}

/**
 * How many parts a step is worth.
 *
 * @param most parts at a time.
 */
export function partsOf(
  { rows, bytes }: StepSize,
  most: number,
  sizes: Pick<PartSizes, 'rows' | 'bytes' | 'mostBytes'> = SIZES,
): number {
  const worth = Math.ceil(Math.max(rows / sizes.rows, bytes / sizes.bytes))
  return Math.max(Math.min(worth, most), Math.ceil(bytes / sizes.mostBytes))
}
