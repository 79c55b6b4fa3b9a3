import { callSite } from '../call-site.js'
import type { Gold, Silver } from '../model.js'
import { columnName, flag, isDataset, text, texts } from '../options/expected.js'
import {
  checked,
  checkedArguments,
  type Expected,
  needed,
  type OptionList,
} from '../options/options.js'
import { isBroken, markBroken } from '../problems/mistakes.js'
import type { Connection, DatabaseKind } from '../source.js'
import type { DuckDBFile } from './duckdb-file.js'
import type { Folder } from './folder.js'
import type { Redshift } from './redshift.js'
import type { Exportable, ExportTable, Target, Warehouse } from './target.js'

export type { Warehouse }

/** A table with more to say than the dataset it comes from. */
export interface TableExport {
  dataset: Silver<any> | Gold<any>
  /** Its name in the target. Default: that of the dataset. */
  as?: string
  /** In Redshift: the column by whose values rows are spread over nodes. Default: `AUTO`. */
  distKey?: string
  /** In Redshift: the columns by which rows are sorted, first to last. Default: `AUTO`. */
  sortKey?: readonly string[]
}

export interface WarehouseOptions {
  /** The silver and gold datasets to export, or objects with more to say of one. */
  tables: readonly (Silver<any> | Gold<any> | TableExport)[]
  /**
   * What `moraine export` calls it. Default: the kind of the target, such as `postgres`. A lake
   * with two warehouses of a kind names them.
   */
  name?: string
  /**
   * The schema of the tables in the target, which is created if it does not exist. Default: the
   * schema of the connection. MySQL has none: its tables lie in the database of the connection.
   */
  schema?: string
  /** Roles or users that may read the tables: `GRANT SELECT … TO …`. */
  grants?: readonly string[]
  /**
   * Whether each run that publishes new rows of these tables is followed by an export. Default:
   * `true`; otherwise only `moraine export` exports them.
   */
  afterRuns?: boolean
}

/** A database as `postgres(…)`, `mysql(…)` and `sqlserver(…)` of `moraine/sources` give it. */
export interface DatabaseServer {
  readonly kind: 'server'
  readonly database: DatabaseKind
  readonly connection: Connection
}

/** Where tables can be kept. */
export type WarehouseTarget = DatabaseServer | DuckDBFile | Folder | Redshift

const tableExportOptions: OptionList<TableExport> = {
  dataset: {
    is: 'a silver or gold dataset',
    fits: isDataset,
    needed: true,
  },
  as: text,
  distKey: columnName,
  sortKey: texts,
}

const listOfTables: Expected = {
  is: 'a list of silver and gold datasets',
  fits: (value) => Array.isArray(value) && value.every((item) => item instanceof Object),
  advise: (value) => {
    if (isDataset(value)) return 'Wrap it in a list: [ … ]'
    if ([value].flat().some((item) => typeof item === 'string'))
      return 'Refer to datasets by their variables, without quotes.'
    return Array.isArray(value)
      ? 'An item of the list is undefined: it is defined further down, not exported, or misspelled.'
      : 'Write tables: [dailyRevenue, orders], with the variables of datasets.'
  },
}

const warehouseOptions: OptionList<WarehouseOptions> = {
  tables: needed(listOfTables),
  name: text,
  schema: text,
  grants: texts,
  afterRuns: flag,
}

const target: Expected = {
  is: 'a target, such as postgres({ url: … })',
  fits: (value) => {
    const { kind } = Object(value) as { kind?: unknown }
    return ['duckdb file', 'folder', 'redshift', 'server'].includes(String(kind))
  },
  advise: (value) =>
    typeof value === 'string'
      ? "Write postgres('…'), imported from moraine/sources, duckdbFile('…') or folder('…')"
      : "Write postgres({ url: secret('env:WAREHOUSE_URL') }), imported from moraine/sources",
}

/**
 * Tables that a database outside of the lake has as well. Each is loaded in one transaction
 * together with the record of what was loaded, so that it always is as one commit of the lake; what
 * did not change is not loaded again.
 *
 * @param to where to: `postgres(…)`, `mysql(…)`, `sqlserver(…)`, `duckdbFile(…)`, `folder(…)`
 *   or `redshift(…)`.
 * @example
 * const analytics = warehouse(postgres({ url: secret('env:URL') }), { tables: [daily] })
 * defineLake({ name: 'shop', datasets: [daily], exports: [analytics] })
 */
export function warehouse(to: WarehouseTarget, options: WarehouseOptions): Warehouse {
  const place = callSite()
  const given = checkedArguments('warehouse(…)', { to }, { to: target })
  const good = checked<WarehouseOptions>('warehouse(…)', options, warehouseOptions)
  const toTarget = targetOf(given.to)
  const { tables = [], name = toTarget?.kind ?? '', schema, grants = [], afterRuns = true } = good
  const made: Warehouse = {
    kind: 'warehouse',
    name,
    target: toTarget as Target,
    schema,
    tables: tables.map(tableOf),
    grants,
    afterRuns,
    place,
  }
  return toTarget === undefined || isBroken(good) ? markBroken(made) : made
}

function targetOf(to: WarehouseTarget | undefined): Target | undefined {
  if (to === undefined) return undefined
  if (to.kind === 'duckdb file') return { kind: 'duckdb', path: to.path }
  if (to.kind === 'folder' || to.kind === 'redshift') return to
  return { kind: to.database, connection: to.connection }
}

function tableOf(given: Exportable | TableExport): ExportTable {
  if (isDataset(given)) return { dataset: given as Exportable, as: (given as Exportable).name }
  const good = checked<TableExport>('warehouse(…): tables', given, tableExportOptions)
  const { dataset, as = dataset?.name ?? '', distKey, sortKey } = good
  return {
    dataset,
    as,
    ...(distKey === undefined ? {} : { distKey }),
    ...(sortKey === undefined ? {} : { sortKey }),
  }
}

/** What `defineLake` takes as its `exports`. */
export const warehouses: Expected = {
  is: 'a list of warehouses',
  fits: (value) => Array.isArray(value) && value.every(isWarehouse),
  advise: (value) =>
    isWarehouse(value)
      ? 'Wrap it in a list: [warehouse(…)]'
      : "Write [warehouse(postgres({ url: secret('env:WAREHOUSE_URL') }), { tables: [orders] })]",
}

const isWarehouse = (value: unknown) =>
  value instanceof Object && (value as { kind?: unknown }).kind === 'warehouse'
