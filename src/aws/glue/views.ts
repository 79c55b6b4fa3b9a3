import type { Gold } from '../../define/model.js'
import { quoteName } from '../../define/sql/sql.js'
import type { ColumnType } from '../../define/types/column-type.js'
import { typeNamed } from '../../define/types/parse-type.js'
import type { ViewState } from '../../log/commit.js'
import type { TableInput } from './client.js'

/** The catalog in which Athena finds tables of Glue that name none. */
const CATALOG = 'awsdatacatalog'

/**
 * A view as Athena and Trino keep it in a catalog of Hive's kind: its definition is JSON, in Base64
 * (io.trino.plugin.hive.ViewReaderUtil, encodeViewData).
 *
 * @param sql in Trino's dialect; its tables have their databases.
 */
export function athenaView(
  name: string,
  { columns }: Pick<ViewState, 'columns'>,
  dataset: Pick<Gold, 'about'>,
  { sql, database }: { sql: string; database: string },
): TableInput {
  const typed = columns.map((column) => ({ ...column, type: typeNamed(column.type) ?? TEXT }))
  const definition = {
    originalSql: sql,
    catalog: CATALOG,
    schema: database,
    columns: typed.map(({ name: column, type }) => ({ name: column, type: trinoType(type) })),
    owner: null,
    runAsInvoker: true,
  }
  const { description } = dataset.about
  return {
    Name: name,
    ...(description ? { Description: description } : {}),
    TableType: 'VIRTUAL_VIEW',
    Parameters: { presto_view: 'true', comment: 'Presto View' },
    StorageDescriptor: {
      Columns: typed.map(({ name: column, type }) => ({ Name: column, Type: hiveType(type) })),
      Location: '',
      SerdeInfo: {},
    },
    ViewOriginalText: `/* Presto View: ${Buffer.from(JSON.stringify(definition)).toString('base64')} */`,
    ViewExpandedText: '/* Presto View */',
  }
}

const TEXT = { kind: 'string' } as const

/** A type of Trino: https://trino.io/docs/current/language/types.html */
function trinoType(type: ColumnType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'list':
      return typed('array', trinoType(type.element))
    case 'map':
      return typed('map', trinoType(type.key), trinoType(type.value))
    case 'struct':
      return typed('row', ...type.fields.map((f) => `${quoteName(f.name)} ${trinoType(f.type)}`))
    default:
      return trinoNames[type.kind] ?? type.kind
  }
}

const typed = (name: string, ...of: string[]) => `${name}(${of.join(', ')})`

const trinoNames: Readonly<Record<string, string>> = {
  string: 'varchar',
  json: 'varchar',
  uuid: 'varchar',
  int: 'integer',
  float: 'real',
  timestamp: 'timestamp(6)',
  timestamptz: 'timestamp(6) with time zone',
  binary: 'varbinary',
}

/** The same in the catalog's own words. */
function hiveType(type: ColumnType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'list':
      return `array<${hiveType(type.element)}>`
    case 'map':
      return `map<${hiveType(type.key)},${hiveType(type.value)}>`
    case 'struct':
      return `struct<${type.fields.map((f) => `${f.name}:${hiveType(f.type)}`).join(',')}>`
    case 'json':
    case 'uuid':
      return 'string'
    case 'timestamptz':
      return 'timestamp'
    default:
      return type.kind
  }
}
