import type { SeenCall } from '../enforcing-cloud.js'
import type { Asked } from './evaluate.js'

/** What services know of a lake's place. */
export interface Known {
  readonly account: string
  readonly region: string
  /** The key by which what lies in buckets and queues is encrypted. */
  readonly key?: string
}

/**
 * What a call that was seen asks of IAM, with what it implies: objects and messages that are
 * encrypted by a key need rights to that.
 *
 * @throws where a call is none that is known here.
 */
export function askedBy(call: SeenCall, known: Known): Asked[] {
  const target = call.headers['x-amz-target']
  return target === undefined ? askedOfS3(call, known) : askedByName(target, call, known)
}

function askedOfS3(call: SeenCall, { key }: Known): Asked[] {
  const { pathname, searchParams: query } = new URL(call.path, 'http://s3')
  const [, bucket = '', ...rest] = pathname.split('/').map(decodeURIComponent)
  const name = rest.join('/')
  const arn = `arn:aws:s3:::${bucket}`
  const header = 'x-amz-server-side-encryption'
  const sse = call.headers[header]
  const context = {
    'aws:SecureTransport': 'true',
    ...(sse === undefined ? {} : { [`s3:${header}`]: sse }),
  }
  const ask = (action: string, resource: string, more = {}): Asked => ({
    ...{ action: `s3:${action}`, resource, context: { ...context, ...more } },
  })
  if (name === '') {
    const prefix = query.get('prefix')
    if (query.has('object-lock')) return [ask('GetBucketObjectLockConfiguration', arn)]
    if (call.method === 'GET' && !query.has('versions'))
      return [ask('ListBucket', arn, prefix === null ? {} : { 's3:prefix': prefix })]
    throw new Error(`no action is known of ${call.method} ${call.path}`)
  }
  const object = `${arn}/${name}`
  const byKey = (action: string): Asked[] =>
    key === undefined ? [] : [{ action: `kms:${action}`, resource: key }]
  if (call.method === 'GET' || call.method === 'HEAD') {
    const version = query.has('versionId') ? 'Version' : ''
    return [ask(`GetObject${version}`, object), ...byKey('Decrypt')]
  }
  if (call.method === 'DELETE') {
    if (query.has('uploadId')) return [ask('AbortMultipartUpload', object)]
    return [ask(query.has('versionId') ? 'DeleteObjectVersion' : 'DeleteObject', object)]
  }
  if (query.has('retention')) return [ask('PutObjectRetention', object)]
  if (query.has('legal-hold')) return [ask('PutObjectLegalHold', object)]
  const isPart = query.has('uploadId')
  return [
    ask('PutObject', object),
    ...byKey('GenerateDataKey'),
    ...(isPart ? byKey('Decrypt') : []),
    ...(call.headers['x-amz-copy-source'] === undefined ? [] : byKey('Decrypt')),
  ]
}

function askedByName(target: string, call: SeenCall, { account, region, key }: Known): Asked[] {
  const [service = '', action = ''] = target.split('.')
  const body = JSON.parse(call.body)
  const arn = (of: string, rest: string) => `arn:aws:${of}:${region}:${account}:${rest}`
  const context = { 'aws:SecureTransport': 'true' }
  if (service === 'AmazonSQS') {
    const resource = arn('sqs', body.QueueUrl.split('/').at(-1))
    const keys = key === undefined ? [] : ['kms:GenerateDataKey', 'kms:Decrypt']
    return [
      { action: `sqs:${action}`, resource, context },
      ...keys.map((one) => ({ action: one, resource: key as string })),
    ]
  }
  if (service === 'secretsmanager')
    return [
      {
        action: `secretsmanager:${action}`,
        resource: arn('secretsmanager', `secret:${body.SecretId}-AbCdEf`),
      },
    ]
  if (service === 'AWSGlue') {
    const database = body.DatabaseName ?? body.DatabaseInput?.Name
    const table = body.TableName ?? body.TableInput?.Name ?? body.Name
    const isOfTable = /Table|Partition/.test(action)
    const resources = [
      arn('glue', 'catalog'),
      arn('glue', `database/${database}`),
      ...(isOfTable ? [arn('glue', `table/${database}/${table ?? '*'}`)] : []),
    ]
    return resources.map((resource) => ({ action: `glue:${action}`, resource }))
  }
  throw new Error(`no action is known of ${target}`)
}

/** What Lambda asks for a function by its role, which no proxy sees. */
export function askedByLambda(of: {
  logGroup: string
  queue?: string
  key?: string | undefined
}): Asked[] {
  const logs = ['logs:CreateLogStream', 'logs:PutLogEvents']
  const traces = ['xray:PutTraceSegments', 'xray:PutTelemetryRecords']
  const queue = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']
  return [
    ...logs.map((action) => ({ action, resource: of.logGroup })),
    ...traces.map((action) => ({ action, resource: '*' })),
    ...(of.queue === undefined
      ? []
      : queue.map((action) => ({ action, resource: of.queue as string }))),
    ...(of.key === undefined ? [] : [{ action: 'kms:Decrypt', resource: of.key }]),
  ]
}
