import { partitionFieldName } from '../../../define/partition.js'
import { MoraineError } from '../../../errors.js'
import { currentSchema } from '../../../iceberg/spec/metadata.js'
import { transformName } from '../../../iceberg/spec/transforms.js'
import {
  decimalOf,
  type IcebergField,
  type IcebergType,
  toColumnType,
  typeText,
} from '../../../iceberg/spec/types.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { CODEC } from '../../../iceberg/version.js'
import type { Caller } from '../../../query/service/request.js'
import type {
  Alteration,
  ColumnDefinition,
  DefineStatement,
} from '../../../sql/trino/parse/define.js'
import { shown, type TrinoType } from '../../../sql/trino/types.js'
import { illegal } from '../../rest/errors.js'
import { type Identifier, isManaged, shownName } from '../../rest/names.js'
import { isShown, refuseTaken } from '../../rest/relations.js'
import { rename } from '../../rest/rename.js'
import type { LakeAccess, TableName } from './lake-access.js'
import { partitionIn, refusePartitionNames } from './lake-tables.js'

type Create = Extract<DefineStatement, { kind: 'create table' }>

/** Statements that make tables of columns, and change what tables are like. */
export class TableDefinitions {
  constructor(private readonly lake: LakeAccess) {}

  async create(
    caller: Caller,
    named: TableName,
    { columns, partitions, comment, properties, ifNotExists }: Create,
  ): Promise<void> {
    const { lake } = this
    const identifier = await lake.identifier(named)
    const state = await lake.head()
    if (ifNotExists && isShown({ principal: caller }, state, identifier)) return
    refuseTaken({ principal: caller }, state, identifier, 'table')
    const fields = fieldsOf(columns)
    const known = fields.map(({ name, type }) => ({ name, type: toColumnType(type) }))
    const spec = partitions.map((text) => {
      const partition = partitionIn(text, known)
      const field = fields.find(({ name }) => name === partition.column) as IcebergField
      return {
        'source-id': field.id,
        name: partitionFieldName(partition),
        transform: transformName(partition),
      }
    })
    refusePartitionNames(spec, fields)
    await lake.main.tables.create({ principal: caller }, identifier, {
      name: identifier.name,
      schema: { type: 'struct', 'schema-id': 0, fields },
      'partition-spec': { 'spec-id': 0, fields: spec },
      properties: {
        // As all tables of the lake: Moraine alone deletes data files.
        'gc.enabled': 'false',
        [CODEC]: 'zstd',
        ...(comment === undefined ? {} : { comment }),
        ...propertiesOf(properties),
      },
    })
  }

  async alter(
    caller: Caller,
    named: TableName,
    alteration: Exclude<Alteration, { does: 'rename' }>,
  ): Promise<void> {
    const { lake } = this
    const identifier = await this.changeable(caller, named)
    const metadata = await lake.metadata(identifier)
    const updates = updatesOf(alteration, metadata)
    const requirements = [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
      {
        type: 'assert-last-assigned-field-id',
        'last-assigned-field-id': metadata['last-column-id'],
      },
    ]
    await lake.commit(caller, identifier, requirements, updates)
  }

  /** Says something else of a table and of its columns. */
  async describe(
    caller: Caller,
    named: TableName,
    about: { properties: Readonly<Record<string, string>>; docs: ReadonlyMap<string, string> },
  ): Promise<void> {
    const { lake } = this
    const identifier = await this.changeable(caller, named)
    const metadata = await lake.metadata(identifier)
    const schema = currentSchema(metadata as never)
    const fields = schema.fields.map((one) => {
      const doc = about.docs.get(one.name.toLowerCase())
      return doc === undefined ? one : { ...one, doc }
    })
    const properties = Object.entries(about.properties).map(([name, value]) => [
      name,
      KEPT.includes(name) ? checkedNumber(name, value) : value,
    ])
    const requirements = [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
    ]
    const updates = [
      ...(properties.length > 0
        ? [{ action: 'set-properties', updates: Object.fromEntries(properties) }]
        : []),
      ...(about.docs.size > 0
        ? [
            { action: 'add-schema', schema: { ...schema, fields } },
            { action: 'set-current-schema', 'schema-id': -1 },
          ]
        : []),
    ]
    await lake.commit(caller, identifier, requirements, updates)
  }

  async rename(caller: Caller, named: TableName, to: TableName): Promise<void> {
    const { lake } = this
    const from = await this.changeable(caller, named)
    const both = [from, await lake.identifier(to)] as const
    await rename(lake.main.journal, { principal: caller }, 'table', both)
  }

  private changeable(caller: Caller, named: TableName): Promise<Identifier> {
    return this.lake.changeable(caller, named, (one) => {
      if (isManaged(one.namespace))
        throw illegal(
          `Cannot alter ${shownName(one)}: lake.ts defines it. Change it there, then run: moraine run`,
        )
    })
  }
}

function updatesOf(
  alteration: Exclude<Alteration, { does: 'rename' }>,
  metadata: AnyMetadata,
): object[] {
  if (alteration.does === 'set properties') {
    const updates = propertiesOf(alteration.properties)
    return Object.keys(updates).length > 0 ? [{ action: 'set-properties', updates }] : []
  }
  if (alteration.does === 'unset properties')
    return [{ action: 'remove-properties', removals: alteration.names.map(storedName) }]
  const schema = currentSchema(metadata as never)
  const fields = fieldsAfter(alteration, schema.fields, metadata)
  refuseTwice(fields)
  const named = fields.filter(
    ({ id, name }) => !schema.fields.some((old) => old.id === id && old.name === name),
  )
  for (const spec of metadata['partition-specs']) refusePartitionNames(spec.fields, named)
  return [
    { action: 'add-schema', schema: { ...schema, fields } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
}

type OfColumns = Extract<
  Alteration,
  { does: 'add columns' | 'replace columns' | 'drop column' | 'change column' }
>

function fieldsAfter(
  alteration: OfColumns,
  fields: readonly IcebergField[],
  metadata: AnyMetadata,
): IcebergField[] {
  const ids = counter(metadata['last-column-id'])
  if (alteration.does === 'add columns')
    return [...fields, ...alteration.columns.map((one) => fieldOf(one, ids))]
  if ('columns' in alteration) return replaced(alteration.columns, fields, metadata)
  const wanted = alteration.column.toLowerCase()
  const old = fields.find(({ name }) => name.toLowerCase() === wanted)
  if (!old)
    throw new MoraineError('query', `Column '${alteration.column}' cannot be resolved`, {
      hint: `The table has: ${fields.map(({ name }) => name).join(', ')}`,
    })
  if (alteration.does === 'drop column') {
    refuseNeeded(old, fields, metadata)
    return fields.filter((one) => one !== old)
  }
  const changed = changedField(old, alteration.to, ids)
  return fields.map((one) => (one === old ? changed : one))
}

/** A column with another name, comment or wider type. */
function changedField(
  old: IcebergField,
  column: ColumnDefinition,
  nextId: () => number,
): IcebergField {
  const { name, type, comment } = column
  const to = icebergType(column, type, nextId)
  if (!isWider(old.type, to))
    throw new MoraineError(
      'query',
      `The column ${old.name} is ${typeText(old.type)}, which does not become ${shown(type)}`,
      { hint: 'int becomes bigint, float double, and a decimal one of more digits.' },
    )
  return {
    ...old,
    name,
    type: typeof old.type === 'string' ? to : old.type,
    ...(comment === undefined ? {} : { doc: comment }),
  }
}

/** The columns that a list names: those of the same names are kept, and what partitions are of. */
function replaced(
  columns: readonly ColumnDefinition[],
  fields: readonly IcebergField[],
  metadata: AnyMetadata,
): IcebergField[] {
  const ids = counter(metadata['last-column-id'])
  const named = (name: string) => fields.find((one) => one.name.toLowerCase() === name)
  const listed = columns.map((one) => {
    const old = named(one.name)
    return old ? changedField(old, { ...one, name: old.name }, ids) : fieldOf(one, ids)
  })
  const others = fields.filter((one) => !listed.some(({ id }) => id === one.id))
  // As in Hive, where columns of partitions are not in the list.
  const specs = metadata['partition-specs'].flatMap((spec) => spec.fields)
  const isPart = (one: IcebergField) => specs.some((field) => field['source-id'] === one.id)
  for (const one of others) if (!isPart(one)) refuseNeeded(one, fields, metadata)
  return [...listed, ...others.filter(isPart)]
}

/** @throws MoraineError of kind `query` for a column that the table can't be without. */
function refuseNeeded(
  { id, name }: IcebergField,
  fields: readonly IcebergField[],
  metadata: AnyMetadata,
): void {
  const specs = metadata['partition-specs'].flatMap((spec) => spec.fields)
  const orders = metadata['sort-orders'].flatMap((order) => order.fields)
  const identifiers = currentSchema(metadata as never)['identifier-field-ids'] ?? []
  const isNeeded =
    [...specs, ...orders].some((field) => field['source-id'] === id) || identifiers.includes(id)
  if (isNeeded || fields.length === 1)
    throw new MoraineError(
      'query',
      `The column ${name} cannot be dropped: ${isNeeded ? 'partitions, the order or the key of the table are made of it' : 'a table has one column at least'}`,
      { hint: 'Make another table without it: CREATE TABLE … AS SELECT …' },
    )
}

/** Types that a column's becomes without its files being written again (spec, Schema Evolution). */
function isWider(from: IcebergType, to: IcebergType): boolean {
  if (typeof from !== 'string' || typeof to !== 'string')
    return typeof from !== 'string' && typeof to !== 'string' && sameShape(from, to)
  const [a, b] = [decimalOf(from), decimalOf(to)]
  if (a && b) return a.scale === b.scale && b.precision >= a.precision
  return from === to || (from === 'int' && to === 'long') || (from === 'float' && to === 'double')
}

/** Whether types with parts differ in ids alone. */
const sameShape = (a: IcebergType, b: IcebergType) => withoutIds(a) === withoutIds(b)
const withoutIds = (type: IcebergType) =>
  JSON.stringify(type, (key, value) =>
    /(^|-)id$/.test(key) || key === 'doc' || /required$/.test(key) ? undefined : value,
  )

function refuseTwice(fields: readonly IcebergField[]): void {
  const names = fields.map(({ name }) => name.toLowerCase())
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined)
    throw new MoraineError('query', `Column name '${twice}' is there more than once`, {
      hint: 'Give each column a name of its own.',
    })
}

const counter = (last: number) => {
  let id = last
  return () => ++id
}

/** Columns of a new table or view. */
export function fieldsOf(columns: readonly ColumnDefinition[]): IcebergField[] {
  const ids = counter(0)
  const fields = columns.map((one) => fieldOf(one, ids))
  refuseTwice(fields)
  return fields
}

function fieldOf(column: ColumnDefinition, nextId: () => number): IcebergField {
  const { name, type, comment } = column
  const id = nextId()
  return {
    ...{ id, name, required: false, type: icebergType(column, type, nextId) },
    ...(comment === undefined ? {} : { doc: comment }),
  }
}

const PLAIN: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  integer: 'int',
  bigint: 'long',
  real: 'float',
  double: 'double',
  varchar: 'string',
  // Filled up to its length, as it is where it is cast to one.
  char: 'string',
  varbinary: 'binary',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  // As AS SELECT makes it: others write what Iceberg calls one as bytes.
  uuid: 'string',
}

function icebergType(
  column: ColumnDefinition,
  { name, precision = 38, scale = 0, of = [], fields = [] }: TrinoType,
  nextId: () => number,
): IcebergType {
  if (name === 'decimal') return `decimal(${precision}, ${scale})`
  const parts = of.map((type) => ({ id: nextId(), type }))
  const part = (i: number) => {
    const { id, type } = parts[i] as { id: number; type: TrinoType }
    return { id, type: icebergType(column, type, nextId) }
  }
  if (name === 'array') {
    const { id, type } = part(0)
    return { type: 'list', 'element-id': id, element: type, 'element-required': false }
  }
  if (name === 'map') {
    const [key, value] = [part(0), part(1)]
    return {
      ...{ type: 'map', 'key-id': key.id, key: key.type },
      ...{ 'value-id': value.id, value: value.type, 'value-required': false },
    }
  }
  if (name === 'row') {
    const inside = parts.map((_, i) => ({
      ...{ name: fields[i] ?? `field${i}`, required: false },
      ...part(i),
    }))
    return { type: 'struct', fields: inside }
  }
  const plain = PLAIN[name]
  if (plain !== undefined) return plain
  throw new MoraineError(
    'query',
    `The column ${column.name} is ${name}, which Iceberg tables do not have`,
    { hint: `They have: ${Object.keys(PLAIN).join(', ')}, decimal, array, map and row.` },
  )
}

/** Properties that say how upkeep is done, which are kept as they are written. */
const KEPT = [
  'vacuum_max_snapshot_age_seconds',
  'vacuum_min_snapshots_to_keep',
  'vacuum_max_metadata_files_to_keep',
  'optimize_rewrite_min_data_file_size_bytes',
  'optimize_rewrite_max_data_file_size_bytes',
  'optimize_rewrite_data_file_threshold',
  'optimize_rewrite_delete_file_threshold',
  'write_target_data_file_size_bytes',
  'comment',
]

/** Properties of Athena's tables as Iceberg's. */
function propertiesOf(given: ReadonlyMap<string, string>): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of given) {
    const text = value.toLowerCase()
    if (name === 'table_type' && text === 'iceberg') continue
    if ((name === 'format' || name === 'classification') && text === 'parquet') continue
    if (name === 'write_compression' || name === 'parquet_compression') found[CODEC] = codecOf(text)
    else if (KEPT.includes(name)) found[name] = checkedNumber(name, value)
    else throw refusedProperty(name, value)
  }
  return found
}

/** What a property is called in the table's metadata. */
function storedName(name: string): string {
  if (name === 'write_compression' || name === 'parquet_compression') return CODEC
  if (KEPT.includes(name)) return name
  throw new MoraineError('query', `The table property '${name}' cannot be taken away`, {
    hint: `What can: write_compression, ${KEPT.join(', ')}.`,
  })
}

function codecOf(text: string): string {
  if (text === 'snappy' || text === 'zstd') return text
  if (text === 'gzip') return 'zstd'
  throw new MoraineError('query', `Parquet is not compressed by ${text} here`, {
    hint: 'Choose ZSTD or SNAPPY.',
  })
}

function checkedNumber(name: string, value: string): string {
  if (name === 'comment' || /^\d{1,15}$/.test(value)) return value
  throw new MoraineError('query', `The table property '${name}' is a number, and not '${value}'`)
}

function refusedProperty(name: string, value: string): MoraineError {
  if (name === 'table_type' || name === 'format' || name === 'classification')
    return new MoraineError('query', `Tables here are Iceberg's of Parquet, and not ${value}`, {
      hint: "Write TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet').",
    })
  return new MoraineError('query', `The table property '${name}' is not served`, {
    hint: `Known are table_type, format, write_compression, ${KEPT.join(', ')}.`,
  })
}
