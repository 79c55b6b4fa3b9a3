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
import { BEGIN, beginTogether, othersFor } from './alongside.js'
import { recordsOf } from './records.js'
import { namesOf } from './tables.js'
import { type Field, fieldsOf } from './types.js'

/** SQL for the server's clock: microseconds since 1970. */
export const CLOCK = 'CAST(UNIX_TIMESTAMP(sysdate(6)) * 1e6 AS SIGNED)'

/** The character sets of a table's texts. */
const CHARSETS = `SELECT column_name, character_set_name FROM information_schema.columns
  WHERE table_schema = coalesce(?, database()) AND table_name = ? AND character_set_name IS NOT NULL`

/** When the oldest transaction began; InnoDB says it in the zone of the machine, to the second. */
const OPEN = `SELECT CAST(UNIX_TIMESTAMP(min(trx_started)) * 1e6 AS SIGNED) FROM information_schema.innodb_trx
  WHERE trx_mysql_thread_id <> connection_id()`

/** What a server says whose rows are written elsewhere: on another one, or also on others. */
const READ_ONLY = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'innodb_read_only') AND Value <> 'OFF'`
const CLUSTER = "SHOW GLOBAL STATUS WHERE Variable_name = 'wsrep_cluster_size' AND Value > 1"

/**
 * Milliseconds after which InnoDB looks again which transactions are open: it answers from memory
 * until then.
 */
const FRESH = 120

/** The code of a lock that could not be had, and how long others than the leader wait for one. */
const LOCKED = 'ER_LOCK_WAIT_TIMEOUT'
const PATIENCE = 'SET SESSION lock_wait_timeout = 2'

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

/** A connection, which does one thing after the other. */
class Connection {
  private readonly line = new Mutex()

  private constructor(private readonly client: Client) {}

  static async open(open: () => Client): Promise<Connection> {
    const client = open()
    // A connection that is lost while nobody waits for it is told to who uses it next.
    client.on('error', () => {})
    const connection = new Connection(client)
    try {
      await new Promise<void>((resolve, reject) =>
        client.connect((error) => (error ? reject(error) : resolve())),
      )
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  query(sql: string, values: readonly unknown[] = []): Promise<Answer> {
    return this.line.run(() => answerOf(this.client, sql, values))
  }

  readonly ask = async (sql: string, values: readonly unknown[] = []): Promise<Rows> =>
    (await this.query(sql, values)).rows

  extract(query: string, path: string, signal: AbortSignal): Promise<Extracted> {
    return this.line.run(async () => {
      try {
        return await streamToFile(() => recordsOf(this.client, query), path, signal)
      } catch (error) {
        this.close()
        throw error
      }
    })
  }

  close(): void {
    this.client.destroy()
  }
}

/** A connection that is asked, and others that see the same rows and read beside it. */
class MysqlSession implements SourceSession {
  private connected: Connection | undefined
  private others: readonly Connection[] = []
  private readonly idle: Connection[] = []
  /**
   * Somebody waits to change a table until the leader is done, which has looked at all of them and
   * may read them; others wait.
   */
  private waitedFor = false
  private clock: Clock | undefined
  private replicated: boolean | undefined

  constructor(
    private readonly open: () => Client,
    readonly place: string,
    readonly secrets: readonly string[],
  ) {}

  async connect(): Promise<void> {
    this.connected = await Connection.open(this.open)
  }

  readonly ask = async (sql: string, values: readonly unknown[] = []): Promise<Rows> =>
    this.leader.ask(sql, values)

  async describe(query: string, table: string | undefined): Promise<Field[]> {
    const { fields } = await this.leader.query(`${query} LIMIT 0`)
    const charsets = table === undefined ? [] : await this.ask(CHARSETS, namesOf(table))
    return fieldsOf(fields, new Map(charsets.map(([name, set]) => [name ?? '', set ?? ''])))
  }

  async openTransactions(): Promise<OpenTransactions> {
    this.clock ??= await this.lookAtClock()
    const { now } = this.clock
    this.replicated ??= await this.isReplicated()
    const { replicated } = this
    await sleep(FRESH)
    try {
      const [[oldest] = []] = await this.ask(OPEN)
      return { now, oldest: oldest == null ? undefined : Number(oldest), hidden: false, replicated }
    } catch {
      return { now, hidden: true, replicated }
    }
  }

  /** Many may not ask what a server replicates; nearly all replicas can only be read. */
  private async isReplicated(): Promise<boolean> {
    const asked = (sql: string) => this.ask(sql).catch((): Rows | undefined => undefined)
    const status = (await asked('SHOW REPLICA STATUS')) ?? (await asked('SHOW SLAVE STATUS'))
    const found = [await asked(READ_ONLY), await asked(CLUSTER), status]
    return found.some((rows) => rows !== undefined && rows.length > 0)
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

  async begin(tables: readonly string[]): Promise<Snapshot> {
    const others = await this.openOthers(await othersFor(this.ask, tables))
    await Promise.all([this.leader, ...others].map(prepareSnapshot))
    await Promise.all(others.map(({ ask }) => ask(PATIENCE)))
    const asks = others.map(({ ask }) => ask)
    if (asks.length === 0) await this.ask(BEGIN)
    else if (await beginTogether(this.ask, asks)) this.idle.push(...others)
    else for (const one of others) one.close()
    return { now: await this.now() }
  }

  /** As many as the server lets this user have. */
  private async openOthers(count: number): Promise<readonly Connection[]> {
    const opening = Array.from({ length: count }, () => Connection.open(this.open))
    const opened = await Promise.allSettled(opening)
    this.others = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    return this.others
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

  async extract(query: string, _: unknown, path: string, signal: AbortSignal): Promise<Extracted> {
    const other = this.waitedFor ? undefined : this.idle.pop()
    if (!other) return this.leader.extract(query, path, signal)
    try {
      const extracted = await other.extract(query, path, signal)
      this.idle.push(other)
      return extracted
    } catch (error) {
      if ((error as { code?: string }).code !== LOCKED) throw error
      this.waitedFor = true
      return this.leader.extract(query, path, signal)
    }
  }

  async close(): Promise<void> {
    for (const one of [this.connected, ...this.others]) one?.close()
  }

  private get leader(): Connection {
    return this.connected as Connection
  }

  private async now(): Promise<number> {
    return Number((await this.ask(`SELECT ${CLOCK}`))[0]?.[0])
  }
}

async function prepareSnapshot({ ask }: Connection): Promise<void> {
  await ask("SET SESSION time_zone = '+00:00'")
  await ask('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
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

/**
 * SQL for the microseconds that the clocks of the session's zone are ahead of UTC in so many
 * seconds.
 */
function aheadSql(seconds: number): string {
  const time = `unix_timestamp() + ${seconds}`
  return `TIMESTAMPDIFF(MICROSECOND, DATE_ADD('1970-01-01', INTERVAL ${time} SECOND), FROM_UNIXTIME(${time}))`
}
