import type { ColumnType, Field } from '../../define/types/column-type.js'
import { MoraineError, messageOf } from '../../errors.js'
import { sqlserver as source } from '../../source/database/sqlserver/dialect.js'
import { quote } from '../../source/database/sqlserver/types.js'
import {
  type Found,
  primaryKey,
  type TableName,
  type TargetDialect,
  type TargetSession,
} from '../dialect.js'
import { text, typeOf } from './types.js'

/** A table as statements name it. */
const named = ({ schema, name }: TableName) =>
  schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`

/** SQL for the schema that a table is in: of the connection, where it names none. */
const schemaOf = (schema: string | undefined) =>
  schema === undefined ? 'SCHEMA_NAME()' : text(schema)

/** Tables of the connection alone have such names. */
const temporary = (name: string) => quote(`#${name}`)

const unkeyed: readonly ColumnType['kind'][] = ['string', 'json', 'binary', 'list', 'struct', 'map']

/** Digits of a decimal up to which a sum of any number of rows has room in 38. */
const SUMMABLE = 26

export const sqlserver: TargetDialect = {
  name: 'SQL Server',
  cells: { nulls: '', booleans: ['0', '1'], bytes: '0x' },
  transactionalDdl: true,
  textUnits: 'utf16',
  // Numbers with fewer digits than others are not valid there, and DBCC CHECKDB reports them.
  limits: { years: [1, 9999], floats: 'normal' },
  longestName: { length: 128, of: 'characters' },
  explain,
  quote,
  named,
  text,
  typeOf,
  isKeyType: ({ kind }) => !unkeyed.includes(kind),

  async lock(session, { schema, name }, waits) {
    const resource = `CONCAT(N'moraine export ', LOWER(${schemaOf(schema)}), N'.', LOWER(${text(name)}))`
    if (await lockOf(session, resource, 0)) return
    waits()
    if (!(await lockOf(session, resource, FOREVER)))
      throw new MoraineError(
        'export',
        'Another export works on this table, and could not be waited for',
        {
          hint: 'Nothing was changed. Export again: moraine export',
          retryable: true,
        },
      )
  },
  // The lock ends with the transaction.
  unlock: async () => {},

  async createSchema(session, schema) {
    const [[id = null] = []] = await session.ask(`SELECT SCHEMA_ID(${text(schema)})`)
    if (id === null) await session.ask(`CREATE SCHEMA ${quote(schema)}`)
  },
  find,
  create: (table, columns, comment) => [
    `CREATE TABLE ${named(table)} (${columns.join(', ')})`,
    `DECLARE @schema sysname = ${schemaOf(table.schema)}; EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = ${text(comment)}, @level0type = N'SCHEMA', @level0name = @schema, @level1type = N'TABLE', @level1name = ${text(table.name)}`,
  ],
  createTemporary: (name, columns) => `CREATE TABLE ${temporary(name)} (${columns.join(', ')})`,
  temporary,
  addKey: (table, key) => [
    ...key.map(
      ({ name, type }) =>
        `ALTER TABLE ${table} ALTER COLUMN ${quote(name)} ${String(typeOf(type))} NOT NULL`,
    ),
    ...primaryKey(quote)(table, key),
  ],
  rename: (table, to) =>
    `EXEC sys.sp_rename @objname = ${text(named(table))}, @newname = ${text(to)}, @objtype = N'OBJECT'`,
  deleteMatching: (table, keys, columns) =>
    `DELETE t FROM ${table} AS t INNER JOIN ${keys} AS k ON ${columns.map(({ name }) => areSame(name)).join(' AND ')}`,
  deleteNull: (table, keys, column) =>
    `DELETE FROM ${table} WHERE ${quote(column)} IS NULL AND EXISTS (SELECT 1 FROM ${keys} AS k WHERE k.${quote(column)} IS NULL)`,
  figures: (table, columns) =>
    `SELECT ${['COUNT_BIG(*)', ...columns.flatMap(figureOf)].join(', ')} FROM ${table}`,
  grant: (table, to) => `GRANT SELECT ON ${table} TO ${quote(to)}`,
  recordTypes: {
    text: 'nvarchar(max)',
    name: 'nvarchar(128)',
    whole: 'bigint',
    now: 'datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME()',
  },
}

const FOREVER = -1

/**
 * A lock of the database, until the transaction ends.
 *
 * @param resource SQL for its name.
 * @param patience milliseconds that it is waited for.
 */
async function lockOf(
  session: TargetSession,
  resource: string,
  patience: number,
): Promise<boolean> {
  const [[got = null] = []] = await session.ask(
    `DECLARE @got int, @resource nvarchar(255) = ${resource}; EXEC @got = sys.sp_getapplock @Resource = @resource, @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = ${patience}; SELECT @got`,
  )
  return Number(got ?? -1) >= 0
}

/** What a name stands for: also a view, or what else is called so. */
async function find(
  session: TargetSession,
  { schema, name }: TableName,
): Promise<Found | undefined> {
  const [row] = await session.ask(`SELECT CONVERT(nvarchar(4000), p.value),
      CASE WHEN EXISTS (SELECT 1 FROM sys.sql_expression_dependencies AS d INNER JOIN sys.objects AS r ON r.object_id = d.referencing_id
        WHERE d.referenced_id = o.object_id AND d.is_schema_bound_reference = 1 AND r.type IN ('V', 'IF', 'TF', 'FN')) THEN 1 ELSE 0 END
    FROM sys.objects AS o LEFT JOIN sys.extended_properties AS p ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = 0 AND p.name = N'MS_Description'
    WHERE o.schema_id = SCHEMA_ID(${schemaOf(schema)}) AND o.name = ${text(name)}`)
  // Other views name what they read: another table of that name is as good.
  return row && { comment: row[0] ?? null, isReadByViews: row[1] === '1' }
}

/** To SQL Server, texts are equal that differ by blanks at their end, and bytes by zeros. */
function areSame(column: string): string {
  const [ours, theirs] = [`t.${quote(column)}`, `k.${quote(column)}`]
  return `${ours} = ${theirs} AND DATALENGTH(${ours}) = DATALENGTH(${theirs})`
}

function figureOf({ name, type }: Field): string[] {
  const weight = weightOf(quote(name), type)
  return [
    `COUNT_BIG(${quote(name)})`,
    weight ? `CONVERT(varchar(41), SUM(${weight}))` : 'CONVERT(varchar(41), NULL)',
  ]
}

/** What is added up, as a decimal: a sum of bigints ends at 2^63. */
function weightOf(column: string, type: ColumnType): string | undefined {
  const whole = (value: string) => `CONVERT(decimal(38, 0), ${value})`
  const since = (unit: 'day' | 'microsecond', of: string) =>
    whole(`DATEDIFF_BIG(${unit}, CONVERT(${of}, '1970-01-01', 121), ${column})`)
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'bigint':
      return whole(column)
    case 'decimal':
      if (type.precision > SUMMABLE) return undefined
      return `CONVERT(decimal(38, ${type.scale}), ${column})`
    case 'date':
      return since('day', 'date')
    case 'timestamp':
      return since('microsecond', 'datetime2(6)')
    case 'timestamptz':
      return since('microsecond', 'datetimeoffset(6)')
    case 'string':
    case 'json':
    case 'binary':
      return whole(`DATALENGTH(${column})`)
    default:
      return undefined
  }
}

/** What to do about errors, by their numbers. */
const hints: Readonly<Record<number, string>> = {
  229: 'Grant the user what it lacks: export again after that.',
  262: 'The user needs CREATE TABLE in the database, and ALTER on the schema.',
  1105: 'The database is full: the table is as it was. Export again once there is room.',
  1205: 'The server ended this export to let another transaction go on; the table is as it was. Export again: moraine export',
  1222: 'Another transaction holds what is asked for, such as an export. Ask again once it is done.',
  2760: 'The schema does not exist, or the user may not use it.',
  3726: 'A foreign key refers to the table, so it cannot be replaced. Drop that key.',
  4060: 'Check the name of the database, at the end of its URL.',
  9002: 'The log of the database is full: the table is as it was. Export again once there is room.',
}

function explain(error: unknown) {
  const inner = source.unwrap?.(error) ?? error
  const { number = 0 } = error as { number?: number }
  const isCertificate = /certificate|self.signed|altnames/i.test(messageOf(inner))
  const hint = isCertificate
    ? 'Connections are encrypted, and certificates checked. Give that of its authority: tls: { ca: … }; where the network is trusted, tls: { verify: false }'
    : hints[number]
  return { error: inner, hint }
}
