import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client } from 'pg'
import type { OpenConnection } from '../../define/source.js'
import type { Field } from '../../define/types/column-type.js'
import { importPeer } from '../../peers.js'
import { closing } from '../../source/database/closing.js'
import { placeOf } from '../../source/database/failures.js'
import type { Rows, TargetSession } from '../dialect.js'
import { openClient } from './client.js'
import { quote } from './types.js'

/** Texts are read the same whatever the server, the database or the role has set. */
const SETTINGS = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET statement_timeout = 0;
  SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0; SET client_min_messages = warning; SET extra_float_digits = 1`

export async function connectPostgres(connection: OpenConnection): Promise<TargetSession> {
  const { from } = await importPeer('pg-copy-streams')
  const { client, secrets } = await openClient(connection)
  await client.query(SETTINGS)
  return new PostgresTarget(client, placeOf('PostgreSQL', connection), secrets, (sql) =>
    client.query(from(sql)),
  )
}

class PostgresTarget implements TargetSession {
  constructor(
    private readonly client: Client,
    readonly place: string,
    readonly secrets: readonly string[],
    private readonly copy: (sql: string) => NodeJS.WritableStream & { rowCount: number },
  ) {}

  async ask(sql: string): Promise<Rows> {
    const { rows } = await this.client.query<(string | null)[]>({ text: sql, rowMode: 'array' })
    return rows
  }

  async change(sql: string): Promise<bigint> {
    const { rowCount } = await this.client.query(sql)
    return BigInt(rowCount ?? 0)
  }

  async fill(table: string, columns: readonly Field[], csv: Readable): Promise<bigint> {
    const names = columns.map(({ name }) => quote(name)).join(', ')
    const copy = this.copy(`COPY ${table} (${names}) FROM STDIN (FORMAT csv)`)
    await pipeline(csv, copy)
    return BigInt(copy.rowCount)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closing(this.client.end())
  }
}
