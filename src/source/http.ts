import { millisecondsOf } from '../define/interval.js'
import type { HttpAuth, HttpSource, Paging, Secret } from '../define/source.js'

export interface HttpOptions<C extends string> {
  /** Default: as the answer's content type says. */
  format?: 'json' | 'jsonl' | 'csv'
  /** Where the rows are in a JSON answer: `data.items`. Default: the answer is the list of rows, or the one row. */
  rows?: string
  /** Columns that there are in any case. */
  columns?: readonly C[]
  headers?: Readonly<Record<string, Secret>>
  /** Parameters of the query. */
  params?: Readonly<Record<string, Secret>>
  auth?: HttpAuth
  paging?: Paging
  /** The column that tells when a row was changed, and the parameter that asks for rows from then on. Without it all rows are read each time. */
  cursor?: { column: C; param: string; start?: string }
  /** Lets redirects and next pages lead to addresses of private networks. */
  allowPrivate?: boolean
  /** How long to wait between two requests: `'200ms'`, `'1s'`. */
  pause?: string
  /** Pages that are read at most; more are an error. Default: 10,000. */
  pages?: number
  /** How long an answer may take to begin, and to go on. Default: `'60s'`. */
  timeout?: string
}

/**
 * Rows from an HTTP API. Each run asks for what is new, where the API can tell (`cursor`), and otherwise for all; how far it was read is
 * part of the commit that brings the rows.
 *
 * @example
 * http('https://api.shop.example/orders', {
 *   rows: 'data', auth: { bearer: secret('env:SHOP_TOKEN') }, paging: { page: 'page' },
 *   cursor: { column: 'updated_at', param: 'updated_since' },
 * })
 */
export function http<const C extends string = string>(
  url: string | undefined,
  options: HttpOptions<C> = {},
): HttpSource<C> {
  const { format, rows, columns, headers = {}, params = {}, auth, paging, cursor } = options
  const { allowPrivate = false, pause, pages = 10_000, timeout = '60s' } = options
  return {
    kind: 'http',
    url: url ?? '',
    format,
    rows,
    columns,
    headers,
    params,
    auth,
    paging,
    cursor: cursor && { ...cursor, start: cursor.start },
    allowPrivate,
    pause: pause === undefined ? 0 : millisecondsOf(pause),
    pages,
    timeout: millisecondsOf(timeout),
  }
}
