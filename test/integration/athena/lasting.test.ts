import {
  AthenaClient,
  CreateNamedQueryCommand,
  CreatePreparedStatementCommand,
  DeleteNamedQueryCommand,
  GetNamedQueryCommand,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  ListNamedQueriesCommand,
  ListPreparedStatementsCommand,
  ListQueryExecutionsCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../../support/until.js'
import { type ServedLake, servedLake } from './served.js'

let lake: ServedLake
beforeAll(async () => {
  lake = await servedLake()
})
afterAll(() => lake.close())

function client(name: Parameters<ServedLake['env']>[0]): AthenaClient {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = lake.env(name)
  return new AthenaClient({
    endpoint: lake.url,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  })
}

const executionOf = async (of: AthenaClient, QueryExecutionId: string) =>
  (await of.send(new GetQueryExecutionCommand({ QueryExecutionId }))).QueryExecution

async function run(of: AthenaClient, QueryString: string, more: object = {}): Promise<string> {
  const input = { QueryString, QueryExecutionContext: { Database: 'silver' }, ...more }
  const { QueryExecutionId = '' } = await of.send(new StartQueryExecutionCommand(input))
  await until('the query has ended', async () => {
    const { Status } = (await executionOf(of, QueryExecutionId)) ?? {}
    return !/QUEUED|RUNNING/.test(Status?.State ?? '')
  })
  return QueryExecutionId
}

const resultsOf = async (of: AthenaClient, QueryExecutionId: string) =>
  (await of.send(new GetQueryResultsCommand({ QueryExecutionId }))).ResultSet

it('executions, their results, named queries and prepared statements outlive the server', async () => {
  const boss = client('boss')
  const token = { ClientRequestToken: 'a-token-that-has-thirty-two-characters' }
  const sql = 'SELECT salesid, buyer, price FROM sales ORDER BY salesid LIMIT 3'
  const selected = await run(boss, sql, token)
  const managed = await run(boss, 'SELECT max(qty) AS most FROM sales', { WorkGroup: 'managed' })
  const shown = await run(boss, 'SHOW TABLES IN silver')
  const failed = await run(boss, 'SELECT nothing FROM sales')
  const all = [selected, managed, shown, failed]
  const before = await Promise.all(all.map((id) => executionOf(boss, id)))
  const results = await Promise.all([selected, managed, shown].map((id) => resultsOf(boss, id)))
  const name = { Name: 'top', Database: 'silver', QueryString: sql }
  const { NamedQueryId } = await boss.send(new CreateNamedQueryCommand(name))
  const other = await boss.send(new CreateNamedQueryCommand({ ...name, Name: 'gone' }))
  await boss.send(new DeleteNamedQueryCommand({ NamedQueryId: other.NamedQueryId }))
  await boss.send(
    new CreatePreparedStatementCommand({
      StatementName: 'fewer',
      WorkGroup: 'usual',
      QueryStatement: 'SELECT count(*) FROM sales WHERE salesid < ?',
    }),
  )
  await lake.restart()

  expect(await Promise.all(all.map((id) => executionOf(boss, id)))).toEqual(before)
  expect(await Promise.all([selected, managed, shown].map((id) => resultsOf(boss, id)))).toEqual(
    results,
  )
  expect(before[3]?.Status?.State).toBe('FAILED')
  const { QueryExecutionIds } = await boss.send(
    new ListQueryExecutionsCommand({ WorkGroup: 'usual' }),
  )
  expect(QueryExecutionIds).toEqual(expect.arrayContaining([selected, shown, failed]))
  // The same token starts nothing more.
  expect(await run(boss, sql, token)).toBe(selected)
  const { NamedQuery } = await boss.send(new GetNamedQueryCommand({ NamedQueryId }))
  expect(NamedQuery).toMatchObject(name)
  const { NamedQueryIds } = await boss.send(new ListNamedQueriesCommand({ WorkGroup: 'primary' }))
  expect(NamedQueryIds).toEqual([NamedQueryId])
  const executed = await run(boss, 'EXECUTE fewer USING 5', { WorkGroup: 'usual' })
  expect((await resultsOf(boss, executed))?.Rows?.at(-1)?.Data?.[0]?.VarCharValue).toBe('5')

  const analyst = client('analyst')
  await expect(executionOf(analyst, selected)).rejects.toThrow('was not found')
  const theirs = await analyst.send(new ListPreparedStatementsCommand({ WorkGroup: 'usual' }))
  expect(theirs.PreparedStatements).toEqual([])
})

it('a statement that the server did not end before it stopped has failed, and says why', async () => {
  const boss = client('boss')
  const QueryString =
    'SELECT count(*) FROM sales a, sales b, sales c, sales d WHERE a.qty + b.qty + c.qty + d.qty = 1'
  const { QueryExecutionId = '' } = await boss.send(
    new StartQueryExecutionCommand({ QueryString, QueryExecutionContext: { Database: 'silver' } }),
  )
  await lake.restart()
  const found = await executionOf(boss, QueryExecutionId)
  expect(found?.Status?.State).toBe('FAILED')
  expect(found?.Status?.StateChangeReason).toContain('The server was stopped')
})

it('the history has statements that were refused, in the words of whoever sent them', async () => {
  const boss = client('boss')
  const refused = [
    'SELECT no_function(salesid) FROM sales',
    'SELEC 1',
    'CREATE TABLE silver.sales AS SELECT 1 AS one',
    'SELECT nothing FROM sales WHERE qty = 77',
  ]
  for (const sql of refused) await run(boss, sql)
  await expect(
    boss.send(new StartQueryExecutionCommand({ QueryString: 'SELECT 78', WorkGroup: 'nothing' })),
  ).rejects.toThrow('is not found')
  const auditor = client('auditor')
  const id = await run(
    auditor,
    "SELECT sql, error_kind, error FROM system.queries WHERE principal = 'boss' AND error IS NOT NULL ORDER BY ended",
  )
  const rows = (await resultsOf(auditor, id))?.Rows?.map(({ Data = [] }) =>
    Data.map(({ VarCharValue }) => VarCharValue),
  )
  for (const sql of [...refused, 'SELECT 78'])
    expect(rows?.filter(([found]) => found === sql)).toEqual([[sql, 'query', expect.any(String)]])
})
