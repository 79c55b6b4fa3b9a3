import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { duckType, kindOf, plain, texts, translate } from './sql-server.js'
import {
  type Answer,
  type Kind,
  type Loss,
  type Session,
  startTds,
  TdsError,
  type TdsOptions,
} from './tds.js'
import type { BulkRows } from './tds-bulk.js'

/*
 * A double of SQL Server as a warehouse: its wire (tds.ts), over tables that DuckDB keeps. It knows
 * just the statements that exports send, and refuses others. It proves the wire, transactions,
 * locks, rows in bulk and what is compared; of T-SQL it proves nothing: the text of statements is
 * held by goldens and by a parser.
 */

export interface SqlServerTarget {
  port: number
  /** Without encryption, which it has only where it was given a certificate. */
  url: string
  /** Statements in their order, and `BEGIN`, `COMMIT`, `ROLLBACK`, `BULK`. */
  said: string[]
  /** Who was let read what. */
  grants: string[]
  /** Tables that views with SCHEMABINDING read: `reports.daily`. */
  bound: Set<string>
  /** Has connections be lost. */
  lose: (what: string) => Loss
  heard(): Buffer
  connect(): Promise<{
    query(sql: string): Promise<Record<string, string | null>[]>
    end(): Promise<void>
  }>
  stop(): Promise<void>
}

const running = new Map<number, SqlServerTarget>()

/** The double that listens at a URL. */
export function sqlServerTargetAt(url: string): SqlServerTarget {
  const found = running.get(Number(new URL(url).port))
  if (!found) throw new Error(`no double listens at ${url}`)
  return found
}

export async function startSqlServerTarget(tls?: TdsOptions['tls']): Promise<SqlServerTarget> {
  const instance = await DuckDBInstance.create(':memory:')
  const setup = await instance.connect()
  await setup.run('CREATE SCHEMA dbo')
  const locks = new Locks()
  const options: TdsOptions = {
    password: 's3cret',
    ...(tls ? { tls } : {}),
    lose: (what) => {
      server.said.push(what)
      return server.lose(what)
    },
    session: async () => {
      const connection = await instance.connect()
      await prepare(connection)
      return new TargetSession(connection, locks, server)
    },
  }
  const tds = await startTds(options)
  const { port } = tds
  const server: SqlServerTarget = {
    port,
    url: `sqlserver://shop:s3cret@127.0.0.1:${port}/shop?encrypt=false`,
    said: [],
    grants: [],
    bound: new Set(),
    lose: () => undefined,
    heard: () => tds.heard(),
    connect: async () => {
      const connection = await instance.connect()
      await prepare(connection)
      return {
        query: async (sql) => {
          const reader = await connection.runAndReadAll(sql)
          return reader.getRowObjects() as Record<string, string | null>[]
        },
        end: async () => connection.closeSync(),
      }
    },
    stop: async () => {
      running.delete(port)
      await tds.close()
      setup.closeSync()
      instance.closeSync()
    },
  }
  running.set(port, server)
  return server
}

async function prepare(connection: DuckDBConnection): Promise<void> {
  await connection.run("SET TimeZone = 'UTC'; SET schema = 'dbo'")
  await connection.run(`CREATE TEMP MACRO datalength(x) AS CASE WHEN typeof(x) = 'BLOB'
    THEN octet_length(TRY_CAST(x AS BLOB))
    ELSE 2 * (length(CAST(x AS VARCHAR)) + length(regexp_replace(CAST(x AS VARCHAR), '[^\\x{10000}-\\x{10FFFF}]', '', 'g'))) END`)
}

/** What sp_getapplock gives: locks by name, until a transaction ends. */
class Locks {
  private readonly held = new Map<string, { by: unknown; ended: Promise<void>; end: () => void }>()

  async take(name: string, by: unknown, waits: boolean): Promise<boolean> {
    for (let found = this.held.get(name); found; found = this.held.get(name)) {
      if (found.by === by) return true
      if (!waits) return false
      await found.ended
    }
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    this.held.set(name, { by, ended, end })
    return true
  }

  release(by: unknown): void {
    for (const [name, lock] of this.held)
      if (lock.by === by) {
        this.held.delete(name)
        lock.end()
      }
  }
}

const TEXT = "N'((?:[^']|'')*)'"
const COMMENT = new RegExp(
  `^DECLARE @schema sysname = (SCHEMA_NAME\\(\\)|${TEXT}); EXEC sys\\.sp_addextendedproperty @name = N'MS_Description', @value = ${TEXT}, @level0type = N'SCHEMA', @level0name = @schema, @level1type = N'TABLE', @level1name = ${TEXT}$`,
)
const LOCK =
  /^DECLARE @got int, @resource nvarchar\(255\) = (.+); EXEC @got = sys\.sp_getapplock @Resource = @resource, @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = (0|-1); SELECT @got$/
const RENAME = new RegExp(
  `^EXEC sys\\.sp_rename @objname = ${TEXT}, @newname = ${TEXT}, @objtype = N'OBJECT'$`,
)
const FIND = new RegExp(
  `WHERE o\\.schema_id = SCHEMA_ID\\((SCHEMA_NAME\\(\\)|${TEXT})\\) AND o\\.name = ${TEXT}$`,
)
const KEY = /^ALTER TABLE (\S+) ADD PRIMARY KEY \((.+)\)$/
const NOT_NULL = /^ALTER TABLE (\S+) ALTER COLUMN (\[.+\]) \S.* NOT NULL$/

class TargetSession implements Session {
  /** How rows may be sent to a table of the connection. */
  private readonly temporary = new Map<string, string[]>()
  private filling: string | undefined
  private begun = false
  private abortsOnErrors = false

  constructor(
    private readonly connection: DuckDBConnection,
    private readonly locks: Locks,
    private readonly server: Pick<SqlServerTarget, 'grants' | 'bound'>,
  ) {}

  async begin(): Promise<void> {
    await this.connection.run('BEGIN TRANSACTION')
    this.begun = true
  }

  async commit(): Promise<void> {
    await this.ended('COMMIT')
  }

  async rollback(): Promise<void> {
    await this.ended('ROLLBACK')
  }

  end(): void {
    this.connection.closeSync()
    this.locks.release(this)
  }

  async batch(sql: string): Promise<Answer | number | undefined> {
    return this.orAbort(() => this.answer(sql))
  }

  async load({ columns, rows }: BulkRows): Promise<number> {
    return this.orAbort(async () => {
      const table = this.filling ?? ''
      const types = this.temporary.get(table)
      const sent = columns.map(({ name, type }) => `[${name}] ${type}`)
      if (JSON.stringify(sent) !== JSON.stringify(types))
        throw new TdsError(4816, `Invalid column type from bcp client: ${sent} for ${types}`)
      const appender = await this.connection.createAppender(table, 'main', 'temp')
      for (const row of rows) {
        for (const [i, value] of row.entries()) append(appender, columns[i]?.type ?? '', value)
        appender.endRow()
      }
      appender.closeSync()
      return rows.length
    })
  }

  private async ended(step: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    try {
      await this.connection.run(step)
    } finally {
      this.begun = false
      this.locks.release(this)
    }
  }

  /** With XACT_ABORT, an error ends the transaction. */
  private async orAbort<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const { number = 50_000, message } = error as TdsError
      const aborts = this.begun && this.abortsOnErrors
      if (aborts) await this.rollback().catch(() => {})
      throw new TdsError(number, message, aborts)
    }
  }

  private async answer(sql: string): Promise<Answer | number | undefined> {
    if (/^set /i.test(sql)) {
      if (sql.includes('SET XACT_ABORT ON')) this.abortsOnErrors = true
      return undefined
    }
    const [, resource = '', patience] = LOCK.exec(sql) ?? []
    if (patience) {
      const got = await this.locks.take(resource, this, patience === '-1')
      return texts([[got ? '0' : '-1']])
    }
    if (/^insert bulk /.test(sql)) return this.bulk(sql)
    if (sql.includes('FROM sys.objects')) return this.find(sql)
    const [, schemaId] = new RegExp(`^SELECT SCHEMA_ID\\(${TEXT}\\)$`).exec(sql) ?? []
    if (schemaId !== undefined) {
      const found = await this.rows(
        `SELECT 1 FROM duckdb_schemas() WHERE database_name = 'memory' AND schema_name = '${schemaId}'`,
      )
      return texts([[found.length > 0 ? '5' : null]])
    }
    return this.change(sql)
  }

  private async change(sql: string): Promise<Answer | number | undefined> {
    const [, , schema, comment = '', table = ''] = COMMENT.exec(sql) ?? []
    if (table) return this.run(`COMMENT ON TABLE "${schema ?? 'dbo'}"."${table}" IS '${comment}'`)
    const [, renamed = '', to = ''] = RENAME.exec(sql) ?? []
    if (to) return this.run(`ALTER TABLE ${translate(renamed)} RENAME TO "${to}"`)
    if (NOT_NULL.test(sql)) return undefined
    const [, keyed = '', key = ''] = KEY.exec(sql) ?? []
    // DuckDB could not rename a table that has one.
    if (keyed) return this.refuseDuplicates(translate(keyed), translate(key))
    if (/^GRANT SELECT ON \S+ TO \[\w+\]$/.test(sql)) {
      this.server.grants.push(sql)
      return undefined
    }
    if (/^(CREATE (TABLE|SCHEMA)|DROP TABLE) /.test(sql)) return this.define(sql)
    if (/^(SELECT|INSERT INTO|DELETE) /.test(sql)) return this.query(sql)
    throw new TdsError(102, `Incorrect syntax: ${sql}`)
  }

  private async define(sql: string): Promise<undefined> {
    const [, table = '', list = ''] = /^CREATE TABLE \[(#\w+)\] \((.*)\)$/.exec(sql) ?? []
    if (table) {
      const columns = list.split(/, (?=\[)/).map((column) => column.replace(/ NULL$/, ''))
      this.temporary.set(table, columns)
    }
    const typed = sql
      .replaceAll(' COLLATE Latin1_General_100_BIN2', '')
      .replace('DEFAULT SYSUTCDATETIME()', 'DEFAULT (get_current_timestamp())')
      .replace(/(?<=\] )(?!decimal)\w+(\(\w+\))?/g, (type) => duckType(type))
      .replace(/^CREATE TABLE \[#/, 'CREATE TEMP TABLE [#')
    return this.run(translate(typed))
  }

  private async query(sql: string): Promise<Answer | number> {
    const plainer = sql
      .replaceAll('COUNT_BIG(', 'count(')
      .replace(/DATEDIFF_BIG\((day|microsecond), /g, "date_diff('$1', ")
      .replace(
        /^DELETE t FROM (\S+) AS t INNER JOIN (\S+) AS k ON /,
        'DELETE FROM $1 AS t USING $2 AS k WHERE ',
      )
    const reader = await this.connection.runAndReadAll(translate(plainer))
    const rows = reader.getRows().map((row) => row.map(plain))
    if (!sql.startsWith('SELECT')) return Number(rows[0]?.[0] ?? 0)
    const kinds = reader.columnTypes().map((type) => kindOf(String(type)))
    const columns = reader.columnNames().map((name, i) => ({ name, kind: kinds[i] as Kind }))
    return { columns, rows }
  }

  private async find(sql: string): Promise<Answer> {
    const [, , schema = 'dbo', name = ''] = FIND.exec(sql) ?? []
    const where = `database_name = 'memory' AND schema_name = '${schema}'`
    const rows = await this.rows(
      `SELECT comment FROM duckdb_tables() WHERE ${where} AND table_name = '${name}'
      UNION ALL SELECT comment FROM duckdb_views() WHERE ${where} AND view_name = '${name}'`,
    )
    const bound = this.server.bound.has(`${schema}.${name}`) ? '1' : '0'
    return texts(rows.map(([comment]) => [comment as string | null, bound]))
  }

  private bulk(sql: string): undefined {
    const [, table = '', list = ''] =
      /^insert bulk \[(#\w+)\]\((.*?)\)(?: WITH \(KEEP_NULLS\))?$/.exec(sql) ?? []
    if (list.split(/, (?=\[)/).join() !== this.temporary.get(table)?.join())
      throw new TdsError(208, `Invalid object name, or other columns than it has: ${sql}`)
    this.filling = table
    return undefined
  }

  private async refuseDuplicates(table: string, key: string): Promise<undefined> {
    const twice = await this.rows(
      `SELECT 1 FROM ${table} GROUP BY ${key} HAVING count(*) > 1 LIMIT 1`,
    )
    if (twice.length > 0)
      throw new TdsError(1505, 'The CREATE UNIQUE INDEX statement found a duplicate key.')
    return undefined
  }

  private async run(sql: string): Promise<undefined> {
    await this.connection.run(sql)
  }

  private async rows(sql: string): Promise<unknown[][]> {
    return (await this.connection.runAndReadAll(sql)).getRows() as unknown[][]
  }
}

type Appender = Awaited<ReturnType<DuckDBConnection['createAppender']>>

function append(appender: Appender, type: string, value: unknown): void {
  if (value === null) appender.appendNull()
  else if (type === 'int') appender.appendInteger(value as number)
  else if (type === 'bit') appender.appendBoolean(value as boolean)
  else if (type === 'varbinary(max)') appender.appendBlob(value as Buffer)
  else if (type === 'real') appender.appendFloat(valid(value as number, 1.17549435e-38))
  else if (type === 'float') appender.appendDouble(valid(value as number, 2.2250738585072014e-308))
  else appender.appendVarchar(fitting(value as string, /\((\d+)\)/.exec(type)?.[1]))
}

function valid(value: number, smallest: number): number {
  if (Number.isFinite(value) && (value === 0 || Math.abs(value) >= smallest)) return value
  throw new TdsError(8023, 'The value supplied is not a valid instance of data type float.')
}

function fitting(value: string, longest: string | undefined): string {
  if (longest === undefined || value.length <= Number(longest)) return value
  throw new TdsError(4815, 'Received an invalid column length from the bcp client.')
}
