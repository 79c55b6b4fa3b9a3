import type { Caller } from '../../../query/service/request.js'
import type { LakeTables } from '../athena/lake-tables.js'
import type { Relation } from '../athena/relations/relation.js'
import { CATALOG } from '../athena/tables.js'
import { hiveType } from '../athena/types.js'
import { AwsError } from '../protocol/failure.js'
import { Fields, pageOf } from '../protocol/fields.js'
import { hasInOrder } from '../protocol/wildcards.js'
import { LAKE_BUCKET } from '../s3/lake-files.js'
import { ACCOUNT } from '../sts/sts.js'
import { type DescriptionParts, describeTable, parametersOf } from './descriptions.js'
import {
  deletePartitions,
  type PartitionParts,
  partitionPage,
  partitionsIn,
  partitionValues,
} from './partitions.js'

export interface GlueParts extends PartitionParts, DescriptionParts {
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
    return { TableList: await Promise.all(items.map((one) => table(one, parts))), ...next }
  },
  GetTable: async (sent, caller, parts) => ({
    Table: await table(await tableIn(sent, caller, parts), parts),
  }),
  GetTableVersions: async (sent, caller, parts) => {
    const found = await tableIn(sent, caller, parts, 'TableName')
    return { TableVersions: [{ Table: await table(found, parts), VersionId: '1' }] }
  },
  GetPartitions: async (sent, caller, parts) => {
    const found = await tableIn(sent, caller, parts, 'TableName')
    const expression = sent.optional('Expression', { most: 2048 })
    const all = await partitionValues(parts, caller, found, expression)
    const { items, next } = partitionPage(all, sent)
    const { StorageDescriptor } = await table(found, parts)
    return {
      Partitions: items.map((Values) => partition(found, Values, StorageDescriptor)),
      ...next,
    }
  },
  BatchDeletePartition: async (sent, caller, parts) => {
    const found = await tableIn(sent, caller, parts, 'TableName')
    await deletePartitions(parts, caller, found, partitionsIn(sent))
    return { Errors: [] }
  },
  UpdateTable: async (sent, caller, parts) => {
    const input = sent.part('TableInput')
    const named = new Fields({ DatabaseName: sent.text('DatabaseName'), Name: input.text('Name') })
    const found = await tableIn(named, caller, parts)
    await describeTable(parts, caller, found, {
      sent: input,
      is: await table(found, parts),
    })
    return {}
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
    return { TableList: await Promise.all(items.map((one) => table(one, parts))), ...next }
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
    const { schema, name, view } = await tableIn(sent, caller, parts)
    if (view) await parts.views.drop(caller, { schema, name })
    else await parts.lake.drop(caller, schema, name)
    return {}
  },
  GetTags: () => ({ Tags: {} }),
}

/** Operations that clients call, and why they are refused. */
const refused: Readonly<Record<string, string>> = {
  CreateTable:
    'Tables are created from a query: CREATE TABLE … AS SELECT … through Athena. Files of others are read by a source in lake.ts',
  CreatePartition: 'Tables are Iceberg tables, whose partitions are hidden',
  BatchCreatePartition: 'Tables are Iceberg tables, whose partitions are hidden',
  UpdatePartition: 'Tables are Iceberg tables, whose partitions are hidden',
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

const tables = (caller: Caller, { views }: GlueParts) => views.tables(caller)

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
): Promise<Relation> {
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

async function table(one: Relation, { access }: Pick<GlueParts, 'access'>) {
  const { schema, name, kind, columns, comment, view } = one
  const parameters = await parametersOf(access, one)
  return {
    ...{
      Name: name,
      DatabaseName: schema,
      CatalogId: ACCOUNT,
      Description: parameters.comment ?? comment ?? '',
      CreateTime: 0,
      UpdateTime: 0,
      VersionId: '1',
    },
    TableType: kind === 'view' ? 'VIRTUAL_VIEW' : 'EXTERNAL_TABLE',
    ...(view?.sql === undefined ? {} : { ViewOriginalText: viewText(one, view.sql) }),
    StorageDescriptor: {
      Columns: columns.map((column) => ({
        Name: column.name,
        Type: hiveType(column.type),
        Comment: column.comment ?? '',
      })),
      Location: kind === 'view' ? '' : `s3://${LAKE_BUCKET}/${schema}/${name}`,
      InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
      OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
      SerdeInfo: {
        SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
        Parameters: {},
      },
    },
    PartitionKeys: [],
    Parameters: {
      ...(kind === 'view'
        ? { presto_view: 'true' }
        : { table_type: 'ICEBERG', EXTERNAL: 'TRUE', classification: 'parquet' }),
      ...parameters,
    },
  }
}

/** The query of a view as Athena has it in Glue. */
function viewText({ schema, columns, view }: Relation, originalSql: string): string {
  const text = JSON.stringify({
    ...{ originalSql, catalog: CATALOG.toLowerCase(), schema: view?.database ?? schema },
    columns: columns.map(({ name, type }) => ({ name, type: hiveType(type) })),
  })
  return `/* Presto View: ${Buffer.from(text).toString('base64')} */`
}

const partition = (
  { schema, name }: Relation,
  Values: string[],
  storage: Awaited<ReturnType<typeof table>>['StorageDescriptor'],
) => ({
  ...{ Values, DatabaseName: schema, TableName: name, CatalogId: ACCOUNT, CreationTime: 0 },
  StorageDescriptor: { ...storage, Location: `${storage.Location}/${Values.join('/')}` },
  Parameters: {},
})
