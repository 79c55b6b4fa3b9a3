import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import {
  mariadbProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
} from '../support/servers.js'

/** A warehouse as somebody sees it who is connected to it. */
export interface Client {
  query(sql: string): Promise<Record<string, string | null>[]>
  end(): Promise<void>
}

/** A kind of warehouse that tests can start. */
export interface Kind {
  name: string
  needs: readonly (string | undefined)[]
  start(): Promise<{ url: string; stop(): Promise<void> }>
  connect(url: string): Promise<Client>
  /** The builder of lake.ts. */
  builder: 'postgres' | 'mysql' | 'duckdbFile'
  /** A table of a schema, as SQL and messages name it; a kind without schemas has one database. */
  table(schema: string, name: string): string
  schema(schema: string): string
  text(column: string): string
  quote: string
}

export const kinds: readonly Kind[] = [
  {
    name: 'PostgreSQL',
    needs: [postgresPrograms],
    start: startPostgres,
    connect: async (url) => {
      const client = new pg.Client(url)
      client.on('error', () => {})
      await client.connect()
      return {
        query: async (sql) => (await client.query(sql)).rows,
        end: () => client.end(),
      }
    },
    builder: 'postgres',
    table: (schema, name) => `${schema}.${name}`,
    schema: (schema) => `, schema: '${schema}'`,
    text: (column) => `cast("${column}" as varchar)`,
    quote: '"',
  },
  {
    name: 'MariaDB',
    needs: [mariadbProgram],
    start: () => startMariadb(),
    connect: async (url) => {
      const client = await createConnection({
        uri: url,
        dateStrings: true,
        supportBigNumbers: true,
      })
      return {
        query: async (sql) => (await client.query(sql))[0] as Record<string, string | null>[],
        end: () => client.end(),
      }
    },
    builder: 'mysql',
    // Each test has names of its own.
    table: (schema, name) => `${schema}_${name}`,
    schema: () => '',
    text: (column) => `cast(\`${column}\` as char)`,
    quote: '`',
  },
]
