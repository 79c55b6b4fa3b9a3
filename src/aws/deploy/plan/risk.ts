import type { ResourceChange } from './difference.js'

/** Types of resources that hold data which nothing else has. */
const HOLDING = new Set([
  'AWS::S3::Bucket',
  'AWS::KMS::Key',
  'AWS::SecretsManager::Secret',
  'AWS::RDS::DBInstance',
  'AWS::RDS::DBCluster',
  'AWS::DynamoDB::Table',
  'AWS::RedshiftServerless::Namespace',
  'AWS::EFS::FileSystem',
])

export const holdsData = (type: string) => HOLDING.has(type)

/** Why a change can't be made, as it would leave data behind or destroy them. */
export interface Danger {
  id: string
  type: string
  message: string
  hint: string
}

/** The changes that would cost data: none of them is made, whatever was answered. */
export function dangersOf(changes: readonly ResourceChange[]): Danger[] {
  return changes.filter(({ type }) => holdsData(type)).flatMap(dangerOf)
}

function dangerOf({ id, type, action, properties, retained }: ResourceChange): Danger[] {
  const what = nounOf(type)
  if (action === 'replace')
    return [
      {
        id,
        type,
        message: `${id} would be replaced by an empty ${what}, because ${properties.map(({ path }) => path).join(', ')} ${properties.length === 1 ? 'differs' : 'differ'}`,
        hint: properties.some(({ path }) => path === 'ObjectLockEnabled')
          ? 'Object lock belongs to a bucket from its creation, and stays. Keep a lock on an archive, or archiveLock, in lake.ts; to begin with locks, deploy under another name, and copy the lake there: moraine copy.'
          : `Change it back in lake.ts. To move the lake to another ${what}, deploy under another name, and copy the lake there: moraine copy.`,
      },
    ]
  if (action === 'remove' && type === 'AWS::KMS::Key')
    return [
      {
        id,
        type,
        message: `${id} would leave the stack, and with it the rights of all roles to it: what is encrypted by it could not be read any more`,
        hint: "Keep encryption: 'kms' in lake.ts. To have a lake without a key of its own, deploy under another name, and copy the lake there: moraine copy.",
      },
    ]
  if (action === 'remove' && !retained)
    return [
      {
        id,
        type,
        message: `${id} would be deleted with what it holds: it is a ${what} that the stack does not retain`,
        hint: `Keep it in the template, or retain it first: DeletionPolicy: Retain.`,
      },
    ]
  const policy = properties.find(({ path }) => path === 'DeletionPolicy')
  if (policy && policy.after !== 'Retain' && policy.after !== 'RetainExceptOnCreate')
    return [
      {
        id,
        type,
        message: `${id} would no longer be retained: its DeletionPolicy would be ${policy.after ?? 'Delete'}`,
        hint: `A ${what} of the lake keeps DeletionPolicy: Retain.`,
      },
    ]
  return []
}

/** What a type is called in a sentence: `bucket`, `key`, `function`. */
export function nounOf(type: string): string {
  const kind = type.slice(type.lastIndexOf(':') + 1)
  return nouns[type] ?? kind.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
}

const nouns: Readonly<Record<string, string>> = {
  'AWS::KMS::Alias': 'alias of the key',
  'AWS::S3::BucketPolicy': 'bucket policy',
  'AWS::Lambda::Permission': 'permission to call a function',
  'AWS::Lambda::EventSourceMapping': 'event source',
  'AWS::Lambda::Url': 'function URL',
  'AWS::Events::Rule': 'event rule',
  'AWS::Athena::WorkGroup': 'workgroup',
  'AWS::Glue::Database': 'Glue database',
  'AWS::Glue::Job': 'Glue job',
  'AWS::EC2::VPCEndpoint': 'VPC endpoint',
  'AWS::Logs::LogGroup': 'log group',
  'AWS::RedshiftServerless::Namespace': 'warehouse',
  'AWS::SQS::QueuePolicy': 'queue policy',
  'AWS::CloudFormation::WaitConditionHandle': 'placeholder',
}
