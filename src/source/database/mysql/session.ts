import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection as Client, ConnectionOptions, FieldPacket } from 'mysql2'
import type { OpenConnection } from '../../../define/source.js'
import { importPeer } from '../../../peers.js'
import type { Ends, OpenTransactions, Rows, Snapshot, SourceSession } from '../dialect.js'
import { given, placeOf, secretsOf } from '../failures.js'
import { Mutex } from '../mutex.js'
import type { Extracted } from '../reader.js'
import { microsText } from '../times.js'
import { streamToFile } from '../to-file.js'
import { recordsOf } from './records.js'
import { type Field, fieldsOf } from './types.js'

/** SQL for the server's clock: microseconds since 1970. */
export const CLOCK = 'CAST(UNIX_TIMESTAMP(sysdate(6)) * 1e6 AS SIGNED)'

/** The character sets of a table's texts. */
const CHARSETS = `SELECT column_name, character_set_name FROM information_schema.columns
  WHERE table_schema = coalesce(?, database()) AND table_name = ? AND character_set_name IS NOT NULL`

/** When the oldest transaction began; InnoDB says it in the zone of the machine, to the second. */
const OPEN = `SELECT CAST(UNIX_TIMESTAMP(min(trx_started)) * 1e6 AS SIGNED) FROM information_schema.innodb_trx
  WHERE trx_mysql_thread_id <> connection_id()`

/**
 * Milliseconds after which InnoDB looks again which transactions are open: it answers from memory
 * until then.
 */
const FRESH = 120

/** What a client is opened with, and what must not be shown of it. */
export async function clientOptions(
  connection: OpenConnection,
): Promise<{ options: ConnectionOptions; secrets: string[] }> {
  const { url, host, port, user, database, password, tls } = connection
  const secret = typeof password === 'function' ? await password() : password
  const { ca, verify = true } = tls && tls !== true ? tls : {}
  const options = {
    ...given({ uri: url, host, port, user, database, password: secret }),
    ...(tls ? { ssl: { ...(ca ? { ca } : {}), rejectUnauthorized: verify } } : {}),
    charset: 'utf8mb4',
    connectTimeout: 15_000,
    rowsAsArray: true,
    // Values stay the texts that the server sends.
    typeCast: false,
  } as ConnectionOptions
  return { options, secrets: [...secretsOf(connection), ...(secret ? [secret] : [])] }
}

export async function prepare(connection: OpenConnection): Promise<SourceSession> {
  const mysql = (await importPeer('mysql2')).default
  const { options, secrets } = await clientOptions(connection)
  return new MysqlSession(
    () => mysql.createConnection(options),
    placeOf('MySQL', connection),
    secrets,
  )
}

/** How the server's clock differs from UTC. */
interface Clock {
  /** When that was asked; microseconds since 1970. */
  now: number
  /** Microseconds that it is ahead, now and in a day. */
  ahead: number
  tomorrow: number
}

class MysqlSession implements SourceSession {
  /** A connection does one thing after the other. */
  private readonly line = new Mutex()
  private connected: Client | undefined
  private clock: Clock | undefined

  constructor(
    private readonly open: () => Client,
    readonly place: string,
    readonly secrets: readonly string[],
  ) {}

  async connect(): Promise<void> {
    const client = this.open()
    this.connected = client
    // A connection that is lost while nobody waits for it is told to who uses it next.
    client.on('error', () => {})
    await new Promise<void>((resolve, reject) =>
      client.connect((error) => (error ? reject(error) : resolve())),
    )
  }

  readonly ask = async (sql: string, values: readonly unknown[] = []): Promise<Rows> =>
    (await this.query(sql, values)).rows

  async describe(query: string, table: string | undefined): Promise<Field[]> {
    const { fields } = await this.query(`${query} LIMIT 0`)
    const charsets = table === undefined ? [] : await this.ask(CHARSETS, namesOf(table))
    return fieldsOf(fields, new Map(charsets.map(([name, set]) => [name ?? '', set ?? ''])))
  }

  async openTransactions(): Promise<OpenTransactions> {
    this.clock ??= await this.lookAtClock()
    const { now } = this.clock
    await sleep(FRESH)
    try {
      const [[oldest] = []] = await this.ask(OPEN)
      return { now, oldest: oldest == null ? undefined : Number(oldest), hidden: false }
    } catch {
      return { now, hidden: true }
    }
  }

  private async lookAtClock(): Promise<Clock> {
    await this.ask("SET SESSION time_zone = 'SYSTEM'")
    const now = await this.now()
    await this.ask('SET SESSION time_zone = @@global.time_zone')
    const [[ahead, tomorrow] = []] = await this.ask(
      `SELECT ${[0, 86_400].map(aheadSql).join(', ')}`,
    )
    // InnoDB says in the zone of the machine when a transaction began.
    await this.ask("SET SESSION time_zone = 'SYSTEM'")
    return { now, ahead: Number(ahead ?? 0), tomorrow: Number(tomorrow ?? 0) }
  }

  async begin(): Promise<Snapshot> {
    await this.ask("SET SESSION time_zone = '+00:00'")
    await this.ask('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    await this.ask('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    return { now: await this.now() }
  }

  /** Where clocks are about to be put back, the next window begins before what they will show. */
  async onClock({ bound, next, later }: Ends<number>): Promise<Ends<string>> {
    const { ahead, tomorrow } = this.clock as Clock
    return {
      bound: microsText(bound + ahead),
      next: microsText(next + Math.min(ahead, tomorrow)),
      later: microsText(later + ahead),
    }
  }

  extract(query: string, _: unknown, path: string, signal: AbortSignal): Promise<Extracted> {
    return this.line.run(async () => {
      try {
        return await streamToFile(() => recordsOf(this.client, query), path, signal)
      } catch (error) {
        this.client.destroy()
        throw error
      }
    })
  }

  async close(): Promise<void> {
    this.connected?.destroy()
  }

  private get client(): Client {
    return this.connected as Client
  }

  private async now(): Promise<number> {
    return Number((await this.ask(`SELECT ${CLOCK}`))[0]?.[0])
  }

  private query(sql: string, values: readonly unknown[] = []): Promise<Answer> {
    return this.line.run(() => answerOf(this.client, sql, values))
  }
}

interface Answer {
  rows: (string | null)[][]
  fields: FieldPacket[]
}

/** The rows of a statement, their values as texts. */
function answerOf(client: Client, sql: string, values: readonly unknown[]): Promise<Answer> {
  return new Promise((resolve, reject) =>
    client.query(sql, [...values], (error, rows, fields) => {
      if (error) return reject(error)
      const texts = Array.isArray(rows)
        ? (rows as unknown as (Buffer | null)[][]).map((row) =>
            row.map((value) => (value === null ? null : value.toString('utf8'))),
          )
        : []
      resolve({ rows: texts, fields: (fields ?? []) as FieldPacket[] })
    }),
  )
}

/** The database, if one is named, and the name of a table. */
export function namesOf(table: string): [string | null, string] {
  const [, database, name] = /^(?:`?([^`.]+)`?\.)?`?([^`.]+)`?$/.exec(table) ?? []
  return [database ?? null, name ?? table]
}

/**
 * SQL for the microseconds that the clocks of the session's zone are ahead of UTC in so many
 * seconds.
 */
function aheadSql(seconds: number): string {
  const time = `unix_timestamp() + ${seconds}`
  return `TIMESTAMPDIFF(MICROSECOND, DATE_ADD('1970-01-01', INTERVAL ${time} SECOND), FROM_UNIXTIME(${time}))`
}
