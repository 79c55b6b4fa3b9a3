import { MoraineError } from '../../../errors.js'
import { HeldText } from '../../../query/formats/held-text.js'
import type { Caller, VisibleTable } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import { LONGEST_STATEMENT } from '../../../sql/trino/parse/tokens.js'
import { AwsError, invalidRequest } from '../protocol/failure.js'
import { type Fields, pageOf, startOf } from '../protocol/fields.js'
import { hasInOrder } from '../protocol/wildcards.js'
import { LAKE_BUCKET } from '../s3/lake-files.js'
import { addressIn } from '../s3/store.js'
import { type AthenaExecution, told, withPage } from './execution.js'
import type { AthenaExecutions } from './executions.js'
import { type NamedQueries, type Prepared, shownPrepared } from './named.js'
import type { LakeViews } from './relations/lake-views.js'
import { CATALOG, type Tables } from './tables.js'
import { hiveType } from './types.js'
import { described, ENGINE, summary, workgroupOf, workgroupsOf } from './workgroups.js'

export interface AthenaParts {
  service: QueryService
  executions: AthenaExecutions
  views: LakeViews
  named: NamedQueries
  prepared: Prepared
}

type Operation = (sent: Fields, caller: Caller, parts: AthenaParts) => unknown

const operations: Readonly<Record<string, Operation>> = {
  StartQueryExecution: start,
  GetQueryExecution: (sent, caller, { executions }) => ({
    QueryExecution: told(executions.get(caller, sent.text('QueryExecutionId'))),
  }),
  BatchGetQueryExecution: (sent, caller, { executions }) => {
    const found: unknown[] = []
    const missing: unknown[] = []
    for (const id of sent.list('QueryExecutionIds'))
      try {
        found.push(told(executions.get(caller, id)))
      } catch {
        missing.push({
          QueryExecutionId: id,
          ErrorCode: 'INVALID_INPUT',
          ErrorMessage: `QueryExecution ${id} was not found`,
        })
      }
    return { QueryExecutions: found, UnprocessedQueryExecutionIds: missing }
  },
  ListQueryExecutions: (sent, caller, { executions, service }) => {
    const all = executions.list(caller, groupIn(sent, caller, service)).map(({ id }) => id)
    const { items, next } = pageOf(all, sent, { most: 50 })
    return { QueryExecutionIds: items, ...next }
  },
  StopQueryExecution: (sent, caller, { executions }) => {
    executions.stop(caller, sent.text('QueryExecutionId'))
    return {}
  },
  GetQueryResults: results,
  GetQueryRuntimeStatistics: (sent, caller, { executions }) => {
    const {
      statistics,
      submitted,
      completed = Date.now(),
    } = executions.get(caller, sent.text('QueryExecutionId'))
    const total = completed - submitted
    return {
      QueryRuntimeStatistics: {
        Timeline: {
          QueryQueueTimeInMillis: statistics.queuedMs,
          EngineExecutionTimeInMillis: Math.max(0, total - statistics.queuedMs),
          TotalExecutionTimeInMillis: total,
        },
        Rows: {
          InputBytes: statistics.scanned,
          OutputRows: statistics.rows,
          OutputBytes: statistics.bytesOut,
        },
      },
    }
  },
  GetWorkGroup: (sent, caller, { service }) => ({
    WorkGroup: described(workgroupOf(service, caller, sent.text('WorkGroup'))),
  }),
  ListWorkGroups: (sent, caller, { service }) => {
    const { items, next } = pageOf(workgroupsOf(service, caller).map(summary), sent, { most: 50 })
    return { WorkGroups: items, ...next }
  },
  ListEngineVersions: () => ({ EngineVersions: [ENGINE] }),
  ListDataCatalogs: (sent) => {
    const { items, next } = pageOf([{ CatalogName: CATALOG, Type: 'GLUE' }], sent, { most: 50 })
    return { DataCatalogsSummary: items, ...next }
  },
  GetDataCatalog: (sent) => {
    checkCatalog(sent, 'Name')
    return { DataCatalog: { Name: CATALOG, Type: 'GLUE' } }
  },
  ListDatabases: async (sent, caller, parts) => {
    const tables = await tablesFor(sent, caller, parts)
    const { items, next } = pageOf(tables.schemas(), sent, { most: 50 })
    return { DatabaseList: items.map((Name) => ({ Name })), ...next }
  },
  GetDatabase: async (sent, caller, parts) => {
    const tables = await tablesFor(sent, caller, parts)
    return { Database: { Name: schemaIn(tables, sent.text('DatabaseName')) } }
  },
  ListTableMetadata: async (sent, caller, parts) => {
    const tables = await tablesFor(sent, caller, parts)
    const pattern = sent.optional('Expression', { most: 256 })
    const all = tables.in(schemaIn(tables, sent.text('DatabaseName')))
    const matching =
      pattern === undefined || pattern === ''
        ? all
        : all.filter(({ name }) => matches(pattern, name))
    const { items, next } = pageOf(matching, sent, { most: 50 })
    return { TableMetadataList: items.map(metadata), ...next }
  },
  GetTableMetadata: async (sent, caller, parts) => {
    const tables = await tablesFor(sent, caller, parts)
    const [schema, name] = [sent.text('DatabaseName'), sent.text('TableName')]
    const found = tables.find(schema, name)
    if (!found)
      throw new AwsError(
        'MetadataException',
        `EntityNotFoundException: Table ${schema}.${name} not found`,
      )
    return { TableMetadata: metadata(found) }
  },
  CreateNamedQuery: (sent, caller, { named }) => named.create(caller, sent),
  GetNamedQuery: (sent, caller, { named }) => named.get(caller, sent.text('NamedQueryId')),
  BatchGetNamedQuery: (sent, caller, { named }) =>
    named.getMany(caller, sent.list('NamedQueryIds')),
  ListNamedQueries: (sent, caller, { named }) => named.list(caller, sent),
  UpdateNamedQuery: (sent, caller, { named }) => named.update(caller, sent),
  DeleteNamedQuery: (sent, caller, { named }) => named.delete(caller, sent.text('NamedQueryId')),
  CreatePreparedStatement: putPrepared,
  UpdatePreparedStatement: putPrepared,
  GetPreparedStatement: (sent, caller, { prepared, service }) => {
    const [name, group] = [
      sent.text('StatementName', { most: 256 }),
      groupIn(sent, caller, service),
    ]
    const found = prepared.list(caller, group).find((one) => one.name === name)
    if (!found)
      throw new AwsError('ResourceNotFoundException', `PreparedStatement ${name} was not found`)
    return { PreparedStatement: shownPrepared(found) }
  },
  BatchGetPreparedStatement: (sent, caller, { prepared, service }) => {
    const all = prepared.list(caller, groupIn(sent, caller, service))
    const names = sent.list('PreparedStatementNames', { most: 256 })
    return {
      PreparedStatements: all.filter(({ name }) => names.includes(name)).map(shownPrepared),
      UnprocessedPreparedStatementNames: names
        .filter((name) => !all.some((one) => one.name === name))
        .map((StatementName) => ({
          StatementName,
          ErrorCode: 'STATEMENT_NOT_FOUND',
          ErrorMessage: 'prepared statement not found',
        })),
    }
  },
  ListPreparedStatements: (sent, caller, { prepared, service }) => {
    const all = prepared.list(caller, groupIn(sent, caller, service))
    const { items, next } = pageOf(all, sent, { most: 50 })
    return {
      PreparedStatements: items.map(({ name: StatementName, modified: LastModifiedTime }) => ({
        StatementName,
        LastModifiedTime,
      })),
      ...next,
    }
  },
  DeletePreparedStatement: async (sent, caller, { prepared, service }) => {
    await prepared.delete(
      caller,
      groupIn(sent, caller, service),
      sent.text('StatementName', { most: 256 }),
    )
    return {}
  },
  ListTagsForResource: (sent) => {
    sent.text('ResourceARN')
    return { Tags: [] }
  },
}

/** Answers an operation of Athena: an object of JSON, or the text of one. */
export async function athena(
  name: string,
  sent: Fields,
  caller: Caller,
  parts: AthenaParts,
): Promise<unknown> {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (!operation)
    throw new AwsError(
      'UnknownOperationException',
      `Athena's ${name.slice(0, 80)} is not served by Moraine`,
    )
  return operation(sent, caller, parts)
}

function start(sent: Fields, caller: Caller, { executions, service }: AthenaParts) {
  const query = sent.text('QueryString', { most: LONGEST_STATEMENT })
  if (Buffer.byteLength(query) > LONGEST_STATEMENT)
    throw invalidRequest(`QueryString is longer than ${LONGEST_STATEMENT} bytes`)
  if (query.trim() === '') throw invalidRequest('queryString must not be empty')
  try {
    return begin(query, sent, caller, { executions, service })
  } catch (error) {
    // What is not started is asked all the same.
    const told = error instanceof AwsError ? new MoraineError('query', error.message) : error
    service.refused({ principal: caller, sql: query }, error, told)
    throw error
  }
}

function begin(
  query: string,
  sent: Fields,
  caller: Caller,
  { executions, service }: Pick<AthenaParts, 'executions' | 'service'>,
) {
  const own = workgroupOf(service, caller, sent.optional('WorkGroup'))
  const context = sent.part('QueryExecutionContext')
  const configuration = sent.part('ResultConfiguration')
  const reuse = sent.part('ResultReuseConfiguration').part('ResultReuseByAgeConfiguration')
  const output = configuration.optional('OutputLocation')
  if (own.output === undefined && output !== undefined)
    throw invalidRequest('Managed results have no OutputLocation')
  const folder = own.isEnforced ? own.output : output || own.output
  checkCatalog(context, 'Catalog')
  const { id } = executions.start(caller, {
    ...{
      query,
      workgroup: own.name,
      group: own.group,
      catalog: context.optional('Catalog') ?? CATALOG,
    },
    database: context.optional('Database', { most: 255 }),
    parameters: parametersIn(sent),
    reuse: reuse.has('Enabled') ? reuse.flag('Enabled') : undefined,
    reuseMinutes: reuse.number('MaxAgeInMinutes', { least: 0, most: 10_080, otherwise: 60 }),
    folder: folder === undefined ? undefined : folderOf(folder),
    token: sent.optional('ClientRequestToken', { least: 32, most: 128 }),
  })
  return { QueryExecutionId: id }
}

function parametersIn(sent: Fields): string[] {
  const found = sent.list('ExecutionParameters', { most: 1000 })
  if (found.reduce((sum, { length }) => sum + length, 0) <= LONGEST_STATEMENT) return found
  throw invalidRequest(`ExecutionParameters have more than ${LONGEST_STATEMENT} characters`)
}

function folderOf(output: string): string {
  const at = addressIn(output)
  if (!at) throw invalidRequest(`outputLocation is not a valid S3 path: ${output.slice(0, 200)}`)
  if (at.bucket === LAKE_BUCKET)
    throw invalidRequest(
      `outputLocation must not be in s3://${LAKE_BUCKET}/, which shows the files of the lake's tables: name another bucket`,
    )
  return at.key === '' || at.key.endsWith('/') ? `s3://${at.bucket}/${at.key}` : `${output}/`
}

async function results(sent: Fields, caller: Caller, { executions, service }: AthenaParts) {
  const one = executions.get(caller, sent.text('QueryExecutionId'))
  const most = sent.number('MaxResults', { least: 1, most: 1000, otherwise: 1000 })
  const { result } = one
  if (one.state !== 'SUCCEEDED' || !result) throw notDone(one)
  const from = startOf(sent.optional('NextToken'), 10 ** 12)
  // The header counts as a row of the first page.
  const isHeader = result.hasHeader && from === 0
  const skipped = result.hasHeader && from > 0 ? from - 1 : from
  const wanted = { from: skipped, most: isHeader ? most - 1 : most }
  return withPage(result, { service, caller }, wanted, ({ rows, hasMore }) => {
    const row = (values: readonly (string | null)[]) => ({
      Data: values.map((value) => (value === null ? {} : { VarCharValue: value })),
    })
    const header = isHeader ? [row(result.columns.map(({ Name }) => Name))] : []
    const next = from + header.length + rows.length
    const answer = {
      UpdateCount: result.updateCount ?? 0,
      ResultSet: {
        Rows: [...header, ...rows.map(row)],
        ResultSetMetadata: { ColumnInfo: result.columns },
      },
      ...(hasMore ? { NextToken: `from-${next}` } : {}),
    }
    return HeldText.of(JSON.stringify(answer))
  })
}

const notDone = ({ state }: AthenaExecution) =>
  invalidRequest(
    state === 'FAILED' || state === 'CANCELLED'
      ? `Query did not finish successfully. Final query state: ${state}`
      : `Query has not yet finished. Current state: ${state}`,
    'INVALID_QUERY_EXECUTION_STATE',
  )

function checkCatalog(sent: Fields, field: string): void {
  const name = sent.optional(field, { most: 256 })
  if (name !== undefined && name.toLowerCase() !== CATALOG.toLowerCase())
    throw invalidRequest(`Data catalog ${name} was not found: there is ${CATALOG}`)
}

async function tablesFor(sent: Fields, caller: Caller, { views }: AthenaParts): Promise<Tables> {
  checkCatalog(sent, 'CatalogName')
  return views.tables(caller)
}

function schemaIn(tables: Tables, name: string): string {
  const found = tables.schemas().find((one) => one.toLowerCase() === name.toLowerCase())
  if (found === undefined)
    throw new AwsError('MetadataException', `EntityNotFoundException: Database ${name} not found.`)
  return found
}

/** @throws AwsError for a pattern that is none. */
function matches(pattern: string, name: string): boolean {
  if (!/^[\w.*|%?-]*$/.test(pattern))
    throw invalidRequest('Expression may have letters, digits, _, -, . , * and |')
  return pattern.split('|').some((part) => hasInOrder(name, part.split(/\.?\*|%/)))
}

function metadata({ name, kind, columns, comment }: VisibleTable) {
  return {
    Name: name,
    CreateTime: 0,
    TableType: kind === 'view' ? 'VIRTUAL_VIEW' : 'EXTERNAL_TABLE',
    Columns: columns.map((one) => ({
      Name: one.name,
      Type: hiveType(one.type),
      ...(one.comment === undefined ? {} : { Comment: one.comment }),
    })),
    PartitionKeys: [],
    Parameters: {
      ...(kind === 'view' ? { presto_view: 'true' } : { EXTERNAL: 'TRUE', table_type: 'ICEBERG' }),
      ...(comment === undefined ? {} : { comment }),
    },
  }
}

async function putPrepared(sent: Fields, caller: Caller, { prepared, service }: AthenaParts) {
  await prepared.put(caller, {
    name: sent.text('StatementName', { most: 256 }),
    workgroup: groupIn(sent, caller, service),
    text: sent.text('QueryStatement', { most: LONGEST_STATEMENT }),
    description: sent.optional('Description'),
  })
  return {}
}

/** The name of a workgroup, whatever name it was asked by. */
const groupIn = (sent: Fields, caller: Caller, service: QueryService): string =>
  workgroupOf(service, caller, sent.optional('WorkGroup')).name
