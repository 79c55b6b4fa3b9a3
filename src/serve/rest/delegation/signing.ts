import { MoraineError } from '../../../errors.js'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import { keepRecent } from '../../../recent.js'
import type { Grant, ObjectCall, PlainRequest, Storage } from '../../../storage/storage.js'
import { mayWrite, refuseReading } from '../access/rights.js'
import type { Branch, Branches } from '../branches.js'
import type { Caller } from '../caller.js'
import { badRequest, forbidden } from '../errors.js'
import type { MetadataFiles } from '../files.js'
import { type Identifier, shownName } from '../names.js'
import { isNew, pointerOf, refuseCreatingIn } from '../relations.js'
import { addressIn } from './credentials.js'
import { type Places, tableAt } from './places.js'

/** Milliseconds for which it is remembered what requests for a table may do. */
const REMEMBERED = 5000
const KEPT = 1000

interface Remembered {
  until: number
  grants: Promise<GrantsFor>
}

/** What a request for a path may do: a table that is not there yet has one for each. */
type GrantsFor = (path: string) => readonly Grant[]

interface Parts {
  storage: Storage
  places: Places
  branches: Branches
  files: MetadataFiles
  /** Without it, nothing is signed. */
  vends: boolean
}

/**
 * Signs requests to the storage for clients without credentials, one by one: it can hold them to
 * rules that no policy can say, such as that nothing is ever written in the place of something.
 */
export class Signing {
  private readonly kept = new WeakMap<Caller['principal'], Map<string, Remembered>>()

  constructor(private readonly parts: Parts) {}

  /** Whether requests are signed for who asks. */
  isFor({ principal }: Caller): boolean {
    const { storage, vends } = this.parts
    return vends && storage.signer !== undefined && principal.readOnly === undefined
  }

  /**
   * What tells clients to have their requests signed.
   *
   * @param path of the route that signs those for a table, from `v1/` on.
   */
  async configFor(path: string): Promise<Readonly<Record<string, string>>> {
    const { signer } = this.parts.storage
    if (!signer) return {}
    return {
      ...addressIn(await signer.address()),
      's3.remote-signing-enabled': 'true',
      // Clients differ in how they call it, by their kind and their version.
      's3.signer': 'S3V4RestSigner',
      's3.signer.endpoint': path,
      'signer.endpoint': path,
      's3.chunked-encoding-enabled': 'false',
    }
  }

  /**
   * What signs a request for a file of a table: its own headers, and more.
   *
   * @throws RestError 403 for a request that does anything else.
   */
  async sign(
    caller: Caller,
    branch: Branch,
    identifier: Identifier,
    request: PlainRequest,
  ): Promise<Readonly<Record<string, readonly string[]>>> {
    if (!this.isFor(caller)) throw forbidden('Requests to the storage are not signed here')
    const grantsFor = await this.grantsFor(caller, branch, identifier)
    const check = (call: ObjectCall) => refuseOthers(call, grantsFor(call.path), identifier)
    try {
      const more = (await this.parts.storage.signer?.sign(request, check)) ?? {}
      const added = Object.entries(more).map(([name, value]) => [name, [value]] as const)
      return { ...request.headers, ...Object.fromEntries(added) }
    } catch (error) {
      if (error instanceof MoraineError && error.kind === 'usage') throw forbidden(error.message)
      throw error
    }
  }

  /** Engines send many requests for the files of one table. */
  private grantsFor(caller: Caller, branch: Branch, identifier: Identifier): Promise<GrantsFor> {
    const kept = this.kept.get(caller.principal) ?? new Map<string, Remembered>()
    this.kept.set(caller.principal, kept)
    const key = JSON.stringify([branch.name, identifier])
    const known = kept.get(key)
    if (known && known.until > Date.now()) return known.grants
    const grants = this.found(caller, branch, identifier)
    keepRecent(kept, key, { until: Date.now() + REMEMBERED, grants }, KEPT)
    grants.catch(() => kept.delete(key))
    return grants
  }

  private async found(caller: Caller, branch: Branch, identifier: Identifier): Promise<GrantsFor> {
    refuseReading(caller, identifier, 'table')
    const { places, branches, files } = this.parts
    const states = await branches.statesFor(branch)
    const [own] = states
    if (isNew(own, identifier, branch.ofRun)) {
      refuseCreatingIn(caller, own, identifier)
      return (path) => places.grantsForNew(states, identifier, path, branch.ofRun)
    }
    const at = pointerOf(caller, own, identifier, 'table')
    const table = tableAt(files, identifier, at)
    const grants = await places.grants(states, table, mayWrite(caller, identifier) && 'all')
    return () => grants
  }
}

/** @throws RestError for what grants do not include. */
function refuseOthers({ does, path }: ObjectCall, grants: readonly Grant[], table: Identifier) {
  const isIn = ({ folder, may, except = [] }: Grant) =>
    path.startsWith(`${folder}/`) &&
    (does === 'read' || may === 'write') &&
    !(does === 'create' && except.some((ending) => path.endsWith(ending)))
  if (grants.some(isIn)) return
  throw forbidden(
    `${shownName(table)} does not include what the request would ${does}: ${path}. Signed is what reads files of a table, and what creates new ones`,
  )
}

/** A request that the body of another one describes (REST specification, `RemoteSignRequest`). */
export function plainRequestIn({ method, uri, headers }: Json): PlainRequest {
  const isText = (value: unknown) => typeof value === 'string'
  const isHeaders =
    typeof headers === 'object' &&
    headers !== null &&
    Object.values(headers).every((values) => Array.isArray(values) && values.every(isText))
  if (typeof method !== 'string' || typeof uri !== 'string' || !isHeaders)
    throw badRequest('A request to be signed must have a method, a uri and lists of headers')
  return { method: method.toUpperCase(), url: uri, headers: headers as PlainRequest['headers'] }
}
