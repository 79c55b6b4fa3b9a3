import { badRequest } from '../errors.js'

/** One page of a list, and what the next one is asked for with. */
export interface Page<T> {
  items: T[]
  next?: string
}

/** What a client says of the page that it asks for. */
interface Asked {
  pageSize?: string | undefined
  pageToken?: string | undefined
}

/**
 * A part of a list that is in order. A client that asks for no page gets all of it.
 *
 * @param nameOf what an item is in order by.
 * @param isShown whether an item is for whoever asks; of a long list few are looked at.
 */
export function pageOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  { pageSize, pageToken }: Asked,
  isShown: (item: T) => boolean = () => true,
): Page<T> {
  const asked = Number(pageSize ?? 1000)
  if (!(asked >= 1)) throw badRequest('pageSize must be a number from 1 up')
  // Whoever sends no token would not ask for another page (REST specification, PageToken).
  const size = pageToken === undefined ? Number.POSITIVE_INFINITY : asked
  const after = pageToken ? Buffer.from(pageToken, 'base64url').toString() : undefined
  const page: T[] = []
  let at = after === undefined ? 0 : firstBehind(items, (item) => nameOf(item) > after)
  for (; at < items.length; at++) {
    const item = items[at] as T
    if (!isShown(item)) continue
    // Only what is shown makes another page.
    if (page.length + 1 > size) return { items: page, next: tokenOf(nameOf(page.at(-1) as T)) }
    page.push(item)
  }
  return { items: page }
}

const tokenOf = (name: string) => Buffer.from(name).toString('base64url')

/** Where those begin of which something holds; it holds of all behind them, too. */
function firstBehind<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(items[middle] as T)) high = middle
    else low = middle + 1
  }
  return low
}
