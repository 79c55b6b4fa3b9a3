import type { Readable } from 'node:stream'
import type { Request, Transaction } from 'mssql'
import type { OpenConnection } from '../../define/source.js'
import type { Field } from '../../define/types/column-type.js'
import { closing } from '../../source/database/closing.js'
import { type Pooled, poolOf } from '../../source/database/sqlserver/pool.js'
import { quote } from '../../source/database/sqlserver/types.js'
import type { Rows, TargetSession, TransactionStep } from '../dialect.js'
import { type CsvRecord, recordsOf } from '../stage/records.js'
import { type Carrier, carried, sentValue } from './types.js'

/** An error ends the transaction, and nobody is waited for too short. */
const SETTINGS =
  'SET XACT_ABORT ON; SET NOCOUNT OFF; SET LOCK_TIMEOUT -1; SET ANSI_NULL_DFLT_ON ON; SET ANSI_WARNINGS ON'

/** A table of the connection that rows are sent to, as texts where the client would round. */
const LOAD = '#moraine_load'

/** Characters that are sent at a time. */
const LOT = 4 * 2 ** 20

export async function connectSqlServer(connection: OpenConnection): Promise<TargetSession> {
  const pooled = await poolOf(connection, { appName: 'moraine export', secure: true })
  await pooled.pool.connect()
  const target = new SqlServerTarget(pooled)
  // Who only looks does not wait for a long load of others.
  await target.ask('SET LOCK_TIMEOUT 15000')
  return target
}

class SqlServerTarget implements TargetSession {
  readonly place: string
  readonly secrets: readonly string[]
  /**
   * Once there was one, all goes through it: a pool would go on with another connection after one
   * was lost, and outside of the transaction.
   */
  private transaction: Transaction | undefined

  constructor(private readonly pooled: Pooled) {
    this.place = pooled.place
    this.secrets = pooled.secrets
  }

  async transact(step: TransactionStep): Promise<void> {
    const { sql, pool } = this.pooled
    if (step === 'BEGIN') {
      this.transaction = new sql.Transaction(pool)
      // What happens to a transaction between two requests is told by the next one.
      this.transaction.on('error', () => {})
      await this.transaction.begin(sql.ISOLATION_LEVEL.READ_COMMITTED)
      await this.ask(SETTINGS)
    } else if (step === 'COMMIT') await this.transaction?.commit()
    else await this.transaction?.rollback()
  }

  async ask(statement: string): Promise<Rows> {
    const { recordset } = await this.request().batch(statement)
    const rows = (recordset ?? []) as unknown as unknown[][]
    return rows.map((row) => row.map((value) => (value == null ? null : String(value))))
  }

  async change(statement: string): Promise<bigint> {
    const { rowsAffected } = await this.request().batch(statement)
    return rowsAffected.reduce((all, count) => all + BigInt(count), 0n)
  }

  async fill(table: string, columns: readonly Field[], csv: Readable): Promise<bigint> {
    const [create, insert, drop] = fillSql(table, columns)
    const carriers = columns.map(({ type }) => carried(type).carrier)
    await this.ask(create)
    for await (const lot of lotsOf(csv)) await this.send(lot, carriers)
    const rows = await this.change(insert)
    await this.ask(drop)
    return rows
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closing(this.pooled.pool.close())
  }

  private async send(records: readonly CsvRecord[], carriers: readonly Carrier[]): Promise<void> {
    const { sql } = this.pooled
    const load = new sql.Table(LOAD)
    load.create = false
    for (const [i, carrier] of carriers.entries())
      load.columns.add(`c${i}`, clientType(sql, carrier), { nullable: true })
    for (const record of records)
      load.rows.push(record.map((field, i) => sentValue(carriers[i] as Carrier, field)) as never)
    await this.request().bulk(load, { keepNulls: true })
  }

  private request(): Request {
    return this.transaction ? this.transaction.request() : this.pooled.pool.request()
  }
}

/** The statements that fill a table: before rows are sent, and after. */
export function fillSql(
  table: string,
  columns: readonly Field[],
): [create: string, insert: string, drop: string] {
  const held = columns.map(({ type }) => carried(type))
  const names = columns.map(({ name }) => quote(name)).join(', ')
  const values = held.map(({ from }, i) => from(quote(`c${i}`))).join(', ')
  return [
    `CREATE TABLE ${quote(LOAD)} (${held.map(({ carrier }, i) => `${quote(`c${i}`)} ${carrier} NULL`).join(', ')})`,
    `INSERT INTO ${table} (${names}) SELECT ${values} FROM ${quote(LOAD)}`,
    `DROP TABLE ${quote(LOAD)}`,
  ]
}

/** Records in lots that memory has room for. */
async function* lotsOf(csv: Readable): AsyncGenerator<CsvRecord[]> {
  let lot: CsvRecord[] = []
  let size = 0
  for await (const records of recordsOf(csv))
    for (const record of records) {
      lot.push(record)
      for (const field of record) size += 16 + (field?.length ?? 0)
      if (size < LOT) continue
      yield lot
      lot = []
      size = 0
    }
  if (lot.length > 0) yield lot
}

function clientType(sql: Pooled['sql'], carrier: Carrier) {
  if (carrier === 'int') return sql.Int()
  if (carrier === 'bit') return sql.Bit()
  if (carrier === 'real') return sql.Real()
  if (carrier === 'float') return sql.Float()
  if (carrier === 'varbinary(max)') return sql.VarBinary(sql.MAX)
  const length = /\((\d+)\)/.exec(carrier)?.[1]
  return sql.NVarChar(length === undefined ? sql.MAX : Number(length))
}
