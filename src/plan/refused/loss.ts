import { fullName } from '../../define/dataset.js'
import type { AnyDataset } from '../../define/model.js'
import { MoraineError } from '../../errors.js'
import type { Adopted } from '../../log/commit.js'
import { adoptedText } from '../decide.js'
import type { Decision } from '../decision.js'

/** The error for a build that would lose rows which nothing could compute again. */
export function lossOf(dataset: AnyDataset, decision: Decision): MoraineError | undefined {
  if (decision.action !== 'build') return undefined
  if (decision.lost) return wouldLose(dataset, decision.lost)
  return decision.drops && wouldDrop(dataset, decision.drops)
}

/** The same for one from inputs that have not all of their rows any more. */
export function wouldLose(dataset: AnyDataset, lost: readonly string[]): MoraineError {
  const name = fullName(dataset)
  const batches = lost.every((input) => input.startsWith('bronze.'))
  const back = batches
    ? `If they are archived, restore them first: moraine rebuild ${name} --from archive. Or build`
    : 'Build'
  const between =
    batches && dataset.tier === 'gold'
      ? `. A silver dataset between ${lost.join(', ')} and ${name} keeps its rows`
      : ''
  return new MoraineError(
    'usage',
    `${name} would have to be rebuilt from all of its rows, but ${lost.join(', ')} has expired some of them`,
    {
      ...(dataset.place ? { place: dataset.place } : {}),
      hint: `${back} it from what is left: moraine run ${name} --allow-loss${between}`,
    },
  )
}

/** The same for one without what other engines have changed of the table. */
export function wouldDrop(dataset: AnyDataset, adopted: Adopted): MoraineError {
  const name = fullName(dataset)
  return new MoraineError(
    'usage',
    `${name} would be computed from its inputs, without ${adoptedText(adopted)}`,
    {
      ...(dataset.place ? { place: dataset.place } : {}),
      hint: `Have what they have changed written to a table that is an input of ${name}, or drop it: moraine run ${name} --allow-loss`,
    },
  )
}
