import {
  BatchDeletePartitionCommand,
  GetPartitionsCommand,
  GetTableCommand,
  GlueClient,
  UpdateTableCommand,
} from '@aws-sdk/client-glue'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, it } from 'vitest'
import type { Asked } from './asked.js'
import { onScratch } from './scratch.js'

let client: Asked
let glue: GlueClient
let s3: S3Client
onScratch((asked) => {
  client = asked
  glue = new GlueClient(client.options())
  s3 = new S3Client({ ...client.options(), forcePathStyle: true })
})

const put = (Key: string, Body: string | Uint8Array) =>
  s3.send(new PutObjectCommand({ Bucket: 'seeds', Key, Body }))
const ofFiles = (name: string, columns: string, folder: string, more = '') =>
  client.done(
    `CREATE EXTERNAL TABLE ${name} (${columns}) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' ${more} LOCATION 's3://seeds/${folder}' TBLPROPERTIES ('skip.header.line.count'='1')`,
  )

it('a table of CSV files has the rows that they have when it is created', async () => {
  await put('a/1.csv', 'code,word\r\n1,"one, ""two"""\r\n2,"two\nlines"\r\n3\r\n')
  await put('a/2.csv', 'code,word\n"4",a \\"b\\" c,more\n5,"\\"quoted\\" \\\\ x"')
  await put('a/_hidden', 'no')
  await ofFiles('words', '`code` string, word string', 'a')
  expect(await client.rows('SELECT * FROM words ORDER BY code')).toEqual([
    ['1', 'one, "two"'],
    ['2', 'two\nlines'],
    ['3', null],
    ['4', 'a "b" c'],
    ['5', '"quoted" \\ x'],
  ])
  await put('b/x.csv', "a;b\n'1;2';3\n")
  await ofFiles(
    'other',
    'a string',
    'b/',
    "WITH SERDEPROPERTIES ('separatorChar' = ';', 'quoteChar' = '''')",
  )
  expect(await client.rows('SELECT a FROM other')).toEqual([['1;2']])
  await put('c/x.csv', 'a\n"never closed\n')
  await put('d/x.csv', new Uint8Array([97, 10, 255, 10]))
  await put('e/x.csv.gz', 'x')
  const refused: [string, string, RegExp][] = [
    ['c', 'a string', /quote is not closed at the end of s3:\/\/seeds\/c\/x\.csv/],
    ['d', 'a string', /s3:\/\/seeds\/d\/x\.csv is not UTF-8/],
    ['e', 'a string', /not a plain CSV file/],
    [
      'nothing',
      'a string',
      /No file of yours lies in s3:\/\/seeds\/nothing[\s\S]*put them there first/,
    ],
    ['a', 'a int', /the column a of CSV files is a string[\s\S]*source in lake\.ts/],
  ]
  for (const [folder, columns, why] of refused)
    await expect(ofFiles('refused', columns, folder), folder).rejects.toThrow(why)
  await expect(
    client.done("CREATE EXTERNAL TABLE x (a string) STORED AS PARQUET LOCATION 's3://seeds/a/'"),
  ).rejects.toThrow(/EXTERNAL TABLE is not served but for CSV/)
})

it('partitions of columns are listed by an expression, and deleted with their rows', async () => {
  await client.done(
    "CREATE TABLE parts WITH (partitioned_by = ARRAY['day', 'kind']) AS SELECT * FROM (VALUES (1, DATE '2026-01-01', 'a'), (2, DATE '2026-01-01', 'b'), (3, DATE '2026-01-02', 'a'), (4, DATE '2026-01-03', NULL)) AS t(n, day, kind)",
  )
  const of = { DatabaseName: 'scratch', TableName: 'parts' }
  const list = async (more: object) => {
    const found = await glue.send(new GetPartitionsCommand({ ...of, ...more }))
    return { values: found.Partitions?.map(({ Values }) => Values), next: found.NextToken }
  }
  const Expression = "(day='2026-01-01' and kind='a') or (\"day\" > '2026-01-01')"
  const none = '__HIVE_DEFAULT_PARTITION__'
  expect((await list({ Expression })).values).toEqual([
    ['2026-01-01', 'a'],
    ['2026-01-02', 'a'],
    ['2026-01-03', none],
  ])
  const first = await list({ MaxResults: 2 })
  expect(first.values).toEqual([
    ['2026-01-01', 'a'],
    ['2026-01-01', 'b'],
  ])
  const remove = (PartitionsToDelete: { Values: string[] }[]) =>
    glue.send(new BatchDeletePartitionCommand({ ...of, PartitionsToDelete }))
  await remove([{ Values: ['2026-01-01', 'a'] }, { Values: ['2026-01-03', none] }])
  expect((await list({ NextToken: first.next })).values).toEqual([['2026-01-02', 'a']])
  expect(await client.rows('SELECT n FROM parts ORDER BY 1')).toEqual([['2'], ['3']])
  await expect(list({ Expression: "lower(kind) = 'a'" })).rejects.toThrow(/'lower' does not stand/)
  await expect(remove([{ Values: ['2026-01-02'] }])).rejects.toThrow(/has 2 values: day, kind/)
  await client.done(
    "CREATE TABLE times WITH (partitioned_by = ARRAY['at']) AS SELECT * FROM (VALUES (1, TIMESTAMP '2026-01-01 00:00:00'), (2, TIMESTAMP '2026-01-01 10:00:00.5')) AS t(n, at)",
  )
  const times = { DatabaseName: 'scratch', TableName: 'times' }
  const { Partitions = [] } = await glue.send(
    new GetPartitionsCommand({ ...times, Expression: "at='2026-01-01 10:00:00.5'" }),
  )
  const found = Partitions.map(({ Values = [] }) => ({ Values }))
  expect(found).toEqual([{ Values: ['2026-01-01 10:00:00.5'] }])
  await glue.send(new BatchDeletePartitionCommand({ ...times, PartitionsToDelete: found }))
  expect(await client.rows('SELECT n FROM times')).toEqual([['1']])
  await client.done("CREATE TABLE whole AS SELECT 1 AS n, DATE '2026-01-01' AS day")
  const whole = { DatabaseName: 'scratch', TableName: 'whole' }
  expect((await glue.send(new GetPartitionsCommand(whole))).Partitions).toEqual([])
  await expect(
    glue.send(new GetPartitionsCommand({ ...whole, Expression: "day = '2026-01-01'" })),
  ).rejects.toThrow(/has no columns that are its partitions/)
})

it('descriptions, comments and parameters are kept in a table or view, and nothing else of it changes', async () => {
  await client.done('CREATE TABLE plain (id int, name string)')
  await client.done('CREATE VIEW seen AS SELECT id, name FROM plain')
  for (const Name of ['plain', 'seen']) {
    const get = async () =>
      (await glue.send(new GetTableCommand({ DatabaseName: 'scratch', Name }))).Table
    const { StorageDescriptor, Parameters, TableType } = (await get()) ?? {}
    const input = (more: object) => ({
      DatabaseName: 'scratch',
      TableInput: { ...{ Name, StorageDescriptor, Parameters, TableType }, ...more },
    })
    const [id, name] = StorageDescriptor?.Columns ?? []
    const columns = [{ ...id, Comment: 'The number' }, name]
    const about = {
      Description: "It's new",
      Parameters: { ...Parameters, comment: "It's new", unique_id: 'model.x' },
      StorageDescriptor: { ...StorageDescriptor, Columns: columns },
    }
    await glue.send(new UpdateTableCommand(input(about) as never))
    expect(await get()).toMatchObject(about)
    expect((await client.ask(`DESCRIBE ${Name}`)).rows[0]?.join()).toMatch(/id.*int.*The number/)
    const refused: [object, RegExp][] = [
      [{ StorageDescriptor: { ...StorageDescriptor, Columns: [id] } }, /columns change by ALTER/],
      [
        { StorageDescriptor: { ...StorageDescriptor, Columns: [{ ...id, Type: 'string' }, name] } },
        /columns and their types change by ALTER TABLE/,
      ],
      [
        { StorageDescriptor: { ...StorageDescriptor, Location: 's3://other/place' } },
        /the place of its files/,
      ],
      [{ Parameters: { 'write.format.default': 'orc' } }, /'write.format.default'/],
    ]
    for (const [more, why] of refused)
      await expect(glue.send(new UpdateTableCommand(input(more) as never))).rejects.toThrow(why)
  }
  await client.done("ALTER TABLE plain SET TBLPROPERTIES ('classification' = 'parquet')")
  await expect(
    glue.send(
      new UpdateTableCommand({
        DatabaseName: 'silver',
        TableInput: { Name: 'sales', Description: 'mine' },
      }),
    ),
  ).rejects.toThrow(/silver\.sales/)
})

it('columns are replaced by a list of them, and a database is dropped with what is in it', async () => {
  await client.done('CREATE TABLE cols (a int, b string, day date) PARTITIONED BY (day)')
  await client.done("INSERT INTO cols VALUES (1, 'x', DATE '2026-01-01')")
  await client.done('ALTER TABLE cols REPLACE COLUMNS (a bigint, c double)')
  expect((await client.ask('SELECT * FROM cols')).rows).toEqual([
    ['a', 'c', 'day'],
    ['1', null, '2026-01-01'],
  ])
  await expect(client.done('ALTER TABLE cols REPLACE COLUMNS (a string)')).rejects.toThrow(
    /does not become/,
  )
  // Before a table is dropped, clients list what lies at its place.
  const listed = new ListObjectsV2Command({ Bucket: 'moraine-lake', Prefix: 'scratch/cols/' })
  expect((await s3.send(listed)).KeyCount).toBe(0)
  const all = new ListObjectsV2Command({ Bucket: 'moraine-lake', Prefix: '' })
  await expect(s3.send(all)).rejects.toThrow(/not listed/)
  await client.done('CREATE SCHEMA other')
  await client.done('CREATE TABLE other.t (a int)')
  await client.done('CREATE VIEW other.v AS SELECT a FROM other.t')
  await expect(client.done('DROP SCHEMA other')).rejects.toThrow(/other/)
  const before = await client.commits()
  await client.done('DROP SCHEMA IF EXISTS other CASCADE')
  expect(await client.commits()).toBe(before + 1)
  await client.done('DROP SCHEMA IF EXISTS other CASCADE')
  await expect(client.rows('SELECT * FROM other.v')).rejects.toThrow(/does not exist/)
  await expect(client.done('DROP SCHEMA silver CASCADE')).rejects.toThrow(/silver/)
})

it('a database goes with all in it or not at all, and names nothing that its asker may not see', async () => {
  await client.done('CREATE SCHEMA other')
  for (const name of ['shared', 'a_secret', 'z_secret'])
    await client.done(`CREATE TABLE other.${name} (a int)`)
  const told = (who: 'partner' | 'clerk') =>
    client.ask('DROP SCHEMA other CASCADE', who).then(
      () => 'It was dropped',
      ({ message }: Error) => message,
    )
  expect(await told('partner')).toMatch(/^(?!.*secret).* may not write to all of namespace other/)
  expect(await told('clerk')).toMatch(/^(?!.*(?:secret|shared)).*does not exist/)
  for (const name of ['shared', 'a_secret', 'z_secret'])
    expect(await client.rows(`SELECT * FROM other.${name}`)).toEqual([])
  await client.done('DROP SCHEMA other CASCADE')
  await expect(client.rows('SELECT * FROM other.shared')).rejects.toThrow(/does not exist/)
})
