import {
  account,
  arn,
  join,
  partition,
  policy,
  type Resources,
  ref,
  region,
  retained,
  type Statement,
} from '../cfn.js'
import { type Context, IDS, tagsOf } from '../context.js'
import { trailArn } from './cloudtrail.js'
import { CRAWLER_LOGS } from './logs.js'

/**
 * The key of a lake: everything that holds data is encrypted by it. Roles of the account may use it
 * as far as their own policies say; of services, those that hand on what is encrypted.
 */
export function kms(context: Context): Resources {
  if (context.deploy.encryption === 's3') return {}
  const { prefix } = context
  const key = {
    Type: 'AWS::KMS::Key',
    Properties: {
      Description: `Data of the lake ${context.lake.name}`,
      EnableKeyRotation: true,
      PendingWindowInDays: 30,
      Tags: tagsOf(context),
      KeyPolicy: policy(keyStatements(context)),
    },
  }
  return {
    [IDS.key]: retained(key),
    KeyAlias: {
      Type: 'AWS::KMS::Alias',
      Properties: { AliasName: `alias/${prefix}`, TargetKeyId: ref(IDS.key) },
    },
  }
}

function keyStatements(context: Context): Statement[] {
  const { prefix } = context
  const ownAccount = { StringEquals: { 'aws:SourceAccount': account } }
  const use = ['kms:Decrypt', 'kms:GenerateDataKey*']
  return [
    {
      Sid: 'Account',
      Effect: 'Allow',
      Principal: { AWS: join('arn:', partition, ':iam::', account, ':root') },
      Action: 'kms:*',
      Resource: '*',
    },
    {
      Sid: 'Services',
      Effect: 'Allow',
      Principal: {
        Service: ['events.amazonaws.com', 'cloudwatch.amazonaws.com', 'budgets.amazonaws.com'],
      },
      Action: use,
      Resource: '*',
      Condition: ownAccount,
    },
    ...(context.deploy.audit
      ? [
          {
            Sid: 'Trail',
            Effect: 'Allow' as const,
            Principal: { Service: 'cloudtrail.amazonaws.com' },
            Action: ['kms:GenerateDataKey*', 'kms:DescribeKey'],
            Resource: '*',
            Condition: { StringEquals: { 'aws:SourceArn': trailArn(context) } },
          },
        ]
      : []),
    {
      Sid: 'Logs',
      Effect: 'Allow',
      Principal: { Service: join('logs.', region, '.amazonaws.com') },
      Action: [...use, 'kms:Encrypt', 'kms:ReEncrypt*', 'kms:Describe*'],
      Resource: '*',
      Condition: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': [
            arn('logs', `log-group:/moraine/${prefix}*`),
            // Glue names the group after the crawler's role and its security configuration.
            ...(context.deploy.crawlers ? [arn('logs', `log-group:${CRAWLER_LOGS}`)] : []),
          ],
        },
      },
    },
  ]
}
