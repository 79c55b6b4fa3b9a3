import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { HeldBytes } from '../../query/service/held-bytes.js'
import type { Principals } from '../principals.js'
import { PgError } from './pg-error.js'
import { Cancels } from './session/cancels.js'
import { Connection } from './session/connection.js'
import type { Queries } from './session/questions.js'
import { runSession } from './session/session.js'

/** Bytes of a message: a statement of the longest, with its values. */
const LONGEST = 4 * 2 ** 20
/** Sessions at the same time. */
const MOST = 100
/** Connections that have not begun a session. */
const MOST_STARTING = 200
/** Bytes of what all sessions have prepared. */
const HELD = 256 * 2 ** 20
/** Milliseconds after which a session that asks nothing is closed. */
const IDLE = 30 * 60_000
/** Milliseconds that the rest of a portal's rows waits for its client. */
const WAITING = 60_000

export interface PostgresOptions {
  service: Queries
  principals: Pick<Principals, 'ofUser' | 'passwordsIn'>
  /** What clients call the lake. */
  database: string
  /** A certificate with its key; without it, only this machine may connect. */
  tls?: SecureContext | undefined
  /** Sessions at the same time: 100 when not given. */
  sessions?: number
  /** Bytes of what all sessions have prepared: 256 MiB when not given. */
  held?: number
  /** Milliseconds after which an idle session is closed: half an hour when not given. */
  idle?: number
  /**
   * Milliseconds that the rest of a portal's rows waits for its client: a minute when not given.
   */
  waiting?: number
  /** Hears of what went wrong inside; clients are told only that something did. */
  onError?: (error: unknown) => void
}

/** Answers clients of PostgreSQL: each socket that is given to it is a session. */
export class PostgresServer {
  private readonly cancels = new Cancels()
  private readonly open = new Set<Connection>()
  private sessions = 0
  private readonly held: HeldBytes

  constructor(private readonly options: PostgresOptions) {
    this.held = new HeldBytes(options.held ?? HELD)
  }

  /** Serves a connection to its end. */
  accept(socket: Socket): void {
    const { sessions = MOST, idle = IDLE, onError = () => {} } = this.options
    const { service, principals, database, tls, waiting = WAITING } = this.options
    if (this.open.size >= sessions + MOST_STARTING) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    const connection = new Connection(socket, LONGEST)
    this.open.add(connection)
    let isCounted = false
    const mayBegin = () => {
      if (this.sessions >= sessions) return false
      this.sessions++
      isCounted = true
      return true
    }
    const own = { cancels: this.cancels, held: this.held, mayBegin }
    const shared = { service, principals, database, tls, idle, waiting, onError, ...own }
    void runSession(connection, shared).finally(() => {
      this.open.delete(connection)
      if (isCounted) this.sessions--
    })
  }

  /** Ends all sessions. */
  close(): void {
    const reason = new PgError('57P01', 'The server stops', { fatal: true })
    for (const connection of this.open) connection.stop(reason)
  }
}
