import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { startRedshift } from '../support/redshift.js'
import {
  mariadbProgram,
  minioProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { sqlServerTargetAt, startSqlServerTarget } from '../support/sql-server-target.js'

/** A warehouse as somebody sees it who is connected to it. */
export interface Client {
  query(sql: string): Promise<Record<string, string | null>[]>
  end(): Promise<void>
}

interface Started {
  url: string
  /** Where rows lie meanwhile, of a kind that loads them from a bucket. */
  via?: string
  stop(): Promise<void>
}

/** A kind of warehouse that tests can start. */
export interface Kind {
  name: string
  needs: readonly (string | undefined)[]
  start(): Promise<Started>
  connect(url: string): Promise<Client>
  /** The builder of lake.ts. */
  builder: 'postgres' | 'mysql' | 'redshift' | 'sqlserver'
  /** The package that has it. */
  from: 'moraine' | 'moraine/sources'
  /** The target in lake.ts. */
  target(started: Started): string
  /** A table of a schema, as SQL and messages name it; a kind without schemas has one database. */
  table(schema: string, name: string): string
  schema(schema: string): string
  text(column: string): string
  quote: string
}

const connectPostgres: Kind['connect'] = async (url) => {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  return {
    query: async (sql) => (await client.query(sql)).rows,
    end: () => client.end(),
  }
}

export const kinds: readonly Kind[] = [
  {
    name: 'PostgreSQL',
    needs: [postgresPrograms],
    start: startPostgres,
    connect: connectPostgres,
    builder: 'postgres',
    from: 'moraine/sources',
    target: ({ url }) => `postgres('${url}')`,
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
    from: 'moraine/sources',
    target: ({ url }) => `mysql('${url}')`,
    // Each test has names of its own.
    table: (schema, name) => `${schema}_${name}`,
    schema: () => '',
    text: (column) => `cast(\`${column}\` as char)`,
    quote: '`',
  },
]

/** Redshift by a stand-in: see `test/support/redshift.ts`. */
export const redshiftKind: Kind = {
  ...(kinds[0] as Kind),
  name: 'Redshift',
  needs: [postgresPrograms, minioProgram],
  start: startRedshift,
  builder: 'redshift',
  from: 'moraine',
  target: ({ url, via }) => `redshift({ url: '${url}', via: '${via}' })`,
}

/** SQL Server by a double: see `test/support/sql-server-target.ts`. */
export const sqlserverKind: Kind = {
  ...(kinds[0] as Kind),
  name: 'SQL Server',
  needs: [],
  start: () => startSqlServerTarget(),
  connect: (url) => sqlServerTargetAt(url).connect(),
  builder: 'sqlserver',
  target: ({ url }) => `sqlserver('${url}')`,
}
