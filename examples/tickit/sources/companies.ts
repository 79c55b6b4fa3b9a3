import { existsSync } from 'node:fs'
import mssql from 'mssql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import {
  mariadbProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
} from '../../../test/support/servers.js'
import type { Target } from './seed.js'
import { crm, type SourceTable, saas, shop } from './tables.js'

/** A company, and its database where there is one. */
export interface Company {
  what: string
  /** The variable that its URL is taken from. */
  variable: string
  tables: readonly SourceTable[]
  url?: string
  target?: Target
  /** Why there is none. */
  missing: string
  stop(): Promise<void>
}

const nothing = async () => {}

/**
 * The companies with the databases that are given by their URLs, or else found on this machine and
 * started.
 */
export async function companies(): Promise<Company[]> {
  return [await events(), await tickets(), await customers()]
}

async function events(): Promise<Company> {
  const own = { what: 'PostgreSQL', variable: 'TICKIT_POSTGRES_URL', tables: saas }
  const given = process.env.TICKIT_POSTGRES_URL
  const found = postgresPrograms && existsSync(postgresPrograms)
  if (!given && !found) return { ...own, missing: 'not found on this machine', stop: nothing }
  const server = given ? undefined : await startPostgres()
  const url = given ?? (server?.url as string)
  const client = new pg.Client(url)
  await client.connect()
  return {
    ...own,
    url,
    missing: '',
    target: {
      run: (sql) => client.query(sql),
      types: {
        int: 'int',
        text: 'text',
        money: 'numeric(8,2)',
        date: 'date',
        time: 'timestamp',
        flag: 'boolean',
      },
      schema: ['CREATE SCHEMA IF NOT EXISTS saas'],
    },
    stop: async () => {
      await client.end()
      await server?.stop()
    },
  }
}

async function tickets(): Promise<Company> {
  const own = { what: 'MySQL', variable: 'TICKIT_MYSQL_URL', tables: shop }
  const given = process.env.TICKIT_MYSQL_URL
  const found = existsSync(mariadbProgram)
  if (!given && !found) return { ...own, missing: 'not found on this machine', stop: nothing }
  const server = given ? undefined : await startMariadb()
  const url = given ?? (server?.url as string)
  const client = await mysql.createConnection({ uri: url })
  await client.query("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'")
  return {
    ...own,
    url,
    missing: '',
    target: {
      run: (sql) => client.query(sql),
      types: {
        int: 'int',
        text: 'varchar(200)',
        money: 'decimal(8,2)',
        date: 'date',
        time: 'datetime',
        flag: 'tinyint(1)',
      },
      schema: ['CREATE DATABASE IF NOT EXISTS tickit'],
    },
    stop: async () => {
      await client.end()
      await server?.stop()
    },
  }
}

async function customers(): Promise<Company> {
  const own = { what: 'SQL Server', variable: 'TICKIT_SQLSERVER_URL', tables: crm }
  const url = process.env.TICKIT_SQLSERVER_URL
  if (!url) return { ...own, missing: 'no URL in TICKIT_SQLSERVER_URL', stop: nothing }
  const { hostname, port, username, password, pathname } = new URL(url)
  const pool = new mssql.ConnectionPool({
    server: hostname,
    port: Number(port || 1433),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1) || 'master',
    requestTimeout: 60_000,
    options: { trustServerCertificate: true },
    validateConnection: false,
  } as mssql.config)
  await pool.connect()
  const known = await pool
    .request()
    .batch("SELECT name FROM sys.schemas WHERE name = N'crm'")
    .then(({ recordset }) => recordset.length > 0)
  return {
    ...own,
    url,
    missing: '',
    target: {
      run: (sql) => pool.request().batch(sql),
      types: {
        int: 'int',
        text: 'nvarchar(200)',
        money: 'decimal(8,2)',
        date: 'date',
        time: 'datetime2(0)',
        flag: 'bit',
      },
      schema: known ? [] : ['CREATE SCHEMA crm'],
    },
    stop: () => pool.close(),
  }
}
