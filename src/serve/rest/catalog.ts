import { Hono } from 'hono'
import { KEY_LIFETIME } from '../../log/reading/requests.js'
import type { Storage } from '../../storage/storage.js'
import { AuditTrail } from '../audit/trail.js'
import type { Principals } from '../principals.js'
import { Branches } from './branches.js'
import { Credentials } from './delegation/credentials.js'
import { Places } from './delegation/places.js'
import { Signing } from './delegation/signing.js'
import { MetadataFiles } from './files.js'
import { Addresses } from './http/addresses.js'
import { admit } from './http/admission.js'
import type { CatalogOptions } from './http/catalog-options.js'
import { routeCredentials, routeSigning } from './http/delegation.js'
import { told } from './http/exchange.js'
import type { App, Rooms } from './http/rooms.js'
import { endpoints, routeNamespaces, routeTables, routeViews } from './http/routes.js'
import { onlyHere } from './http/same-machine.js'
import { Locations } from './locations.js'

/**
 * An Iceberg REST catalog over a lake's commit log, as a Hono application that runs wherever Hono
 * does. All of its state is the log: any number of them may run beside each other, and beside runs
 * of the lake.
 *
 * Tables that `lake.ts` defines can be read. Other namespaces are free: what engines write there is
 * marked as external in the log.
 */
export function catalog(
  storage: Storage,
  options: CatalogOptions & { principals?: Principals | undefined } = {},
): Hono {
  const app: App = new Hono()
  const { onError } = options
  const trail = new AuditTrail(storage, onError ? { onError } : {})
  const bodies = admit(app, { onCall: (call) => trail.add(call), ...options })
  if (storage.url.startsWith('file:')) app.use(onlyHere(options.isLocal, options.behindProxy))
  const branches = route(app, storage, bodies, options)
  app.get('/v1/config', async (c) => {
    const { principal } = c.get('caller')
    const [, branch] = /@(.+)$/.exec(c.req.query('warehouse') ?? '') ?? []
    const { name } = await branches.named(branch ?? principal.run?.branch, principal)
    return told(c, {
      defaults: {},
      overrides: name ? { prefix: name } : {},
      endpoints,
      'idempotency-key-lifetime': KEY_LIFETIME,
    })
  })
  return app as unknown as Hono
}

/** Adds all routes, for main and for each branch by its name. */
function route(
  app: App,
  storage: Storage,
  bodies: Rooms['bodies'],
  { allowLocations, credentials: vends = true, writable, onError }: CatalogOptions,
): Branches {
  const files = new MetadataFiles(storage)
  const locations = new Locations(storage, allowLocations)
  const branches = new Branches({ storage, files, locations, writable: new Set(writable) })
  const places = new Places(locations)
  const credentials = new Credentials({ storage, places, branches, vends, onError })
  const signing = new Signing({ storage, places, branches, files, vends })
  const addresses = new Addresses(branches)
  const rooms = { storage, files, locations, branches, addresses, bodies, credentials, signing }
  for (const base of ['/v1', '/v1/:branch']) {
    const api: App = new Hono()
    routeNamespaces(api, rooms)
    routeTables(api, rooms)
    routeViews(api, rooms)
    routeCredentials(api, rooms)
    routeSigning(api, rooms)
    app.route(base, api)
  }
  return branches
}
