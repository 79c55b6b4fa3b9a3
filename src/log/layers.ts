/** Changes that are kept apart from a record before it is copied. */
const MOST = 1000

/** A record of many entries, and what was changed of it since. */
export interface Layers<T> {
  readonly base: Readonly<Record<string, T>>
  /** New values, and entries behind those of the base. */
  readonly over: ReadonlyMap<string, T>
  /** Names that the base has, and that are gone; one that came back stands behind the others. */
  readonly gone: ReadonlySet<string>
}

export const layered = <T>(base: Readonly<Record<string, T>>): Layers<T> => ({
  base,
  over: new Map(),
  gone: new Set(),
})

/** One entry, without looking at any other. */
export function entryOf<T>({ base, over, gone }: Layers<T>, name: string): T | undefined {
  const changed = over.get(name)
  if (changed !== undefined || gone.has(name)) return changed
  return Object.hasOwn(base, name) ? base[name] : undefined
}

/**
 * What was there with changes of it; `null` takes something away. Only the changes are copied, now
 * and then all of it.
 */
export function layeredWith<T>(
  before: Layers<T>,
  changes: Readonly<Record<string, T | null>>,
): Layers<T> {
  const over = new Map(before.over)
  const gone = new Set(before.gone)
  // As if all were copied: what is set, and then what is taken away.
  for (const [name, value] of Object.entries(changes)) if (value !== null) over.set(name, value)
  for (const [name, value] of Object.entries(changes)) {
    if (value !== null) continue
    over.delete(name)
    if (Object.hasOwn(before.base, name)) gone.add(name)
  }
  const after = { base: before.base, over, gone }
  return over.size + gone.size > MOST ? layered(flattened(after)) : after
}

/** All entries, in the order in which copies would have them. */
export function flattened<T>({ base, over, gone }: Layers<T>): Readonly<Record<string, T>> {
  if (over.size + gone.size === 0) return base
  const after: Record<string, T> = { ...base }
  for (const name of gone) delete after[name]
  for (const [name, value] of over) after[name] = value
  return after
}
