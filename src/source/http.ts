import {
  columnName,
  either,
  flag,
  interval,
  number,
  oneOf,
  secretText,
  secretTexts,
  text,
  texts,
} from '../define/expected.js'
import { millisecondsOf } from '../define/interval.js'
import { checked, checkedArguments, having, needed, type OptionList } from '../define/options.js'
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

const yes = { is: 'true', fits: (value: unknown) => value === true }

/** Ways to page and to say who asks are alternatives: all of their options are in one list. */
const pagingOptions: OptionList<Paging> = {
  page: text,
  first: number,
  offset: text,
  limit: text,
  size: number,
  cursor: text,
  next: text,
  link: yes,
}
const authOptions: OptionList<HttpAuth> = {
  bearer: secretText,
  user: text,
  password: secretText,
  header: text,
  value: secretText,
  tokenUrl: text,
  clientId: text,
  clientSecret: secretText,
  scope: text,
}

const httpOptions: OptionList<HttpOptions<string>> = {
  format: oneOf('json', 'jsonl', 'csv'),
  rows: text,
  columns: texts,
  headers: secretTexts,
  params: secretTexts,
  auth: having(authOptions, "an object such as { bearer: secret('env:TOKEN') }"),
  paging: having(pagingOptions, "an object such as { page: 'page' }"),
  cursor: having<NonNullable<HttpOptions<string>['cursor']>>(
    { column: needed(columnName), param: needed(text), start: text },
    "an object such as { column: 'updated_at', param: 'since' }",
  ),
  allowPrivate: flag,
  pause: interval,
  pages: number,
  timeout: interval,
}

const url = either('an address', text, { is: '', fits: (value) => value === undefined })

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
  address: string | undefined,
  options: HttpOptions<C> = {},
): HttpSource<C> {
  const good = checked<HttpOptions<C>>('http(…)', options, httpOptions)
  const { format, rows, columns, headers = {}, params = {}, auth, paging, cursor } = good
  const { allowPrivate = false, pause, pages = 10_000, timeout = '60s' } = good
  return {
    kind: 'http',
    url: checkedArguments('http(…)', { url: address }, { url }).url ?? '',
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
