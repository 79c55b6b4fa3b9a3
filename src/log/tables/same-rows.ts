import type { TableState } from '../commit.js'

/** Earlier versions that are remembered as having the same rows. */
const REMEMBERED = 50

/** What the next version of a table says that has the rows of this one. */
export function sameRowsAs({ metadata, sameRowsAs: earlier = [] }: TableState): string[] {
  return [metadata, ...earlier].slice(0, REMEMBERED)
}
