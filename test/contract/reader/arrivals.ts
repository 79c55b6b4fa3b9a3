import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { vi } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import type { HttpSource } from '../../../src/define/source.js'
import { api } from '../../support/api.js'
import { csv, jsonLines, place, xml } from './formats.js'
import { type Filled, type Reader, type Row, SECRET } from './suite.js'

/** Rows that others bring: into an inbox, and as requests. */
export const inboxReader: Reader = {
  name: 'an inbox',
  holds: 'text',
  unreadable: 'discarded',
  fill: async () => {
    let n = 0
    const drop = (project: { folder: string }, ending: string, content: string | Uint8Array) =>
      place(join(project.folder, 'lake/bronze/landing/orders', `${++n}.${ending}`), content)
    return {
      from: "inbox({ settle: '0ms' })",
      imports: 'inbox',
      put: (project, rows) => drop(project, 'csv', csv(rows)),
      damage: async (project) => {
        await drop(project, 'json', '[{"id": 9000, "amount": "1.')
        return async () => {}
      },
    }
  },
}

export const sentReader: Reader = {
  name: 'rows that are sent',
  holds: 'text',
  unreadable: 'set aside',
  fill: async () => ({
    from: `ingest({ token: '${SECRET}' })`,
    imports: 'ingest',
    put: async (project, rows) => {
      await new Landing(project.storage, 'orders').write([
        { key: `request-${rows[0]?.id}`, rows: rows.map((row) => JSON.stringify(row)) },
      ])
    },
    damage: async (project) => {
      const name = `${String(Date.now()).padStart(15, '0')}-000000-0badf00d.jsonl`
      await project.storage.write(`bronze/landing/orders/${name}`, Buffer.from('{"format": 2, "re'))
      return async () => {}
    },
  }),
}

type Format = NonNullable<HttpSource['format']>

const answers: Record<Format, [type: string, write: (rows: readonly Row[]) => string]> = {
  json: ['application/json', (rows) => JSON.stringify(rows)],
  jsonl: ['application/jsonl', jsonLines],
  csv: ['text/csv', csv],
  xml: ['application/xml', xml],
}

interface Served {
  format: Format
  options: string
  /** Which of all rows a request asks for. */
  asked: (url: URL, all: readonly Row[]) => readonly Row[]
}

/** An API that wants a token, whose rows a test adds to. */
async function served({ format, options, asked }: Served): Promise<Filled> {
  vi.stubEnv('CONTRACT_TOKEN', SECRET)
  const all: Row[] = []
  let isDamaged = false
  const [type, write] = answers[format]
  const { url } = await api((request, address, response) => {
    response.setHeader('content-type', type)
    if (request.headers.authorization !== `Bearer ${SECRET}`) response.statusCode = 401
    const body = write(asked(address, all))
    if (!isDamaged) return response.statusCode === 401 ? 'no token' : body
    response.statusCode = 403
    return told(request)
  })
  return {
    from: `http('${url}/orders', { format: '${format}', auth: { bearer: secret('env:CONTRACT_TOKEN') }, ${options} })`,
    imports: 'http, secret',
    put: async (_, rows) => {
      all.push(...rows)
    },
    damage: async () => {
      isDamaged = true
      return async () => {
        isDamaged = false
      }
    },
  }
}

/** All that a request says. */
const told = ({ headers, url }: IncomingMessage) => JSON.stringify({ ...headers, url })

const SIZE = 5

const apiReader = (name: string, source: Served, more: Partial<Reader> = {}): Reader => ({
  name,
  holds: 'text',
  unreadable: 'refused',
  fill: () => served(source),
  refusing: async () => {
    vi.stubEnv('CONTRACT_TOKEN', SECRET)
    const { url } = await api((request, _, response) => {
      response.statusCode = 400
      return told(request)
    })
    return {
      from: `http('${url}/orders', { headers: { 'x-key': secret('env:CONTRACT_TOKEN') }, params: { key: secret('env:CONTRACT_TOKEN') } })`,
      imports: 'http, secret',
    }
  },
  hanging: async () => {
    let isAsked = () => {}
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    const { url } = await api(() => {
      isAsked()
      return new Promise(() => {})
    })
    return { from: `http('${url}/orders')`, imports: 'http', asked }
  },
  ...more,
})

const page = (number: number, all: readonly Row[]) => all.slice(SIZE * number, SIZE * (number + 1))

export const apiReaders: readonly Reader[] = [
  ...(Object.keys(answers) as Format[]).map((format) =>
    apiReader(
      `an API that answers ${format}`,
      { format, options: '', asked: (_, all) => all },
      { givesAll: true },
    ),
  ),
  apiReader(
    'an API with pages',
    {
      format: 'json',
      options: "paging: { page: 'page' }",
      asked: ({ searchParams }, all) => page(Number(searchParams.get('page') ?? 1) - 1, all),
    },
    { givesAll: true },
  ),
  apiReader('an API with a cursor', {
    format: 'json',
    options: "cursor: { column: 'id', param: 'since' }",
    asked: ({ searchParams }, all) =>
      all.filter(({ id }) => id >= Number(searchParams.get('since') ?? 0)),
  }),
]
