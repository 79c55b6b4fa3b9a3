import type { Silver } from '../../define/model.js'
import type { BuildDecision } from '../../plan/decision.js'
import { batchesRead } from '../../step/task/split.js'
import { havePlaces } from '../keys.js'
import type { InputContext } from './types.js'

/**
 * Whether no two of the rows that a step reads have the same place: the source is one that has no
 * such rows, or all files that were read of it keep a row a line. Parts of a step go by the source,
 * as they have to agree.
 */
export async function areRowsPlaced(
  { relations, part }: InputContext,
  dataset: Silver,
  decision: BuildDecision,
): Promise<boolean> {
  if (havePlaces(dataset)) return true
  const [only, ...others] = dataset.from
  if (part || only?.tier !== 'bronze' || others.length > 0) return false
  const files = await relations.bronzeFiles?.(batchesRead(decision, relations.view, only), false)
  return files?.every(({ firstLine }) => firstLine !== undefined) ?? false
}
