import type { IncomingHttpHeaders } from 'node:http'
import { ownValue } from '../../own-value.js'
import { countIn, flagIn, isObject, saying } from './document.js'

/** Something in an answer that says that there are more rows than were read. */
export interface MoreSign {
  /** Where it stands: `meta.has_more`, `Link`. */
  place: string
  /** What it says: `is true`, `is 2350, and 100 rows were read`. */
  says: string
  /** Whether the next page could be asked for with what stands there. */
  next?: 'address' | 'value'
}

const HAS_MORE =
  /^(has_?more(_?(pages|results|items|data|records))?|has_?next(_?page)?|more(_?(results|pages|available|data))?|is_?truncated)$/i
const IS_LAST = /^(is_?last(_?page)?|last|done|is_?done)$/i
const NEXT =
  /^(@?odata\.next_?link|next(_?(page|url|link|href|cursor|token|page_?token|page_?url|page_?link|records_?url|marker|continuation_?token|offset|key))?|continuation(_?token)?|last_?evaluated_?key)$/i
const ROWS =
  /^(total(_?(count|results|items|elements|size|records|rows|hits))?|@?odata\.count|num_?found|nhits)$/i
const PAGES = /^(total_?pages|page_?count|num_?pages|pages|last_?page)$/i
const WRAPPERS =
  /^(_?meta(data)?|_?pag(e|ing|er|ination|e_?info)|info|_?links|response_?metadata|cursors?|result_?info|list_?info)$/i

interface Read {
  rows: number
  /** Pages that had rows. */
  pages: number
}

/**
 * What in an answer says that there is more than was read, at the places where APIs say it: at its
 * top, beside what leads to the rows, and in objects such as `meta` and `paging` there. An answer
 * that says that it is the last one is believed.
 */
export function signsOfMore(
  document: unknown,
  rows: string | undefined,
  headers: IncomingHttpHeaders,
  read: Read,
): MoreSign[] {
  const found: MoreSign[] = []
  let isLast = false
  for (const { object, path } of containers(document, rows)) {
    const beside = Object.keys(object).some((name) => NEXT.test(name) || /^prev/i.test(name))
    for (const [key, value] of Object.entries(object)) {
      const place = [...path, key].join('.')
      // In XML, attributes begin so.
      const name = key.replace(/^@(?!odata)/i, '')
      const flag = flagIn(value)
      const more = HAS_MORE.test(name)
        ? flag
        : IS_LAST.test(name) && flag !== undefined
          ? !flag
          : undefined
      if (more === false) isLast = true
      else if (more) found.push({ place, says: `is ${flag}` })
      else if (NEXT.test(name)) found.push(...nextSign(place, value))
      else if (ROWS.test(name) || (beside && /^count$/i.test(name)))
        found.push(...countSign(place, value, read.rows, 'row'))
      else if (PAGES.test(name)) found.push(...countSign(place, value, read.pages, 'page'))
    }
  }
  return isLast ? [] : [...found, ...inHeaders(headers, read)]
}

/**
 * The objects of an answer that say something of all of it, where rows are only at a path inside.
 */
function* containers(document: unknown, rows: string | undefined) {
  let object = document
  const path: string[] = []
  for (const name of [undefined, ...(rows?.split('.') ?? [])]) {
    if (name !== undefined) {
      path.push(name)
      object = isObject(object) ? ownValue(object, name) : undefined
    }
    if (isObject(object)) yield* withWrappers(object, [...path], 2)
  }
}

function* withWrappers(
  object: Record<string, unknown>,
  path: readonly string[],
  deep: number,
): Generator<{ object: Record<string, unknown>; path: readonly string[] }> {
  yield { object, path }
  for (const [name, value] of Object.entries(object))
    if (deep > 0 && isObject(value) && (WRAPPERS.test(name) || /^next$/i.test(name)))
      yield* withWrappers(value, [...path, name], deep - 1)
}

function nextSign(place: string, value: unknown): MoreSign[] {
  const inside = isObject(value) ? (value.href ?? value.url) : undefined
  const shown = saying(inside ?? value)
  if (shown === undefined || ['0', '-1', 'null', 'false', 'true'].includes(String(shown))) return []
  const at =
    inside === undefined ? place : `${place}.${isObject(value) && value.href ? 'href' : 'url'}`
  const next = /^(https?:\/\/|\/|\?)/.test(String(shown)) ? 'address' : 'value'
  return [{ place: at, says: 'is set', next }]
}

function countSign(place: string, value: unknown, read: number, what: string): MoreSign[] {
  const inside = isObject(value) ? value.value : value
  const count = countIn(inside)
  if (count === undefined || count <= read) return []
  const s = read === 1 ? ' was' : 's were'
  return [{ place, says: `is ${count}, and ${read} ${what}${s} read` }]
}

function inHeaders(headers: IncomingHttpHeaders, read: Read): MoreSign[] {
  const of = (name: string) => [headers[name] ?? ''].flat().join(', ')
  const range = /\/(\d+)\s*$/.exec(of('content-range'))?.[1]
  return [
    ...(isNextLink(of('link')) ? [{ place: 'Link', says: 'has rel="next"' }] : []),
    ...(of('x-next-page') ? [{ place: 'X-Next-Page', says: 'is set' }] : []),
    ...countSign('X-Total-Count', of('x-total-count'), read.rows, 'row'),
    ...countSign('X-Total', of('x-total'), read.rows, 'row'),
    ...countSign('X-Total-Pages', of('x-total-pages'), read.pages, 'page'),
    ...countSign('Content-Range', range, read.rows, 'row'),
  ]
}

const isNextLink = (header: string) => nextLink(header) !== undefined

/** The address that a `Link` header names as the next one (RFC 8288). */
export function nextLink(header: string): string | undefined {
  for (const [, target = '', params = ''] of header.matchAll(/<([^>]*)>((?:\s*;\s*[^,;]+)*)/g))
    if (/;\s*rel="?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(;|$)/i.test(params)) return target
  return undefined
}
