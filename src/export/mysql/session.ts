import type { Readable } from 'node:stream'
import type { Connection as Client, ResultSetHeader } from 'mysql2'
import type { OpenConnection } from '../../define/source.js'
import type { Field } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { placeOf } from '../../source/database/failures.js'
import { clientOptions } from '../../source/database/mysql/session.js'
import type { Rows, TargetSession } from '../dialect.js'
import { quote } from './types.js'

/**
 * What a value out of range or a text that is cut would be: an error, never another value. Nor does
 * a grant make a user without a password, which MySQL 8 does not do and has no mode against. While
 * the lake is read, the server waits for rows, or for the next statement; comments are for MariaDB
 * and for MySQL alone.
 */
const SETTINGS = `SET SESSION sql_mode = CONCAT('STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',
    IF(FIND_IN_SET('NO_AUTO_CREATE_USER', @@sql_mode), ',NO_AUTO_CREATE_USER', '')),
  time_zone = '+00:00', wait_timeout = 86400, net_read_timeout = 86400, net_write_timeout = 86400
  /*M!, max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */`

/**
 * The server takes no rows from clients (ER_NOT_ALLOWED_COMMAND, ER_CLIENT_LOCAL_FILES_DISABLED).
 */
const REFUSED = [1148, 3948]

export async function connectMysql(connection: OpenConnection): Promise<TargetSession> {
  const mysql = (await importPeer('mysql2')).default
  const { options, secrets } = await clientOptions(connection)
  const client = mysql.createConnection(options)
  // A connection that is lost while nobody waits for it is told to who uses it next.
  client.on('error', () => {})
  await new Promise<void>((resolve, reject) =>
    client.connect((error) => (error ? reject(error) : resolve())),
  )
  const session = new MysqlTarget(client, placeOf('MySQL', connection), secrets)
  await session.ask(SETTINGS)
  return session
}

class MysqlTarget implements TargetSession {
  constructor(
    private readonly client: Client,
    readonly place: string,
    readonly secrets: readonly string[],
  ) {}

  async ask(sql: string): Promise<Rows> {
    const found = await this.query({ sql })
    if (!Array.isArray(found)) return []
    return (found as (Buffer | null)[][]).map((row) =>
      row.map((value) => (value === null ? null : value.toString('utf8'))),
    )
  }

  async change(sql: string): Promise<bigint> {
    return BigInt(((await this.query({ sql })) as ResultSetHeader).affectedRows)
  }

  async fill(table: string, columns: readonly Field[], csv: Readable): Promise<bigint> {
    // Bytes come as hexadecimal digits; a NULL is the word, without quotes.
    const into = columns.map(({ name, type }, i) =>
      type.kind === 'binary' ? `@c${i}` : quote(name),
    )
    const bytes = columns.flatMap(({ name, type }, i) =>
      type.kind === 'binary' ? [`${quote(name)} = UNHEX(@c${i})`] : [],
    )
    const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${table} CHARACTER SET utf8mb4
      FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\\n'
      (${into.join(', ')})${bytes.length > 0 ? ` SET ${bytes.join(', ')}` : ''}`
    try {
      const done = await this.query({ sql, infileStreamFactory: () => csv })
      const { affectedRows, warningStatus } = done as ResultSetHeader
      if (warningStatus > 0) await this.refuseWarnings()
      return BigInt(affectedRows)
    } catch (error) {
      if (!REFUSED.includes((error as { errno?: number }).errno ?? 0)) throw error
      throw new MoraineError('export', `${this.place}: the server takes no rows from clients`, {
        hint: 'Turn local_infile on there: SET GLOBAL local_infile = 1',
      })
    }
  }

  /** With LOCAL, what does not fit is bent to what does, and only a warning says so. */
  private async refuseWarnings(): Promise<void> {
    const [[, code, message] = []] = await this.ask('SHOW WARNINGS LIMIT 1')
    if (message != null)
      throw new MoraineError('export', `${this.place}: ${message} (${code})`, {
        hint: 'Nothing was changed. The target would have held another value than the lake.',
      })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy()
  }

  private query(options: object): Promise<unknown> {
    return new Promise((resolve, reject) =>
      this.client.query(options as { sql: string }, (error, rows) =>
        error ? reject(error) : resolve(rows),
      ),
    )
  }
}
