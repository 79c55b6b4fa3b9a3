import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { OpenConnection } from '../../define/source.js'
import type { Field } from '../../define/types/column-type.js'
import { importPeer } from '../../peers.js'
import type { TargetSession } from '../dialect.js'
import { type Connected, openClient, PostgresSession } from './client.js'
import { quote } from './types.js'

/**
 * Texts are read the same whatever the server, the database or the role has set, and who waited for
 * another export sees what that has done.
 */
const SETTINGS = `SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET statement_timeout = 0;
  SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0; SET client_min_messages = warning; SET extra_float_digits = 1;
  SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'`

export async function connectPostgres(connection: OpenConnection): Promise<TargetSession> {
  const { from } = await importPeer('pg-copy-streams')
  const connected = await openClient('PostgreSQL', connection)
  const { client } = connected
  await client.query(SETTINGS)
  return new PostgresTarget(connected, (sql) => client.query(from(sql)))
}

class PostgresTarget extends PostgresSession {
  constructor(
    connected: Connected,
    private readonly copy: (sql: string) => NodeJS.WritableStream & { rowCount: number },
  ) {
    super(connected)
  }

  async fill(table: string, columns: readonly Field[], csv: Readable): Promise<bigint> {
    const names = columns.map(({ name }) => quote(name)).join(', ')
    const copy = this.copy(`COPY ${table} (${names}) FROM STDIN (FORMAT csv)`)
    await pipeline(csv, copy)
    return BigInt(copy.rowCount)
  }
}
