import { isLosslessNumber, stringify } from 'lossless-json'
import type { BodyValue, HttpSource } from '../../define/source.js'
import { ownValue } from '../../own-value.js'
import type { ApiRequest, HttpClient } from './client.js'

/** A value of a parameter: a number of JSON with all of its digits, or a text. */
export type ParamValue = string | number | object

type Json = { [name: string]: unknown }

/** A request as it is thought of: what is in its body can be changed. */
export interface PageRequest {
  url: URL
  json?: Json
}

/** Makes the requests for the pages of an API. */
export class Requests {
  private constructor(
    private readonly source: HttpSource,
    private readonly text: string | undefined,
    private readonly json: Json | undefined,
  ) {}

  /** @param client looks up secrets, which it keeps from being told from then on. */
  static async of(source: HttpSource, client: HttpClient): Promise<Requests> {
    const { body, graphql } = source
    const text = typeof body === 'string' ? body : undefined
    const content = graphql ? { ...graphql } : text === undefined ? body : undefined
    const json = content === undefined ? undefined : await revealed(content as BodyValue, client)
    return new Requests(source, text, json as Json | undefined)
  }

  /** The request for the first page. */
  async first(client: HttpClient, since: ParamValue | undefined): Promise<PageRequest> {
    const { source, json } = this
    const url = new URL(source.url)
    for (const [name, value] of Object.entries(source.params))
      url.searchParams.set(name, await client.reveal(value))
    let request: PageRequest = { url, ...(json ? { json } : {}) }
    const { cursor, paging } = source
    if (cursor && since !== undefined) request = this.with(request, cursor.param, since)
    if (!paging) return request
    if ('page' in paging) request = this.with(request, paging.page, paging.first ?? 1)
    if ('offset' in paging) request = this.with(request, paging.offset, 0)
    const { limit, size } = paging
    return limit !== undefined && size !== undefined ? this.with(request, limit, size) : request
  }

  /** A request with another value of a parameter. */
  with(request: PageRequest, name: string, value: ParamValue): PageRequest {
    if (this.source.parametersIn === 'body' && request.json) {
      const path = this.source.graphql ? ['variables', ...name.split('.')] : name.split('.')
      return { ...request, json: withValue(request.json, path, value) }
    }
    const url = new URL(request.url)
    url.searchParams.set(name, String(value))
    return { ...request, url }
  }

  toSend({ url, json }: PageRequest): ApiRequest {
    const { method } = this.source
    if (json) return { url, method, body: stringify(json) as string, type: 'application/json' }
    return { url, method, ...(this.text === undefined ? {} : { body: this.text }) }
  }
}

/** What tells a request from others. */
export function identityOf({ url, body = '' }: ApiRequest): string {
  return `${url.href} ${body}`
}

async function revealed(value: BodyValue, client: HttpClient): Promise<unknown> {
  if (typeof value === 'function') return client.reveal(value)
  if (value === null || typeof value !== 'object' || isLosslessNumber(value)) return value
  if (Array.isArray(value)) return Promise.all(value.map((inner) => revealed(inner, client)))
  const entries = Object.entries(value).map(
    async ([name, inner]) => [name, await revealed(inner as BodyValue, client)] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

function withValue(json: Json, [name = '', ...rest]: readonly string[], value: unknown): Json {
  if (rest.length === 0) return { ...json, [name]: value }
  const inner = ownValue(json, name)
  const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner)
  return { ...json, [name]: withValue(isObject ? (inner as Json) : {}, rest, value) }
}
