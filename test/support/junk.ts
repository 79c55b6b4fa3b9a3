/** What may stand in the place of any value, and belongs nowhere. */
export const junk = [null, 5, -1, 2 ** 53, 'x', true, [], {}, [null], [5], [{}], { x: null }]

/** All places in a value, each as the names that lead there. */
export const placesIn = (value: unknown, at: readonly string[] = []): (readonly string[])[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, part]) => [
        [...at, name],
        ...placesIn(part, [...at, name]),
      ])
    : []

/** A copy of a value with another one in one place. */
export function replaced(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as any
  copy[name] = replaced(copy[name], rest, by)
  return copy
}
