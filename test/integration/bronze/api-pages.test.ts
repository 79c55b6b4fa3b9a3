import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../../support/api.js'
import { Project, step } from '../../support/project.js'

const lakeOf = (url: string, options: string) =>
  Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { http } from 'moraine/sources'
const raw = bronze('rows', { from: http('${url}', ${options}) })
const rows = silver('rows', { from: raw, schema: z.object({ id: t.bigint() }), key: 'id' })
export default defineLake({ name: 'api', datasets: [rows] })
`,
  })

const idsIn = async (project: Project) =>
  (await project.query('SELECT CAST(id AS VARCHAR) AS id FROM silver.rows ORDER BY rows.id')).map(
    ({ id }) => id,
  )

const errorOf = async (project: Project) => step(await project.run(), 'bronze.rows').error

/** Seven rows, in pages of three. */
const rows = Array.from({ length: 7 }, (_, i) => ({ id: i + 1 }))
const all = rows.map(({ id }) => String(id))
const from = (start: number) => rows.slice(start, start + 3)

describe('an answer that says that there is more than was found', () => {
  it.each<[string, string, object, RegExp]>([
    [
      'has_more, with the next page elsewhere than said',
      "{ rows: 'data', paging: { cursor: 'starting_after', next: 'meta.next' } }",
      { has_more: true, next: '100', data: rows },
      /page 1: it says that there is more \(has_more is true\), but there is nothing at meta.next/,
    ],
    [
      'has_more, without paging',
      "{ rows: 'data' }",
      { has_more: true, data: rows },
      /has_more is true.*paging is not configured/,
    ],
    ['a total', "{ rows: 'data' }", { total: 8, data: rows }, /total is 8, and 7 rows were read/],
    [
      'a total as text',
      "{ rows: 'data' }",
      { meta: { total_count: '2350' }, data: rows },
      /meta.total_count is 2350/,
    ],
    [
      'pages',
      "{ rows: 'data' }",
      { pagination: { total_pages: 3 }, data: rows },
      /pagination.total_pages is 3, and 1 page was/,
    ],
    [
      'a next page at a usual place',
      "{ rows: 'items' }",
      { items: rows, links: { next: '/p2' } },
      /links.next is set/,
    ],
    [
      'a next page inside',
      "{ rows: 'items' }",
      { items: rows, _links: { next: { href: '/p2' } } },
      /_links.next/,
    ],
    [
      'that it is not the last one',
      "{ rows: 'items' }",
      { items: rows, isLast: false },
      /isLast is false/,
    ],
    [
      'a next page of a graph',
      "{ rows: 'data.orders.nodes' }",
      { data: { orders: { pageInfo: { hasNextPage: true }, nodes: rows } } },
      /data.orders.pageInfo.hasNextPage is true/,
    ],
    [
      'a total, after an empty page',
      "{ rows: 'hits.hits', paging: { offset: 'from', limit: 'size', size: 10 } }",
      { hits: { total: { value: 99, relation: 'eq' }, hits: [] } },
      /hits.total is 99, and 0 rows were read/,
    ],
  ])('%s is an error, and nothing is taken in', async (_, options, answer, message) => {
    const { url } = await api(() => answer)
    const project = await lakeOf(url, options)
    const error = await errorOf(project)
    expect(error?.message).toMatch(message)
    expect(error?.hint).toContain('ignoreMore')
    expect((await project.state()).batches).toEqual({})
  })

  it('says in a header that there is more: an error too', async () => {
    const { url } = await api((_request, url, response) => {
      response.setHeader('link', `<${url.origin}/?p=2>; rel="next"`)
      return rows
    })
    const error = await errorOf(await lakeOf(url, '{}'))
    expect(error?.message).toMatch(/Link has rel="next"/)
    expect(error?.hint).toContain('paging: { link: true }')
  })

  it('but means something else is read when that is said', async () => {
    const { url } = await api(() => ({ total: 5000, data: rows }))
    const project = await lakeOf(url, "{ rows: 'data', ignoreMore: ['total'] }")
    await project.run()
    expect(await idsIn(project)).toEqual(all)
  })

  it('and in the same breath that it is the last is believed: such a cursor is for another time', async () => {
    const { url } = await api(() => ({ has_more: false, next_cursor: 'abc', total: 9, data: rows }))
    const project = await lakeOf(url, "{ rows: 'data' }")
    await project.run()
    expect(await idsIn(project)).toEqual(all)
  })

  it('where a path is in no answer, and nothing says that there is more, the run warns', async () => {
    const { url } = await api(() => ({ data: rows }))
    const project = await lakeOf(
      url,
      "{ rows: 'data', paging: { cursor: 'after', next: 'meta.next' } }",
    )
    const found = step(await project.run(), 'bronze.rows')
    expect(found.outcome).toBe('done')
    expect(found.sourceWarnings).toEqual([
      'no response has anything at meta.next, where paging looks: 1 page was read',
    ])
  })
})

describe('pages end', () => {
  it.each<[string, string, (url: URL, response: ServerResponse) => unknown, number]>([
    [
      'where has_more is false, and go on after the last row until then',
      "{ rows: 'data', paging: { after: 'starting_after', column: 'id', more: 'has_more' } }",
      (url) => {
        const start = Number(url.searchParams.get('starting_after') ?? 0)
        return { data: from(start), has_more: start + 3 < 7 }
      },
      3,
    ],
    [
      'with an empty page, after the last row',
      "{ paging: { after: 'min', column: 'id' } }",
      (url) => from(Number(url.searchParams.get('min') ?? 0)),
      4,
    ],
    [
      'with a page that is shorter than what was asked for',
      "{ paging: { page: 'p', limit: 'n', size: 3, until: 'short' } }",
      (url) =>
        url.searchParams.get('n') === '3' ? from((Number(url.searchParams.get('p')) - 1) * 3) : [],
      3,
    ],
    [
      'with a 404 behind the last page',
      "{ paging: { page: 'p', until: 'not found' } }",
      (url, response) => {
        const found = from((Number(url.searchParams.get('p')) - 1) * 3)
        return found.length > 0 ? found : response.writeHead(404).end('no such page')
      },
      4,
    ],
    [
      'where has_more says so, though pages in between are empty',
      "{ rows: 'data', paging: { page: 'p', more: 'has_more' } }",
      (url) => {
        const page = Number(url.searchParams.get('p'))
        return { data: page === 2 ? [] : from(page === 1 ? 0 : (page - 2) * 3), has_more: page < 4 }
      },
      4,
    ],
  ])('%s', async (_, options, answer, requests) => {
    const { url, asked } = await api((_request, url, response) => answer(url, response))
    const project = await lakeOf(url, options)
    expect(await errorOf(project)).toBeUndefined()
    expect(await idsIn(project)).toEqual(all)
    expect(asked).toHaveLength(requests)
  })

  it('after the last row by ids of more digits than a number of JavaScript keeps', async () => {
    const ids = ['9007199254740993', '9007199254740995', '9007199254740997']
    const { url } = await api((_, url) => {
      const start = ids.indexOf(url.searchParams.get('since') ?? '') + 1
      return start < 3 ? `[{"id":${ids[start]}}]` : '[]'
    })
    const project = await lakeOf(url, "{ paging: { after: 'since', column: 'id' } }")
    await project.run()
    expect(await idsIn(project)).toEqual(ids)
  })

  it.each<[string, string, (url: URL) => unknown, RegExp]>([
    [
      'never, as the parameter is not known, and each answer has its time',
      "{ rows: 'data', paging: { page: 'seite' } }",
      () => ({ at: Math.random(), data: rows }),
      /page 2: it returns the same page again/,
    ],
    [
      'never, as the value of the next page stays',
      "{ rows: 'data', paging: { cursor: 'c', next: 'next' } }",
      () => ({ data: [{ id: Math.random() }], next: 'abc' }),
      /its next page has been read before/,
    ],
    [
      'never, as the last row stays',
      "{ paging: { after: 'c', column: 'id' } }",
      (url) => [{ id: 7, at: url.search }],
      /its next page has been read before/,
    ],
    [
      'never, as empty pages follow each other',
      "{ rows: 'data', paging: { page: 'p', more: 'has_more' } }",
      () => ({ data: [], has_more: true }),
      /100 pages in a row had no rows/,
    ],
    [
      'at a page where the last row lacks the column',
      "{ paging: { after: 'c', column: 'uid' } }",
      () => rows,
      /its last row has no 'uid'/,
    ],
    [
      'short, while the answer says that there is more: the server has a limit of its own',
      "{ rows: 'data', paging: { page: 'p', limit: 'n', size: 1000, until: 'short' } }",
      () => ({ data: rows, total: 20 }),
      /total is 20, and 7 rows were read/,
    ],
    [
      'at once, with 404 for the first page',
      "{ paging: { page: 'p', until: 'not found' } }",
      () => undefined,
      /it responds with 404/,
    ],
  ])('%s: an error', async (_, options, answer, message) => {
    const { url } = await api((_request, url, response) => {
      const found = answer(url)
      return found ?? response.writeHead(404).end()
    })
    const project = await lakeOf(url, options)
    expect((await errorOf(project))?.message).toMatch(message)
    expect((await project.state()).batches).toEqual({})
  })
})

describe('what an answer is', () => {
  const csv = 'id,name\n1,Ada\n2,Grace\n'
  const xml = '<?xml version="1.0"?>\n<rows>\n<row><id>1</id></row>\n<row><id>2</id></row>\n</rows>'
  const page = '<!DOCTYPE html>\n<html><body>a,b\n1,2\n</body></html>'

  it.each<[string, string, string, string, RegExp]>([
    [
      'XML that is called CSV',
      '{}',
      'text/csv',
      xml,
      /its content type is text\/csv, but it starts like XML: <\?xml/,
    ],
    [
      'XML where CSV is defined',
      "{ format: 'csv' }",
      'application/xml',
      xml,
      /the definition says CSV, but it starts like XML/,
    ],
    [
      'XML that is called JSON',
      '{}',
      'application/json',
      xml,
      /its content type is application\/json, but it starts like XML/,
    ],
    [
      'JSON where CSV is defined',
      "{ format: 'csv' }",
      'text/csv',
      '{"error":"no,such\\nthing"}',
      /the definition says CSV, but it starts like JSON/,
    ],
    [
      'JSON where XML is defined',
      "{ format: 'xml' }",
      'text/xml',
      '[{"id":1}]',
      /the definition says XML, but it starts like JSON/,
    ],
    [
      'CSV that is called JSON',
      '{}',
      'application/json',
      csv,
      /its content type is application\/json, but it starts like neither/,
    ],
    [
      'CSV that is called text',
      '{}',
      'text/plain',
      csv,
      /its format is unknown \(its content type is text\/plain\)/,
    ],
    ['a web page that looks delimited', "{ format: 'csv' }", 'text/csv', page, /web page \(HTML\)/],
    [
      'a web page behind an XML declaration',
      "{ format: 'xml' }",
      'text/xml',
      `<?xml version="1.0"?>${page}`,
      /web page/,
    ],
    ['a fragment of a web page', "{ format: 'csv' }", 'text/html', '<div>a,b</div>', /web page/],
    ['a zip', "{ format: 'csv' }", 'text/csv', 'PK\u0003\u0004,\n1,2', /but it is a zip/],
    [
      'XML with a DTD',
      "{ format: 'xml' }",
      'text/xml',
      '<!DOCTYPE rows [<!ENTITY e SYSTEM "file:///etc/passwd">]><rows><row><id>&e;</id></row></rows>',
      /document type definition/,
    ],
    [
      'an encoding that it does not have',
      "{ format: 'csv' }",
      'text/csv; charset=utf-16',
      'i',
      /it claims to be encoded as utf-16/,
    ],
  ])(
    '%s is an error that names both, and no row of it is taken in',
    async (_, options, type, body, message) => {
      const { url } = await api((_request, _url, response) => {
        response.setHeader('content-type', type)
        return body
      })
      const project = await lakeOf(url, options)
      expect((await errorOf(project))?.message).toMatch(message)
      expect((await project.state()).batches).toEqual({})
    },
  )

  it.each<[string, string, string, string | Buffer, string[]]>([
    ['XML, as its type says', '{}', 'application/xml', xml, ['1', '2']],
    ['XML, as its first bytes say', "{ rows: 'row' }", 'text/plain', xml, ['1', '2']],
    [
      'XML with rows deep inside',
      "{ format: 'xml', rows: 'row' }",
      'text/xml',
      `<a><b>${xml.replace(/<\?.*\?>/, '')}</b></a>`,
      ['1', '2'],
    ],
    [
      'CSV that its server calls a web page, as the definition says',
      "{ format: 'csv' }",
      'text/html',
      csv,
      ['1', '2'],
    ],
    ['JSON of a server that does not know of types', '{}', 'text/plain', '[{"id":1}]', ['1']],
    [
      'CSV in another encoding',
      '{}',
      'text/csv; charset=iso-8859-1',
      Buffer.from('id,ö\n1,ü\x80\n', 'latin1'),
      ['1'],
    ],
    ['an answer without content', "{ rows: 'data' }", '', '', []],
  ])('is read as %s', async (_, options, type, body, ids) => {
    const { url } = await api((_request, _url, response) => {
      if (type) response.setHeader('content-type', type)
      response.writeHead(type ? 200 : 204).end(body)
    })
    const project = await lakeOf(url, options.replace('{', "{ columns: ['id'], "))
    expect(await errorOf(project)).toBeUndefined()
    expect(await idsIn(project)).toEqual(ids)
    if (type.includes('8859'))
      expect(await project.query('SELECT "ö" AS o FROM bronze.rows')).toEqual([{ o: 'ü€' }])
  })

  it('XML goes on where an element or a link of its own says so', async () => {
    const entry = (id: number) => `<entry><id>${id}</id></entry>`
    const { url } = await api((_request, url, response) => {
      const n = Number(url.searchParams.get('n') ?? 0)
      response.setHeader('content-type', 'application/atom+xml')
      const next =
        n < 2 ? `<link rel="next" href="/?n=${n + 1}"/><meta><next>${n + 1}</next></meta>` : ''
      return `<feed><link rel="self" href="/"/>${next}${n === 1 ? '' : entry(n)}</feed>`
    })
    for (const paging of ['{ link: true }', "{ cursor: 'n', next: 'meta.next' }"]) {
      const project = await lakeOf(url, `{ rows: 'entry', paging: ${paging} }`)
      expect(await errorOf(project)).toBeUndefined()
      expect(await idsIn(project)).toEqual(['0', '2'])
    }
    // Without paging the element says that there is more.
    expect((await errorOf(await lakeOf(url, "{ rows: 'entry' }")))?.message).toMatch(
      /meta.next is set/,
    )
  })
})

describe('a request with a body', () => {
  it('is sent as JSON; pages and what is new are asked for in it', async () => {
    const bodies: unknown[] = []
    const { url } = await api(async (request) => {
      const body = await jsonOf(request)
      bodies.push([request.method, body])
      return { results: from(body.page.from), total: 7 }
    })
    const options = `{ rows: 'results', body: { filter: { live: true, key: () => 's3cret-key' } },
      paging: { offset: 'page.from' }, cursor: { column: 'id', param: 'filter.since' } }`
    const project = await lakeOf(url, options)
    expect(await errorOf(project)).toBeUndefined()
    expect(await idsIn(project)).toEqual(all)
    await project.run()
    const filter = { live: true, key: 's3cret-key' }
    expect(bodies.slice(0, 3)).toEqual([
      ['POST', { filter, page: { from: 0 } }],
      ['POST', { filter, page: { from: 3 } }],
      ['POST', { filter, page: { from: 6 } }],
    ])
    // A cursor that is a number in JSON is asked for as a number.
    expect(bodies[4]).toEqual(['POST', { filter: { ...filter, since: 7 }, page: { from: 0 } }])
    expect(JSON.stringify(await project.state())).not.toContain('s3cret')
  })

  it('never goes elsewhere, by a redirect or as a next page; to the same place it does', async () => {
    const stolen: string[] = []
    const stranger = await api(async (request) => {
      for await (const chunk of request) stolen.push(String(chunk))
      return rows
    })
    const { url } = await api(async (request, url, response) => {
      const away = `http://localhost:${stranger.port}/`
      if (url.pathname === '/away') return response.writeHead(307, { location: away }).end()
      if (url.pathname === '/moved') return response.writeHead(308, { location: '/' }).end()
      if (url.pathname === '/next') return { data: rows, next: away }
      return (await jsonOf(request)).q === 's3cret' ? { data: rows } : { data: [] }
    })
    const options =
      "{ rows: 'data', allowPrivate: true, body: { q: () => 's3cret' }, paging: { next: 'next' } }"
    for (const path of ['/away', '/next'])
      expect((await errorOf(await lakeOf(url + path, options)))?.message).toMatch(
        /it redirects to http:\/\/localhost:\d+, but request bodies are not sent to other hosts/,
      )
    expect(stolen).toEqual([])
    const moved = await lakeOf(`${url}/moved`, options)
    await moved.run()
    expect(await idsIn(moved)).toEqual(all)
  })

  it('asks GraphQL, page by page by its variables', async () => {
    const asked: unknown[] = []
    const { url } = await api(async (request) => {
      const { query, variables } = await jsonOf(request)
      asked.push(variables)
      const start = Number(variables.after ?? 0)
      const pageInfo = { hasNextPage: start + 3 < 7, endCursor: String(start + 3) }
      return query.startsWith('query') ? { data: { rows: { nodes: from(start), pageInfo } } } : {}
    })
    const options = `{ graphql: { query: 'query ($after: String) { rows(after: $after) { nodes { id } } }', variables: { shop: 'x' } },
      rows: 'data.rows.nodes', paging: { cursor: 'after', next: 'data.rows.pageInfo.endCursor', more: 'data.rows.pageInfo.hasNextPage' } }`
    const project = await lakeOf(url, options)
    expect(await errorOf(project)).toBeUndefined()
    expect(await idsIn(project)).toEqual(all)
    expect(asked).toEqual([{ shop: 'x' }, { shop: 'x', after: '3' }, { shop: 'x', after: '6' }])
  })

  it('errors of GraphQL are errors, though HTTP says that all is well; a limit is waited for', async () => {
    let limited = 0
    const { url } = await api(async (_request: IncomingMessage, url) => {
      if (url.pathname === '/limit' && limited++ === 0)
        return { errors: [{ type: 'RATE_LIMITED', message: 'slow down' }] }
      if (url.pathname === '/limit') return { data: { rows } }
      return { data: { rows }, errors: [{ message: 'no such field', path: ['rows', 3] }] }
    })
    const options = "{ graphql: { query: '{ rows { id } }' }, rows: 'data.rows' }"
    const project = await lakeOf(url, options)
    expect((await errorOf(project))?.message).toMatch(
      /it responds with errors: no such field at rows.3/,
    )
    expect((await project.state()).batches).toEqual({})
    const limits = await lakeOf(`${url}/limit`, options)
    await limits.run()
    expect(await idsIn(limits)).toEqual(all)
  })
})

describe('a definition of an API that can not work', () => {
  it('is refused with all of its mistakes', async () => {
    const project = await lakeOf(
      'http://127.0.0.1:1',
      `{ method: 'GET', body: 'q=1', parametersIn: 'body', maxShrink: 50,
        paging: { page: 'p', next: 'n', until: 'short', limit: 'n' } as any }`,
    )
    const error = await project.load().catch((error) => String(error.message))
    for (const message of [
      'maxShrink must be a fraction from 0 to 1',
      'a request with a body must be a POST, not a GET',
      'parameters can only be sent in a JSON body',
      'paging has page and next',
      'limit is the parameter that requests size rows',
      "until: 'short' needs the page size",
    ])
      expect(error).toContain(message)
  })
})

describe('an API that has no rows', () => {
  it('yet lets its tables wait; once they were there, they are gone', async () => {
    let there: object[] = []
    const { url } = await api(() => there)
    const project = await lakeOf(url, '{}')
    const first = await project.run()
    expect(first.outcome).toBe('done')
    expect(step(first, 'silver.rows').reason).toBe('bronze.rows has no data yet')
    there = rows
    await project.run()
    there = []
    expect((await project.run()).outcome).toBe('done')
    expect(await idsIn(project)).toEqual([])
  })
})

describe('an answer that says that it failed, though HTTP says that all is well', () => {
  it.each<[string, string, object, RegExp]>([
    ['error', "{ rows: 'data' }", { data: [], error: 'internal' }, /error is internal/],
    ['an error alone', "{ rows: 'data' }", { error: { code: 7 } }, /error is {"code":7}/],
    ['an error where a row may be', '{}', { error: 'rate limited' }, /error is rate limited/],
    ['errors', "{ rows: 'data' }", { data: null, errors: ['no'] }, /errors is \["no"\]/],
    ['success', "{ rows: 'data' }", { success: false, data: [] }, /success is false/],
    ['ok', "{ rows: 'channels' }", { ok: false, channels: [], error: 'x' }, /ok is false/],
    ['status', "{ rows: 'data' }", { status: 'error', data: [] }, /status is 'error'/],
  ])('says so by %s', async (_, options, answer, message) => {
    const { url } = await api(() => answer)
    const error = await errorOf(await lakeOf(url, options))
    expect(error?.message).toMatch(message)
  })

  it.each<[string, string, object]>([
    ['no error', "{ rows: 'data' }", { data: [], error: null, errors: [], success: true }],
    ['a word for none', "{ rows: 'data' }", { data: [], error: '', status: 'ok' }],
    [
      'what the definition ignores',
      "{ rows: 'data', ignoreMore: ['error'] }",
      { data: [], error: 'x' },
    ],
    ['rows', "{ rows: 'data' }", { data: rows, errors: ['one of them was slow'] }],
    ['a row with an error of its own', '{}', { id: 7, error: 'timeout', status: 'failed' }],
  ])('takes an answer with %s', async (_, options, answer) => {
    const { url } = await api(() => answer)
    expect(await errorOf(await lakeOf(url, options))).toBeUndefined()
  })

  it('is not the end of the pages, and an object is no row among lists', async () => {
    const { url } = await api((_request, { searchParams }) =>
      searchParams.get('page') === '1' ? rows : { id: 0, request: Math.random() },
    )
    const project = await lakeOf(url, "{ paging: { page: 'page' } }")
    expect((await errorOf(project))?.message).toMatch(
      /page 2: it is an object, but the pages before were/,
    )
  })
})
