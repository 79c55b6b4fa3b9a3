import type { TrinoType } from '../types.js'
import type { Written } from '../write/written.js'
import type { Site } from './signature.js'

export const element = (args: readonly Written[]) => args[0]?.type?.of?.[0]

export const plainly = (args: readonly Written[], index: number, sql: string) => ({
  sql,
  isPlain: args[index]?.isPlain ?? false,
})

/**
 * The lambda that is the argument of a place, for elements of these types.
 *
 * @param named what stands for its parameters, where they are no parameters of the engine's: then
 *   its body alone is written.
 */
export function lambdaAt(
  { args, refused }: Site,
  index: number,
  types: readonly (TrinoType | undefined)[],
  named?: readonly string[],
): Written {
  const made = args[index]?.lambda?.(types, named)
  if (!made) throw refused('A lambda is missing: x -> …')
  return made
}
