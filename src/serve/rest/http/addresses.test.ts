import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { principal } from '../../../define/access/principal.js'
import { createBranch } from '../../../log/branch/named.js'
import { CommitLog } from '../../../log/log.js'
import { MemoryStorage } from '../../../storage/memory.js'
import { catalog } from '../catalog.js'

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
const version = {
  'version-id': 1,
  'timestamp-ms': 1,
  'schema-id': 0,
  summary: {},
  'default-namespace': ['my team'],
  representations: [{ type: 'sql', sql: 'SELECT 1 AS id', dialect: 'spark' }],
}

/** As `java.net.URLEncoder` does it, which Iceberg's Java client uses up to version 1.11. */
const asJava = (...levels: string[]) =>
  encodeURIComponent(levels.join('\u001f')).replaceAll('%20', '+')

/** As clients that make addresses by RFC 3986 do it, which Iceberg's for Rust and Go are. */
const asRust = (...levels: string[]) =>
  encodeURIComponent(levels.join('\u001f')).replaceAll('%2B', '+')

const asOthers = (...levels: string[]) => encodeURIComponent(levels.join('\u001f'))

/** A lake whose names have spaces and pluses, below a path of the server, with a branch. */
async function spaced(client?: string) {
  const storage = new MemoryStorage()
  const access = [principal('team', { token: 'team', write: ['"my team".*'] })]
  const app = new Hono().route('/deep/iceberg', catalog(storage, { token: 'x', access }))
  const ask = async (method: string, path: string, body?: object, token = 'x') => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(client === undefined ? {} : { 'x-client-version': client }),
    }
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
    const answer = await app.request(`/deep/iceberg/v1/${path}`, init)
    const text = await answer.text()
    return { status: answer.status, json: (text ? JSON.parse(text) : undefined) as any }
  }
  const levels = [['my team'], ['my team', 'c++ jobs'], ['my+team']]
  for (const namespace of levels) {
    expect((await ask('POST', 'namespaces', { namespace })).status).toBe(200)
    const tables = `namespaces/${asOthers(...namespace)}/tables`
    const table = { name: 'daily sales', schema, properties: { of: namespace.join('.') } }
    expect((await ask('POST', tables, table)).status).toBe(200)
    expect((await ask('POST', tables, { name: '1+1', schema })).status).toBe(200)
  }
  const log = new CommitLog(storage)
  await createBranch(log, 'dev', await log.head(), { author: 'ada', run: null })
  return { ask, levels, log }
}

describe.each([
  ['Iceberg’s Java client up to 1.11', asJava, 'Apache Iceberg 1.11.0 (commit 0123456)'],
  ['Iceberg’s Java client behind a proxy that keeps its version', asJava, undefined],
  ['Iceberg’s clients for Rust and Go', asRust, '0.14.1'],
  ['other clients', asOthers, undefined],
])('names with spaces and pluses, as %s send them', (_, encoded, client) => {
  it('are found on main and on branches, by both kinds of addresses', async () => {
    const { ask, levels } = await spaced(client)
    for (const namespace of levels) {
      const [first = '', ...rest] = namespace
      for (const [base, named] of [
        ['', namespace],
        ['dev/', namespace],
        ['', [`${first}@dev`, ...rest]],
      ] as const) {
        const at = `${base}namespaces/${encoded(...named)}`
        expect((await ask('GET', at)).json.namespace).toEqual(named)
        const { json } = await ask('GET', `${at}/tables/${encoded('daily sales')}`)
        expect(json.metadata.properties).toEqual({ of: namespace.join('.') })
        expect((await ask('HEAD', `${at}/tables/${encoded('1+1')}`)).status).toBe(204)
      }
    }
    const below = await ask('GET', `namespaces?parent=${asOthers('my team')}`)
    expect(below.json.namespaces).toEqual([['my team', 'c++ jobs']])
  })

  it('are changed and dropped, by whoever may, and nothing else is', async () => {
    const { ask, log } = await spaced(client)
    const team = `namespaces/${encoded('my team')}`
    const jobs = `namespaces/${encoded('my team', 'c++ jobs')}`
    const change = { updates: [{ action: 'set-properties', updates: { a: 'b' } }] }
    const other = `namespaces/${encoded('my+team')}/tables/${encoded('daily sales')}`
    const view = { name: 'a view', schema, properties: {}, 'view-version': version }
    for (const [method, path, body, status] of [
      ['POST', `${team}/tables/${encoded('daily sales')}`, change, 200],
      ['POST', `${team}/views`, view, 200],
      ['DELETE', `${team}/views/${encoded('a view')}`, undefined, 204],
      ['DELETE', `${jobs}/tables/${encoded('daily sales')}`, undefined, 204],
      ['DELETE', `${jobs}/tables/${encoded('1+1')}`, undefined, 204],
      ['DELETE', jobs, undefined, 204],
      ['POST', other, change, 404],
      ['DELETE', other, undefined, 404],
    ] as const)
      expect([path, (await ask(method, path, body, 'team')).status]).toEqual([path, status])
    expect(Object.keys((await log.head()).external?.relations ?? {})).toEqual([
      'my team\u001fdaily sales',
      'my team\u001f1+1',
      'my+team\u001fdaily sales',
      'my+team\u001f1+1',
    ])
  })
})

it('says of an address that is not percent-encoded UTF-8 that it must be', async () => {
  const { ask } = await spaced()
  for (const path of ['namespaces/%ff', 'namespaces/my+team/tables/100%'])
    expect((await ask('GET', path)).json.error).toMatchObject({
      code: 400,
      message: expect.stringContaining('in the address is not percent-encoded UTF-8'),
    })
})
