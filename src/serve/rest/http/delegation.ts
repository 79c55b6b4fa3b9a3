import type { Context } from 'hono'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import type { Branch } from '../branches.js'
import type { Issued } from '../delegation/credentials.js'
import { type TableAt, tableAt } from '../delegation/places.js'
import { plainRequestIn } from '../delegation/signing.js'
import { RestError } from '../errors.js'
import type { MetadataPointer } from '../files.js'
import type { LoadedTable } from '../loaded.js'
import type { Identifier } from '../names.js'
import { pointerOf } from '../relations.js'
import type { Asked } from './addresses.js'
import { told } from './exchange.js'
import type { App, Rooms } from './rooms.js'

/** The header in which clients say what they can do with a table (REST specification). */
const DELEGATION = 'x-iceberg-access-delegation'

/** What an answer says of how the files of a table are reached. */
export type Access = Partial<Issued> & Pick<Issued, 'config'>

/** The client reaches them by what it has itself. */
export const NONE: Access = { config: {} }

/** A table as a request names it. */
interface Named {
  branch: Branch
  identifier: Identifier
}

/** How a client that asks for credentials reaches the files of a table. */
export async function accessTo(
  c: Asked,
  rooms: Rooms,
  { branch, identifier }: Named,
  at: MetadataPointer,
): Promise<Access> {
  const table = tableAt(rooms.files, identifier, at)
  return delegated(c, rooms, { branch, table, path: apiPath(c) })
}

/** The same of a table that was made, or is about to be. */
export async function accessToMade(
  c: Asked,
  rooms: Rooms,
  { branch, identifier }: Named,
  { at, metadata }: LoadedTable,
): Promise<Access> {
  const json = async () => metadata as unknown as Json
  const table = { identifier, at: at?.metadata, metadata: json }
  const folder = apiPath(c).replace(/\/[^/]*$/, '')
  const path = `${folder}/tables/${encodeURIComponent(identifier.name)}`
  return delegated(c, rooms, { branch, table, path })
}

async function delegated(
  c: Asked,
  { credentials, signing }: Rooms,
  { branch, table, path }: { branch: Branch; table: TableAt; path: string },
): Promise<Access> {
  const wanted = (c.req.header(DELEGATION) ?? '').split(',').map((way) => way.trim())
  const caller = c.get('caller')
  try {
    if (wanted.includes('vended-credentials')) {
      // Until its first commit no request can name it.
      const refresh = table.at ? `${path}/credentials` : undefined
      const issued = await credentials.issue(caller, branch, table, refresh)
      if (issued) forNow(c)
      if (issued) return issued
    }
  } catch (error) {
    // A client with keys of the bucket can read the table all the same.
    if (!(error instanceof RestError && error.status === 403)) throw error
  }
  const signs = wanted.includes('remote-signing') && signing.isFor(caller)
  return signs ? { config: await signing.configFor(`${path}/sign`) } : NONE
}

/** An answer with credentials is for its client alone: nothing on the way may keep it. */
const forNow = (c: Context) => c.header('cache-control', 'no-store')

/** Where clients renew credentials. */
export function routeCredentials(app: App, rooms: Rooms): void {
  app.get('/namespaces/:namespace/tables/:name/credentials', async (c) => {
    const { place, identifier } = await rooms.addresses.relation(c)
    const at = pointerOf(c.get('caller'), await place.branch.journal.head(), identifier, 'table')
    const table = tableAt(rooms.files, identifier, at)
    const issued = await rooms.credentials.issue(c.get('caller'), place.branch, table, apiPath(c))
    forNow(c)
    return told(c, { 'storage-credentials': issued?.['storage-credentials'] ?? [] })
  })
}

/** Where clients have requests to the storage signed. */
export function routeSigning(app: App, { addresses, bodies, signing }: Rooms): void {
  app.post('/namespaces/:namespace/tables/:name/sign', async (c) => {
    const request = plainRequestIn(await bodies.json(c))
    const { place, identifier } = await addresses.relation(c)
    const headers = await signing.sign(c.get('caller'), place.branch, identifier, request)
    forNow(c)
    return told(c, { uri: request.url, headers })
  })
}

/** The path of a request in the API, as the client spelled it. */
function apiPath(c: Context): string {
  const { pathname } = new URL(c.req.url)
  return pathname.slice(pathname.indexOf('/v1/') + 1)
}
