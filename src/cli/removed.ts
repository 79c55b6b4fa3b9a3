import { fullName } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import { nearest } from '../define/nearest.js'
import { MoraineError } from '../errors.js'
import type { Removed } from '../plan/removed.js'
import colors from './output/colors.js'
import { plural } from './output/format.js'

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
      hint: 'Write it with its tier.',
    })
  const defined = lake.datasets
    .map(fullName)
    .find((name) => name === text || name.endsWith(`.${text}`))
  if (defined)
    throw new MoraineError('usage', `${defined} is still in lake.ts`, {
      hint:
        doing === 'drop'
          ? `Remove it there first: a run would build it again.`
          : `Give it its new name there first, then say: moraine rename ${defined} ${defined.split('.')[0]}.NEW`,
    })
  const close = nearest(text, names)
  throw new MoraineError('usage', `The lake has no dataset '${text}' that lake.ts does not have`, {
    hint:
      names.length === 0
        ? 'All that the lake holds is in lake.ts.'
        : `${close ? `Did you mean '${close}'? ` : ''}There are: ${names.join(', ')}`,
  })
}

/** What is to be said of datasets that the definition no longer names; nothing where there are none. */
export function removedLines(removed: readonly Removed[]): string[] {
  return removed.map(
    ({ name, rows }) =>
      `${colors.yellow('!')} ${name} is not in lake.ts any more; its ${plural(rows, 'row')} can still be queried, as they last were. If it has a new name: moraine rename ${name} NEW. If it is to go: moraine drop ${name}`,
  )
}
