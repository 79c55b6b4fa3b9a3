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
import { isNew, pointerOf } from '../relations.js'
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

/**
 * The same of a table that was made, or is about to be. One that was made is told of without
 * credentials where there are none at the moment: an error would say that nothing was done.
 */
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
  const lies = rooms.locations.pathOf(metadata.location)
  const delegation = { branch, table, path, isMade: at !== undefined }
  return delegated(c, rooms, { ...delegation, ...(at || !lies ? {} : { folder: lies }) })
}

/** A table, and the path of the API for it. */
interface Delegation {
  branch: Branch
  table: TableAt
  path: string
  /** Whether the request has made the table, whatever comes now. */
  isMade?: boolean
  /** Where one lies that is not there yet: no request can name it. */
  folder?: string
}

async function delegated(c: Asked, rooms: Rooms, to: Delegation): Promise<Access> {
  const wanted = (c.req.header(DELEGATION) ?? '').split(',').map((way) => way.trim())
  for (const [way, access] of [
    ['vended-credentials', issued],
    ['remote-signing', signed],
  ] as const) {
    if (!wanted.includes(way)) continue
    try {
      const found = await access(c, rooms, to)
      if (found) return found
    } catch (error) {
      // A client with keys of the bucket can read the table all the same.
      const isRefused = error instanceof RestError && error.status === 403
      if (!isRefused && !to.isMade) throw error
    }
  }
  return NONE
}

async function issued(c: Asked, { credentials }: Rooms, to: Delegation) {
  const { branch, table, path, folder } = to
  const of = folder === undefined ? '' : `?folder=${encodeURIComponent(folder)}`
  const found = await credentials.issue(c.get('caller'), branch, table, `${path}/credentials${of}`)
  if (found) forNow(c)
  return found
}

async function signed(c: Asked, { signing }: Rooms, { path }: Delegation) {
  if (!signing.isFor(c.get('caller'))) return undefined
  return { config: await signing.configFor(`${path}/sign`) }
}

/** An answer with credentials is for its client alone: nothing on the way may keep it. */
const forNow = (c: Context) => c.header('cache-control', 'no-store')

/** Where clients renew credentials. */
export function routeCredentials(app: App, rooms: Rooms): void {
  app.get('/namespaces/:namespace/tables/:name/credentials', async (c) => {
    const { place, identifier } = await rooms.addresses.relation(c)
    const issued = await renewed(c, rooms, { branch: place.branch, identifier })
    forNow(c)
    return told(c, { 'storage-credentials': issued?.['storage-credentials'] ?? [] })
  })
}

async function renewed(
  c: Asked,
  { credentials, files }: Rooms,
  { branch, identifier }: Named,
): Promise<Issued | undefined> {
  const [caller, state] = [c.get('caller'), await branch.journal.head()]
  const folder = c.req.query('folder')
  if (folder !== undefined && isNew(state, identifier, branch.ofRun)) {
    const refresh = `${apiPath(c)}?folder=${encodeURIComponent(folder)}`
    return credentials.renew(caller, branch, identifier, { folder, refresh })
  }
  const at = pointerOf(caller, state, identifier, 'table')
  return credentials.issue(caller, branch, tableAt(files, identifier, at), apiPath(c))
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
