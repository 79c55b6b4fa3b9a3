import { MoraineError } from '../../../errors.js'
import { keepRecent } from '../../../recent.js'
import type { ObjectAccess } from '../../../storage/staging.js'
import type { Grant, Storage } from '../../../storage/storage.js'
import { mayWrite } from '../access/rights.js'
import type { Branch, Branches } from '../branches.js'
import type { Caller } from '../caller.js'
import { RestError } from '../errors.js'
import type { Identifier } from '../names.js'
import { refuseCreatingIn } from '../relations.js'
import type { Places, TableAt } from './places.js'

/** Seconds that credentials are valid; AWS allows no more to a role that was assumed by a role. */
const LIFETIME = 3600
/** Credentials that are kept for who loads the same table again. */
const KEPT = 10_000
/** Milliseconds for which a storage that gave none is not asked again. */
const QUIET = { passing: 2000, lasting: 60_000 } as const

/** Credentials for one table, in the words of Iceberg's clients. */
export interface Issued {
  config: Readonly<Record<string, string>>
  'storage-credentials': readonly { prefix: string; config: Readonly<Record<string, string>> }[]
}

/** What was asked of the storage, and until when its answer is as good as another. */
interface Kept {
  access: Promise<ObjectAccess | undefined>
  until: number
}

interface Parts {
  storage: Storage
  places: Places
  branches: Branches
  /** Without it, nobody is given any. */
  vends: boolean
  /** Hears why there are no credentials. */
  onError?: ((error: unknown) => void) | undefined
  now?: () => number
}

/**
 * Credentials of the storage for clients of the catalog: for one table, and no longer than an hour.
 * They are kept for clients that ask for the same, until a third of their lifetime is left.
 */
export class Credentials {
  private readonly kept = new Map<string, Kept>()
  private readonly storage: Storage
  private readonly places: Places
  private readonly branches: Branches
  private readonly vends: boolean
  private readonly onError: ((error: unknown) => void) | undefined
  private readonly now: () => number

  constructor({ storage, places, branches, vends, onError, now = Date.now }: Parts) {
    this.storage = storage
    this.places = places
    this.branches = branches
    this.vends = vends
    this.onError = onError
    this.now = now
  }

  /**
   * Credentials for a table; `undefined` where the storage has none to give, or not to this caller.
   *
   * @param refresh where the client gets others before these end.
   *
   * @throws RestError 403 where the table's folder is not its own, 503 where the storage can't be
   *   asked at the moment.
   */
  async issue(
    caller: Caller,
    branch: Branch,
    table: TableAt,
    refresh?: string,
  ): Promise<Issued | undefined> {
    if (!this.vends || !this.storage.vend || caller.principal.readOnly) return undefined
    const states = await this.branches.statesFor(branch)
    const { identifier, at } = table
    const { built } = branch.tables
    // Those of other tables could be replaced by whoever may write: they are seen by everybody.
    const isOwn = built && (at === undefined || built.isOwn(identifier, { metadata: at }))
    const writes = mayWrite(caller, identifier) && (isOwn ? 'all' : true)
    const grants = await this.places.grants(states, table, writes)
    if (grants.length === 0) return undefined
    const access = await this.accessFor(grants)
    return access && issued(access, refresh)
  }

  /** Others for a table that was not there when its client got the first ones, and is not yet. */
  async renew(
    caller: Caller,
    branch: Branch,
    identifier: Identifier,
    { folder, refresh }: { folder: string; refresh: string },
  ): Promise<Issued | undefined> {
    if (!this.vends || !this.storage.vend || caller.principal.readOnly) return undefined
    const states = await this.branches.statesFor(branch)
    refuseCreatingIn(caller, states[0], identifier)
    const grants = this.places.grantsForNew(states, identifier, `${folder}/data`, branch.ofRun)
    if (grants.length === 0) return undefined
    const access = await this.accessFor(grants)
    return access && issued(access, refresh)
  }

  private async accessFor(grants: readonly Grant[]): Promise<ObjectAccess | undefined> {
    const key = JSON.stringify(grants)
    const known = this.kept.get(key)
    if (known && known.until > this.now()) return known.access
    const asked: Kept = { access: this.ask(grants), until: Number.POSITIVE_INFINITY }
    keepRecent(this.kept, key, asked, KEPT)
    try {
      const access = await asked.access
      const left = (access?.expires?.getTime() ?? 0) - this.now()
      asked.until = this.now() + (access ? (left * 2) / 3 : QUIET.lasting)
      return access
    } catch (error) {
      asked.until = this.now() + QUIET.passing
      throw error
    }
  }

  private async ask(grants: readonly Grant[]): Promise<ObjectAccess | undefined> {
    try {
      return await this.storage.vend?.(grants, LIFETIME)
    } catch (error) {
      this.onError?.(error)
      // What does not pass keeps clients from nothing that they could do with keys of their own.
      if (!(error instanceof MoraineError && error.retryable)) return undefined
      throw new RestError(
        503,
        'ServiceUnavailableException',
        'The storage gives no credentials at the moment: try again later',
      )
    }
  }
}

/**
 * @param refresh where the client gets others before these end.
 */
function issued(access: ObjectAccess, refresh: string | undefined): Issued {
  const { url, keyId, secret, token, expires } = access
  const config = {
    's3.access-key-id': keyId,
    's3.secret-access-key': secret,
    ...(token === undefined ? {} : { 's3.session-token': token }),
    ...(expires ? { 's3.session-token-expires-at-ms': String(expires.getTime()) } : {}),
    ...addressIn(access),
    ...(refresh === undefined ? {} : { 'client.refresh-credentials-endpoint': refresh }),
  }
  // Iceberg's own client renews credentials only where there is exactly one of them.
  return { config, 'storage-credentials': [{ prefix: `${url}/`, config }] }
}

/** Where clients reach the storage, and that they need not try to remove anything there. */
export function addressIn({
  region,
  endpoint,
  pathStyle,
}: Pick<ObjectAccess, 'region' | 'endpoint' | 'pathStyle'>): Record<string, string> {
  const url = endpoint && `${endpoint.encrypted ? 'https' : 'http'}://${endpoint.host}`
  return {
    's3.region': region,
    'client.region': region,
    ...(url === undefined ? {} : { 's3.endpoint': url }),
    's3.path-style-access': String(pathStyle),
    's3.delete-enabled': 'false',
  }
}
