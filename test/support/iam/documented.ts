import type { Asked } from './evaluate.js'

/*
 * What services of AWS ask with a role that they were given, by their own documentation: no proxy
 * sees that, and the emulator has none of them. A right that nothing here needs is one too many;
 * one that is missing here is seen in an account alone, as the guide says.
 */

interface Place {
  readonly account: string
  readonly region: string
  readonly key: string
}

const to = (service: string, names: string, ...resources: readonly string[]): Asked[] =>
  names
    .split(/\s+/)
    .flatMap((name) => resources.map((resource) => ({ action: `${service}:${name}`, resource })))
const arnIn =
  ({ region, account }: Place) =>
  (service: string, rest: string) =>
    `arn:aws:${service}:${region}:${account}:${rest}`

const listing = (bucket: string, prefix: string): Asked => ({
  action: 's3:ListBucket',
  resource: bucket,
  context: { 's3:prefix': prefix },
})

interface AthenaQuery extends Place {
  readonly workgroup: string
  readonly database: string
  readonly table: string
  /** Whether the table has partitions in Glue. */
  readonly batches: boolean
  readonly objects: { readonly bucket: string; readonly folder: string }
  /** Where lists of files are that lead to rows. */
  readonly lists: string | undefined
  readonly results: { readonly bucket: string; readonly folder: string }
}

/**
 * A question to Athena, from its start to its rows, in the name of who asks: "Example workgroup
 * policies", "Configure access to databases and tables in the AWS Glue Data Catalog", "Control
 * access to Amazon S3 from Athena", "Athena access to encrypted data in Amazon S3".
 */
export function askedByAthena(query: AthenaQuery): Asked[] {
  const { workgroup, database, table, batches, objects, lists, results, key } = query
  const arn = arnIn(query)
  const [catalog, ofDatabase] = [arn('glue', 'catalog'), arn('glue', `database/${database}`)]
  const ofTable = arn('glue', `table/${database}/${table}`)
  return [
    ...to(
      'athena',
      `GetWorkGroup StartQueryExecution GetQueryExecution GetQueryResults GetQueryResultsStream
StopQueryExecution BatchGetQueryExecution ListQueryExecutions ListNamedQueries GetNamedQuery
BatchGetNamedQuery`,
      arn('athena', `workgroup/${workgroup}`),
    ),
    ...to('glue', 'GetDatabase', catalog, arn('glue', 'database/default'), ofDatabase),
    ...to('glue', 'GetDatabases', catalog, ofDatabase),
    ...to('glue', 'GetTable GetTables', catalog, ofDatabase, ofTable),
    ...(batches
      ? to('glue', 'GetPartition GetPartitions BatchGetPartition', catalog, ofDatabase, ofTable)
      : []),
    ...[objects.folder, ...(lists === undefined ? [] : [lists])].flatMap((folder) => [
      listing(objects.bucket, folder),
      ...to('s3', 'GetObject', `${objects.bucket}/${folder}one`),
    ]),
    ...to('s3', 'GetBucketLocation', results.bucket),
    listing(results.bucket, results.folder),
    ...to('s3', 'GetObject PutObject AbortMultipartUpload', `${results.bucket}/${results.folder}1`),
    ...to('kms', 'Decrypt GenerateDataKey', key),
  ]
}

interface RedshiftReading extends Place {
  readonly bucket: string
  readonly folder: string
  readonly database: string
  /** Where rows lie that are copied into it. */
  readonly copied: string
}

/**
 * External tables and COPY: "IAM policies for Amazon Redshift Spectrum" (its minimum, but for what
 * writes), "Loading data from Amazon S3".
 */
export function askedByRedshift(reading: RedshiftReading): Asked[] {
  const { bucket, folder, database, copied, key } = reading
  const arn = arnIn(reading)
  const [catalog, ofDatabase] = [arn('glue', 'catalog'), arn('glue', `database/${database}`)]
  const [, other = '', prefix = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(copied) ?? []
  return [
    ...to('s3', 'GetBucketLocation', bucket),
    listing(bucket, folder),
    ...to('s3', 'GetObject', `${bucket}/${folder}one`, `arn:aws:s3:::${other}/${prefix}one`),
    listing(`arn:aws:s3:::${other}`, prefix),
    ...to('glue', 'GetDatabase GetDatabases', catalog, ofDatabase),
    ...to(
      'glue',
      'GetTable GetTables GetPartitions',
      catalog,
      ofDatabase,
      arn('glue', `table/${database}/one`),
    ),
    ...to('kms', 'Decrypt', key),
  ]
}

interface Crawling extends Place {
  readonly bucket: string
  readonly folder: string
  readonly database: string
}

/**
 * A crawler over objects: "Crawler prerequisites", and with a security configuration "Setting up
 * encryption in AWS Glue".
 */
export function askedByCrawler(crawling: Crawling): Asked[] {
  const { bucket, folder, database, key } = crawling
  const arn = arnIn(crawling)
  const [catalog, ofDatabase] = [arn('glue', 'catalog'), arn('glue', `database/${database}`)]
  return [
    listing(bucket, folder),
    ...to('s3', 'GetObject', `${bucket}/${folder}one`),
    ...to('glue', 'GetDatabase', catalog, ofDatabase),
    ...to(
      'glue',
      `GetTable GetTables CreateTable UpdateTable GetPartition GetPartitions BatchGetPartition
BatchCreatePartition UpdatePartition`,
      catalog,
      ofDatabase,
      arn('glue', `table/${database}/one`),
    ),
    ...to(
      'logs',
      'CreateLogGroup CreateLogStream PutLogEvents AssociateKmsKey',
      arn('logs', 'log-group:/aws-glue/crawlers-role/shop-crawler-shop-glue'),
    ),
    ...to('kms', 'Decrypt', key),
  ]
}

/** A schedule that is due, with a queue that a key encrypts: "Set up the execution role". */
export function askedByScheduler({ queue, key }: Place & { readonly queue: string }): Asked[] {
  return [...to('sqs', 'SendMessage', queue), ...to('kms', 'GenerateDataKey Decrypt', key)]
}

/** What starts a job of Glue and where it logs, before any of its program runs. */
export function askedBySpark(of: Place & { readonly bucket: string }): Asked[] {
  const arn = arnIn(of)
  return [
    ...to('s3', 'GetObject', `${of.bucket}/_deploy/code/1.zip.spark/runner.py`),
    ...to(
      'logs',
      'CreateLogGroup CreateLogStream PutLogEvents',
      arn('logs', 'log-group:/aws-glue/jobs/output'),
    ),
  ]
}
