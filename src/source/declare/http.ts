import { isOpenToOthers } from '../../define/access/encrypted.js'
import { millisecondsOf } from '../../define/interval.js'
import {
  columnName,
  either,
  flag,
  interval,
  number,
  object,
  oneOf,
  secretText,
  secretTexts,
  text,
  texts,
} from '../../define/options/expected.js'
import {
  checked,
  checkedArguments,
  having,
  needed,
  type OptionList,
} from '../../define/options/options.js'
import { mistake } from '../../define/problems/mistakes.js'
import type { BodyValue, HttpAuth, HttpSource, Paging, Secret } from '../../define/source.js'

export interface HttpOptions<C extends string> {
  /** Default: by the content type and the first bytes of the response. */
  format?: 'json' | 'jsonl' | 'csv' | 'xml'
  /**
   * Where the rows are: in JSON, the keys that lead there (`data.items`); in XML, the name of their
   * element. Default: the response is the list of rows, or a single row; in XML, the children of
   * the outermost element.
   */
  rows?: string
  /** In XML: elements that may occur more than once, and are lists even if there is only one. */
  lists?: readonly string[]
  /** Columns that exist even if no row has them. */
  columns?: readonly C[]
  /** Default: `POST` with a body, otherwise `GET`. */
  method?: 'GET' | 'POST'
  /**
   * The request body: an object is sent as JSON, and its values may be secrets; a string is sent
   * unchanged, with the content type of `headers`.
   */
  body?: string | Readonly<Record<string, BodyValue>>
  /** A GraphQL query. Parameters of `paging` and `cursor` become its variables. */
  graphql?: { query: string; variables?: Readonly<Record<string, BodyValue>> }
  /**
   * Where parameters of `paging` and `cursor` are sent. Default: in the body if it is JSON;
   * `page.after` is a key inside another.
   */
  parametersIn?: 'query' | 'body'
  /** Headers that every request has; values may be secrets. */
  headers?: Readonly<Record<string, Secret>>
  /** Query parameters of the URL. */
  params?: Readonly<Record<string, Secret>>
  /** How requests prove who asks. */
  auth?: HttpAuth
  /** How one page leads to the next. */
  paging?: Paging
  /**
   * Fields of a response that look as if there were more rows than were read, but mean something
   * else: `['meta.total']`. Otherwise such a response is an error.
   */
  ignoreMore?: readonly string[]
  /**
   * The column with the modification time of a row, and the parameter that requests rows from a
   * time on. Without it, all rows are read in each run.
   */
  cursor?: { column: C; param: string; start?: string }
  /**
   * The fraction of rows of a full extract that may disappear; an extract with fewer rows is held
   * back until `moraine run --accept-shrink` accepts it. Fewer than 20 rows may always disappear.
   * Default: 0.5; with 1, nothing is held back.
   */
  maxShrink?: number
  /** Allows redirects and next pages to lead to addresses of private networks. */
  allowPrivate?: boolean
  /**
   * Allows credentials to be sent to an address without encryption that is not this machine's, as
   * in a network that is trusted.
   */
  allowUnencrypted?: boolean
  /** Pause between two requests: `'200ms'`, `'1s'`. */
  pause?: string
  /** Maximum number of pages; more are an error. Default: 10,000. */
  pages?: number
  /** How long a response may take to start, and to continue. Default: `'60s'`. */
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
  after: text,
  column: columnName,
  more: text,
  until: either("'short', 'not found' or a list of them", oneOf('short', 'not found'), {
    is: '',
    fits: (value) => Array.isArray(value) && value.every(oneOf('short', 'not found').fits),
  }),
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
  format: oneOf('json', 'jsonl', 'csv', 'xml'),
  rows: text,
  lists: texts,
  method: oneOf('GET', 'POST'),
  body: either('an object or a string', object, text),
  graphql: having<NonNullable<HttpOptions<string>['graphql']>>(
    { query: needed(text), variables: object },
    "an object such as { query: '{ orders { id } }' }",
  ),
  parametersIn: oneOf('query', 'body'),
  ignoreMore: texts,
  maxShrink: number,
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
  allowUnencrypted: flag,
  pause: interval,
  pages: number,
  timeout: interval,
}

const url = either('a URL', text, { is: '', fits: (value) => value === undefined })

/**
 * Rows from an HTTP API. Each run requests new rows if the API supports it (`cursor`), and
 * otherwise all; the watermark is part of the commit that adds the rows.
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
  const { format, rows, lists = [], columns, headers = {}, params = {}, auth, paging } = good
  const { allowPrivate = false, pause, pages = 10_000, timeout = '60s' } = good
  const { body, graphql, cursor, ignoreMore = [] } = good
  if (!good.allowUnencrypted) refuseUnencrypted(address, good)
  const hasJson = graphql !== undefined || (body !== undefined && typeof body !== 'string')
  return {
    kind: 'http',
    url: checkedArguments('http(…)', { url: address }, { url }).url ?? '',
    method: good.method ?? (graphql || body !== undefined ? 'POST' : 'GET'),
    body,
    graphql: graphql && { query: graphql.query, variables: graphql.variables ?? {} },
    parametersIn: good.parametersIn ?? (hasJson ? 'body' : 'query'),
    format,
    rows,
    lists,
    columns,
    headers,
    params,
    auth,
    paging,
    ignoreMore,
    ...(good.maxShrink === undefined ? {} : { maxShrink: good.maxShrink }),
    cursor: cursor && { ...cursor, start: cursor.start },
    allowPrivate,
    pause: pause === undefined ? 0 : millisecondsOf(pause),
    pages,
    timeout: millisecondsOf(timeout),
  }
}

/** What is a secret must not be sent where others can read it on the way. */
function refuseUnencrypted(
  address: string | undefined,
  { auth, headers, params, body, graphql }: HttpOptions<string>,
): void {
  const isSecret = auth || [headers, params, body, graphql?.variables].some(holdsSecret)
  const urls = [isSecret ? address : undefined, auth && 'tokenUrl' in auth ? auth.tokenUrl : '']
  const open = urls.find((url) => url !== undefined && isOpenToOthers(url))
  if (open !== undefined)
    mistake(
      `http(…): credentials would be sent to ${new URL(open).origin} unencrypted`,
      undefined,
      'Use an https:// address. In a network that you trust, add allowUnencrypted: true.',
    )
}

/** Whether there is a secret among values, however deep they lie. */
function holdsSecret(value: unknown): boolean {
  if (typeof value === 'function') return true
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsSecret)
}
