import { describe, expect, it } from 'vitest'
import {
  access,
  at,
  type Name,
  root,
  SharedLake,
  schema,
  store,
  version,
} from '../../../test/support/shared-lake.js'
import { CommitLog } from '../../log/log.js'
import { catalog } from './catalog.js'
import { endpoints } from './http/routes.js'

/** What each route is asked with for a table or view of a namespace that is there. */
type Matrix = Record<
  string,
  {
    needs: 'read' | 'write'
    kind?: 'view'
    path: string
    body?: (lake: SharedLake, at: string) => Promise<object> | object
  }
>
const registered = async (lake: SharedLake, at: string) => {
  const table = await lake.table(`external/${at}/written`, 'a')
  return { name: 'registered', 'metadata-location': lake.storage.locate(table.file as string) }
}
const registeredView = async (lake: SharedLake, at: string) => {
  const { json } = await lake.ask('operator', 'GET', `namespaces/${at}/views/v`)
  return { name: 'again', 'metadata-location': json['metadata-location'] }
}
const ns = 'GET /v1/{prefix}/namespaces/{namespace}'
const matrix: Matrix = {
  'GET /v1/{prefix}/namespaces': { needs: 'read', path: 'namespaces?parent=NS' },
  'POST /v1/{prefix}/namespaces': {
    needs: 'write',
    path: 'namespaces',
    body: () => ({ namespace: ['NS', 'below'] }),
  },
  [ns]: { needs: 'read', path: 'namespaces/NS' },
  [ns.replace('GET', 'HEAD')]: { needs: 'read', path: 'namespaces/NS' },
  [ns.replace('GET', 'DELETE')]: { needs: 'write', path: 'namespaces/NS' },
  [`${ns.replace('GET', 'POST')}/properties`]: {
    needs: 'write',
    path: 'namespaces/NS/properties',
    body: () => ({ updates: { a: 'b' } }),
  },
  [`${ns}/tables`]: { needs: 'read', path: 'namespaces/NS/tables' },
  [`${ns.replace('GET', 'POST')}/tables`]: {
    needs: 'write',
    path: 'namespaces/NS/tables',
    body: () => ({ name: 'new', schema }),
  },
  [`${ns}/tables/{table}`]: { needs: 'read', path: 'namespaces/NS/tables/scores' },
  [`${ns.replace('GET', 'HEAD')}/tables/{table}`]: {
    needs: 'read',
    path: 'namespaces/NS/tables/scores',
  },
  [`${ns.replace('GET', 'POST')}/tables/{table}`]: {
    needs: 'write',
    path: 'namespaces/NS/tables/scores',
    body: () => ({ updates: [] }),
  },
  [`${ns.replace('GET', 'DELETE')}/tables/{table}`]: {
    needs: 'write',
    path: 'namespaces/NS/tables/scores',
  },
  [`${ns}/tables/{table}/credentials`]: {
    needs: 'read',
    path: 'namespaces/NS/tables/scores/credentials',
  },
  [`${ns.replace('GET', 'POST')}/tables/{table}/sign`]: {
    needs: 'read',
    path: 'namespaces/NS/tables/scores/sign',
    body: async (lake, at) => {
      const { 'metadata-location': location } = await lake.metadata('operator', `${at}.scores`)
      const uri = location.replace(root, `${store}/lakes/lake`)
      return { method: 'GET', uri, headers: {} }
    },
  },
  [`${ns.replace('GET', 'POST')}/register`]: {
    needs: 'write',
    path: 'namespaces/NS/register',
    body: registered,
  },
  [`${ns.replace('GET', 'POST')}/tables/{table}/metrics`]: {
    needs: 'read',
    path: 'namespaces/NS/tables/scores/metrics',
    body: () => ({}),
  },
  'POST /v1/{prefix}/tables/rename': {
    needs: 'write',
    path: 'tables/rename',
    body: () => ({ source: at('scores', 'NS'), destination: at('renamed', 'NS') }),
  },
  'POST /v1/{prefix}/transactions/commit': {
    needs: 'write',
    path: 'transactions/commit',
    body: () => ({ 'table-changes': [{ identifier: at('scores', 'NS'), updates: [] }] }),
  },
  [`${ns.replace('GET', 'POST')}/register-view`]: {
    needs: 'write',
    kind: 'view',
    path: 'namespaces/NS/register-view',
    body: registeredView,
  },
  [`${ns}/views`]: { needs: 'read', path: 'namespaces/NS/views' },
  [`${ns.replace('GET', 'POST')}/views`]: {
    needs: 'write',
    kind: 'view',
    path: 'namespaces/NS/views',
    body: () => ({ name: 'w', schema, properties: {}, 'view-version': version }),
  },
  [`${ns}/views/{view}`]: { needs: 'read', kind: 'view', path: 'namespaces/NS/views/v' },
  [`${ns.replace('GET', 'HEAD')}/views/{view}`]: {
    needs: 'read',
    kind: 'view',
    path: 'namespaces/NS/views/v',
  },
  [`${ns.replace('GET', 'POST')}/views/{view}`]: {
    needs: 'write',
    kind: 'view',
    path: 'namespaces/NS/views/v',
    body: () => ({ updates: [{ action: 'set-properties', updates: { a: 'b' } }] }),
  },
  [`${ns.replace('GET', 'DELETE')}/views/{view}`]: {
    needs: 'write',
    kind: 'view',
    path: 'namespaces/NS/views/v',
  },
  'POST /v1/{prefix}/views/rename': {
    needs: 'write',
    kind: 'view',
    path: 'views/rename',
    body: () => ({ source: at('v', 'NS'), destination: at('w', 'NS') }),
  },
}

describe('each route', () => {
  it('is one that is looked at here', () => {
    expect(Object.keys(matrix).sort()).toEqual([...endpoints].sort())
  })

  it.each(endpoints)('%s is for who may, and shows nothing to others', async (endpoint) => {
    const [method = ''] = endpoint.split(' ')
    const { needs, path, body } = matrix[endpoint] as Matrix[string]
    const ask = async (lake: SharedLake, who: Name, namespace: string) => {
      const made = await body?.(lake, namespace === 'nowhere' ? 'ml' : namespace)
      const named = (text: string) => text.replaceAll('NS', namespace)
      return lake.ask(who, method, named(path), made && JSON.parse(named(JSON.stringify(made))))
    }
    const lake = await SharedLake.create()
    const before = (await new CommitLog(lake.storage).head()).number
    // What is there and may not be read, and what is not there, can't be told apart.
    const [hidden, missing] = [await ask(lake, 'hr', 'ml'), await ask(lake, 'hr', 'nowhere')]
    expect(hidden.status).toBe(missing.status)
    expect(hidden.text.replaceAll('ml', 'nowhere')).toBe(missing.text)
    expect([403, 404]).toContain(hidden.status)
    const reader = await ask(lake, 'analyst', 'ml')
    if (needs === 'write') {
      expect(reader.status).toBe(403)
      expect(reader.json.error.message).toMatch(/^analyst may not .*: access in lake.ts does not/)
    } else expect(reader.status).toBeLessThan(300)
    expect((await new CommitLog(lake.storage).head()).number).toBe(before)
    const nobody = await lake.ask('nobody' as Name, method, path.replaceAll('NS', 'ml'))
    expect(nobody.status).toBe(401)
    expect(lake.calls.at(-1)).toMatchObject({
      ...{ principal: null, route: endpoint, status: 401, names: [] },
      error: 'NotAuthorizedException',
    })
    const writer = await ask(lake, 'ml', 'ml')
    // A namespace with tables is not dropped, whoever asks.
    const isFull = endpoint.startsWith('DELETE') && endpoint.endsWith('{namespace}')
    const { number } = await new CommitLog(lake.storage).head()
    const named = path === 'namespaces' ? 'ml.below' : 'ml'
    expect(lake.calls.at(-1)).toMatchObject({
      principal: 'ml',
      route: endpoint,
      status: writer.status,
      names: [expect.stringMatching(new RegExp(`^${named}(\\.|$)`))].concat(
        endpoint.endsWith('rename') ? [expect.stringMatching(/^ml\./)] : [],
      ),
    })
    expect(lake.calls.at(-1)?.commit).toBe(number > before ? number : undefined)
    expect(writer.status).toBe(isFull ? 409 : Math.min(writer.status, 204))
  })
})

describe('lists', () => {
  it('have what may be read, and nothing else', async () => {
    const lake = await SharedLake.create()
    const namespaces = async (who: Name) => {
      const { json } = await lake.ask(who, 'GET', 'namespaces')
      return json.namespaces.map(([name]: string[]) => name)
    }
    expect(await namespaces('operator')).toEqual(['discarded', 'gold', 'hr', 'ml', 'silver'])
    expect(await namespaces('analyst')).toEqual(['gold', 'hr', 'ml', 'silver'])
    expect(await namespaces('ml')).toEqual(['gold', 'ml'])
    expect(await namespaces('narrow')).toEqual(['ml'])
    expect(await namespaces('auditor')).toEqual(['discarded'])
    const tables = async (who: Name, namespace: string) =>
      (await lake.ask(who, 'GET', `namespaces/${namespace}/tables`)).json?.identifiers?.map(
        ({ name }: { name: string }) => name,
      )
    await lake.made('ml', 'namespaces/ml/tables', { name: 'secret', schema })
    expect(await tables('ml', 'ml')).toEqual(['scores', 'secret'])
    expect(await tables('narrow', 'ml')).toEqual(['scores'])
    expect(await tables('analyst', 'discarded')).toBeUndefined()
    // Of a namespace some of whose tables may be read, its properties are not told.
    expect((await lake.ask('narrow', 'GET', 'namespaces/ml')).json.properties).not.toHaveProperty(
      'owner',
    )
    expect((await lake.ask('ml', 'GET', 'namespaces/ml')).json.properties.owner).toBe('ml')
    const { json } = await lake.ask('narrow', 'GET', 'namespaces/ml/tables?pageSize=1&pageToken=')
    expect(json).toMatchObject({ 'next-page-token': null })
  })

  it('of what is to be written need the right for each of them', async () => {
    const lake = await SharedLake.create()
    const change = (namespace: string) => ({
      identifier: at('scores', namespace),
      updates: [{ action: 'set-properties', updates: { a: 'b' } }],
    })
    const changes = { 'table-changes': [change('ml'), change('hr')] }
    const { number } = await new CommitLog(lake.storage).head()
    expect((await lake.ask('ml', 'POST', 'transactions/commit', changes)).status).toBe(404)
    for (const [source, destination] of [
      [at('scores', 'ml'), at('taken', 'hr')],
      [at('scores', 'hr'), at('taken', 'ml')],
      [at('scores', 'ml'), at('taken', 'gold')],
    ])
      expect([403, 404]).toContain(
        (await lake.ask('ml', 'POST', 'tables/rename', { source, destination })).status,
      )
    expect((await new CommitLog(lake.storage).head()).number).toBe(number)
  })
})

describe('what is granted', () => {
  it('is the same on each branch, and has nothing to do with a server’s own token', async () => {
    const lake = await SharedLake.create()
    const app = catalog(lake.storage, { access })
    const ask = (token: string, path: string, init: RequestInit = {}) =>
      app.request(`/v1/${path}`, { ...init, headers: { authorization: `Bearer ${token}` } })
    expect((await ask('operator', 'config')).status).toBe(401)
    expect((await ask('ml', 'namespaces/silver@dev/tables/orders')).status).toBe(404)
    expect((await app.request('/v1/config')).status).toBe(401)
    expect((await ask('None', 'config')).status).toBe(401)
    const nobody = catalog(lake.storage, { access: [] })
    expect((await nobody.request('/v1/namespaces')).status).toBe(401)
    const open = catalog(lake.storage)
    expect((await open.request('/v1/namespaces')).status).toBe(200)
  })
})

describe('signed requests', () => {
  it('reach what their principal may read, and write what it may write', async () => {
    const lake = await SharedLake.create()
    const { metadata } = await lake.metadata('operator', 'ml.scores')
    const folder = metadata.location.replace(root, `${store}/lakes/lake`)
    const orders = `${store}/lakes/lake/silver/orders`
    const sign = async (who: Name, table: string, method: string, uri: string) => {
      const path = `namespaces/${table.replace('.', '/tables/')}/sign`
      return (await lake.ask(who, 'POST', path, { method, uri, headers: {} })).status
    }
    for (const who of ['analyst', 'ml', 'narrow', 'operator'] as const)
      expect(await sign(who, 'ml.scores', 'GET', `${folder}/data/x`)).toBe(200)
    expect(await sign('hr', 'ml.scores', 'GET', `${folder}/data/x`)).toBe(404)
    for (const who of ['ml', 'narrow', 'operator'] as const)
      expect(await sign(who, 'ml.scores', 'PUT', `${folder}/data/x`)).toBe(200)
    expect(await sign('analyst', 'ml.scores', 'PUT', `${folder}/data/x`)).toBe(403)
    expect(await sign('analyst', 'silver.orders', 'GET', `${orders}/data/x`)).toBe(200)
    expect(await sign('analyst', 'silver.orders', 'PUT', `${orders}/data/x`)).toBe(403)
    expect(await sign('ml', 'silver.orders', 'GET', `${orders}/data/x`)).toBe(404)
    expect(await sign('ml', 'ml.scores', 'GET', `${orders}/data/x`)).toBe(403)
    // A table that is about to be made is for who may make it.
    const fresh = `${store}/lakes/lake/external/ml/fresh-0123456789ab/data/x`
    expect(await sign('ml', 'ml.fresh', 'PUT', fresh)).toBe(200)
    expect(await sign('analyst', 'ml.fresh', 'PUT', fresh)).toBe(403)
    expect(await sign('narrow', 'ml.fresh', 'PUT', fresh)).toBe(404)
    expect(await sign('hr', 'ml.fresh', 'PUT', fresh)).toBe(404)
  })
})
