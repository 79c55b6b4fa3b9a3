/*
 * How much is tried of what could be tried without end: a sample by `npm test`, more by `.ci/run`
 * (MORAINE_EFFORT=thorough), and all by
 * `.ci/full` (MORAINE_EFFORT=all). Samples differ from day to day, so that all comes round;
 * MORAINE_TURN draws one again.
 */

const efforts = ['sample', 'thorough', 'all'] as const

export type Effort = (typeof efforts)[number]

export const effort = effortNamed(process.env.MORAINE_EFFORT)

/** Which sample is drawn. */
export const turn = Number(process.env.MORAINE_TURN ?? today())

/** @throws where nobody would know how much was tried. */
export function effortNamed(name = 'sample'): Effort {
  const known = efforts.find((one) => one === name)
  if (!known) throw new Error(`MORAINE_EFFORT is one of ${efforts.join(', ')}, not ${name}`)
  return known
}

/** Days since 1970. */
export function today(): number {
  return Math.floor(Date.now() / 86_400_000)
}

/** The amount of this effort: of runs of a property, of points at which to kill. */
export function amount(sample: number, thorough: number, all = thorough): number {
  return { sample, thorough, all }[effort]
}

/** So many of these cases, spread over all of them; over the turns each has its turn. */
export function drawn<T>(cases: readonly T[], count: number, at = turn): T[] {
  const rest = count >= cases.length ? 0 : (at * GOLDEN) % 1
  const step = Math.max(1, cases.length / count)
  return Array.from(
    { length: Math.min(count, cases.length) },
    (_, i) => cases[Math.floor((i + rest) * step)] as T,
  )
}

/** What these cases are sampled to: all of them where no less is said. */
export function sample<T>(cases: readonly T[], count: number, thorough = Infinity): T[] {
  return drawn(cases, amount(count, thorough, Infinity))
}

/** Steps of it fall into all parts of 0 to 1, the longer the more evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2
