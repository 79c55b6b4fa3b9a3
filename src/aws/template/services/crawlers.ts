import {
  account,
  arn,
  att,
  type Json,
  join,
  type Resource,
  type Resources,
  ref,
  type Statement,
} from '../cfn.js'
import { type Context, databasesOf, keyArn, objects, root, tagsOf } from '../context.js'
import { foldersOf } from '../jobs/rights.js'
import { nameFor } from '../names.js'
import { keyStatements, listOnly, role } from './iam.js'
import { CRAWLER_LOGS } from './logs.js'

/** Crawlers look at the files of bronze, for those who keep a catalog of their own by them. */
export function crawlers(context: Context): Resources {
  const key = keyArn(context)
  const bronze = context.lake.datasets.filter(({ tier }) => tier === 'bronze')
  const folders = bronze.flatMap((one) => foldersOf(context, one))
  const paths = [...new Set(folders)].filter((folder) => folder.startsWith('bronze/'))
  return {
    ...crawlerRole(context, paths),
    CrawledDatabase: {
      Type: 'AWS::Glue::Database',
      Properties: {
        CatalogId: account,
        DatabaseInput: { Name: crawled(context), Description: 'What crawlers found in bronze' },
      },
    },
    Crawler: {
      Type: 'AWS::Glue::Crawler',
      Properties: {
        Name: nameFor(context.prefix, 'bronze', 255),
        Role: att('CrawlerRole'),
        DatabaseName: ref('CrawledDatabase'),
        Targets: { S3Targets: paths.map((path) => ({ Path: join(root(), `/${path}`) })) },
        // Nothing is taken away, and columns that are known stay as they are.
        SchemaChangePolicy: { UpdateBehavior: 'LOG', DeleteBehavior: 'LOG' },
        RecrawlPolicy: { RecrawlBehavior: 'CRAWL_NEW_FOLDERS_ONLY' },
        ...(key === undefined ? {} : { CrawlerSecurityConfiguration: ref('GlueSecurity') }),
        Tags: Object.fromEntries(
          (tagsOf(context) as { Key: string; Value: string }[]).map((t) => [t.Key, t.Value]),
        ),
      },
    },
    ...(key === undefined ? {} : { GlueSecurity: security(context, key) }),
  }
}

const crawled = (context: Context) => `${databasesOf(context).bronze}_crawled`

const security = ({ prefix }: Context, key: Json): Resource => ({
  Type: 'AWS::Glue::SecurityConfiguration',
  Properties: {
    Name: nameFor(prefix, 'glue', 255),
    EncryptionConfiguration: {
      S3Encryptions: [{ S3EncryptionMode: 'SSE-KMS', KmsKeyArn: key }],
      CloudWatchEncryption: { CloudWatchEncryptionMode: 'SSE-KMS', KmsKeyArn: key },
      JobBookmarksEncryption: { JobBookmarksEncryptionMode: 'CSE-KMS', KmsKeyArn: key },
    },
  },
})

function crawlerRole(context: Context, paths: readonly string[]): Resources {
  const allow = (Sid: string, Action: string[], Resource: Json): Statement => ({
    Sid,
    Effect: 'Allow',
    Action,
    Resource,
  })
  return {
    ...role(context, 'CrawlerRole', {
      name: 'crawler',
      principal: 'glue.amazonaws.com',
      statements: [
        listOnly(paths),
        allow(
          'Read',
          ['s3:GetObject'],
          paths.map((path) => objects(`${path}*`)),
        ),
        allow(
          'Catalog',
          [
            'GetDatabase',
            'GetTable',
            'GetTables',
            'CreateTable',
            'UpdateTable',
            'GetPartition',
            'GetPartitions',
            'BatchGetPartition',
            'BatchCreatePartition',
            'UpdatePartition',
          ].map((action) => `glue:${action}`),
          [
            arn('glue', 'catalog'),
            arn('glue', `database/${crawled(context)}`),
            arn('glue', `table/${crawled(context)}/*`),
          ],
        ),
        allow(
          'Logs',
          [
            ...['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
            // With its security configuration, it has the log encrypted by the lake's key.
            ...(keyArn(context) === undefined ? [] : ['logs:AssociateKmsKey']),
          ],
          arn('logs', `log-group:${CRAWLER_LOGS}`),
        ),
        ...keyStatements(context, ['kms:Decrypt']),
      ],
    }),
  }
}
