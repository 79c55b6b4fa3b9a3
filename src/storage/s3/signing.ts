import { MoraineError } from '../../errors.js'
import { isBelow } from '../paths.js'
import type { ObjectAccess } from '../staging.js'
import type { ObjectCall, PlainRequest, RequestSigner } from '../storage.js'
import type { S3Place } from './settings.js'
import { type SigningKeys, signatureOf } from './signature.js'

type Target = Pick<S3Place, 'bucket' | 'prefix' | 'endpoint'>
type Headers = Readonly<Record<string, string>>

/** A request of which it is known what it does. */
interface Understood {
  call: ObjectCall
  url: URL
  headers: Headers
  /** Whether the request creates an object; parts of one do not, before they are put together. */
  creates: boolean
}

/** Headers of S3 that change nothing but how bytes are sent, checked and stored. */
const HARMLESS =
  /^x-amz-(content-sha256|checksum-[\w-]+|sdk-checksum-algorithm|trailer|decoded-content-length|te|mp-object-size|server-side-encryption(-aws-kms-key-id|-context|-bucket-key-enabled)?|storage-class|request-payer|expected-bucket-owner)$/
/** What a body may be announced as. */
const BODY = /^([0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-UNSIGNED-PAYLOAD-TRAILER)$/
/** Others that the signature covers; servers and proxies may change what it does not. */
const COVERED = /^(x-amz-.*|content-md5|if-match|if-none-match)$/

const READ = ['partNumber', 'versionId', 'x-id']
const LIST = [
  ...['list-type', 'prefix', 'delimiter', 'max-keys', 'continuation-token', 'start-after'],
  ...['encoding-type', 'fetch-owner', 'x-id'],
]

/** Signs requests with the keys of this process; a bucket without keys needs none. */
export function signerFor(
  place: S3Place,
  access: () => Promise<ObjectAccess>,
): RequestSigner | undefined {
  if (place.anonymous) return undefined
  return {
    async address() {
      const { region, endpoint, pathStyle } = await access()
      return { region, endpoint, pathStyle }
    },
    async sign(request, check) {
      const known = understood(place, request)
      check(known.call)
      return signed(known, request.method, await access(), new Date())
    },
  }
}

/**
 * What a request to a bucket would do, if it is one of those that may be signed for somebody else.
 *
 * @throws MoraineError of kind `usage` for all others: none removes anything, none copies, none
 *   asks about the bucket, and none goes to another place.
 */
function understood(place: Target, { method, url: text, headers }: PlainRequest): Understood {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || url.username || url.password || url.hash) throw cant(method, 'its address is not one')
  // Some read it as a space, and others as what it is.
  if (`${url.pathname}${url.search}`.includes('+')) throw cant(method, 'a + must be sent as %2B')
  const key = keyIn(place, url)
  if (key === undefined) throw cant(method, 'it is not for the bucket of the lake')
  const query = url.searchParams
  const names = [...query.keys()]
  // Of a name that is there twice, nobody knows which value the bucket goes by.
  const only = (some: readonly string[]) =>
    names.every((name, i) => some.includes(name) && names.indexOf(name) === i)
  const plain = plainHeaders(method, headers)
  const known = (does: ObjectCall['does'], path: string, creates = false): Understood => {
    const call = { does, path: pathOf(place, path, method, does === 'list') }
    return { call, url, headers: plain, creates }
  }
  const isPart = query.has('uploadId')
  if (method === 'GET' && key === '' && query.get('list-type') === '2' && only(LIST))
    return known('list', query.get('prefix') ?? '')
  if ((method === 'GET' || method === 'HEAD') && only(READ)) return known('read', key)
  if (method === 'PUT' && only(['partNumber', 'uploadId', 'x-id']))
    return known('create', key, !isPart)
  if (method === 'POST' && only(['uploads', 'x-id']) && query.has('uploads'))
    return known('create', key)
  if (method === 'POST' && only(['uploadId', 'x-id']) && isPart) return known('create', key, true)
  throw cant(method, 'only reading, listing, and creating objects is signed')
}

/**
 * What signs the request, beside its own headers: an object is created only where there is none.
 */
function signed(request: Understood, method: string, keys: SigningKeys, now: Date) {
  const once = request.creates ? { 'if-none-match': '*' } : {}
  const covered = Object.entries(request.headers).filter(([name]) => COVERED.test(name))
  const headers = { ...Object.fromEntries(covered), ...once }
  return { ...once, ...signatureOf({ method, url: request.url, headers }, keys, now) }
}

function plainHeaders(method: string, headers: PlainRequest['headers']): Headers {
  const plain = Object.entries(headers).map(
    ([name, values]) => [name.toLowerCase(), values.join(',')] as const,
  )
  for (const [name, value] of plain) {
    const isBad =
      name === 'authorization' ||
      (name.startsWith('x-amz-') && !HARMLESS.test(name)) ||
      (name === 'x-amz-content-sha256' && !BODY.test(value)) ||
      (name === 'if-none-match' && value !== '*' && method === 'PUT') ||
      /[\r\n\0]/.test(value)
    if (isBad) throw cant(method, `its header ${name} is not one that is signed`)
  }
  return Object.fromEntries(plain)
}

/** The key that an address names in the bucket: in its path, behind the bucket's name or not. */
function keyIn(
  { bucket, endpoint }: Target,
  { protocol, host, pathname }: URL,
): string | undefined {
  const path = decoded(pathname.slice(1))
  if (path === undefined) return undefined
  const own = endpoint === undefined ? undefined : new URL(endpoint)
  const isHost = (name: string) =>
    own
      ? name === own.host && protocol === own.protocol
      : /^s3([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?$/.test(name) && protocol === 'https:'
  if (isHost(host)) {
    if (path === bucket) return ''
    return path.startsWith(`${bucket}/`) ? path.slice(bucket.length + 1) : undefined
  }
  const isVirtual = host.startsWith(`${bucket}.`) && isHost(host.slice(bucket.length + 1))
  return isVirtual ? path : undefined
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The path in the lake of a key; a prefix may end with a slash. */
function pathOf({ prefix }: Target, key: string, method: string, isPrefix: boolean): string {
  const root = prefix === '' ? '' : `${prefix}/`
  const path = key.slice(root.length)
  const isIn = key.startsWith(root) && isBelow(isPrefix ? path.replace(/\/$/, '') : path)
  if (isIn) return path
  throw cant(method, 'it names nothing below the root of the lake')
}

const cant = (method: string, why: string) =>
  new MoraineError('usage', `This ${method} request to the bucket is not signed: ${why}`)
