import { fullName } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import { nearest } from '../define/nearest.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { unfinished } from '../log/forgotten.js'
import type { Removed } from '../plan/removed.js'
import colors from './output/colors.js'
import { plural, readableTime } from './output/format.js'

/**
 * The removed dataset that a command names, in full or without its tier.
 *
 * @throws MoraineError of kind `usage` when there is none, several, or the definition still has it.
 */
export function removedNamed(
  text: string,
  removed: readonly Removed[],
  lake: Lake,
  doing: 'drop' | 'rename',
): Removed {
  const found = removed.filter(({ name }) => name === text || name.endsWith(`.${text}`))
  const [one] = found
  if (one && found.length === 1) return one
  const names = removed.map(({ name }) => name)
  if (found.length > 1)
    throw new MoraineError('usage', `'${text}' may be ${found.map((f) => f.name).join(' or ')}`, {
      hint: 'Add its layer.',
    })
  const defined = lake.datasets
    .map(fullName)
    .find((name) => name === text || name.endsWith(`.${text}`))
  if (defined)
    throw new MoraineError('usage', `${defined} is still in lake.ts`, {
      hint:
        doing === 'drop'
          ? `Remove it there first, otherwise a run builds it again.`
          : `Rename it there first, then run: moraine rename ${defined} ${defined.split('.')[0]}.NEW`,
    })
  const close = nearest(text, names)
  throw new MoraineError(
    'usage',
    `The lake has no dataset '${text}' that is missing from lake.ts`,
    {
      hint:
        names.length === 0
          ? 'Every dataset that has rows in the lake is defined in lake.ts, under the same name. A dataset without rows needs no such command: run the lake.'
          : `${close ? `Did you mean '${close}'? ` : ''}The removed datasets are: ${names.join(', ')}`,
    },
  )
}

/**
 * What is to be said of datasets that the definition no longer names; nothing where there are none.
 */
export function removedLines(removed: readonly Removed[]): string[] {
  return removed.map(
    ({ name, rows }) =>
      `${colors.yellow('!')} ${name} is no longer in lake.ts; its ${plural(rows, 'row')} can still be queried. If it was renamed: moraine rename ${name} NEW. To remove it: moraine drop ${name}`,
  )
}

/** Rows of people that are gone from the newest state, and still in earlier ones. */
export const forgettingLines = (state: LakeState): string[] =>
  unfinished(state).map(
    ({ id, at, author }) =>
      `${colors.yellow('!')} Rows are being forgotten by ${author} since ${readableTime(at)} (receipt ${id}): earlier states still have them, and nothing expires. moraine forget --yes goes on with it.`,
  )
