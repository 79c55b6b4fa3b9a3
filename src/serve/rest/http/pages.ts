import { badRequest } from '../errors.js'

/** One page of a list, and what the next one is asked for with. */
export interface Page<T> {
  items: T[]
  next?: string
}

/**
 * A part of a list that is in order. A client that asks for no pages gets all of it.
 *
 * @param nameOf what an item is in order by.
 */
export function pageOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  { pageSize, pageToken }: { pageSize?: string | undefined; pageToken?: string | undefined },
): Page<T> {
  const size = Number(pageSize ?? (pageToken === undefined ? Number.POSITIVE_INFINITY : 1000))
  if (!(size >= 1)) throw badRequest('pageSize must be a number from 1 up')
  const after = pageToken ? Buffer.from(pageToken, 'base64url').toString() : undefined
  const first = after === undefined ? 0 : items.findIndex((item) => nameOf(item) > after)
  if (first < 0) return { items: [] }
  const page = items.slice(first, first + size)
  const last = page.at(-1)
  if (last === undefined || first + size >= items.length) return { items: page }
  return { items: page, next: Buffer.from(nameOf(last)).toString('base64url') }
}
