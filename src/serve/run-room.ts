import { randomBytes } from 'node:crypto'
import type { Principal } from '../define/access/principal.js'
import type { Secret } from '../define/source.js'
import { MoraineError } from '../errors.js'
import { deleteBranch } from '../log/branch/named.js'
import { openBranchOfRun, type RunBranch } from '../log/branch/run-branch.js'
import { runBranchName } from '../log/branch/run-branch-names.js'
import type { Changes, CommitInfo, LakeState, TableState } from '../log/commit.js'
import { type CommitFiles, CommitLog } from '../log/log.js'
import { commitTables } from '../log/tables/commit-tables.js'
import { ownValue } from '../own-value.js'
import type { Storage } from '../storage/storage.js'
import { AuditTrail } from './audit/trail.js'
import { OPERATOR, Principals } from './principals.js'
import { catalog } from './rest/catalog.js'
import { isManaged } from './rest/names.js'
import { listen } from './server.js'
import type { SignedBy } from './signed-token.js'

/** A catalog of the lake that is served for as long as runs need it: `moraine serve --catalog`. */
export interface ServedCatalog {
  /** `http://127.0.0.1:4000/iceberg` */
  url: string
  /** Its MORAINE_TOKEN, or the principal of `lake.ts` for which the run acts. */
  as: Secret | Principal
}

/** What a run wants a room for. */
export interface RoomRequest {
  /** Its id. */
  run: string
  /** Who its commits are by. */
  author: string
  /** The tables that an engine is to build: `gold.daily`. */
  tables: readonly string[]
  /** The state that the run builds on: the newest one, where nothing is said. */
  on?: LakeState
  /**
   * Without it, this process serves a catalog itself, on this machine, until the room is closed.
   */
  served?: ServedCatalog | undefined
}

/** What is published, and what is known of its files. */
interface Publication {
  changes: Changes
  info: CommitInfo
  files?: CommitFiles
}

/** Seconds that a token lives, where nothing else is said; clients renew it by themselves. */
const LIFETIME = 3600

/**
 * Opens a branch of the log on which an engine that knows nothing of Moraine builds tables for a
 * run, by the Iceberg REST catalog. Nobody else sees the branch, and what is on it is seen in the
 * lake only once the run publishes it. A room whose process dies is ended by the next run that
 * opens one, or by vacuum.
 *
 * @throws MoraineError of kind `usage` for tables that are none of the lake's tiers, or too many.
 */
export async function openRunRoom(storage: Storage, request: RoomRequest): Promise<RunRoom> {
  const { run, author, tables, served } = request
  for (const table of tables)
    if (!isManaged(table.split('.')) || table.split('.').length !== 2)
      throw new MoraineError('usage', `${table} is not a table that a run builds`, {
        hint: 'A table has the name of its tier and its own: gold.daily',
      })
  const log = new CommitLog(storage)
  const on = request.on ?? (await log.head())
  const signer = signerOf(served?.as ?? randomBytes(32).toString('hex'))
  await signer.principals.check()
  await tokenOf(signer, request, 60)
  const reached = served ? { url: served.url } : await serveHere(storage, signer.secret)
  try {
    const branch = await openBranchOfRun({ storage, log }, on, { author, run })
    return new RunRoom({ storage, log, branch, request, signer, on, reached })
  } catch (error) {
    await reached.close?.()
    throw error
  }
}

/** Where the catalog is reached, and how it ends, if it is one of this process. */
interface Reached {
  url: string
  close?: () => Promise<void>
}

/** Serves a catalog on a free port of this machine. */
async function serveHere(storage: Storage, token: Secret | undefined): Promise<Reached> {
  const audit = new AuditTrail(storage)
  const app = catalog(storage, { token, onCall: (call) => audit.add(call) })
  const host = '127.0.0.1'
  const server = await listen({ port: 0, host, names: [], receivers: [], catalog: app })
  const close = async () => {
    await server.close()
    await audit.flush()
  }
  return { url: `http://${host}:${server.port}/iceberg`, close }
}

/** Which secret tokens are signed with, and whose it is. */
interface Signer {
  name: string
  by: SignedBy
  principals: Principals
  /** Of the catalog that the process serves itself. */
  secret?: Secret
}

function signerOf(as: Secret | Principal): Signer {
  if (typeof as !== 'object')
    return { name: OPERATOR, by: 'token', principals: new Principals(as), secret: as }
  const by = as.token === undefined ? 'clientSecret' : 'token'
  return { name: as.name, by, principals: new Principals(undefined, [as]) }
}

async function tokenOf(
  { name, by, principals }: Signer,
  { run: id, tables }: RoomRequest,
  seconds: number,
): Promise<string> {
  const run = { id, branch: runBranchName(id), tables }
  const token = await principals.given({ principal: { name, run }, by }, seconds)
  if (token !== undefined) return token
  throw new MoraineError('usage', `The secret of ${name} can't be read`)
}

interface RoomParts {
  storage: Storage
  log: CommitLog
  branch: RunBranch
  request: RoomRequest
  signer: Signer
  on: LakeState
  reached: Reached
}

/** A branch of a run's own, with what an engine needs to build tables there. */
export class RunRoom {
  /**
   * The branch; its namespaces are `gold@<branch>` to engines whose catalogs are configured once.
   */
  readonly branch: string
  private hasEnded = false

  constructor(private readonly parts: RoomParts) {
    this.branch = parts.branch.name
  }

  /** The address of the catalog: `http://127.0.0.1:4000/iceberg`. */
  get url(): string {
    return this.parts.reached.url
  }

  /**
   * A token for the engine: it may read what the run's principal may, on this branch alone, and
   * write the tables that the run builds. It is void once the room is closed.
   *
   * @param seconds how long it lives.
   * @throws MoraineError where the secret of the principal can't be looked up.
   */
  token(seconds = LIFETIME): Promise<string> {
    return tokenOf(this.parts.signer, this.parts.request, seconds)
  }

  /**
   * Lets the engine read tables that the run has built itself, and not published yet. What is
   * `null` is not there for it, so that it can create the table anew.
   */
  async show(tables: Record<string, TableState | null>): Promise<void> {
    const { log } = this.parts.branch
    const { author, run } = this.parts.request
    const message = `show ${Object.keys(tables).join(', ')}`
    await log.commit(await log.head(), { tables }, { author, run, message }, { since: LONG_AGO })
  }

  /**
   * Those of the tables that the engine has built, as they are now, with the rows and files that
   * their manifests list. By which definition they were made, the run says.
   */
  async tables(): Promise<Record<string, TableState>> {
    const { branch, on, request } = this.parts
    const head = await branch.log.head()
    const built = request.tables.flatMap((name) => {
      const table = ownValue(head.tables, name)
      const isNew = table && table.metadata !== ownValue(on.tables, name)?.metadata
      return isNew ? [[name, table] as const] : []
    })
    return Object.fromEntries(built)
  }

  /**
   * Publishes changes on the lake, in one commit with which the branch ends: whatever an engine
   * still does there is refused.
   *
   * @throws MoraineError of kind `conflict` where others have changed the same, or have ended the
   *   branch, as its run was taken for dead.
   */
  async publish({ changes, info, files = {} }: Publication): Promise<LakeState> {
    const { storage, log, on } = this.parts
    const branches = { ...changes.branches, [this.branch]: null }
    const committed = { changes: { ...changes, branches }, info, files }
    const state = await commitTables({ log, storage }, on, committed)
    this.hasEnded = true
    return state
  }

  /** Ends the branch, if it has not ended, and the catalog that was served for it. */
  async close(): Promise<void> {
    try {
      await this.end()
    } finally {
      await this.parts.branch.heartbeat.stop()
      await this.parts.reached.close?.()
    }
  }

  private async end(): Promise<void> {
    const { log, request } = this.parts
    const { author, run } = request
    if (this.hasEnded) return
    const { branches } = await log.head()
    if (ownValue(branches, this.branch) !== undefined)
      await deleteBranch(log, this.branch, { author, run })
    this.hasEnded = true
  }
}

const LONG_AGO = new Date(0)
