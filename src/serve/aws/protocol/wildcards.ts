/**
 * Whether a name, in whatever case, has these texts one after the other: it begins with the first
 * and ends with the last, with any characters between them. It never goes back, so that a pattern
 * of many `*` takes no longer than the name.
 *
 * @param texts what stands between the `*` of a pattern; one alone is all of the name.
 */
export function hasInOrder(name: string, texts: readonly string[]): boolean {
  const text = name.toLowerCase()
  const [first = '', ...others] = texts.map((one) => one.toLowerCase())
  const last = others.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const one of others) {
    const found = text.indexOf(one, at)
    if (found < 0) return false
    at = found + one.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
