import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  GetWorkGroupCommand,
  ListTableMetadataCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { GetTableCommand, GetTablesCommand, GlueClient } from '@aws-sdk/client-glue'
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../support/until.js'
import { type ServedLake, servedLake } from './served.js'

let lake: ServedLake
beforeAll(async () => {
  lake = await servedLake()
})
afterAll(() => lake.close())

function options(name: Parameters<ServedLake['env']>[0], secret?: string) {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = lake.env(name)
  return {
    endpoint: lake.url,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: secret ?? AWS_SECRET_ACCESS_KEY,
    },
  }
}

async function ask(client: AthenaClient, sql: string, more: object = {}) {
  const input = { QueryString: sql, QueryExecutionContext: { Database: 'silver' }, ...more }
  const { QueryExecutionId } = await client.send(new StartQueryExecutionCommand(input))
  const get = () => client.send(new GetQueryExecutionCommand({ QueryExecutionId }))
  await until(
    'the query has ended',
    async () => !/QUEUED|RUNNING/.test((await get()).QueryExecution?.Status?.State ?? ''),
  )
  const { QueryExecution } = await get()
  return {
    id: QueryExecutionId,
    execution: QueryExecution,
    state: QueryExecution?.Status?.State,
    reason: QueryExecution?.Status?.StateChangeReason,
  }
}

async function rows(client: AthenaClient, sql: string, more: object = {}) {
  const { id, state, reason } = await ask(client, sql, more)
  if (state !== 'SUCCEEDED') throw new Error(reason)
  const { ResultSet } = await client.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
  return (ResultSet?.Rows ?? []).map((row) => row.Data?.map((cell) => cell.VarCharValue ?? null))
}

describe('the SDK of JavaScript', () => {
  it('asks Athena in Trino’s dialect, and reads the rows with their header', async () => {
    const client = new AthenaClient(options('boss'))
    const sql = `SELECT category, count(*) AS n, avg(price) FROM sales JOIN events USING (eventid) WHERE qty > ? GROUP BY 1 ORDER BY 1 OFFSET 1 LIMIT 3`
    expect(await rows(client, sql, { ExecutionParameters: ['3'] })).toEqual([
      ['category', 'n', '_col2'],
      ['Plays', expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+\.\d\d$/)],
      ['Rock', expect.any(String), expect.any(String)],
      [null, expect.any(String), expect.any(String)],
    ])
    expect((await rows(client, 'SHOW TABLES')).flat()).toEqual(['events', 'sales'])
    const { WorkGroup } = await client.send(new GetWorkGroupCommand({ WorkGroup: 'primary' }))
    expect(WorkGroup?.Configuration?.EnforceWorkGroupConfiguration).toBe(false)
    const { TableMetadataList = [] } = await client.send(
      new ListTableMetadataCommand({ CatalogName: 'AwsDataCatalog', DatabaseName: 'gold' }),
    )
    expect(
      TableMetadataList.map(({ Name, Columns }) => [Name, Columns?.map((one) => one.Type)]),
    ).toEqual([['daily', ['date', 'decimal(38,2)']]])
  })

  it('is told what is wrong, and where', async () => {
    const client = new AthenaClient(options('boss'))
    const { state, reason } = await ask(client, 'SELECT prize FROM sales')
    expect([state, reason]).toEqual([
      'FAILED',
      expect.stringContaining("COLUMN_NOT_FOUND: line 1:8: Column 'prize' cannot be resolved"),
    ])
    await expect(rows(client, 'SELECT word_stem(buyer) FROM sales')).rejects.toThrow(
      /NOT_SUPPORTED: line 1:8: The function word_stem is not translated/,
    )
    await expect(rows(client, 'SELECT qty / (qty - qty) FROM sales')).rejects.toThrow(
      /DIVISION_BY_ZERO: Division by zero/,
    )
    await expect(
      client.send(new GetQueryExecutionCommand({ QueryExecutionId: 'none' })),
    ).rejects.toMatchObject({ name: 'InvalidRequestException', AthenaErrorCode: 'INVALID_INPUT' })
  })

  it('sees what its principal may see, and no more', async () => {
    const analyst = new AthenaClient(options('analyst'))
    expect(
      await rows(analyst, 'SELECT DISTINCT buyer, max(eventid) FROM sales GROUP BY 1'),
    ).toEqual([
      ['buyer', '_col1'],
      ['hidden', '4'],
    ])
    const clerk = new AthenaClient(options('clerk'))
    await expect(rows(clerk, 'SELECT * FROM silver.sales')).rejects.toThrow(
      /Schema 'silver' does not exist/,
    )
    const glue = new GlueClient(options('clerk'))
    await expect(
      glue.send(new GetTableCommand({ DatabaseName: 'silver', Name: 'sales' })),
    ).rejects.toMatchObject({ name: 'EntityNotFoundException' })
    expect(
      (await glue.send(new GetTablesCommand({ DatabaseName: 'gold' }))).TableList?.map(
        ({ Name }) => Name,
      ),
    ).toEqual(['daily'])
    // Another's query is not there, and neither are its results.
    const { id } = await ask(new AthenaClient(options('boss')), 'SELECT 1')
    await expect(
      clerk.send(new GetQueryResultsCommand({ QueryExecutionId: id })),
    ).rejects.toMatchObject({ name: 'InvalidRequestException' })
    const s3 = new S3Client({ ...options('clerk'), forcePathStyle: true })
    await expect(
      s3.send(new GetObjectCommand({ Bucket: 'athena-results', Key: `${id}.csv` })),
    ).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  it('is told of masked columns with the type that their rows have', async () => {
    const analyst = new AthenaClient(options('analyst'))
    expect(await rows(analyst, 'SELECT DISTINCT length(starts) FROM silver.events')).toEqual([
      ['_col0'],
      ['4'],
    ])
    const { id } = await ask(analyst, 'SELECT starts FROM silver.events')
    const { ResultSet } = await analyst.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
    expect(ResultSet?.ResultSetMetadata?.ColumnInfo?.map(({ Type }) => Type)).toEqual(['varchar'])
    const described = await rows(analyst, 'DESCRIBE silver.events')
    expect(described.find((row) => row?.[0]?.trim() === 'starts')?.[1]?.trim()).toBe('string')
    expect(
      await rows(
        analyst,
        "SELECT data_type FROM information_schema.columns WHERE table_name = 'events' AND column_name = 'starts'",
      ),
    ).toEqual([['data_type'], ['varchar']])
    const table = { DatabaseName: 'silver', Name: 'events' }
    const { Table } = await new GlueClient(options('analyst')).send(new GetTableCommand(table))
    const columns = Table?.StorageDescriptor?.Columns ?? []
    expect(columns.find(({ Name }) => Name === 'starts')?.Type).toBe('string')
  })

  it('is held to the limits of a workgroup, and writes where it says', async () => {
    const client = new AthenaClient(options('boss'))
    const cut = await ask(client, 'SELECT sum(price) FROM sales', { WorkGroup: 'tiny' })
    expect([cut.state, cut.reason]).toEqual([
      'FAILED',
      expect.stringMatching(/^EXCEEDED_LIMIT: .*nothing was read/),
    ])
    const { execution } = await ask(client, 'SELECT 1', {
      WorkGroup: 'team',
      ResultConfiguration: { OutputLocation: 's3://mine/' },
    })
    expect(execution?.ResultConfiguration?.OutputLocation).toMatch(/^s3:\/\/team-results\/out\//)
    const managed = await ask(client, 'SELECT 1', { WorkGroup: 'managed' })
    expect([managed.state, managed.execution?.ResultConfiguration]).toEqual([
      'SUCCEEDED',
      undefined,
    ])
    const other = new AthenaClient(options('clerk'))
    await expect(ask(other, 'SELECT 1', { WorkGroup: 'team' })).rejects.toMatchObject({
      name: 'InvalidRequestException',
    })
  })

  it('is refused with a wrong secret, whatever it asks', async () => {
    const wrong = options('boss', 'another secret')
    await expect(rows(new AthenaClient(wrong), 'SELECT 1')).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    })
    await expect(new STSClient(wrong).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject(
      { name: 'SignatureDoesNotMatch' },
    )
    await expect(
      new S3Client({ ...wrong, forcePathStyle: true }).send(
        new PutObjectCommand({ Bucket: 'mine', Key: 'a', Body: 'x' }),
      ),
    ).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' })
  })

  it('keeps objects, whatever their keys, and lists them', async () => {
    const s3 = new S3Client({ ...options('boss'), forcePathStyle: true })
    const keys = ['a', 'a/b', 'a//c', 'ü 1+2/%41?', 'deep/../up', "q'uote", 'z']
    for (const Key of keys)
      await s3.send(
        new PutObjectCommand({ Bucket: 'mine', Key, Body: `is ${Key}`, ContentType: 'text/x' }),
      )
    for (const Key of keys) {
      const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket: 'mine', Key }))
      expect([await Body?.transformToString(), ContentType]).toEqual([`is ${Key}`, 'text/x'])
    }
    const { Body, ContentRange } = await s3.send(
      new GetObjectCommand({ Bucket: 'mine', Key: 'a/b', Range: 'bytes=-3' }),
    )
    expect([await Body?.transformToString(), ContentRange]).toEqual(['a/b', 'bytes 3-5/6'])
    const first = await s3.send(
      new ListObjectsV2Command({ Bucket: 'mine', Delimiter: '/', MaxKeys: 3 }),
    )
    expect([
      first.Contents?.map((one) => one.Key),
      first.CommonPrefixes?.map((one) => one.Prefix),
      first.IsTruncated,
    ]).toEqual([['a'], ['a/', 'deep/'], true])
    const { Deleted } = await s3.send(
      new DeleteObjectsCommand({
        Bucket: 'mine',
        Delete: { Objects: keys.map((Key) => ({ Key })) },
      }),
    )
    expect(Deleted?.length).toBe(keys.length)
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'mine' }))).KeyCount).toBe(0)
  })

  it('knows who it is, and takes keys of itself for a while', async () => {
    const sts = new STSClient(options('analyst'))
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:iam::000000000000:user/analyst',
    })
    const role = (name: string) =>
      new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::000000000000:role/${name}`,
        RoleSessionName: 'test',
      })
    const { Credentials } = await sts.send(role('AKIAANALYST'))
    const credentials = {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    }
    const client = new AthenaClient({ ...options('analyst'), credentials })
    expect(await rows(client, 'SELECT max(eventid) FROM sales')).toEqual([['_col0'], ['4']])
    const other = { ...credentials, sessionToken: credentials.sessionToken.replace(/.$/, 'x') }
    await expect(
      rows(new AthenaClient({ ...options('analyst'), credentials: other }), 'SELECT 1'),
    ).rejects.toMatchObject({ name: 'InvalidSignatureException' })
    await expect(sts.send(role('AKIABOSS'))).rejects.toMatchObject({ name: 'AccessDenied' })
  })

  it('makes tables from queries, adds rows to them, and drops them', async () => {
    const client = new AthenaClient(options('boss'))
    await rows(client, 'CREATE SCHEMA IF NOT EXISTS scratch')
    const made = await ask(
      client,
      `CREATE TABLE scratch.top WITH (format = 'PARQUET', partitioned_by = ARRAY['category']) AS
      SELECT eventid, sum(price) AS total, array_agg(qty ORDER BY salesid) AS qtys, max(day) AS last, category FROM sales JOIN events USING (eventid) WHERE eventid < 6 GROUP BY eventid, category`,
    )
    expect([made.state, made.reason, lake.errors]).toEqual(['SUCCEEDED', undefined, []])
    const all =
      'SELECT eventid, total, cardinality(qtys), last, category FROM scratch.top ORDER BY eventid'
    const expected =
      'SELECT eventid, sum(price), count(*), max(day), category FROM sales JOIN events USING (eventid) WHERE eventid < 6 GROUP BY eventid, category ORDER BY eventid'
    expect((await rows(client, all)).slice(1)).toEqual((await rows(client, expected)).slice(1))
    await rows(client, "INSERT INTO scratch.top (eventid, category) VALUES (99, 'new')")
    expect(await rows(client, 'SELECT count(*), max(eventid) FROM scratch.top')).toEqual([
      ['_col0', '_col1'],
      ['7', '99'],
    ])
    // The manifest leads to the files, which whoever may read the table can read.
    const manifest = made.execution?.Statistics?.DataManifestLocation ?? ''
    const s3 = new S3Client({ ...options('boss'), forcePathStyle: true })
    const object = (url: string) => ({
      Bucket: url.split('/')[2],
      Key: url.split('/').slice(3).join('/'),
    })
    const { Body } = await s3.send(new GetObjectCommand(object(manifest)))
    const files = ((await Body?.transformToString()) ?? '').trim().split('\n')
    expect(files.length).toBeGreaterThan(1)
    const parquet = await s3.send(
      new GetObjectCommand({ ...object(files[0] as string), Range: 'bytes=0-3' }),
    )
    expect(await parquet.Body?.transformToString()).toBe('PAR1')
    const clerk = new S3Client({ ...options('clerk'), forcePathStyle: true })
    await expect(
      clerk.send(new GetObjectCommand(object(files[0] as string))),
    ).rejects.toMatchObject({ name: 'NoSuchKey' })
    await expect(rows(client, 'DROP TABLE silver.sales')).rejects.toThrow(/lake\.ts/)
    await expect(rows(client, 'CREATE TABLE gold.mine AS SELECT 1 AS a')).rejects.toThrow(
      /lake\.ts|access/,
    )
    await rows(client, 'DROP TABLE scratch.top')
    // Its files stay for earlier states of the lake; what is deleted is the object that shows one.
    const shown = object(files[0] as string)
    await s3.send(
      new DeleteObjectsCommand({ Bucket: shown.Bucket, Delete: { Objects: [{ Key: shown.Key }] } }),
    )
    await expect(s3.send(new GetObjectCommand(shown))).rejects.toMatchObject({ name: 'NoSuchKey' })
    expect(lake.errors).toEqual([])
  })

  it('shows the files of a new table where it is asked to, and refuses what is no place for files', async () => {
    const client = new AthenaClient(options('boss'))
    const s3 = new S3Client({ ...options('boss'), forcePathStyle: true })
    await rows(client, 'CREATE SCHEMA IF NOT EXISTS scratch')
    const create = (name: string, place: string) =>
      rows(client, `CREATE TABLE scratch.${name} WITH (${place}) AS SELECT 1 AS x`)
    await create('w', "external_location = 's3://elsewhere/w/'")
    const { Contents } = await s3.send(
      new ListObjectsV2Command({ Bucket: 'elsewhere', Prefix: 'w/' }),
    )
    expect(Contents).toHaveLength(1)
    for (const place of [
      "external_location = 's3://../../../../tmp/w/'",
      "location = 'file:///tmp/w2'",
      "external_location = 's3://moraine-lake/silver/'",
    ])
      await expect(create('bad', place)).rejects.toThrow(/is not an address to write to/)
    await expect(rows(client, 'SELECT * FROM scratch.bad')).rejects.toThrow(/bad/)
    await rows(client, 'DROP TABLE scratch.w')
  })

  it('writes no results among the files of the lake, which nobody deletes', async () => {
    const client = new AthenaClient(options('boss'))
    const more = { ResultConfiguration: { OutputLocation: 's3://moraine-lake/silver/sales/' } }
    await expect(rows(client, 'SELECT 1', more)).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: expect.stringContaining('name another bucket'),
    })
    const s3 = new S3Client({ ...options('boss'), forcePathStyle: true })
    const Key = 'silver/sales/data/x.parquet'
    await expect(
      s3.send(new DeleteObjectCommand({ Bucket: 'moraine-lake', Key })),
    ).rejects.toMatchObject({ name: 'AccessDenied' })
    const { Errors } = await s3.send(
      new DeleteObjectsCommand({ Bucket: 'moraine-lake', Delete: { Objects: [{ Key }] } }),
    )
    expect(Errors).toMatchObject([{ Key, Code: 'AccessDenied' }])
  })

  it('gives results of before where no table has changed, unless the client wants none', async () => {
    const client = new AthenaClient(options('boss'))
    const reused = async (Enabled?: boolean) => {
      const ResultReuseByAgeConfiguration = { Enabled, MaxAgeInMinutes: 5 }
      const more =
        Enabled === undefined ? {} : { ResultReuseConfiguration: { ResultReuseByAgeConfiguration } }
      const { execution } = await ask(client, 'SELECT max(salesid) AS latest FROM sales', more)
      const { Enabled: isTold, MaxAgeInMinutes } =
        execution?.ResultReuseConfiguration?.ResultReuseByAgeConfiguration ?? {}
      const { ReusedPreviousResult } = execution?.Statistics?.ResultReuseInformation ?? {}
      return [ReusedPreviousResult, isTold, MaxAgeInMinutes]
    }
    expect(await reused()).toEqual([false, false, 60])
    expect(await reused()).toEqual([true, false, 60])
    expect(await reused(false)).toEqual([false, false, 5])
    expect(await reused(true)).toEqual([true, true, 5])
  })

  it('tells whoever may know it what was asked, run and committed', async () => {
    await rows(new AthenaClient(options('boss')), 'SELECT count(*) FROM sales WHERE qty < 3')
    const client = new AthenaClient(options('auditor'))
    const asked = await rows(
      client,
      `SELECT principal, rows, sql FROM system.queries WHERE sql LIKE '%qty%' AND principal = 'boss'
       ORDER BY ended DESC LIMIT 1`,
    )
    // As it was sent, in Trino's dialect.
    const sent = 'SELECT count(*) FROM sales WHERE qty < 3'
    expect(asked.at(-1)).toEqual(['boss', '1', sent])
    const runs = await rows(
      client,
      `SELECT r.outcome, cardinality(r.commits) > 0, date_diff('day', s.started, r.ended), max(c.number) > 0
       FROM system.runs r JOIN system.steps s ON s.run = r.run
       CROSS JOIN system.commits c WHERE s.dataset = 'silver.sales' GROUP BY 1, 2, 3`,
    )
    expect(runs.at(-1)).toEqual(['done', 'true', '0', 'true'])
    await expect(
      rows(new AthenaClient(options('boss')), 'SELECT * FROM system.queries'),
    ).rejects.toThrow(/queries/)
  })
})
