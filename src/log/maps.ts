/** What was there with changes of it; `null` takes something away. */
export function merged<T>(
  before: Readonly<Record<string, T>>,
  changes: Readonly<Record<string, T | null>> | undefined,
): Readonly<Record<string, T>> {
  if (!changes) return before
  // There may be tens of thousands, and a commit changes a few of them: they are copied once.
  const after = { ...before, ...changes }
  for (const [name, value] of Object.entries(changes)) if (value === null) delete after[name]
  return after as Record<string, T>
}

/** The changes that lead from one to the other. */
export function differences<T>(from: Readonly<Record<string, T>>, to: Readonly<Record<string, T>>) {
  const changed: Record<string, T | null> = {}
  for (const name of Object.keys(from)) if (!(name in to)) changed[name] = null
  for (const [name, value] of Object.entries(to))
    if (JSON.stringify(from[name]) !== JSON.stringify(value)) changed[name] = value
  return changed
}
