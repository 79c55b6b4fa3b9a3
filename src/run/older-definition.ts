import { fullName } from '../define/dataset.js'
import type { AnyDataset } from '../define/model.js'
import { MoraineError } from '../errors.js'
import type { MadeBy } from '../log/commit.js'
import { replacedDefinition } from '../log/definitions.js'
import type { View } from '../plan/decision.js'
import { definitionOf } from '../plan/fingerprint.js'

/**
 * What is wrong with building a dataset by a definition that was its own before the one of now: two
 * programs with different rules would rebuild each other's tables in turn (ADR 71). `undefined`
 * when it is new, or the one of now.
 */
export function olderDefinition(
  dataset: AnyDataset,
  view: View,
  hash: (text: string) => string,
): MoraineError | undefined {
  if (dataset.tier === 'bronze') return undefined
  const name = fullName(dataset)
  const found = replacedDefinition(view, name, definitionOf(dataset, hash))
  if (!found) return undefined
  return new MoraineError(
    'usage',
    `lake.ts defines ${name} as of commit ${found.then.commit} (${said(found.then)}), but commit ${found.now.commit} has replaced that definition (${said(found.now)})`,
    {
      ...(dataset.place ? { place: dataset.place } : {}),
      hint: `If this lake.ts is out of date, update it. If going back is intended, confirm it once: moraine run ${name} --accept-definition`,
    },
  )
}

function said({ author, time, program }: MadeBy): string {
  const when = `${time.slice(0, 16).replace('T', ' ')} UTC`
  return [author, when, ...(program ? [`Moraine ${program}`] : [])].join(', ')
}
