import { Hono } from 'hono'
import type { Secret } from '../../define/source.js'
import { toJsonText } from '../../iceberg/json.js'
import { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'
import { asRestError, forbidden, RestError } from './errors.js'
import { Bodies, told } from './exchange.js'
import { MetadataFiles } from './files.js'
import { Journal } from './journal.js'
import { Locations } from './locations.js'
import { Namespaces } from './namespaces.js'
import { type App, endpoints, routeNamespaces, routeTables, routeViews } from './routes.js'
import { Tables } from './tables.js'
import { Tokens } from './tokens.js'
import { Views } from './views.js'

/** What an Iceberg REST catalog needs beside a storage. */
export interface CatalogOptions {
  /** Whoever shows it may read and write. Without one, everybody may read and nobody may write. */
  token?: Secret | undefined
  /** Prefixes of locations outside of the lake that tables may lie under: `file:///tmp`. */
  allowLocations?: readonly string[]
  /** Hears of what went wrong inside; whoever asked is told only that something did. */
  onError?: (error: unknown) => void
}

/**
 * An Iceberg REST catalog over a lake's commit log, as a Hono application that runs wherever Hono
 * does. All of its state is the log: any number of them may run beside each other, and beside runs
 * of the lake.
 *
 * Tables that `lake.ts` defines can be read. Other namespaces are free: what engines write there is
 * marked as external in the log.
 */
export function catalog(storage: Storage, options: CatalogOptions = {}): Hono {
  const app: App = new Hono()
  const tokens = new Tokens(options.token)
  const bodies = new Bodies()
  app.onError((error, c) => {
    const known = asRestError(error)
    if (known.status >= 500) options.onError?.(error)
    const { status: code, type, message } = known
    return c.body(toJsonText({ error: { message, type, code } }, 0), code, {
      'content-type': 'application/json',
    })
  })
  app.notFound(() => {
    throw new RestError(404, 'NotFoundException', 'There is no such route')
  })
  app.post('/v1/oauth/tokens', async (c) => {
    const form = new URLSearchParams(await bodies.text(c))
    return told(c, await tokens.exchange(form, c.req.header('authorization')))
  })
  app.use(async (c, next) => {
    const principal = await tokens.principal(c.req.header('authorization'))
    const reads = c.req.method === 'GET' || c.req.method === 'HEAD' || /\/metrics$/.test(c.req.path)
    if (!principal.writes && !reads)
      throw forbidden('This server was started without a token: it can be read, and not written to')
    c.set('principal', principal)
    return next()
  })
  app.get('/v1/config', (c) => told(c, { defaults: {}, overrides: {}, endpoints }))
  route(app, storage, bodies, options.allowLocations)
  return app as unknown as Hono
}

function route(
  app: App,
  storage: Storage,
  bodies: Bodies,
  allowed: readonly string[] | undefined,
): void {
  const journal = new Journal(new CommitLog(storage))
  const files = new MetadataFiles(storage)
  const locations = new Locations(storage, allowed)
  const namespaces = new Namespaces(journal, locations)
  const tables = new Tables({ storage, journal, files, locations, namespaces })
  const views = new Views(journal, files, locations, namespaces)
  const rooms = { journal, files, locations, namespaces, tables, views, bodies }
  routeNamespaces(app, rooms)
  routeTables(app, rooms)
  routeViews(app, rooms)
}
