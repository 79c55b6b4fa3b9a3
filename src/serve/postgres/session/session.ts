import type { SecureContext } from 'node:tls'
import { quoteName } from '../../../define/sql/sql.js'
import type { HeldBytes } from '../../../query/service/held-bytes.js'
import type { Principals } from '../../principals.js'
import { usualPath } from '../catalog/visible.js'
import { PgError } from '../pg-error.js'
import { REPORTED, Settings } from '../sql/settings.js'
import { type Message, readMessage } from '../wire/read-message.js'
import { write } from '../wire/write-message.js'
import { authenticate } from './authenticate.js'
import type { Cancels } from './cancels.js'
import type { Connection } from './connection.js'
import { toldOf } from './errors.js'
import type { SessionState } from './execute-command.js'
import { Extended } from './extended.js'
import { type Queries, Questions } from './questions.js'
import { simpleQuery } from './simple.js'
import { readStart, type Start } from './start.js'
import { Transaction } from './transaction.js'

/** What sessions of a server share. */
export interface SessionOptions {
  service: Queries
  principals: Pick<Principals, 'ofUser' | 'passwordsIn'>
  /** What databases are called here. */
  database: string
  tls: SecureContext | undefined
  cancels: Cancels
  /** Counts what sessions keep. */
  held: HeldBytes
  /** Milliseconds after which a session that asks nothing is closed. */
  idle: number
  /** Milliseconds that the rest of a portal's rows waits for the client. */
  waiting: number
  /** Says whether another session may begin. */
  mayBegin: () => boolean
  /** Hears of what went wrong inside. */
  onError: (error: unknown) => void
}

/** A client's session, from its first packet to its last. */
export async function runSession(connection: Connection, options: SessionOptions): Promise<void> {
  let forget = () => {}
  try {
    const start = await readStart(connection, options)
    if (!start) return
    if (!options.mayBegin())
      throw new PgError('53300', 'There are too many connections already', {
        fatal: true,
        hint: 'Try again later, or use fewer connections.',
      })
    connection.started()
    const caller = await authenticate(connection, start.user, options.principals)
    const usual = usualPath(await options.service.tables(caller))
    const settings = settingsOf(start, usual, connection)
    const database = databaseOf(start, options.database)
    const questions = new Questions({
      ...{ service: options.service, caller, settings, database },
      gone: connection.signal,
    })
    const { held, onError } = options
    const session = new Session({ connection, settings, questions, held }, onError)
    const { process, secret, forget: leave } = options.cancels.add(() => questions.cancel())
    forget = leave
    connection.write(write.backendKeyData(process, secret))
    await session.run(options)
  } catch (error) {
    const { code, message, hint } = toldOf(error, options.onError)
    connection.write(write.error(new PgError(code, message, { hint, fatal: true })))
  } finally {
    forget()
    connection.end()
  }
}

function settingsOf(
  { user, settings: wanted }: Start,
  path: readonly string[],
  connection: Connection,
): Settings {
  const first = path.length > 0 ? { search_path: path.map(shownName).join(', ') } : {}
  const settings = new Settings({ session_authorization: user, ...first })
  for (const [name, value] of Object.entries(wanted)) settings.set(name, value)
  for (const name of REPORTED) connection.write(write.parameterStatus(name, settings.get(name)))
  return settings
}

const shownName = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteName(name))

/** Names that tools connect to before they know any other. */
const USUAL = ['postgres', 'moraine']

/** @throws PgError where there is no such database. */
function databaseOf({ database, user }: Start, own: string): string {
  if ([own, user, ...USUAL].includes(database)) return own
  throw new PgError('3D000', `There is no database "${database}"`, {
    fatal: true,
    hint: `The lake is the database "${own}".`,
  })
}

type Patience = Pick<SessionOptions, 'idle' | 'waiting'>

class Session {
  private readonly transaction = new Transaction()
  private readonly state: SessionState
  private readonly extended: Extended
  /** After an error of the extended protocol, until the next Sync. */
  private isSkipping = false

  private readonly connection: Connection

  constructor(
    own: Pick<SessionState, 'connection' | 'settings' | 'questions' | 'held'>,
    private readonly onError: (error: unknown) => void,
  ) {
    this.connection = own.connection
    this.state = {
      ...{ ...own, transaction: this.transaction },
      deallocate: (name) => this.extended.deallocate(name),
      cursor: (command) => this.extended.cursor(command),
    }
    this.extended = new Extended(this.state)
  }

  async run(patience: Patience): Promise<void> {
    try {
      await this.ready()
      for (;;) {
        const frame = await this.next(patience)
        if (!frame) return
        const message = readMessage(frame)
        if (message.type === 'terminate') return
        await this.handle(message)
      }
    } finally {
      await this.extended.end()
    }
  }

  /** The next message; rows that a client left unread do not wait for it for long. */
  private async next({ idle, waiting }: Patience) {
    const late = () =>
      new PgError('57P05', 'The session was closed: it was idle for too long', {
        fatal: true,
      })
    if (!this.extended.isReading) return this.connection.next(idle, late)
    const waited = new PgError('57014', 'late')
    try {
      return await this.connection.next(Math.min(idle, waiting), () => waited)
    } catch (error) {
      if (error !== waited) throw error
      await this.extended.endWaiting()
      return this.connection.next(idle, late)
    }
  }

  private async handle(message: Message): Promise<void> {
    if (this.isSkipping && message.type !== 'sync') return
    try {
      await this.answer(message)
      if (!this.connection.hasMore || message.type === 'flush') await this.connection.flush()
    } catch (error) {
      const found = toldOf(error, this.onError)
      if (found.fatal) throw found
      this.connection.write(write.error(found))
      this.transaction.failed()
      if (message.type === 'query') await this.ready()
      else this.isSkipping = true
    }
  }

  private async answer(message: Message): Promise<void> {
    const { extended } = this
    switch (message.type) {
      case 'query':
        await extended.forgetUnnamed()
        await simpleQuery(message.sql, this.state)
        return this.ready()
      case 'parse':
        return extended.parse(message)
      case 'bind':
        return extended.bind(message)
      case 'describe':
        return extended.describe(message)
      case 'execute':
        return extended.execute(message)
      case 'close':
        return extended.close(message)
      case 'sync':
        this.isSkipping = false
        return this.ready()
      case 'password':
        throw new PgError('08P01', 'No password was asked for', { fatal: true })
      default:
    }
  }

  private async ready(): Promise<void> {
    const { status } = this.transaction
    // Without a transaction, a portal lasts for the messages up to Sync.
    if (status !== 'T') await this.extended.closePortals()
    this.connection.write(write.readyForQuery(status))
    await this.connection.flush()
  }
}
