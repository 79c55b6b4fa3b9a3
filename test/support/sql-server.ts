import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type Answer, type Kind, type Session, startTds, TdsError, type TdsOptions } from './tds.js'

/*
 * A double of SQL Server: its wire (tds.ts), over tables that DuckDB keeps. It knows just the
 * statements that the connector sends, so it proves the wire, the windows and the files, not T-SQL.
 * Writers use it without the wire.
 */

/**
 * Column types as SQL Server says them, by table and column, in their order; ids are never used
 * again.
 */
type Columns = Map<string, { type: string; id: number }>

export interface SqlServer {
  port: number
  url: string
  /** What clients sent in the clear. */
  heard(): Buffer
  connect(): Promise<Writer>
  /** Cuts all connections that came over the wire. */
  hangUp(): void
  /** Whether transactions of others can be seen, snapshots be had, and rows be written. */
  allows: { seeing: boolean; snapshots: boolean; writing: boolean }
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export interface Writer {
  query(sql: string): Promise<unknown[][]>
  end(): Promise<void>
}

const running = new Map<number, SqlServer>()

/** The double that listens at a URL. */
export function sqlServerAt(url: string): SqlServer {
  const found = running.get(Number(new URL(url).port))
  if (!found) throw new Error(`no double listens at ${url}`)
  return found
}

const duckTypes: Record<string, string> = {
  money: 'DECIMAL(19,4)',
  bit: 'BOOLEAN',
  tinyint: 'UTINYINT',
  datetimeoffset: 'TIMESTAMPTZ',
  datetime2: 'TIMESTAMP',
  datetime: 'TIMESTAMP',
  smalldatetime: 'TIMESTAMP',
  nvarchar: 'VARCHAR',
  varbinary: 'BLOB',
  uniqueidentifier: 'UUID',
  rowversion: "BIGINT DEFAULT nextval('versions')",
  float: 'DOUBLE',
  real: 'FLOAT',
  xml: 'VARCHAR',
}

export async function startSqlServer(tls?: TdsOptions['tls']): Promise<SqlServer> {
  const instance = await DuckDBInstance.create(':memory:')
  const tables = new Map<string, Columns>()
  /**
   * When each open transaction of a writer began (microseconds since 1970), and which version was
   * the newest then.
   */
  const open = new Map<DuckDBConnection, { began: bigint; version: bigint }>()
  const allows = { seeing: true, snapshots: true, writing: true }
  const ours = await instance.connect()
  await ours.run("SET TimeZone = 'UTC'; CREATE SEQUENCE versions START 1001")
  const one = async (sql: string) => (await ours.runAndReadAll(sql)).getRows()[0]?.[0]
  const newest = async () =>
    BigInt((await one('SELECT coalesce(last_value, 1000) FROM duckdb_sequences()')) as bigint)
  const clock = async () => (await one('SELECT epoch_us(get_current_timestamp())')) as bigint

  const options: TdsOptions = {
    password: 's3cret',
    ...(tls ? { tls } : {}),
    session: async (): Promise<Session> => {
      const connection = await instance.connect()
      await connection.run("SET TimeZone = 'UTC'")
      return {
        // Without snapshots, each statement sees what has been committed.
        begin: async () => void (allows.snapshots && (await connection.run('BEGIN TRANSACTION'))),
        batch: (sql) => answer(connection, sql.trim()),
        end: () => connection.closeSync(),
      }
    },
  }

  async function answer(connection: DuckDBConnection, sql: string): Promise<Answer | undefined> {
    if (/^set /i.test(sql)) return undefined
    if (/^(create|drop|insert|update|delete)\b/i.test(sql))
      return void (await connection.run(translate(defined(sql))))
    if (sql.includes('sys.schemas')) return texts([])
    if (sql.includes('Updateability')) return texts([[allows.writing ? '0' : '1']])
    if (sql.includes('sys.databases')) return texts([[allows.snapshots ? '1' : '0']])
    if (sql.includes('dm_tran_active_transactions')) {
      if (!allows.seeing) throw new TdsError(300, 'VIEW SERVER STATE permission was denied')
      const began = [...open.values()].map((t) => t.began).sort((a, b) => (a < b ? -1 : 1))
      return texts([[began[0] === undefined ? null : String(began[0])]])
    }
    if (sql.includes('MIN_ACTIVE_ROWVERSION')) {
      const last = await newest()
      const oldest = [...open.values()].map((t) => t.version).sort((a, b) => (a < b ? -1 : 1))[0]
      return texts([[String((oldest ?? last) + 1n), String(last)]])
    }
    if (sql.includes('tzoffset')) return texts([[String(await clock()), '0']])
    const described = /dm_exec_describe_first_result_set\(N'((?:[^']|'')*)'/.exec(sql)?.[1]
    if (described) return describe(connection, described.replaceAll("''", "'"))
    const table = /OBJECT_ID\(N'([^']*)'\)/.exec(sql)?.[1]?.replace(/^dbo\./, '') ?? ''
    if (sql.includes('sys.indexes'))
      return ask(
        connection,
        `SELECT constraint_column_names[1] AS name FROM duckdb_constraints() WHERE table_name = '${table}' AND constraint_type = 'PRIMARY KEY'`,
      )
    if (sql.includes('sys.partitions'))
      return ask(connection, `SELECT count(*) * 40 // 8192 AS pages FROM ${table}`)
    if (sql.includes('sys.columns'))
      return texts([...(tables.get(table) ?? [])].map(([name, { id }]) => [name, String(id)]))
    return ask(connection, translate(sql))
  }

  async function describe(connection: DuckDBConnection, query: string): Promise<Answer> {
    try {
      const rows = (await connection.runAndReadAll(`DESCRIBE ${translate(query)}`)).getRows()
      const table = / FROM (?:dbo\.)?([\w.]+)/.exec(query)?.[1] ?? ''
      const known = tables.get(table)
      return texts(
        rows.map(([name, type]) => [
          String(name),
          known?.get(String(name))?.type ?? String(type).toLowerCase(),
          null,
          null,
        ]),
      )
    } catch (error) {
      const { number, message } = errorOf(error)
      return texts([[null, null, String(number), message]])
    }
  }

  async function ask(connection: DuckDBConnection, sql: string): Promise<Answer> {
    try {
      const reader = await connection.runAndReadAll(sql)
      const kinds = reader.columnTypes().map((type) => kindOf(String(type)))
      const columns = reader.columnNames().map((name, i) => ({ name, kind: kinds[i] as Kind }))
      return { columns, rows: reader.getRows().map((row) => row.map(plain)) }
    } catch (error) {
      throw errorOf(error)
    }
  }

  function errorOf(error: unknown): TdsError {
    const text = (error as Error).message
    const missing = /Table with name (\w+) does not exist/.exec(text)?.[1]
    if (missing) return new TdsError(208, `Invalid object name '${missing}'. (does not exist)`)
    return new TdsError(/column "?(\w+)"? not found/i.test(text) ? 207 : 50_000, text)
  }

  /** Notes which columns tables have, and says the same in the words of DuckDB. */
  function defined(sql: string): string {
    const created = /^\s*CREATE TABLE ([\w.]+) \((.*)\)\s*$/is.exec(sql)
    if (created) {
      const [, table = '', list = ''] = created
      const columns: Columns = new Map()
      const parts = list.split(/,(?![^(]*\))/).map((part, i) => {
        const [, name = '', type = '', rest = ''] =
          /^\s*(\w+|\[(?:[^\]]|\]\])+\])\s+(\w+(?:\([\w, ]+\))?)(.*)$/s.exec(part) ?? []
        columns.set(name.replace(/^\[|\]$/g, '').replaceAll(']]', ']'), {
          type: type === 'rowversion' ? 'timestamp' : type,
          id: i + 1,
        })
        return `${name} ${duckType(type)}${rest}`
      })
      tables.set(table, columns)
      return `CREATE TABLE ${table} (${parts.join(', ')})`
    }
    const added = /^\s*ALTER TABLE (\w+) ADD COLUMN (\w+) (\S+)/i.exec(sql)
    if (added) {
      const [, table = '', name = '', type = ''] = added
      const columns = tables.get(table)
      columns?.set(name, { type, id: columns.size + 100 })
      return `ALTER TABLE ${table} ADD COLUMN ${name} ${duckType(type)}`
    }
    const dropped = /^\s*ALTER TABLE (\w+) DROP COLUMN (\w+)/i.exec(sql)
    if (dropped) tables.get(dropped[1] ?? '')?.delete(dropped[2] ?? '')
    return sql
  }

  const connect = async (): Promise<Writer> => {
    const connection = await instance.connect()
    await connection.run("SET TimeZone = 'UTC'")
    return {
      query: async (sql) => {
        if (/^BEGIN/i.test(sql))
          open.set(connection, { began: await clock(), version: await newest() })
        const result = await connection.runAndReadAll(translate(defined(sql)))
        if (/^(COMMIT|ROLLBACK)/i.test(sql)) open.delete(connection)
        return result.getRows() as unknown[][]
      },
      end: async () => {
        open.delete(connection)
        connection.closeSync()
      },
    }
  }

  let tds = await startTds(options)
  const { port } = tds
  const server: SqlServer = {
    port,
    url: `sqlserver://shop:s3cret@127.0.0.1:${port}/shop`,
    heard: () => tds.heard(),
    connect,
    hangUp: () => tds.hangUp(),
    allows,
    kill: () => tds.close(),
    start: async () => {
      tds = await startTds(options, port)
    },
    stop: async () => {
      running.delete(port)
      await tds.close()
      instance.closeSync()
    },
  }
  running.set(port, server)
  return server
}

export function duckType(type: string): string {
  const [name = ''] = type.split('(')
  return duckTypes[name] ?? type
}

export function kindOf(type: string): Kind {
  if (/^(UTINYINT|TINYINT|SMALLINT|INTEGER)$/.test(type)) return 'int'
  if (type === 'BIGINT' || type === 'HUGEINT') return 'bigint'
  if (type === 'BOOLEAN') return 'bit'
  if (type === 'DOUBLE' || type === 'FLOAT') return 'float'
  return type === 'BLOB' ? 'bytes' : 'text'
}

export function plain(value: unknown): unknown {
  const { bytes } = (value ?? {}) as { bytes?: Uint8Array }
  return bytes instanceof Uint8Array ? Buffer.from(bytes) : value
}

export function texts(rows: (string | null)[][]): Answer {
  const width = rows[0]?.length ?? 4
  const columns = Array.from({ length: width }, (_, i) => ({
    name: `c${i}`,
    kind: 'text' as const,
  }))
  return { columns, rows }
}

/** The connector's SQL in DuckDB's words. */
export function translate(sql: string): string {
  const top = /SELECT TOP \((\d+)\)/.exec(sql)
  const plain = sql
    .replaceAll(
      "DATEDIFF_BIG(microsecond, '1970-01-01', SYSUTCDATETIME())",
      'epoch_us(get_current_timestamp())',
    )
    .split(/('(?:[^']|'')*')/)
    .map((part, i) =>
      i % 2 === 1
        ? part
        : part
            .replace(
              /\[((?:[^\]]|\]\])+)\]/g,
              (_, name: string) => `"${name.replaceAll(']]', ']').replaceAll('"', '""')}"`,
            )
            .replace(/\bN$/, '')
            .replace(/SELECT TOP \(\d+\)/, 'SELECT')
            .replaceAll('dbo.', '')
            .replaceAll('SYSDATETIMEOFFSET()', 'get_current_timestamp()')
            .replaceAll(') + ', ') || '),
    )
    .join('')
  return `${converted(plain)}${top ? ` LIMIT ${top[1]}` : ''}`
}

/** CONVERT(type, value, style), from the outside in. */
function converted(sql: string): string {
  const at = sql.indexOf('CONVERT(')
  if (at < 0) return sql
  const args: string[] = []
  let [depth, start, i] = [1, at + 8, at + 8]
  for (let quote = ''; depth > 0; i++) {
    const c = sql[i]
    if (c === undefined) throw new Error(`CONVERT is not closed: ${sql}`)
    if (quote === '' && (c === "'" || c === '"')) quote = c
    else if (c === quote) quote = ''
    if (quote !== '') continue
    if (c === '(') depth++
    if (c === ')') depth--
    if ((c === ',' && depth === 1) || depth === 0) {
      args.push(sql.slice(start, i).trim())
      start = i + 1
    }
  }
  const [type = '', value = '', style] = args
  return sql.slice(0, at) + conversion(type, converted(value), style) + converted(sql.slice(i))
}

function conversion(type: string, value: string, style: string | undefined): string {
  const length = /^varchar\((\d+)\)$/.exec(type)?.[1]
  if (length && style === '121') {
    const moved = /^SWITCHOFFSET\((.*), '\+00:00'\)$/.exec(value)?.[1]
    const time = moved ? `(${moved} AT TIME ZONE 'UTC')` : value
    return `left(strftime(${time}, '%Y-%m-%d %H:%M:%S.%f'), ${length})`
  }
  if (length) return `left(CAST(${value} AS VARCHAR), ${length})`
  if (type === 'nvarchar(max)') return `CAST(${value} AS VARCHAR)`
  if (type === 'binary(8)') return value
  return `CAST(${value} AS ${duckType(type)})`
}
