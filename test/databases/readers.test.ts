import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import type { DatabaseKind } from '../../src/define/source.js'
import { type Reader, type Row, readersHold, SECRET } from '../contract/reader/suite.js'
import {
  mariadbProgram,
  postgresPrograms,
  type Server,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'
import { sqlServerAt, startSqlServer } from '../support/sql-server.js'

interface Client {
  query(sql: string): Promise<unknown>
  end(): Promise<void>
}

interface Database {
  name: string
  needs: (string | undefined)[]
  start(): Promise<Pick<Server, 'url' | 'stop'>>
  connect(url: string): Promise<Client>
  /** The type of texts, and a text as SQL has it. */
  text: string
  literal?: (text: string) => string
  /** An address of it that is refused, with a password in it. */
  refused: (url: string) => string
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`

/** A database without one does not compile. */
const databases: Record<DatabaseKind, Database> = {
  postgres: {
    name: 'PostgreSQL',
    needs: [postgresPrograms],
    start: startPostgres,
    connect: async (url) => {
      const client = new pg.Client(url)
      await client.connect()
      return client
    },
    text: 'text',
    refused: (url) => url.replace('postgres@', `postgres:${SECRET}@`).replace(/\w+$/, 'nowhere'),
  },
  mysql: {
    name: 'MariaDB',
    needs: [mariadbProgram],
    start: startMariadb,
    connect: async (url) =>
      (await mysql.createConnection({ uri: url, charset: 'utf8mb4' })) as unknown as Client,
    text: 'varchar(40) CHARACTER SET utf8mb4',
    literal: (text) => quote(text.replaceAll('\\', '\\\\')),
    refused: (url) => url.replace('s3cret', SECRET),
  },
  sqlserver: {
    name: 'SQL Server, played by a double',
    needs: [process.execPath],
    start: startSqlServer,
    connect: (url) => sqlServerAt(url).connect(),
    text: 'nvarchar(40)',
    refused: (url) => url.replace('s3cret', SECRET),
  },
}

const columns = ['id', 'amount', 'name', 'day', 'score'] as const

/** Tables of one server; each test has one of its own. */
function readersOf(kind: DatabaseKind, { name, literal = quote, ...database }: Database): Reader[] {
  let server: Awaited<ReturnType<Database['start']>>
  let client: Client
  let tables = 0
  beforeAll(async () => {
    server = await database.start()
    client = await database.connect(server.url)
  })
  afterAll(async () => {
    await client.end()
    await server.stop()
  })
  const sqlOf = (value: unknown) => (value == null ? 'NULL' : literal(String(value)))

  const fill = (options: string) => async (isLoose?: boolean) => {
    const table = `orders${++tables}`
    const all: Row[] = []
    const amount = isLoose ? database.text : 'decimal(12,2)'
    const create = () =>
      client.query(
        `CREATE TABLE ${table} (id int PRIMARY KEY, amount ${amount}, name ${database.text}, day date, score int)`,
      )
    await create()
    let names: readonly (keyof Row)[] = columns
    const insert = async (rows: readonly Row[]) => {
      const values = rows.map((row) => `(${names.map((column) => sqlOf(row[column])).join(', ')})`)
      await client.query(`INSERT INTO ${table} (${names.join(', ')}) VALUES ${values.join(', ')}`)
    }
    return {
      from: `${kind}({ url: '${server.url}' }).table('${table}', { key: 'id'${options} })`,
      imports: kind,
      put: async (_: unknown, rows: readonly Row[]) => {
        if (names === columns && rows.some(({ more }) => more !== undefined)) {
          await client.query(`ALTER TABLE ${table} ADD COLUMN more ${database.text}`)
          names = [...columns, 'more']
        }
        await insert(rows)
        all.push(...rows)
      },
      damage: async () => {
        await client.query(`DROP TABLE ${table}`)
        return async () => {
          await create()
          await insert(all)
        }
      },
    }
  }

  const refusing = async () => ({
    from: `${kind}({ url: '${database.refused(server.url)}' }).table('orders', { key: 'id' })`,
    imports: kind,
  })
  const about = { holds: 'text', unreadable: 'refused', refusing } as const
  return [
    { name: `${name}, by a cursor`, fill: fill(", cursor: 'id'"), ...about },
    { name: `${name}, all rows each time`, fill: fill(''), givesAll: true, ...about },
  ]
}

for (const [kind, database] of Object.entries(databases) as [DatabaseKind, Database][])
  withService(database.name, database.needs, () => readersHold(readersOf(kind, database)))
