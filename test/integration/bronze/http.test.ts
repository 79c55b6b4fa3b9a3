import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { api } from '../../support/api.js'
import { Project, step } from '../../support/project.js'

const lake = (url: string, options: string, silver = '') =>
  Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { http, secret } from 'moraine/sources'
const raw = bronze('rows', { from: http('${url}', ${options}) })
${silver === '' ? '' : `const rows = silver('rows', { from: raw, ${silver} })`}
export default defineLake({ name: 'api', datasets: [${silver === '' ? 'raw' : 'rows'}] })
`,
  })

const ids = async (project: Project) =>
  (await project.query('SELECT id FROM bronze.rows ORDER BY CAST(id AS INT)')).map(({ id }) => id)

const errorOf = async (project: Project) => step(await project.run(), 'bronze.rows').error

/** Seven rows in pages of three. */
const rows = Array.from({ length: 7 }, (_, i) => ({ id: i + 1, at: `2026-01-0${i + 1}T00:00:00Z` }))
const cut = (start: number) => rows.slice(start, start + 3)
const all = rows.map(({ id }) => String(id))

describe('an API', () => {
  it.each([
    [
      'by page',
      "{ paging: { page: 'p' } }",
      (url: URL) => cut((Number(url.searchParams.get('p')) - 1) * 3),
    ],
    [
      'by offset',
      "{ paging: { offset: 'skip', limit: 'take', size: 3 } }",
      (url: URL) => cut(Number(url.searchParams.get('skip'))),
    ],
    [
      'by cursor',
      "{ rows: 'data.items', paging: { cursor: 'after', next: 'data.next' } }",
      (url: URL) => {
        const start = Number(url.searchParams.get('after') ?? 0)
        return { data: { items: cut(start), next: start + 3 < 7 ? start + 3 : null } }
      },
    ],
    [
      'by address',
      "{ rows: 'items', paging: { next: 'links.next' } }",
      (url: URL) => {
        const start = Number(url.searchParams.get('from') ?? 0)
        return {
          items: cut(start),
          links: start + 3 < 7 ? { next: `/rows?from=${start + 3}` } : {},
        }
      },
    ],
    [
      'by Link header',
      '{ paging: { link: true } }',
      (url: URL, response: ServerResponse) => {
        const start = Number(url.searchParams.get('from') ?? 0)
        const next = start + 3 < 7 ? `<${url.origin}/rows?from=${start + 3}>; rel="next", ` : ''
        response.setHeader('link', `${next}<${url.origin}/rows>; rel="first"`)
        return cut(start)
      },
    ],
  ])('is read in pages: %s', async (_, options, answer) => {
    const { url } = await api((_request, url, response) => answer(url, response))
    const project = await lake(`${url}/rows`, options)
    expect(await errorOf(project)).toBeUndefined()
    expect(await ids(project)).toEqual(all)
    // The same rows again are no news.
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('whose secret is not set is told of by a plan, which asks nothing', async () => {
    const project = await lake(
      'http://127.0.0.1:9/rows',
      "{ auth: { header: 'x-key', value: secret('env:SHOP_OF_NOBODY_KEY') } }",
    )
    const { stdout } = await project.cli('plan')
    expect(stdout).toContain(
      'the environment variable SHOP_OF_NOBODY_KEY is not set, and its requests need it',
    )
  })

  it('is asked for what is new; what comes again is taken once, and nothing of one moment is lost', async () => {
    let there = rows.slice(0, 3)
    const { url, asked } = await api((_, url) => {
      const since = url.searchParams.get('since') ?? ''
      return there.filter(({ at }) => at >= since)
    })
    const options = "{ cursor: { column: 'at', param: 'since', start: '2026-01-02T00:00:00Z' } }"
    const silver = "schema: z.object({ id: t.int(), at: t.timestamptz() }), key: 'id', cursor: 'at'"
    const project = await lake(`${url}/rows`, options, silver)
    expect(step(await project.run(), 'bronze.rows').rows).toBe(2)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    there = [...there, { id: 33, at: '2026-01-03T00:00:00Z' }, ...rows.slice(3, 5)]
    expect(step(await project.run(), 'bronze.rows').rows).toBe(3)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    expect(asked.map((path) => new URL(path, url).searchParams.get('since'))).toEqual([
      '2026-01-02T00:00:00Z',
      '2026-01-03T00:00:00Z',
      '2026-01-03T00:00:00Z',
      '2026-01-05T00:00:00Z',
    ])
    const kept = await project.query('SELECT id FROM silver.rows ORDER BY id')
    expect(kept.map(({ id }) => id)).toEqual([2, 3, 4, 5, 33])
  })

  it('that returns rows without a cursor in each run has them ingested once', async () => {
    const open = { id: 9, at: null }
    let there: { id: number; at: string | null }[] = [open, ...rows.slice(0, 2)]
    const { url } = await api((_, url) => {
      const since = url.searchParams.get('since') ?? ''
      return there.filter(({ at }) => at === null || at >= since)
    })
    const project = await lake(url, "{ cursor: { column: 'at', param: 'since' } }")
    expect(step(await project.run(), 'bronze.rows').rows).toBe(3)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    there = [open, ...rows.slice(0, 3)]
    expect(step(await project.run(), 'bronze.rows').rows).toBe(1)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    expect(await ids(project)).toEqual(['1', '2', '3', '9'])
  })

  it('one row of which is in the future is still asked for those that come meanwhile', async () => {
    const booked = { id: 9, at: '9999-12-31T00:00:00Z' }
    let there = [booked, ...rows.slice(0, 2)]
    const { url } = await api((_, url) => {
      const since = url.searchParams.get('since') ?? ''
      return there.filter(({ at }) => at >= since)
    })
    const project = await lake(url, "{ cursor: { column: 'at', param: 'since' } }")
    const first = step(await project.run(), 'bronze.rows')
    expect([first.rows, first.notes]).toEqual([
      3,
      ['1 row whose at lies in the future: read in each run'],
    ])
    there = [booked, ...rows.slice(0, 4)]
    expect(step(await project.run(), 'bronze.rows').rows).toBe(2)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    expect(await ids(project)).toEqual(['1', '2', '3', '4', '9'])
  })

  it('whose cursor has decimals is asked from the greatest number on', async () => {
    const { url, asked } = await api(() => [
      { id: 1, at: 9.5 },
      { id: 2, at: 13.25 },
    ])
    const project = await lake(url, "{ cursor: { column: 'at', param: 'since' } }")
    await project.run()
    await project.run()
    expect(new URL(asked[1] ?? '', url).searchParams.get('since')).toBe('13.25')
  })

  it('that returns more rows of one moment than are remembered is warned of', async () => {
    const { url } = await api(() =>
      Array.from({ length: 10_001 }, (_, id) => ({ id, at: '2026-01-01T00:00:00Z' })),
    )
    const project = await lake(url, "{ cursor: { column: 'at', param: 'since' } }")
    expect(step(await project.run(), 'bronze.rows').sourceWarnings?.join()).toMatch(
      /^10,001 rows have at 2026-01-01T00:00:00Z, and will be returned again: those beyond 10,000/,
    )
  })

  it.each(['json', 'jsonl'])('keeps the types and digits of nested numbers: %s', async (format) => {
    const lines = [
      '{"id":1,"at":"a","pos":{"lat":32.383276483316240,"n":18446744073709551616}}',
      '{"id":2,"at":"a","pos":{"lat":1.5}}',
    ]
    const { url } = await api(() => (format === 'json' ? `[${lines}]` : lines.join('\n')))
    const options = `{ format: '${format}', cursor: { column: 'at', param: 'since' } }`
    const silver =
      "schema: z.object({ id: t.int(), pos: t.struct({ lat: t.double() }) }), key: 'id'"
    const project = await lake(url, options, silver)
    await project.run()
    expect(await project.query('SELECT id, pos FROM bronze.rows ORDER BY id')).toEqual([
      { id: '1', pos: '{"lat":32.383276483316240,"n":18446744073709551616}' },
      { id: '2', pos: '{"lat":1.5}' },
    ])
    expect(await project.query('SELECT pos.lat FROM silver.rows ORDER BY id')).toEqual([
      { lat: 32.38327648331624 },
      { lat: 1.5 },
    ])
    // What has come before is known again.
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('that gives all rows each time: those that are gone there are gone here', async () => {
    let there = rows.slice(0, 3)
    const { url } = await api(() => there)
    const project = await lake(url, '{}', "schema: z.object({ id: t.int() }), key: 'id'")
    await project.run()
    there = rows.slice(1, 4)
    await project.run()
    expect(await project.query('SELECT id FROM silver.rows ORDER BY id')).toEqual([
      { id: 2 },
      { id: 3 },
      { id: 4 },
    ])
  })

  it.each([
    ['csv', 'text/csv', 'id,name\r\n1,"a, ""b"""\r\n2,\r\n3\r\n'],
    [
      'ndjson',
      'application/x-ndjson',
      '{"id":1,"name":"a, \\"b\\""}\n{"id":2,"name":null}\nnope\n',
    ],
  ])('may answer in %s, and packed', async (_, type, body) => {
    const { url } = await api((_request, _url, response) => {
      response.writeHead(200, { 'content-type': type, 'content-encoding': 'gzip' })
      response.end(gzipSync(body))
    })
    const project = await lake(url, '{}')
    await project.run()
    expect(
      await project.query(
        'SELECT id, name, _error IS NULL AS ok FROM bronze.rows ORDER BY _source_line',
      ),
    ).toEqual([
      { id: '1', name: 'a, "b"', ok: true },
      { id: '2', name: null, ok: true },
      { id: null, name: null, ok: false },
    ])
  })

  it('that has enough for now is asked again when it says so', async () => {
    let refused = 0
    const { url } = await api((_request, _url, response) => {
      refused++
      if (refused === 1) response.writeHead(429, { 'retry-after': '1' }).end()
      else if (refused === 2) response.writeHead(503).end()
      else if (refused === 3) response.destroy()
      else return rows
      return undefined
    })
    const start = Date.now()
    const project = await lake(url, '{}')
    expect(await errorOf(project)).toBeUndefined()
    expect(Date.now() - start).toBeGreaterThan(1000)
    expect(await ids(project)).toEqual(all)
  })

  it.each([
    ['a bearer', "{ bearer: () => 'tok3n-s3cret' }", 'authorization', 'Bearer tok3n-s3cret'],
    [
      'a password',
      "{ user: 'ada', password: () => 'tok3n-s3cret' }",
      'authorization',
      `Basic ${Buffer.from('ada:tok3n-s3cret').toString('base64')}`,
    ],
    ['a header', "{ header: 'x-key', value: () => 'tok3n-s3cret' }", 'x-key', 'tok3n-s3cret'],
  ])('is told who asks: %s; nothing of it is told elsewhere', async (_, auth, header, value) => {
    const stranger = await api((request) => {
      stolen.push(JSON.stringify(request.headers))
      return rows
    })
    const stolen: string[] = []
    const { url } = await api((request, url, response) => {
      if (request.headers[header] !== value) response.writeHead(403).end('tok3n-s3cret is wrong')
      else if (url.pathname === '/away')
        response.writeHead(302, { location: `http://localhost:${stranger.port}/` }).end()
      else return rows
      return undefined
    })
    const project = await lake(url, `{ auth: ${auth} }`)
    expect(await errorOf(project)).toBeUndefined()
    const away = await lake(`${url}/away`, `{ auth: ${auth}, allowPrivate: true }`)
    expect(await errorOf(away)).toBeUndefined()
    expect(stolen.join()).not.toMatch(/tok3n|Basic/)
    const wrong = await lake(
      url,
      `{ auth: { bearer: () => 'tok3n-s3cret' }, headers: { [${JSON.stringify(header)}]: () => 'wr0ng' } }`,
    )
    if (header !== 'authorization') {
      const error = await errorOf(wrong)
      expect(error?.message).toContain('it responds with 403: *** is wrong')
    }
  })

  it('that leads to another port of its own machine is not followed there, unless that is allowed', async () => {
    const other = await api(() => rows)
    const { url } = await api((_, __, response) => {
      response.writeHead(302, { location: `${other.url}/` }).end()
    })
    expect((await errorOf(await lake(url, '{}')))?.message).toContain('a private network')
    expect(other.asked).toEqual([])
    expect(await errorOf(await lake(url, '{ allowPrivate: true }'))).toBeUndefined()
  })

  it('that wants a token by OAuth gets one, and a new one when it is not valid any more', async () => {
    let given = 0
    const { url } = await api(async (request, url, response) => {
      if (url.pathname === '/token') {
        let form = ''
        for await (const chunk of request) form += chunk
        if (
          !form.includes('grant_type=client_credentials') ||
          !form.includes('client_secret=s%26t')
        )
          return response.writeHead(400).end()
        return { access_token: `token-${++given}`, token_type: 'bearer' }
      }
      if (request.headers.authorization === 'Bearer token-2') return rows
      return response.writeHead(401).end()
    })
    const auth = `{ tokenUrl: '${url}/token', clientId: 'me', clientSecret: () => 's&t', scope: 'read' }`
    const project = await lake(url, `{ auth: ${auth} }`)
    expect(await errorOf(project)).toBeUndefined()
    expect(await ids(project)).toEqual(all)
  })

  it.each([
    [
      'repeats a page for ever',
      "{ paging: { page: 'p' } }",
      () => rows,
      /page 2: it returns the same page again/,
    ],
    [
      'next page has been read before',
      "{ rows: 'r', paging: { next: 'n' } }",
      (url: URL) => ({ r: [{ id: url.search }], n: url.search === '?a' ? '/?b' : '/?a' }),
      /its next page has been read before/,
    ],
    [
      'never ends',
      "{ paging: { page: 'p' }, pages: 5 }",
      (url: URL) => [{ id: url.search }],
      /page 6: there are more than 5 pages/,
    ],
    [
      'responds with a web page',
      '{}',
      () => '<!DOCTYPE html><p>Log in',
      /it responds with a web page \(HTML\)/,
    ],
    [
      'has no rows where they should be',
      "{ rows: 'data' }",
      () => ({ rows: [] }),
      /it has nothing at data/,
    ],
    ['is cut off', '{}', () => '[{"id":1}', /the document ends in the middle/],
    [
      'is not there',
      '{}',
      (_: URL, response: ServerResponse) =>
        response.writeHead(404).end('{"error":"no such thing"}'),
      /it responds with 404: \{"error":"no such thing"\}/,
    ],
    [
      'redirects for ever',
      '{}',
      (_: URL, response: ServerResponse) => response.writeHead(301, { location: '/' }).end(),
      /redirects more than 5 times/,
    ],
    [
      'redirects to a private address',
      '{}',
      (_: URL, response: ServerResponse) =>
        response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
      /169.254.169.254 is an address of a private network/,
    ],
    [
      'redirects to a name of a private address',
      '{}',
      (url: URL, response: ServerResponse) =>
        response.writeHead(302, { location: `http://localhost:${url.port}/` }).end(),
      /localhost is an address of a private network/,
    ],
    [
      'redirects to a file',
      '{}',
      (_: URL, response: ServerResponse) =>
        response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      /it redirects to file:/,
    ],
    [
      'has a next page at a private address',
      "{ rows: 'r', paging: { next: 'n' } }",
      () => ({ r: rows, n: 'http://[fd00::1]/' }),
      /fd00::1 is an address of a private network/,
    ],
  ])('that %s is refused, and nothing is taken in', async (_, options, answer, message) => {
    const { url } = await api((_request, url, response) => answer(url, response))
    const project = await lake(url, options)
    expect((await errorOf(project))?.message).toMatch(message)
    expect((await project.state()).batches).toEqual({})
  })

  it('that does not answer is given up', async () => {
    const { url, asked } = await api(() => undefined)
    const project = await lake(url, "{ timeout: '1s' }")
    expect((await errorOf(project))?.message).toMatch(/it does not respond/)
    expect(asked).toHaveLength(6)
  })
})
