import type { Context } from 'hono'
import { parseJson, toJsonText } from '../../../iceberg/json.js'
import {
  isObject,
  type Json,
  namesOf,
  objectOf,
  textsOf,
} from '../../../iceberg/spec/updates/json.js'
import { mayRead, maySee, refuseReading } from '../access/rights.js'
import type { Caller } from '../caller.js'
import { badRequest } from '../errors.js'
import type { LoadedTable } from '../loaded.js'
import { type StoredView, storedView } from '../managed/stored-views.js'
import { checkedNamespace, type Identifier, shownName, shownNamespace } from '../names.js'
import { type Kind, pointerOf } from '../relations.js'
import { drop, rename } from '../rename.js'
import { changesIn, propertiesOf } from '../sent.js'
import { type Asked, Place, shownOf } from './addresses.js'
import { LARGEST_REPORT } from './bodies.js'
import { accessTo, accessToMade, NONE } from './delegation.js'
import { etagOf, nothing, told, toldText } from './exchange.js'
import { pageOf } from './pages.js'
import type { App, Rooms } from './rooms.js'

const callerOf = (c: Asked): Caller => c.get('caller')

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
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign',
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

export function routeNamespaces(app: App, rooms: Rooms): void {
  const { addresses, bodies } = rooms
  app.get('/namespaces', async (c) => {
    const all = await namespacesFor(rooms, c, c.req.query('parent'))
    const { items, next } = pageOf(all.toSorted(byName), shownNamespace, paging(c))
    return told(c, { namespaces: items, 'next-page-token': next ?? null })
  })
  app.post('/namespaces', async (c) => {
    const body = await bodies.json(c)
    const { place, namespace } = await addresses.levels(c, checkedNamespace(body.namespace))
    const { namespaces } = place.branch
    const properties = await namespaces.create(callerOf(c), namespace, propertiesOf(body))
    return told(c, { namespace: place.shown(namespace), properties })
  })
  app.get('/namespaces/:namespace', async (c) => {
    const { place, text } = await addresses.namespace(c)
    const { namespace, properties } = await place.branch.namespaces.load(callerOf(c), text)
    if (c.req.method === 'HEAD') return nothing(c)
    return told(c, { namespace: place.shown(namespace), properties })
  })
  app.delete('/namespaces/:namespace', async (c) => {
    const { place, text } = await addresses.namespace(c)
    await place.branch.namespaces.drop(callerOf(c), text)
    return nothing(c)
  })
  app.post('/namespaces/:namespace/properties', async (c) => {
    const body = await bodies.json(c)
    const has = (name: string) => body[name] !== undefined && body[name] !== null
    const updates = has('updates') ? textsOf(body, 'updates') : {}
    const removals = has('removals') ? namesOf(body, 'removals') : []
    const { place, text } = await addresses.namespace(c)
    return told(c, await place.branch.namespaces.change(callerOf(c), text, updates, removals))
  })
}

/**
 * The namespaces below another, or at the top: of a branch that the address names, or of main and,
 * by their names, of all branches.
 */
async function namespacesFor(rooms: Rooms, c: Asked, parent: string | undefined) {
  const { addresses, branches } = rooms
  if (parent) {
    const { place, text } = await addresses.namespace(c, parent)
    return (await place.branch.namespaces.list(callerOf(c), text)).map((namespace) =>
      place.shown(namespace),
    )
  }
  const { principal } = callerOf(c)
  const ofRun = principal.run && c.req.param('branch') === undefined
  // A run has no other branch to see.
  if (ofRun) return namespacesOf(rooms, c, principal.run?.branch as string)
  const { branch } = await addresses.place(c)
  const own = await branch.namespaces.list(callerOf(c), undefined)
  if (branch !== branches.main) return own
  const others = (await branches.tops.all()).flatMap(({ branch: name, namespaces }) =>
    namespaces
      .filter((namespace) => maySee(callerOf(c), namespace))
      .map((namespace) => shownOf(name, namespace)),
  )
  return [...own, ...others]
}

/** The namespaces of a branch, by their names from outside of it. */
async function namespacesOf({ branches }: Rooms, c: Asked, name: string) {
  const place = new Place(await branches.named(name, callerOf(c).principal), name)
  const all = await place.branch.namespaces.list(callerOf(c), undefined)
  return all.map((one) => place.shown(one))
}

const byName = (a: readonly string[], b: readonly string[]) =>
  shownNamespace(a) < shownNamespace(b) ? -1 : 1

/** What both kinds have: lists, reading one, whether it is there, dropping and renaming one. */
function routeBoth(app: App, rooms: Rooms, kind: Kind): void {
  const { storage, addresses, files, locations, bodies } = rooms
  app.get(`/namespaces/:namespace/${kind}s`, async (c) => {
    const { place, text } = await addresses.namespace(c)
    const state = await place.branch.journal.head()
    const found = place.branch.namespaces.existing(callerOf(c), state, text)
    const { items, next } = pageOf(
      place.branch.names.of(state, found, kind),
      (name) => name,
      paging(c),
      (name) => mayRead(callerOf(c), { namespace: found, name }),
    )
    const namespace = place.shown(found)
    const identifiers = items.map((name) => ({ namespace, name }))
    return told(c, { identifiers, 'next-page-token': next ?? null })
  })
  app.get(`/namespaces/:namespace/${kind}s/:name`, async (c) => {
    const { place, identifier } = await addresses.relation(c)
    const state = await place.branch.journal.head()
    refuseReading(callerOf(c), identifier, kind)
    const stored = kind === 'view' ? storedView(storage, state, shownName(identifier)) : undefined
    if (stored) return c.req.method === 'HEAD' ? nothing(c) : toldStored(c, stored)
    const pointer = pointerOf(callerOf(c), state, identifier, kind)
    if (c.req.method === 'HEAD') return nothing(c)
    const mode = c.req.query('snapshots') === 'refs' ? 'refs' : 'all'
    const isTable = kind === 'table'
    const access = isTable
      ? await accessTo(c, rooms, { branch: place.branch, identifier }, pointer)
      : NONE
    // Credentials end while the metadata stay the same: "not modified" would bring no new ones.
    if (access === NONE) {
      const etag = etagOf(pointer, mode)
      c.header('etag', etag)
      if (c.req.header('if-none-match') === etag) return c.body(null, 304)
    }
    const text = await files.asText(pointer)
    const location = JSON.stringify(locations.spelledIn(pointer.metadata, text))
    const metadata = mode === 'all' ? text : toJsonText(withRefsOnly(parseJson(text) as Json), 0)
    const rest = JSON.stringify(access).slice(1)
    return toldText(c, `{"metadata-location":${location},"metadata":${metadata},${rest}`)
  })
  app.delete(`/namespaces/:namespace/${kind}s/:name`, async (c) => {
    const { place, identifier } = await addresses.relation(c)
    // Whether its files are to be purged, vacuum decides alone: earlier states may need them.
    await drop(place.branch, callerOf(c), kind, identifier)
    return nothing(c)
  })
  app.post(`/${kind}s/rename`, async (c) => {
    const { source, destination } = await bodies.json(c)
    const { place, identifiers } = await addresses.identifiers(c, [source, destination])
    const [from, to] = identifiers as [Identifier, Identifier]
    await rename(place.branch.journal, callerOf(c), kind, [from, to])
    return nothing(c)
  })
}

/** A view that `lake.ts` defines. */
function toldStored(c: Context, { location, metadata, version }: StoredView): Response {
  const etag = `W/"${version}"`
  c.header('etag', etag)
  if (c.req.header('if-none-match') === etag) return c.body(null, 304)
  return told(c, { 'metadata-location': location, metadata, config: {} })
}

/**
 * Metadata with those snapshots that a branch or tag names: engines ask for the others when they
 * need them. The current one is that of main, also where no branches are listed (table
 * specification, `refs`).
 */
function withRefsOnly(metadata: Json): Json {
  const refs = isObject(metadata.refs) ? Object.values(metadata.refs) : []
  const ids = refs.map((ref) => (ref as Json)['snapshot-id'])
  const named = new Set([metadata['current-snapshot-id'], ...ids].map(String))
  const snapshots = Array.isArray(metadata.snapshots) ? metadata.snapshots : []
  return {
    ...metadata,
    snapshots: snapshots.filter((one) => named.has(String(one['snapshot-id']))),
  }
}

/** A table or view after a change of it. */
function loaded(
  c: Context,
  { locations }: Rooms,
  { at, metadata }: LoadedTable,
  access = NONE,
): Response {
  if (at && access === NONE) c.header('etag', etagOf(at, 'all'))
  const location = at ? { 'metadata-location': locations.spelled(at.metadata, metadata) } : {}
  return told(c, { ...location, metadata, ...access })
}

export function routeTables(app: App, rooms: Rooms): void {
  const { addresses, bodies } = rooms
  routeBoth(app, rooms, 'table')
  for (const [path, make] of [
    ['tables', 'create'],
    ['register', 'register'],
  ] as const)
    app.post(`/namespaces/:namespace/${path}`, async (c) => {
      const body = await bodies.json(c)
      const { place, identifier } = await addresses.within(c, body.name)
      const table = await place.branch.tables[make](callerOf(c), identifier, body)
      const access = await accessToMade(c, rooms, { branch: place.branch, identifier }, table)
      return loaded(c, rooms, table, access)
    })
  app.post('/namespaces/:namespace/tables/:name', async (c) => {
    const body = await bodies.json(c)
    const { place, identifier } = await addresses.relation(c)
    const commit = { identifier, ...changesIn(body) }
    const [table] = await place.branch.tables.commit(callerOf(c), [commit])
    return loaded(c, rooms, table as LoadedTable)
  })
  app.post('/namespaces/:namespace/tables/:name/metrics', async (c) => {
    await bodies.text(c, LARGEST_REPORT)
    const { place, identifier } = await addresses.relation(c)
    pointerOf(callerOf(c), await place.branch.journal.head(), identifier, 'table')
    return nothing(c)
  })
  app.post('/transactions/commit', async (c) => {
    const body = await bodies.json(c)
    const changes = body['table-changes']
    if (!Array.isArray(changes) || !changes.every(isObject))
      throw badRequest('table-changes is missing, or is not a list')
    const named = changes.map((change) => objectOf(change, 'identifier'))
    const { place, identifiers } = await addresses.identifiers(c, named)
    const commits = changes.map((change, i) => ({
      identifier: identifiers[i] as Identifier,
      ...changesIn(change),
    }))
    await place.branch.tables.commit(callerOf(c), commits)
    return nothing(c)
  })
}

export function routeViews(app: App, rooms: Rooms): void {
  const { addresses, bodies } = rooms
  routeBoth(app, rooms, 'view')
  for (const [path, make] of [
    ['views', 'create'],
    ['register-view', 'register'],
  ] as const)
    app.post(`/namespaces/:namespace/${path}`, async (c) => {
      const body = await bodies.json(c)
      const { place, identifier } = await addresses.within(c, body.name)
      return loaded(c, rooms, await place.branch.views[make](callerOf(c), identifier, body))
    })
  app.post('/namespaces/:namespace/views/:name', async (c) => {
    const body = await bodies.json(c)
    const { place, identifier } = await addresses.relation(c)
    return loaded(c, rooms, await place.branch.views.replace(callerOf(c), identifier, body))
  })
}
