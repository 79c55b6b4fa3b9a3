import type { Execution } from './request.js'

/** An execution with what counts when there are too many. */
interface Remembered {
  execution: Pick<Execution, 'principal' | 'ended'>
  spool: { bytes: number }
  isBusy?: boolean
}

/**
 * The execution that is to be forgotten next, where there are too many or their rows are too
 * large: one that was refused to be asked again, or the oldest of the principal that has the most.
 * So nobody's queries push out those of others.
 *
 * @param all the oldest first; those that have not ended stay.
 */
export function surplusOf<R extends Remembered>(
  all: readonly R[],
  { most, mostBytes }: { most: number; mostBytes: number },
): R | undefined {
  const isMany = all.length > most
  const weightOf = ({ spool }: R) => (isMany ? 1 : spool.bytes)
  if (!isMany && all.reduce((sum, { spool }) => sum + spool.bytes, 0) <= mostBytes) return undefined
  const over = all.filter((one) => one.execution.ended && weightOf(one) > 0)
  const weights = new Map<string, number>()
  for (const one of over) {
    const { principal } = one.execution
    weights.set(principal, (weights.get(principal) ?? 0) + weightOf(one))
  }
  const heaviest = Math.max(...weights.values())
  return (
    over.find(({ isBusy }) => isBusy) ??
    over.find(({ execution }) => weights.get(execution.principal) === heaviest)
  )
}
