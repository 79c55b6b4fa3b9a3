import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { secondsOf } from '../../define/interval.js'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { shownUrl } from '../../secrets.js'
import { variable } from '../../settings.js'
import type { ObjectAccess } from '../staging.js'
import { counting } from './requests.js'

/** Where a lake lies in S3, and how its objects are reached. */
export interface S3Place {
  bucket: string
  /** Without slashes at its ends; empty for the whole bucket. */
  prefix: string
  endpoint: string | undefined
  region: string | undefined
  pathStyle: boolean
  /** How objects are encrypted: by S3, or by a key of KMS. */
  encryption: { ServerSideEncryption?: 'AES256' | 'aws:kms'; SSEKMSKeyId?: string }
  /** A role that is assumed for each session. */
  role: string | undefined
  /** A role of AWS whose credentials others may be given, each with limits, and its external id. */
  vendRole: string | undefined
  vendExternalId: string | undefined
  /** Milliseconds that an answer may take to begin. */
  timeout: number
  /** Whether engines that can shall read objects where they lie; otherwise as it costs less. */
  reads: 'ranges' | 'copies' | undefined
  /** Requests are not signed: the bucket is public. */
  anonymous: boolean
  /** Whoever asks pays for it, where the bucket wants that. */
  requesterPays: boolean
}

const known = [
  'endpoint',
  'region',
  'pathStyle',
  'sse',
  'kmsKeyId',
  'role',
  'vendRole',
  'vendExternalId',
  'timeout',
  'reads',
  'anonymous',
  'requesterPays',
]

/**
 * Reads `s3://bucket/prefix?endpoint=…&region=…&sse=aws:kms&kmsKeyId=…&role=…`. Credentials are not
 * part of it: they come from where AWS's own tools have them.
 *
 * @throws MoraineError of kind `usage` when something in it is not known.
 */
export function s3Place(root: string): S3Place {
  const url = URL.canParse(root) ? new URL(root) : undefined
  const refuse = (message: string, hint: string) => new MoraineError('usage', message, { hint })
  if (!url?.hostname)
    throw refuse(
      `'${shownUrl(root)}' is not a valid S3 location`,
      'Use the form s3://bucket/prefix.',
    )
  if (url.username || url.password)
    throw refuse(
      'The URL of a lake must not contain keys',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile.',
    )
  const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw refuse(`Unknown S3 setting '${unknown}'`, `The settings are: ${known.join(', ')}.`)
  const setting = (name: string) => url.searchParams.get(name) ?? undefined
  const sse = setting('sse')
  if (sse !== undefined && sse !== 'AES256' && sse !== 'aws:kms')
    throw refuse(`'${sse}' is not a supported encryption`, 'Use sse=AES256 or sse=aws:kms.')
  const reads = setting('reads')
  if (reads !== undefined && reads !== 'ranges' && reads !== 'copies')
    throw refuse(`'${reads}' is not a supported way to read`, 'Use reads=ranges or reads=copies.')
  const kmsKeyId = setting('kmsKeyId')
  const endpoint = endpointOf(setting('endpoint'))
  return {
    bucket: url.hostname,
    prefix: decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, ''),
    endpoint,
    region: setting('region') ?? variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION'),
    pathStyle:
      setting('pathStyle') === undefined
        ? endpoint !== undefined
        : setting('pathStyle') !== 'false',
    encryption: {
      ...(sse ? { ServerSideEncryption: sse } : {}),
      ...(kmsKeyId ? { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: kmsKeyId } : {}),
    },
    role: setting('role'),
    vendRole: setting('vendRole'),
    vendExternalId: setting('vendExternalId'),
    timeout: seconds(setting('timeout') ?? '60s') * 1000,
    reads,
    anonymous: setting('anonymous') === 'true',
    requesterPays: setting('requesterPays') === 'true',
  }
}

/** The endpoint of a URL's settings, or else of the environment. */
function endpointOf(set: string | undefined): string | undefined {
  const given = {
    endpoint: set,
    AWS_ENDPOINT_URL_S3: variable('AWS_ENDPOINT_URL_S3'),
    AWS_ENDPOINT_URL: variable('AWS_ENDPOINT_URL'),
  }
  const [name, endpoint] = Object.entries(given).find(([, one]) => one !== undefined) ?? []
  if (endpoint === undefined || (/^https?:\/\//i.test(endpoint) && URL.canParse(endpoint)))
    return endpoint
  const shown = shownUrl(endpoint)
  throw new MoraineError('usage', `${name}: '${shown}' is not an address of S3`, {
    hint: endpoint.includes('://')
      ? `Use the form ${name}=https://host.`
      : `Include the scheme: ${name}=http://${shown}, or https://.`,
  })
}

function seconds(text: string): number {
  const found = secondsOf(text)
  if (found !== undefined) return found
  throw new MoraineError('usage', `'${text}' is not a valid timeout`, {
    hint: 'Use the form timeout=30s.',
  })
}

/** Where other programs reach the objects of a place, and how. */
export function addressOf({
  endpoint,
  pathStyle,
}: S3Place): Pick<ObjectAccess, 'endpoint' | 'pathStyle'> {
  const { host, protocol } = endpoint === undefined ? {} : new URL(endpoint)
  return {
    endpoint: host === undefined ? undefined : { host, encrypted: protocol === 'https:' },
    pathStyle,
  }
}

export type S3 = typeof import('@aws-sdk/client-s3')

/** A client, and one that tries nothing a second time. */
export async function clientsFor(
  place: S3Place,
): Promise<{ s3: S3; client: S3Client; once: S3Client }> {
  const s3 = await importPeer('@aws-sdk/client-s3')
  const config: S3ClientConfig = {
    region: place.region ?? 'us-east-1',
    ...(place.endpoint === undefined
      ? {}
      : {
          endpoint: place.endpoint,
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
        }),
    forcePathStyle: place.pathStyle,
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: place.timeout,
      throwOnRequestTimeout: true,
    },
    // A bucket in another region says in which, and is asked there.
    followRegionRedirects: true,
    ...(place.role === undefined ? {} : { credentials: await assumed(place.role) }),
    ...(place.anonymous ? unsigned : {}),
  }
  return {
    s3,
    client: counting(new s3.S3Client({ ...config, maxAttempts: 3, retryMode: 'standard' })),
    once: counting(new s3.S3Client({ ...config, maxAttempts: 1 })),
  }
}

/** Requests go as they are: nothing is looked for that could sign them. */
const unsigned: S3ClientConfig = {
  credentials: { accessKeyId: '', secretAccessKey: '' },
  signer: { sign: async (request) => request },
}

async function assumed(role: string): Promise<NonNullable<S3ClientConfig['credentials']>> {
  const { fromTemporaryCredentials } = await importPeer('@aws-sdk/credential-providers')
  return fromTemporaryCredentials({ params: { RoleArn: role, RoleSessionName: 'moraine' } })
}

/**
 * Credentials of a client that last so many milliseconds, where it can have such: by itself the SDK
 * goes on with the same ones until minutes before their end.
 */
export async function lastingCredentials({ config }: S3Client, least: number) {
  const known = await config.credentials()
  const left = (known.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now()
  if (left >= least) return known
  return config.credentials({ forceRefresh: true }).catch(() => known)
}
