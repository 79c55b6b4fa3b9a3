import type { Context, Hono } from 'hono'
import { parseJson } from '../../iceberg/json.js'
import { isObject, type Json, namesOf, objectOf, textsOf } from '../../iceberg/spec/updates/json.js'
import type { Caller } from './caller.js'
import { badRequest } from './errors.js'
import { type Bodies, etagOf, identifierIn, nothing, told, toldText } from './exchange.js'
import type { MetadataFiles } from './files.js'
import type { Journal } from './journal.js'
import type { Locations } from './locations.js'
import {
  checkedName,
  checkedNamespace,
  type Identifier,
  namespaceOf,
  shownNamespace,
} from './names.js'
import type { Namespaces } from './namespaces.js'
import { pageOf } from './pages.js'
import { type Kind, namesIn, pointerOf } from './relations.js'
import { changesIn, drop, type LoadedTable, propertiesOf, rename, type Tables } from './tables.js'
import type { Principal } from './tokens.js'
import type { Views } from './views.js'

/** What requests are answered with. */
export interface Rooms {
  journal: Journal
  files: MetadataFiles
  locations: Locations
  namespaces: Namespaces
  tables: Tables
  views: Views
  bodies: Bodies
}

/** An application that knows who asks. */
export type App = Hono<{ Variables: { principal: Principal } }>
type Asked = Context<{ Variables: { principal: Principal } }>

const callerOf = (c: Asked): Caller => ({ principal: c.get('principal') })

/** All routes, as clients are told of them in the configuration. */
export const endpoints = [
  'GET /v1/{prefix}/namespaces',
  'POST /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'DELETE /v1/{prefix}/namespaces/{namespace}',
  'POST /v1/{prefix}/namespaces/{namespace}/properties',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'POST /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/register',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics',
  'POST /v1/{prefix}/tables/rename',
  'POST /v1/{prefix}/transactions/commit',
  'POST /v1/{prefix}/namespaces/{namespace}/register-view',
  'GET /v1/{prefix}/namespaces/{namespace}/views',
  'POST /v1/{prefix}/namespaces/{namespace}/views',
  'GET /v1/{prefix}/namespaces/{namespace}/views/{view}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}',
  'POST /v1/{prefix}/namespaces/{namespace}/views/{view}',
  'DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}',
  'POST /v1/{prefix}/views/rename',
]

const paging = (c: Asked) => ({
  pageSize: c.req.query('pageSize'),
  pageToken: c.req.query('pageToken'),
})

export function routeNamespaces(app: App, { namespaces, bodies }: Rooms): void {
  app.get('/v1/namespaces', async (c) => {
    const all = await namespaces.list(c.req.query('parent'))
    const { items, next } = pageOf(all.toSorted(byName), shownNamespace, paging(c))
    return told(c, { namespaces: items, 'next-page-token': next ?? null })
  })
  app.post('/v1/namespaces', async (c) => {
    const body = await bodies.json(c)
    const namespace = checkedNamespace(body.namespace)
    const properties = await namespaces.create(callerOf(c), namespace, propertiesOf(body))
    return told(c, { namespace, properties })
  })
  app.get('/v1/namespaces/:namespace', async (c) => {
    const found = await namespaces.load(c.req.param('namespace'))
    return c.req.method === 'HEAD' ? nothing(c) : told(c, found)
  })
  app.delete('/v1/namespaces/:namespace', async (c) => {
    await namespaces.drop(callerOf(c), c.req.param('namespace'))
    return nothing(c)
  })
  app.post('/v1/namespaces/:namespace/properties', async (c) => {
    const body = await bodies.json(c)
    const updates = isObject(body.updates) ? textsOf(body, 'updates') : {}
    const removals = Array.isArray(body.removals) ? namesOf(body, 'removals') : []
    const name = c.req.param('namespace')
    return told(c, await namespaces.change(callerOf(c), name, updates, removals))
  })
}

const byName = (a: readonly string[], b: readonly string[]) =>
  shownNamespace(a) < shownNamespace(b) ? -1 : 1

/** The table or view that an address names. */
async function identified({ journal }: Rooms, c: Asked): Promise<Identifier> {
  const name = checkedName(c.req.param('name'))
  return { namespace: namespaceOf(c.req.param('namespace') as string, await journal.head()), name }
}

/** The table or view that the body of a request for a namespace names. */
async function newIn({ journal }: Rooms, c: Asked, body: Json): Promise<Identifier> {
  const namespace = namespaceOf(c.req.param('namespace') as string, await journal.head())
  return { namespace, name: checkedName(body.name) }
}

/** What both kinds have: lists, reading one, whether it is there, dropping and renaming one. */
function routeBoth(app: App, rooms: Rooms, kind: Kind): void {
  const { journal, namespaces, files, locations, bodies } = rooms
  app.get(`/v1/namespaces/:namespace/${kind}s`, async (c) => {
    const state = await journal.head()
    const namespace = namespaces.existing(state, c.req.param('namespace'))
    const { items, next } = pageOf(namesIn(state, namespace, kind), (name) => name, paging(c))
    const identifiers = items.map((name) => ({ namespace, name }))
    return told(c, { identifiers, 'next-page-token': next ?? null })
  })
  app.get(`/v1/namespaces/:namespace/${kind}s/:name`, async (c) => {
    const pointer = pointerOf(await journal.head(), await identified(rooms, c), kind)
    if (c.req.method === 'HEAD') return nothing(c)
    const mode = c.req.query('snapshots') === 'refs' ? 'refs' : 'all'
    const etag = etagOf(pointer, mode)
    c.header('etag', etag)
    if (c.req.header('if-none-match') === etag) return c.body(null, 304)
    const text = await files.asText(pointer)
    const metadata = mode === 'refs' ? undefined : text
    const location = locations.spelledIn(pointer.metadata, text)
    if (metadata !== undefined)
      return toldText(
        c,
        `{"metadata-location":${JSON.stringify(location)},"metadata":${metadata},"config":{}}`,
      )
    return told(c, {
      'metadata-location': location,
      metadata: withRefsOnly(parseJson(text) as Json),
      config: {},
    })
  })
  app.delete(`/v1/namespaces/:namespace/${kind}s/:name`, async (c) => {
    // Whether its files are to be purged, vacuum decides alone: earlier states may need them.
    await drop(journal, callerOf(c), kind, await identified(rooms, c))
    return nothing(c)
  })
  app.post(`/v1/${kind}s/rename`, async (c) => {
    const body = await bodies.json(c)
    const names = [identifierIn(body.source), identifierIn(body.destination)] as const
    await rename(journal, callerOf(c), kind, names)
    return nothing(c)
  })
}

/**
 * Metadata with those snapshots that a branch or tag names: engines ask for the others when they
 * need them.
 */
function withRefsOnly(metadata: Json): Json {
  const refs = isObject(metadata.refs) ? Object.values(metadata.refs) : []
  const named = new Set(refs.map((ref) => String((ref as Json)['snapshot-id'])))
  const snapshots = Array.isArray(metadata.snapshots) ? metadata.snapshots : []
  return {
    ...metadata,
    snapshots: snapshots.filter((one) => named.has(String(one['snapshot-id']))),
  }
}

/** A table or view after a change of it. */
function loaded(c: Context, { locations }: Rooms, { at, metadata }: LoadedTable): Response {
  if (at) c.header('etag', etagOf(at, 'all'))
  const location = at ? { 'metadata-location': locations.spelled(at.metadata, metadata) } : {}
  return told(c, { ...location, metadata, config: {} })
}

export function routeTables(app: App, rooms: Rooms): void {
  const { tables, bodies } = rooms
  routeBoth(app, rooms, 'table')
  app.post('/v1/namespaces/:namespace/tables', async (c) => {
    const body = await bodies.json(c)
    return loaded(c, rooms, await tables.create(callerOf(c), await newIn(rooms, c, body), body))
  })
  app.post('/v1/namespaces/:namespace/register', async (c) => {
    const body = await bodies.json(c)
    return loaded(c, rooms, await tables.register(callerOf(c), await newIn(rooms, c, body), body))
  })
  app.post('/v1/namespaces/:namespace/tables/:name', async (c) => {
    const body = await bodies.json(c)
    const commit = { identifier: await identified(rooms, c), ...changesIn(body) }
    const [table] = await tables.commit(callerOf(c), [commit])
    return loaded(c, rooms, table as LoadedTable)
  })
  app.post('/v1/namespaces/:namespace/tables/:name/metrics', async (c) => {
    await bodies.text(c)
    return nothing(c)
  })
  app.post('/v1/transactions/commit', async (c) => {
    const body = await bodies.json(c)
    const changes = body['table-changes']
    if (!Array.isArray(changes) || !changes.every(isObject))
      throw badRequest('table-changes is missing, or is not a list')
    const commits = changes.map((change) => ({
      identifier: identifierIn(objectOf(change, 'identifier')),
      ...changesIn(change),
    }))
    await tables.commit(callerOf(c), commits)
    return nothing(c)
  })
}

export function routeViews(app: App, rooms: Rooms): void {
  const { views, bodies } = rooms
  routeBoth(app, rooms, 'view')
  app.post('/v1/namespaces/:namespace/views', async (c) => {
    const body = await bodies.json(c)
    const identifier = await newIn(rooms, c, body)
    return loaded(c, rooms, await views.create(callerOf(c), identifier, body))
  })
  app.post('/v1/namespaces/:namespace/register-view', async (c) => {
    const body = await bodies.json(c)
    const identifier = await newIn(rooms, c, body)
    return loaded(c, rooms, await views.register(callerOf(c), identifier, body))
  })
  app.post('/v1/namespaces/:namespace/views/:name', async (c) => {
    const body = await bodies.json(c)
    const identifier = await identified(rooms, c)
    return loaded(c, rooms, await views.replace(callerOf(c), identifier, body))
  })
}
