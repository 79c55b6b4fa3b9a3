import type { Context } from 'hono'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import type { Branch } from '../branches.js'
import type { Issued } from '../credentials.js'
import { RestError } from '../errors.js'
import type { MetadataPointer } from '../files.js'
import type { LoadedTable } from '../loaded.js'
import type { Identifier } from '../names.js'
import type { TableAt } from '../places.js'
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
  const table = { identifier, at: at.metadata, metadata: () => rooms.files.json(at) }
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
  // Until its first commit no request can name it.
  const path = at ? `${folder}/tables/${encodeURIComponent(identifier.name)}` : undefined
  return delegated(c, rooms, { branch, table, path })
}

async function delegated(
  c: Asked,
  { credentials }: Rooms,
  { branch, table, path }: { branch: Branch; table: TableAt; path: string | undefined },
): Promise<Access> {
  const wanted = (c.req.header(DELEGATION) ?? '').split(',').map((way) => way.trim())
  if (!wanted.includes('vended-credentials')) return NONE
  const refresh = path === undefined ? undefined : `${path}/credentials`
  try {
    const issued = await credentials.issue(c.get('caller'), branch, table, refresh)
    if (issued) forNow(c)
    return issued ?? NONE
  } catch (error) {
    // A client with keys of the bucket can read the table all the same.
    if (error instanceof RestError && error.status === 403) return NONE
    throw error
  }
}

/** An answer with credentials is for its client alone: nothing on the way may keep it. */
const forNow = (c: Context) => c.header('cache-control', 'no-store')

/** Where clients renew credentials. */
export function routeCredentials(app: App, rooms: Rooms): void {
  app.get('/namespaces/:namespace/tables/:name/credentials', async (c) => {
    const { place, identifier } = await rooms.addresses.relation(c)
    const at = pointerOf(c.get('caller'), await place.branch.journal.head(), identifier, 'table')
    const table = { identifier, at: at.metadata, metadata: () => rooms.files.json(at) }
    const issued = await rooms.credentials.issue(c.get('caller'), place.branch, table, apiPath(c))
    forNow(c)
    return told(c, { 'storage-credentials': issued?.['storage-credentials'] ?? [] })
  })
}

/** The path of a request in the API, as the client spelled it. */
function apiPath(c: Context): string {
  const { pathname } = new URL(c.req.url)
  return pathname.slice(pathname.indexOf('/v1/') + 1)
}
