import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { seed } from '../../../test/support/seed.js'
import type { Paging } from '../../define/source.js'
import { http } from '../declare/http.js'
import { HttpClient } from './client.js'
import { pagesOf } from './pages.js'

/** What an API of a test is like. */
interface Api {
  rows: number
  /** The most rows that it gives in a page, whatever is asked for. */
  size: number
  /** How it says that there is more. */
  says: 'has_more' | 'total' | 'pages' | 'next' | 'link'
  /** Whether pages behind the last one are 404. */
  missing: boolean
}

const ways: readonly (Paging | undefined)[] = [
  undefined,
  { page: 'page' },
  { page: 'page', until: 'not found' },
  { page: 'page', limit: 'size', size: 7, until: 'short' },
  { page: 'seite' },
  { offset: 'offset' },
  { offset: 'start' },
  { after: 'after', column: 'id' },
  { after: 'after', column: 'id', more: 'has_more' },
  { after: 'last', column: 'id' },
  { cursor: 'offset', next: 'next' },
  { cursor: 'offset', next: 'meta.next' },
  { cursor: 'cursor', next: 'next' },
  { next: 'links.next' },
  { next: 'paging.next' },
  { link: true },
]

describe('pages of an API', () => {
  let api: Api
  let url = ''
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', url)
    const at = (name: string) => Number(searchParams.get(name) ?? 0)
    const start = (Math.max(at('page'), 1) - 1) * api.size + at('offset') + (at('after') || 0)
    const end = Math.min(start + api.size, api.rows)
    if (api.missing && start > 0 && start >= api.rows) return response.writeHead(404).end()
    const data = Array.from({ length: Math.max(0, end - start) }, (_, i) => ({ id: start + i + 1 }))
    const more = end < api.rows
    const next = `${url}/?offset=${end}`
    if (more && api.says === 'link') response.setHeader('link', `<${next}>; rel="next"`)
    response.setHeader('content-type', 'application/json')
    return response.end(
      JSON.stringify({
        data,
        ...(api.says === 'has_more' ? { has_more: more } : {}),
        ...(api.says === 'total' ? { meta: { total: api.rows } } : {}),
        ...(api.says === 'pages' ? { meta: { total_pages: Math.ceil(api.rows / api.size) } } : {}),
        ...(api.says === 'next' ? { next: more ? end : null, links: more ? { next } : {} } : {}),
      }),
    )
  })
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.close()
    server.closeAllConnections()
  })

  it('are all read, each row once, or the reading is an error: whatever the API, and however it is asked', async () => {
    let good = 0
    const apis = fc.record<Api>({
      rows: fc.nat(20),
      size: fc.integer({ min: 1, max: 9 }),
      says: fc.constantFrom('has_more', 'total', 'pages', 'next', 'link'),
      missing: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(apis, fc.constantFrom(...ways), async (given, paging) => {
        api = given
        const source = http(url, { rows: 'data', ...(paging ? { paging } : {}) })
        const client = new HttpClient(source, new URL(url), new AbortController().signal)
        const ids: number[] = []
        try {
          for await (const { rows } of pagesOf(source, client, undefined))
            for (const { json = '' } of rows) ids.push(JSON.parse(json).id)
        } catch (error) {
          expect((error as Error).name).toBe('MoraineError')
          return
        }
        good++
        expect(ids).toEqual(Array.from({ length: given.rows }, (_, i) => i + 1))
      }),
      { seed, numRuns: amount(100, 600) },
    )
    // Most are neither refused nor empty.
    expect(good).toBeGreaterThan(amount(30, 200))
  })
})
