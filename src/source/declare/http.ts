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
import type { BodyValue, HttpAuth, HttpSource, Paging, Secret } from '../../define/source.js'

export interface HttpOptions<C extends string> {
  /** Default: as the answer's content type and its first bytes say. */
  format?: 'json' | 'jsonl' | 'csv' | 'xml'
  /**
   * Where the rows are: in JSON the keys that lead there, `data.items`; in XML the name of their element. Default: the answer is the list
   * of rows, or the one row; in XML the elements that the outermost has.
   */
  rows?: string
  /** In XML: elements that may come more than once, and are lists even when there is one. */
  lists?: readonly string[]
  /** Columns that there are in any case. */
  columns?: readonly C[]
  /** Default: `POST` where there is a body, otherwise `GET`. */
  method?: 'GET' | 'POST'
  /** What is sent: an object as JSON, in which values may be secrets; a text as it is, with the content type of `headers`. */
  body?: string | Readonly<Record<string, BodyValue>>
  /** A query of GraphQL. Parameters of `paging` and `cursor` are variables of it. */
  graphql?: { query: string; variables?: Readonly<Record<string, BodyValue>> }
  /** Where parameters of `paging` and `cursor` go. Default: the body, where it is JSON; `page.after` is a key inside another. */
  parametersIn?: 'query' | 'body'
  headers?: Readonly<Record<string, Secret>>
  /** Parameters of the query. */
  params?: Readonly<Record<string, Secret>>
  auth?: HttpAuth
  paging?: Paging
  /**
   * Places of an answer that look as if there were more rows than were read, and do not mean it: `['meta.total']`. Otherwise such an answer
   * is an error.
   */
  ignoreMore?: readonly string[]
  /** The column that tells when a row was changed, and the parameter that asks for rows from then on. Without it all rows are read each time. */
  cursor?: { column: C; param: string; start?: string }
  /**
   * The share of rows that may be gone when all are read each time; an extract that has fewer is held back, until `moraine run --accept-shrink`
   * takes it. Fewer than 20 rows may always go. Default: 0.5; with 1 nothing is held back.
   */
  maxShrink?: number
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
  pause: interval,
  pages: number,
  timeout: interval,
}

const url = either('a URL', text, { is: '', fits: (value) => value === undefined })

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
  const { format, rows, lists = [], columns, headers = {}, params = {}, auth, paging } = good
  const { allowPrivate = false, pause, pages = 10_000, timeout = '60s' } = good
  const { body, graphql, cursor, ignoreMore = [] } = good
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
