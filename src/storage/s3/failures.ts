import { MoraineError, messageOf } from '../../errors.js'

/** What is done to objects, by the permissions that it needs (IAM's names). */
const permissions = {
  create: 's3:PutObject',
  write: 's3:PutObject',
  read: 's3:GetObject',
  'look at': 's3:GetObject',
  list: 's3:ListBucket',
  remove: 's3:DeleteObject',
  'remove a version of': 's3:DeleteObjectVersion',
  protect: 's3:GetBucketObjectLockConfiguration and s3:PutObjectLegalHold',
  lock: 's3:GetBucketObjectLockConfiguration and s3:PutObjectRetention',
  'give credentials for': 'sts:AssumeRole',
  'give rules to': 's3:GetLifecycleConfiguration and s3:PutLifecycleConfiguration',
} as const

export type S3Action = keyof typeof permissions

const keys = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.'
const hints: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Create the bucket, or check its name and region.',
  InvalidAccessKeyId: keys,
  SignatureDoesNotMatch: keys,
  ExpiredToken: 'Get new credentials and run again.',
}

interface Asked {
  action: S3Action
  /** What it was done to, as a URL. */
  what: string
  anonymous: boolean
  /** A key of KMS may be needed. */
  encrypted: boolean
}

/** The error for a request that failed, in words that say what is missing. */
export function s3Failure(asked: Asked, cause: unknown): MoraineError {
  const { action, what } = asked
  const { said, hint } = reasonOf(asked, cause)
  return new MoraineError('storage', `Can't ${action} ${what}: ${said}`, {
    cause,
    doing: action,
    retryable: mayPass(cause) && hint === undefined,
    ...(hint === undefined ? {} : { hint }),
  })
}

/**
 * Codes of a disk of this machine that does not take a copy, and of mistakes: they stay as they
 * are.
 */
const LASTING = /^(ERR_|ENOSPC$|EDQUOT$|EROFS$|EACCES$|EPERM$)/

/** Whether a failure may be over at the next attempt. */
export function mayPass(cause: unknown): boolean {
  const { name, code = '' } = cause as { name?: string; code?: string }
  const status = statusOf(cause)
  if (status === undefined)
    return !(cause instanceof TypeError || LASTING.test(typeof code === 'string' ? code : ''))
  return (
    (status >= 500 && status !== 501) ||
    [408, 409, 425, 429].includes(status) ||
    (name !== undefined && /^(RequestTimeout|SlowDown|Throttling)/.test(name))
  )
}

function reasonOf(asked: Asked, cause: unknown): { said: string; hint?: string | undefined } {
  const {
    name = '',
    code = '',
    message = '',
  } = cause as Record<'name' | 'code' | 'message', string>
  if (code === 'ECONNREFUSED') return { said: 'connection refused' }
  if (name === 'CredentialsProviderError')
    return {
      said: 'no credentials were found',
      hint: `${keys} A public bucket can be read without: files('s3://…', { anonymous: true }).`,
    }
  const status = statusOf(cause)
  if (status === 301 || name === 'PermanentRedirect') return elsewhere(cause)
  // An answer to a look at an object has no text that could say more.
  const plain = ['', 'Error', 'Unknown', 'UnknownError', 'Forbidden', 'AccessDenied', '403']
  if (status === 403 && plain.includes(name)) return denied(asked)
  const said = [name, message].filter((text) => text && text !== 'Error').join(': ')
  const bare = /^(Unknown(Error)?)(: Unknown(Error)?)?$/.test(said) && status !== undefined
  return { said: bare ? `the response was ${status}` : said || messageOf(cause), hint: hints[name] }
}

function denied({ action, anonymous, encrypted }: Asked): { said: string; hint: string } {
  const needed = permissions[action]
  if (action === 'give credentials for')
    return {
      said: `access denied (403): it needs ${needed}`,
      hint: `Grant ${needed} to the credentials of this process; on AWS, the role that vendRole names must trust them.`,
    }
  if (anonymous)
    return {
      said: `access denied: anonymous access does not include ${needed}`,
      hint: "The bucket is not public, or cannot be listed. Remove anonymous to use credentials; for requester-pays buckets, add '?requesterPays=true' to the URL.",
    }
  const kms =
    encrypted && /Put|Get/.test(needed)
      ? ` For a KMS key, also ${needed.includes('Put') ? 'kms:GenerateDataKey' : 'kms:Decrypt'}.`
      : ''
  const missing =
    action === 'look at' || action === 'read'
      ? ' Without s3:ListBucket, a missing object is also reported as denied.'
      : ''
  return {
    said: `access denied (403): it needs ${needed}`,
    hint: `Grant ${needed} to the credentials.${missing}${kms} For requester-pays buckets, add '?requesterPays=true' to the URL.`,
  }
}

function elsewhere(cause: unknown): { said: string; hint: string } {
  const { Region, $response } = cause as {
    Region?: string
    $response?: { headers?: Record<string, string> }
  }
  const region = Region ?? $response?.headers?.['x-amz-bucket-region']
  return {
    said: `the bucket is in another region${region ? `: ${region}` : ''}`,
    hint: `Set the region: add ?region=${region ?? '…'} to the URL, or set AWS_REGION.`,
  }
}

export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}
