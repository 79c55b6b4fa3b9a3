import type { Caller, VisibleTable } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import type { LakeTables } from '../athena/lake-tables.js'
import { CATALOG, Tables } from '../athena/tables.js'
import { hiveType } from '../athena/types.js'
import { AwsError } from '../protocol/failure.js'
import { type Fields, pageOf } from '../protocol/fields.js'
import { hasInOrder } from '../protocol/wildcards.js'
import { LAKE_BUCKET } from '../s3/lake-files.js'
import { ACCOUNT } from '../sts/sts.js'

export interface GlueParts {
  service: QueryService
  lake: LakeTables
}

type Operation = (sent: Fields, caller: Caller, parts: GlueParts) => unknown

const notFound = (what: string) => new AwsError('EntityNotFoundException', `${what} not found.`)

/** Reads a projection of the lake's log: databases are its namespaces. */
const operations: Readonly<Record<string, Operation>> = {
  GetDatabases: async (sent, caller, parts) => {
    const { items, next } = pageOf(await databases(caller, parts), sent, { most: 100 })
    return { DatabaseList: items.map(database), ...next }
  },
  GetDatabase: async (sent, caller, parts) => {
    const name = sent.text('Name', { most: 255 })
    const found = (await databases(caller, parts)).find(
      (one) => one.toLowerCase() === name.toLowerCase(),
    )
    if (found === undefined) throw notFound(`Database ${name}`)
    return { Database: database(found) }
  },
  GetTables: async (sent, caller, parts) => {
    const schema = await databaseIn(sent, caller, parts)
    const pattern = sent.optional('Expression', { most: 2048 })
    const all = (await tables(caller, parts))
      .in(schema)
      .filter(({ name }) => matches(pattern, name))
    const { items, next } = pageOf(all, sent, { most: 100 })
    return { TableList: items.map(table), ...next }
  },
  GetTable: async (sent, caller, parts) => ({ Table: table(await tableIn(sent, caller, parts)) }),
  GetTableVersions: async (sent, caller, parts) => {
    const found = await tableIn(sent, caller, parts, 'TableName')
    return { TableVersions: [{ Table: table(found), VersionId: '1' }] }
  },
  GetPartitions: async (sent, caller, parts) => {
    await tableIn(sent, caller, parts, 'TableName')
    // Iceberg's partitions are hidden: none is an entity of the catalog.
    return { Partitions: [] }
  },
  GetPartitionIndexes: async (sent, caller, parts) => {
    await tableIn(sent, caller, parts, 'TableName')
    return { PartitionIndexDescriptorList: [] }
  },
  SearchTables: async (sent, caller, parts) => {
    const text = (sent.optional('SearchText') ?? '').toLowerCase().replaceAll('"', '')
    const all = (await tables(caller, parts)).all.filter((one) =>
      `${one.name} ${one.comment ?? ''} ${one.columns.map(({ name }) => name).join(' ')}`
        .toLowerCase()
        .includes(text),
    )
    const { items, next } = pageOf(all, sent, { most: 100 })
    return { TableList: items.map(table), ...next }
  },
  CreateDatabase: async (sent, caller, { lake }) => {
    const name = sent.part('DatabaseInput').text('Name', { most: 255 })
    if ((await lake.schemas(caller)).includes(name.toLowerCase()))
      throw new AwsError('AlreadyExistsException', `Database ${name} already exists.`)
    await lake.createSchema(caller, name.toLowerCase())
    return {}
  },
  DeleteDatabase: async (sent, caller, { lake }) => {
    const name = sent.text('Name', { most: 255 })
    if (!(await lake.schemas(caller)).includes(name.toLowerCase()))
      throw notFound(`Database ${name}`)
    await lake.dropSchema(caller, name.toLowerCase())
    return {}
  },
  DeleteTable: async (sent, caller, parts) => {
    const { schema, name } = await tableIn(sent, caller, parts)
    await parts.lake.drop(caller, schema, name)
    return {}
  },
  GetTags: () => ({ Tags: {} }),
}

/** Operations that clients call, and why they are refused. */
const refused: Readonly<Record<string, string>> = {
  CreateTable:
    'Tables are created from a query: CREATE TABLE … AS SELECT … through Athena. Files of others are read by a source in lake.ts',
  UpdateTable: 'A table changes by statements, or by its definition in lake.ts',
  CreatePartition: 'Tables are Iceberg tables, whose partitions are hidden',
  BatchCreatePartition: 'Tables are Iceberg tables, whose partitions are hidden',
  UpdatePartition: 'Tables are Iceberg tables, whose partitions are hidden',
  BatchDeletePartition: 'Tables are Iceberg tables, whose partitions are hidden',
  DeleteTableVersion: 'Versions of tables are commits of the lake, which expire with its history',
}

/** Answers an operation of Glue's catalog. */
export async function glue(
  name: string,
  sent: Fields,
  caller: Caller,
  parts: GlueParts,
): Promise<unknown> {
  const why = Object.hasOwn(refused, name) ? refused[name] : undefined
  if (why !== undefined)
    throw new AwsError('InvalidInputException', `${name} is not served by Moraine. ${why}.`)
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (!operation)
    throw new AwsError(
      'UnknownOperationException',
      `Glue's ${name.slice(0, 80)} is not served by Moraine`,
    )
  const catalog = sent.optional('CatalogId', { most: 255 })
  if (
    catalog !== undefined &&
    catalog !== ACCOUNT &&
    catalog.toLowerCase() !== CATALOG.toLowerCase()
  )
    throw notFound(`Catalog ${catalog}`)
  return operation(sent, caller, parts)
}

const tables = async (caller: Caller, { service }: GlueParts) =>
  new Tables(await service.tables(caller), caller, undefined)

async function databases(caller: Caller, parts: GlueParts): Promise<string[]> {
  const found = new Set([
    ...(await tables(caller, parts)).schemas(),
    ...(await parts.lake.schemas(caller)),
  ])
  return [...found].sort()
}

async function databaseIn(sent: Fields, caller: Caller, parts: GlueParts): Promise<string> {
  const name = sent.text('DatabaseName', { most: 255 })
  const found = (await databases(caller, parts)).find(
    (one) => one.toLowerCase() === name.toLowerCase(),
  )
  if (found === undefined) throw notFound(`Database ${name}`)
  return found
}

async function tableIn(
  sent: Fields,
  caller: Caller,
  parts: GlueParts,
  field = 'Name',
): Promise<VisibleTable> {
  const schema = await databaseIn(sent, caller, parts)
  const name = sent.text(field, { most: 255 })
  const found = (await tables(caller, parts)).find(schema, name)
  if (!found) throw notFound(`Table ${name}`)
  return found
}

/** Glue takes a regular expression; clients send `*` for any characters. */
function matches(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined || pattern === '') return true
  if (!/^[\w.*|^$-]*$/.test(pattern))
    throw new AwsError(
      'InvalidInputException',
      'Expression may have letters, digits, _, -, ., *, ^, $ and |',
    )
  return pattern
    .split('|')
    .some((part) => hasInOrder(name, part.replace(/^\^|\$$/g, '').split(/\.?\*/)))
}

const database = (Name: string) => ({
  Name,
  CatalogId: ACCOUNT,
  CreateTime: 0,
  Description: '',
  LocationUri: `s3://${LAKE_BUCKET}/${Name}`,
})

function table({ schema, name, kind, columns, comment }: VisibleTable) {
  return {
    ...{
      Name: name,
      DatabaseName: schema,
      CatalogId: ACCOUNT,
      Description: comment ?? '',
      CreateTime: 0,
      UpdateTime: 0,
      VersionId: '1',
    },
    TableType: kind === 'view' ? 'VIRTUAL_VIEW' : 'EXTERNAL_TABLE',
    StorageDescriptor: {
      Columns: columns.map((one) => ({
        Name: one.name,
        Type: hiveType(one.type),
        Comment: one.comment ?? '',
      })),
      Location: `s3://${LAKE_BUCKET}/${schema}/${name}`,
      InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
      OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
      SerdeInfo: {
        SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
        Parameters: {},
      },
    },
    PartitionKeys: [],
    Parameters: { table_type: 'ICEBERG', EXTERNAL: 'TRUE', classification: 'parquet' },
  }
}
