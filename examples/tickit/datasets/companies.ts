import {
  type Database,
  mysql,
  postgres,
  type Source,
  sqlserver,
  type TableOptions,
} from 'moraine/sources'

/*
 * Three companies hold the tables: events and venues a service of its own (PostgreSQL), listings
 * and sales the shop (MySQL), users a third (SQL Server). Where the URL of one is known its tables
 * are read, otherwise the files are.
 */
const { TICKIT_POSTGRES_URL, TICKIT_MYSQL_URL, TICKIT_SQLSERVER_URL, TICKIT_BRONZE } = process.env

export const saas = TICKIT_POSTGRES_URL ? postgres(TICKIT_POSTGRES_URL) : undefined
export const shop = TICKIT_MYSQL_URL ? mysql(TICKIT_MYSQL_URL) : undefined
export const crm = TICKIT_SQLSERVER_URL ? sqlserver(TICKIT_SQLSERVER_URL) : undefined

/** `TICKIT_BRONZE=csv` keeps what comes from databases as CSV. */
const format = TICKIT_BRONZE === 'csv' ? 'csv' : 'avro'

interface Table {
  key: string
  /** A number that only grows: what was there is not read again. */
  cursor?: string
}

/** Where a dataset comes from: a company's table, or the file in its place. */
export function company<C extends string>(
  database: Database | undefined,
  table: string,
  options: Table,
  file: Source<C>,
): { from: Source<C>; format?: 'csv' | 'avro' } {
  return database
    ? { from: database.table<C>(table, options as TableOptions<C>), format }
    : { from: file }
}
