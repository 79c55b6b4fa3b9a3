import {
  account,
  att,
  explained,
  type Json,
  join,
  policy,
  type Resource,
  type Resources,
  ref,
  retained,
  type Statement,
  service,
  text,
} from '../cfn.js'
import { type Context, IDS, keyArn, tagsOf } from '../context.js'
import { locksObjects } from '../jobs/rights.js'
import { bucketNames } from '../names.js'
import { TRAIL, trailArn } from './cloudtrail.js'
import { lifecycle } from './lifecycle.js'

const OPEN_TO_NOBODY = {
  BlockPublicAcls: true,
  BlockPublicPolicy: true,
  IgnorePublicAcls: true,
  RestrictPublicBuckets: true,
}

/** The lake's bucket, and the one with the logs of who read it. Both stay when the stack goes. */
export function s3(context: Context): Resources {
  const { lake, deploy } = context
  const names = bucketNames(lake, deploy)
  const logs = bucket(context, names.logs, {
    BucketEncryption: encryption(undefined),
    LifecycleConfiguration: {
      Rules: [{ Id: 'logs', Status: 'Enabled', Prefix: '', ExpirationInDays: 400 }, unfinished],
    },
  })
  return {
    [IDS.logs]: explained(retained(logs), {
      CKV_AWS_18: 'It holds access logs itself: its own would make more of them without end.',
      'AwsSolutions-S1': 'It holds access logs itself: its own would make more without end.',
      CKV_AWS_21: 'Logs are written once, under names of their own.',
    }),
    LogBucketPolicy: bucketPolicy(IDS.logs, [
      tlsOnly(IDS.logs),
      deliver(IDS.logs),
      ...(deploy.audit ? trailStatements(context) : []),
    ]),
    [IDS.bucket]: retained({ ...lakeBucket(context, names.lake), DependsOn: ['LogBucketPolicy'] }),
    [IDS.results]: retained({ ...results(context, names.results), DependsOn: ['LogBucketPolicy'] }),
    ResultsBucketPolicy: bucketPolicy(IDS.results, [
      tlsOnly(IDS.results),
      ...encrypted(context, IDS.results),
    ]),
    LakeBucketPolicy: bucketPolicy(IDS.bucket, [
      tlsOnly(IDS.bucket),
      ...encrypted(context, IDS.bucket),
    ]),
  }
}

/** Results of queries are computed again when somebody asks again. */
function results(context: Context, name: string): Resource {
  const made = bucket(context, name, {
    BucketEncryption: encryption(keyArn(context)),
    LifecycleConfiguration: {
      Rules: [{ Id: 'results', Status: 'Enabled', Prefix: '', ExpirationInDays: 30 }, unfinished],
    },
    LoggingConfiguration: { DestinationBucketName: ref(IDS.logs), LogFilePrefix: 'access/' },
  })
  return explained(made, { CKV_AWS_21: 'What it holds goes after a month, and can be made again.' })
}

function lakeBucket(context: Context, name: string): Resource {
  return bucket(context, name, {
    BucketEncryption: encryption(keyArn(context)),
    VersioningConfiguration: { Status: 'Enabled' },
    LifecycleConfiguration: { Rules: [...lifecycle(context), unfinished] },
    LoggingConfiguration: { DestinationBucketName: ref(IDS.logs), LogFilePrefix: 'access/' },
    NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } },
    ...(locksObjects(context) ? { ObjectLockEnabled: true } : {}),
  })
}

function bucket(
  context: Context,
  name: string,
  properties: Readonly<Record<string, Json>>,
): Resource {
  return {
    Type: 'AWS::S3::Bucket',
    Properties: {
      BucketName: text(name),
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      PublicAccessBlockConfiguration: OPEN_TO_NOBODY,
      ...properties,
      Tags: tagsOf(context),
    },
  }
}

/** Parts of uploads that nobody finished are no objects yet, wherever they lie. */
const unfinished = {
  Id: 'unfinished uploads',
  Status: 'Enabled',
  Prefix: '',
  AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
}

function encryption(key: Json | undefined): Json {
  const by =
    key === undefined
      ? { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }
      : {
          ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key },
          // One call of KMS for many objects.
          BucketKeyEnabled: true,
        }
  return { ServerSideEncryptionConfiguration: [by] }
}

function bucketPolicy(bucket: string, statements: readonly Statement[]): Resource {
  return {
    Type: 'AWS::S3::BucketPolicy',
    Properties: { Bucket: ref(bucket), PolicyDocument: policy(statements) },
    DeletionPolicy: 'Retain',
    UpdateReplacePolicy: 'Retain',
  }
}

const bothOf = (bucket: string): Json => [att(bucket), join(att(bucket), '/*')]

function tlsOnly(bucket: string): Statement {
  return {
    Sid: 'TlsOnly',
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 's3:*',
    Resource: bothOf(bucket),
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  }
}

/**
 * Requests that say how an object is encrypted must say it as the bucket does; those that say
 * nothing have it so anyway. (A negated condition holds where its key is missing, hence `Null`.)
 * None may bring a key of its own, which nobody else has: the lake could not be read any more.
 */
function encrypted(context: Context, bucket: string): Statement[] {
  const key = keyArn(context)
  const deny = (Sid: string, name: string, value?: Json): Statement => ({
    Sid,
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 's3:PutObject',
    Resource: join(att(bucket), '/*'),
    Condition: {
      Null: { [name]: 'false' },
      ...(value === undefined ? {} : { StringNotEquals: { [name]: value } }),
    },
  })
  const header = 's3:x-amz-server-side-encryption'
  return [
    deny('Encrypted', header, key === undefined ? 'AES256' : 'aws:kms'),
    ...(key === undefined ? [] : [deny('OwnKey', `${header}-aws-kms-key-id`, key)]),
    deny('NoKeyOfClients', `${header}-customer-algorithm`),
  ]
}

/** Access logs come from S3 itself. */
function deliver(bucket: string): Statement {
  return {
    Sid: 'AccessLogs',
    Effect: 'Allow',
    Principal: service('logging.s3.amazonaws.com'),
    Action: 's3:PutObject',
    Resource: join(att(bucket), '/access/*'),
    Condition: { StringEquals: { 'aws:SourceAccount': account } },
  }
}

/** CloudTrail looks whose bucket it is, and writes below its own prefix. */
function trailStatements(context: Context): Statement[] {
  const allow = (Sid: string, Action: string, Resource: Json, more: Json): Statement => ({
    Sid,
    Effect: 'Allow',
    Principal: service('cloudtrail.amazonaws.com'),
    Action,
    Resource,
    Condition: { StringEquals: { 'aws:SourceArn': trailArn(context), ...(more as object) } },
  })
  return [
    allow('TrailLooks', 's3:GetBucketAcl', att(IDS.logs), {}),
    allow('TrailWrites', 's3:PutObject', join(att(IDS.logs), `/${TRAIL}/AWSLogs/`, account, '/*'), {
      's3:x-amz-acl': 'bucket-owner-full-control',
    }),
  ]
}
