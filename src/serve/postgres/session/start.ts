import { type SecureContext, TLSSocket } from 'node:tls'
import { isLoopback } from '../../../define/access/encrypted.js'
import { PgError } from '../pg-error.js'
import { Fields } from '../wire/fields.js'
import type { Frame } from '../wire/frames.js'
import { write } from '../wire/write-message.js'
import type { Cancels } from './cancels.js'
import type { Connection } from './connection.js'

/** Milliseconds that a client has to show who it is. */
export const START_WITHIN = 15_000

const CANCEL = 80_877_102
const SSL = 80_877_103
const GSS = 80_877_104

/** What a client says of itself. */
export interface Start {
  user: string
  database: string
  /** Settings that it wants. */
  settings: Record<string, string>
}

/**
 * Reads what a client begins with: encryption, where it asks for it and there is a certificate;
 * then who it is.
 *
 * @returns `undefined` for one that only wanted something cancelled, or went.
 * @throws PgError for what is no start of a session.
 */
export async function readStart(
  connection: Connection,
  { tls, cancels }: { tls: SecureContext | undefined; cancels: Cancels },
): Promise<Start | undefined> {
  let isEncrypted = false
  for (;;) {
    const frame = await connection.next(START_WITHIN, startedLate)
    if (!frame) return undefined
    const code = frame.body.length >= 4 ? frame.body.readInt32BE() : 0
    if (code === CANCEL) {
      if (frame.body.length >= 8) cancels.cancel(frame.body.readInt32BE(4), frame.body.subarray(8))
      return undefined
    }
    if (code === GSS || (code === SSL && (!tls || isEncrypted))) {
      connection.write(Buffer.from('N'))
      await connection.flush()
      continue
    }
    if (code === SSL && tls) {
      connection.write(Buffer.from('S'))
      await connection.flush()
      encrypt(connection, tls)
      isEncrypted = true
      continue
    }
    if (!isEncrypted) refusePlain(connection.remote, tls !== undefined)
    return startOf(frame, connection)
  }
}

function encrypt(connection: Connection, secureContext: SecureContext): void {
  connection.replace((socket, read) => {
    // What came before the encryption could be somebody else's (CVE-2021-23214).
    if (read.length > 0)
      throw new PgError('08P01', 'The client sent something before the connection was encrypted', {
        fatal: true,
      })
    return new TLSSocket(socket, { isServer: true, secureContext })
  })
}

/** Without encryption, rows would be read by whoever sees the network. */
function refusePlain(remote: string | undefined, hasTls: boolean): void {
  if (isLoopback((remote ?? '').replace(/^::ffff:/, ''))) return
  throw new PgError('28000', 'Connections from other machines must be encrypted', {
    fatal: true,
    hint: hasTls
      ? 'Connect with sslmode=require.'
      : 'Start moraine serve with --tls-cert and --tls-key, and connect with sslmode=require.',
  })
}

function startOf({ body }: Frame, connection: Connection): Start {
  const fields = new Fields(body)
  const version = fields.int32()
  const [major, minor] = [version >>> 16, version & 0xff_ff]
  if (major !== 3)
    throw new PgError('0A000', `Version ${major}.${minor} of the protocol is not supported`, {
      fatal: true,
      hint: 'Use a client of PostgreSQL 7.4 or later.',
    })
  const given: Record<string, string> = {}
  for (let name = fields.text(); name !== ''; name = fields.text()) given[name] = fields.text()
  fields.end()
  const unknown = Object.keys(given).filter((name) => name.startsWith('_pq_.'))
  if (minor > 0 || unknown.length > 0) connection.write(write.negotiateVersion(unknown))
  const { user, database = user, options = '', replication = 'false', ...settings } = given
  if (!user) throw new PgError('28000', 'The client names no user', { fatal: true })
  if (!/^(false|off|no|0)$/.test(replication))
    throw new PgError('0A000', 'Replication is not supported', { fatal: true })
  const named = Object.entries(settings).filter(([name]) => !unknown.includes(name))
  return {
    user,
    database: database || user,
    settings: { ...Object.fromEntries(named), ...settingsIn(options) },
  }
}

/** Settings in `-c name=value --name=value`. */
function settingsIn(options: string): Record<string, string> {
  const found = options.matchAll(/(?:-c\s*|--)([A-Za-z_.-]+)=((?:\\.|\S)*)/g)
  return Object.fromEntries(
    [...found].map(([, name = '', value = '']) => [
      name.replaceAll('-', '_'),
      value.replace(/\\(.)/g, '$1'),
    ]),
  )
}

const startedLate = () =>
  new PgError('08006', 'The client did not authenticate in time', { fatal: true })
