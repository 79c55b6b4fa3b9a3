import { callSite } from '../../define/call-site.js'
import { secondsOf } from '../../define/interval.js'
import { connectionOptions } from '../../define/options/connection-options.js'
import {
  columnName,
  columnNames,
  either,
  interval,
  number,
  oneOf,
  text,
  texts,
} from '../../define/options/expected.js'
import { checked, checkedArguments, type OptionList } from '../../define/options/options.js'
import { mistake } from '../../define/problems/mistakes.js'
import type { Connection, DatabaseKind, DatabaseSource, Drift } from '../../define/source.js'
import { databaseUrlProblem } from './database-url.js'

export interface TableOptions<C extends string> {
  /** The columns to read. Default: all. */
  columns?: readonly C[]
  /** A condition in the database's own SQL; only matching rows are read. */
  where?: string
  /** Columns that identify a row. */
  key?: C | readonly C[]
  /**
   * The column by which new and changed rows are found: a time or a number that grows with every
   * change, in SQL Server ideally a `rowversion`. In PostgreSQL, `xmin` finds them without such a
   * column. Without a cursor, all rows are read in each run, and rows deleted in the source are
   * deleted downstream.
   */
  cursor?: C | 'xmin'
  /**
   * How far behind the newest value a row's cursor may be: `'30s'`, `'5m'`, `'2h'`; a number for a
   * numeric cursor. That range is read again in each run. Only needed if clocks other than the
   * database's set the cursor, or if the database cannot tell which transactions are open.
   */
  lag?: string | number
  /**
   * What happens when columns are added, removed or changed: `evolve` accepts and reports it (the
   * default), `freeze` fails before anything is published, `discard` ignores new columns.
   */
  drift?: Drift
  /**
   * `'compare'`: reads all keys in each run, and adds a row with `_change = 'delete'` for each that
   * no longer exists; silver then drops those keys. Needs `key`. Without it, rows that are deleted
   * in the source stay.
   */
  deletes?: 'compare'
  /**
   * The fraction of rows of a full extract, or of compared keys, that may disappear at once; an
   * extract with fewer rows is held back until `moraine run --accept-shrink` accepts it. Fewer than
   * 20 rows may always disappear. Default: 0.5; with 1, nothing is held back.
   */
  maxShrink?: number
}

const tableOptions: OptionList<TableOptions<string>> = {
  columns: texts,
  where: text,
  key: columnNames,
  cursor: columnName,
  lag: either("a duration such as '30s' or '5m', or a number", interval, number),
  drift: oneOf('evolve', 'freeze', 'discard'),
  deletes: oneOf('compare'),
  maxShrink: number,
}

const serverOptions: OptionList<Connection> = { ...connectionOptions, concurrency: number }

/** A database: a source of datasets, or where `warehouse(…)` puts tables. */
export interface Database {
  readonly kind: 'server'
  readonly database: DatabaseKind
  readonly connection: Connection
  /** Rows of a table or a view. */
  table<const C extends string = string>(name: string, options?: TableOptions<C>): DatabaseSource<C>
  /** Rows of a query. */
  query<const C extends string = string>(sql: string, options?: TableOptions<C>): DatabaseSource<C>
}

/**
 * A PostgreSQL database; needs the packages `pg` and `pg-copy-streams`. All tables of a run are
 * read from one snapshot.
 *
 * @example const shop = postgres({ url: process.env.SHOP_URL }) const orders = bronze('orders', {
 *   from: shop.table('public.orders', { key: 'order_id', cursor: 'updated_at' }) })
 */
export function postgres(connection: string | Connection): Database {
  return databaseOf('postgres', connection)
}

/**
 * A MySQL or MariaDB database; needs the package `mysql2`. All tables of a run are read from one
 * snapshot.
 */
export function mysql(connection: string | Connection): Database {
  return databaseOf('mysql', connection)
}

/**
 * A SQL Server or Azure SQL database; needs the package `mssql`. Accepts a URL
 * (`sqlserver://user:password@host:1433/database`) or a connection string
 * (`Server=…;Database=…;User Id=…;Password=…`). All tables of a run are read from one snapshot if
 * the database allows snapshot isolation.
 */
export function sqlserver(connection: string | Connection): Database {
  return databaseOf('sqlserver', connection)
}

function databaseOf(database: DatabaseKind, given: string | Connection): Database {
  const connection =
    typeof given === 'string' || given === undefined
      ? { url: given }
      : checked(
          `${database}(…)`,
          given,
          serverOptions,
          () => `Write ${database}({ url: process.env.SHOP_URL })`,
        )
  const url = typeof connection.url === 'string' ? connection.url : ''
  const wrong = databaseUrlProblem(database, url)
  if (wrong) mistake(`${database}(…): ${wrong.message}`, undefined, wrong.hint)
  const place = callSite()
  const source = <C extends string>(
    call: string,
    reads: DatabaseSource['reads'],
    options: TableOptions<C>,
  ): DatabaseSource<C> => {
    const good = checked<TableOptions<C>>(call, options, tableOptions)
    const { columns, where, key = [], cursor, lag = 0, drift = 'evolve', deletes, maxShrink } = good
    return {
      kind: 'database',
      database,
      connection,
      reads,
      columns,
      where,
      key: typeof key === 'string' ? [key] : key,
      cursor: cursor as C | undefined,
      lag: typeof lag === 'number' ? lag : (secondsOf(lag) ?? Number.NaN),
      drift,
      compareKeys: deletes === 'compare',
      ...(maxShrink === undefined ? {} : { maxShrink }),
      place,
    }
  }
  return {
    kind: 'server',
    database,
    connection,
    table: (table, options = {}) => {
      const good = checkedArguments('.table(…)', { table }, { table: text })
      return source(`.table('${table}')`, { table: good.table ?? '' }, options)
    },
    query: (query, options = {}) => {
      const good = checkedArguments('.query(…)', { query }, { query: text })
      return source('.query(…)', { query: good.query ?? '' }, options)
    },
  }
}
